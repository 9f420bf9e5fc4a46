//! Linux shows what it is in the files of /proc, /sys and /etc. Asks no program: a container may have none.

use std::collections::BTreeSet;

use super::guest::{Evidence, root_is_disk};
use super::{field, list, load_average, name};
use crate::host::placement::{parse_list, siblings};
use crate::host::system_probe::SystemProbe;
use crate::protocol::HostFacts;

const CPUS: &str = "/sys/devices/system/cpu";
const HUGE_PAGES: &str = "/sys/kernel/mm/transparent_hugepage/enabled";
const NODES: &str = "/sys/devices/system/node/online";
const CLOCKS: &str = "/sys/devices/system/clocksource/clocksource0";

pub(super) fn facts(probe: &impl SystemProbe, common: HostFacts) -> HostFacts {
    let cpuinfo = probe.file("/proc/cpuinfo").unwrap_or_default();
    let online = probe.file(&format!("{CPUS}/online")).and_then(|cpus| parse_list(&cpus)).unwrap_or_default();
    let virtualisation = Evidence {
        docker: probe.exists("/.dockerenv"),
        podman: probe.exists("/run/.containerenv"),
        root_is_disk: probe.file("/proc/self/mountinfo").is_some_and(|mounts| root_is_disk(&mounts)),
        systemd_container: probe.file("/run/systemd/container"),
        cgroup: probe.file("/proc/1/cgroup"),
        vendor: probe.file("/sys/class/dmi/id/sys_vendor"),
        product: probe.file("/sys/class/dmi/id/product_name"),
        hypervisor: probe.file("/sys/hypervisor/type"),
        clocks: probe.file(&format!("{CLOCKS}/available_clocksource")),
        kernel: common.kernel.clone(),
        flag: has_hypervisor_flag(&cpuinfo),
    };
    HostFacts {
        os: probe.file("/etc/os-release").as_deref().and_then(os_release).unwrap_or(common.os),
        cpu: cpu_model(&cpuinfo),
        cores: cores(probe, &online).or_else(|| cores_of(&cpuinfo)),
        memory_bytes: probe.file("/proc/meminfo").as_deref().and_then(mem_total),
        virtualisation: virtualisation.conclusion(),
        governor: list([governors(probe, &online), boost(probe)]),
        clock: probe.file(&format!("{CLOCKS}/current_clocksource")),
        load1: probe.file("/proc/loadavg").as_deref().and_then(load_average),
        transparent_huge_pages: probe.file(HUGE_PAGES).as_deref().and_then(chosen),
        microcode: field(&cpuinfo, "microcode").map(str::to_owned),
        numa_nodes: probe
            .file(NODES)
            .and_then(|nodes| parse_list(&nodes))
            .and_then(|nodes| some(nodes.len())),
        ..common
    }
}

/// `madvise` of `always [madvise] never`.
fn chosen(words: &str) -> Option<String> {
    let word = words.split_once('[')?.1.split_once(']')?.0;
    Some(word.to_owned()).filter(|word| !word.is_empty())
}

/// `Debian GNU/Linux 12` from os-release(5).
fn os_release(text: &str) -> Option<String> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let name = value("NAME")?;
    // Rolling distributions have no version.
    Some(value("VERSION_ID").map_or(name.clone(), |version| format!("{name} {version}")))
}

/// x86 names its model; ARM gives numbers of an implementer and a part; POWER and RISC-V have fields of their own.
fn cpu_model(cpuinfo: &str) -> Option<String> {
    if let Some(model) = ["model name", "cpu", "uarch"].iter().find_map(|key| field(cpuinfo, key)) {
        return name(model);
    }
    let (implementer, part) = (field(cpuinfo, "CPU implementer")?, field(cpuinfo, "CPU part")?);
    // The numbers are in Arm's "Main ID Register" documentation; util-linux has the long list.
    let known = match (implementer, part) {
        ("0x41", "0xd03") => "ARM Cortex-A53",
        ("0x41", "0xd05") => "ARM Cortex-A55",
        ("0x41", "0xd07") => "ARM Cortex-A57",
        ("0x41", "0xd08") => "ARM Cortex-A72",
        ("0x41", "0xd0b") => "ARM Cortex-A76",
        ("0x41", "0xd0c") => "ARM Neoverse-N1",
        ("0x41", "0xd40") => "ARM Neoverse-V1",
        ("0x41", "0xd49") => "ARM Neoverse-N2",
        ("0x41", "0xd4f") => "ARM Neoverse-V2",
        ("0xc0", "0xac3") => "Ampere-1",
        ("0x61", _) => "Apple silicon",
        _ => return Some(format!("implementer {implementer} part {part}")),
    };
    Some(known.to_owned())
}

/// Every CPU lists the threads of its core. This holds on all architectures and with several dies in a package, whose
/// cores may have the same number.
fn cores(probe: &impl SystemProbe, online: &[u32]) -> Option<u32> {
    let lists: Option<BTreeSet<Vec<u32>>> = online.iter().map(|&cpu| siblings(probe, cpu)).collect();
    some(lists?.len())
}

/// What /proc/cpuinfo tells of cores on x86: each has a number within its package.
fn cores_of(cpuinfo: &str) -> Option<u32> {
    let cores: Option<BTreeSet<(u32, u32)>> = cpuinfo
        .split("\n\n")
        .filter(|cpu| field(cpu, "processor").is_some())
        .map(|cpu| Some((field(cpu, "physical id")?.parse().ok()?, field(cpu, "core id")?.parse().ok()?)))
        .collect();
    some(cores?.len())
}

/// A count of zero means that none were seen.
fn some(cores: usize) -> Option<u32> {
    u32::try_from(cores).ok().filter(|&cores| cores > 0)
}

fn has_hypervisor_flag(cpuinfo: &str) -> bool {
    field(cpuinfo, "flags")
        .is_some_and(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

fn mem_total(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Large and small cores may have governors of their own.
fn governors(probe: &impl SystemProbe, online: &[u32]) -> Option<String> {
    let mut governors: Vec<String> = Vec::new();
    for cpu in online {
        let governor = probe.file(&format!("{CPUS}/cpu{cpu}/cpufreq/scaling_governor"));
        governors.extend(governor.filter(|governor| !governors.contains(governor)));
    }
    Some(governors.join(" and ")).filter(|text| !text.is_empty())
}

/// Intel's driver says that it does not boost, the others say that they do.
fn boost(probe: &impl SystemProbe) -> Option<String> {
    let state = |file: &str, on: &str, off: &str| {
        let state = probe.file(&format!("{CPUS}/{file}"))?;
        if state == on { Some("boost on") } else { (state == off).then_some("boost off") }
    };
    state("intel_pstate/no_turbo", "0", "1").or_else(|| state("cpufreq/boost", "1", "0")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::system_probe::Captured;

    fn common() -> HostFacts {
        HostFacts {
            hostname: "mercury".to_owned(),
            os: "Linux".to_owned(),
            kernel: "Linux 6.18.44".to_owned(),
            ..HostFacts::default()
        }
    }

    /// Debian 12 on x86-64, a virtual machine with two CPUs of an AMD EPYC.
    const DEBIAN: &[(&str, &str)] = &[
        (
            "/etc/os-release",
            r#"PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
NAME="Debian GNU/Linux"
VERSION_ID="12"
VERSION="12 (bookworm)"
VERSION_CODENAME=bookworm
ID=debian
"#,
        ),
        (
            "/proc/cpuinfo",
            "processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD EPYC
stepping	: 1
cpu MHz		: 2596.122
cache size	: 1024 KB
physical id	: 0
siblings	: 2
core id		: 0
cpu cores	: 2
apicid		: 0
flags		: fpu vme de pse tsc msr pae mce ht syscall constant_tsc nonstop_tsc tsc_known_freq x2apic hypervisor
bogomips	: 5192.24
power management:

processor	: 1
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD EPYC
stepping	: 1
cpu MHz		: 2596.122
cache size	: 1024 KB
physical id	: 0
siblings	: 2
core id		: 1
cpu cores	: 2
apicid		: 1
flags		: fpu vme de pse tsc msr pae mce ht syscall constant_tsc nonstop_tsc tsc_known_freq x2apic hypervisor
bogomips	: 5192.24
power management:

",
        ),
        (
            "/proc/meminfo",
            "MemTotal:       24684092 kB
MemFree:        23994356 kB
MemAvailable:   24154020 kB
",
        ),
        ("/proc/loadavg", "0.17 0.02 0.33 1/83 26959\n"),
        (
            "/proc/self/mountinfo",
            "22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
",
        ),
        ("/proc/1/cgroup", "9:name=systemd:/\n8:pids:/\n4:memory:/\n0::/\n"),
        ("/sys/devices/system/cpu/online", "0-1\n"),
        ("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n"),
        ("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1\n"),
        ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc kvm-clock \n"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"),
    ];

    fn captured(files: &[(&str, &str)]) -> Captured {
        files.iter().fold(Captured::default(), |machine, (path, text)| machine.with(path, text))
    }

    #[test]
    fn a_virtual_machine_with_debian() {
        let facts = facts(&captured(DEBIAN), common());
        assert_eq!(
            facts,
            HostFacts {
                os: "Debian GNU/Linux 12".to_owned(),
                cpu: Some("AMD EPYC".to_owned()),
                cores: Some(2),
                memory_bytes: Some(25_276_510_208),
                virtualisation: Some("kvm".to_owned()),
                governor: None,
                clock: Some("tsc".to_owned()),
                load1: Some(0.17),
                ..common()
            }
        );
    }

    #[test]
    fn what_moves_numbers_between_machines_of_one_model_is_told() {
        let machine = captured(&[
            ("/proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC\nmicrocode\t: 0xa20102b\n"),
            (HUGE_PAGES, "always [madvise] never\n"),
            (NODES, "0-1\n"),
        ]);
        let facts = facts(&machine, common());
        assert_eq!(facts.transparent_huge_pages.as_deref(), Some("madvise"));
        assert_eq!((facts.microcode.as_deref(), facts.numa_nodes), (Some("0xa20102b"), Some(2)));
    }

    /// Amazon Linux 2023 on arm64, an EC2 instance t4g.small with two CPUs of a Graviton 2.
    const GRAVITON: &[(&str, &str)] = &[
        ("/etc/os-release", "NAME=\"Amazon Linux\"\nVERSION=\"2023\"\nID=\"amzn\"\nVERSION_ID=\"2023\"\n"),
        (
            "/proc/cpuinfo",
            "processor	: 0
BogoMIPS	: 243.75
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1

processor	: 1
BogoMIPS	: 243.75
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp ssbs
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x3
CPU part	: 0xd0c
CPU revision	: 1

",
        ),
        ("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n"),
        ("/sys/class/dmi/id/product_name", "t4g.small\n"),
        ("/sys/devices/system/cpu/online", "0-1\n"),
        ("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0\n"),
        ("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1\n"),
        ("/sys/devices/system/clocksource/clocksource0/available_clocksource", "arch_sys_counter \n"),
        ("/sys/devices/system/clocksource/clocksource0/current_clocksource", "arch_sys_counter\n"),
    ];

    #[test]
    fn an_instance_on_arm_in_a_cloud() {
        let facts = facts(&captured(GRAVITON), common());
        assert_eq!(
            facts,
            HostFacts {
                os: "Amazon Linux 2023".to_owned(),
                cpu: Some("ARM Neoverse-N1".to_owned()),
                cores: Some(2),
                virtualisation: Some("nitro".to_owned()),
                clock: Some("arch_sys_counter".to_owned()),
                ..common()
            }
        );
    }

    /// A Raspberry Pi 4 Model B Rev 1.5, arm64.
    const RASPBERRY_PI: &str = "processor       : 0
BogoMIPS        : 108.00
Features        : fp asimd evtstrm crc32 cpuid
CPU implementer : 0x41
CPU architecture: 8
CPU variant     : 0x0
CPU part        : 0xd08
CPU revision    : 3

processor       : 1
BogoMIPS        : 108.00
Features        : fp asimd evtstrm crc32 cpuid
CPU implementer : 0x41
CPU architecture: 8
CPU variant     : 0x0
CPU part        : 0xd08
CPU revision    : 3

Revision        : d03115
Model           : Raspberry Pi 4 Model B Rev 1.5
";

    #[test]
    fn cpus_are_named_on_every_architecture() {
        assert_eq!(cpu_model(RASPBERRY_PI).as_deref(), Some("ARM Cortex-A72"));
        let unknown = RASPBERRY_PI.replace("0xd08", "0xfff");
        assert_eq!(cpu_model(&unknown).as_deref(), Some("implementer 0x41 part 0xfff"));
        let intel = "model name\t: Intel(R) Xeon(R) CPU           X5675  @ 3.07GHz\n";
        assert_eq!(cpu_model(intel).as_deref(), Some("Intel(R) Xeon(R) CPU X5675 @ 3.07GHz"));
        assert_eq!(
            cpu_model("cpu\t\t: POWER9, altivec supported\n").as_deref(),
            Some("POWER9, altivec supported")
        );
        assert_eq!(cpu_model(""), None);
    }

    #[test]
    fn a_core_with_two_threads_is_counted_once() {
        // An AMD 7840U has eight cores, and the second threads come after all of the first ones.
        let mut machine = Captured::default().with("/sys/devices/system/cpu/online", "0-15\n");
        for cpu in 0..16 {
            let path = format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
            machine = machine.with(&path, &format!("{},{}\n", cpu % 8, cpu % 8 + 8));
        }
        assert_eq!(facts(&machine, common()).cores, Some(8));
    }

    #[test]
    fn cores_are_counted_from_cpuinfo_where_there_is_no_sys() {
        let cpuinfo = DEBIAN[1].1;
        assert_eq!(cores_of(cpuinfo), Some(2));
        assert_eq!(cores_of(&cpuinfo.replace("core id		: 1", "core id		: 0")), Some(1));
        assert_eq!(cores_of(&cpuinfo.replacen("core id", "core", 1)), None);
        assert_eq!(cores_of(RASPBERRY_PI), None);
    }

    #[test]
    fn the_frequency_policy_is_the_governors_and_the_boost() {
        let policy = |files: &[(&str, &str)]| {
            let sys = |path: &str| format!("{CPUS}/{path}");
            let machine = Captured::default().with(&sys("online"), "0-1");
            let machine = files.iter().fold(machine, |machine, (path, text)| machine.with(&sys(path), text));
            facts(&machine, common()).governor
        };
        let both = |governor| {
            [("cpu0/cpufreq/scaling_governor", governor), ("cpu1/cpufreq/scaling_governor", "performance\n")]
        };
        assert_eq!(policy(&both("performance\n")).as_deref(), Some("performance"));
        assert_eq!(policy(&both("schedutil\n")).as_deref(), Some("schedutil and performance"));
        let intel = [both("performance\n")[0], ("intel_pstate/no_turbo", "1\n")];
        assert_eq!(policy(&intel).as_deref(), Some("performance, boost off"));
        let amd = [both("ondemand\n")[0], ("cpufreq/boost", "1\n")];
        assert_eq!(policy(&amd).as_deref(), Some("ondemand, boost on"));
        assert_eq!(policy(&[("cpufreq/boost", "strange\n")]), None);
    }

    #[test]
    fn a_distribution_has_a_name_and_mostly_a_version() {
        assert_eq!(os_release(DEBIAN[0].1).as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(os_release("NAME='Arch Linux'\nID=arch\n").as_deref(), Some("Arch Linux"));
        assert_eq!(os_release("").as_deref(), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(mem_total("MemTotal:       24684288 kB\nMemFree: 1 kB\n"), Some(25_276_710_912));
        assert_eq!(mem_total("MemTotal:       18446744073709551615 kB\n"), None);
    }
}
