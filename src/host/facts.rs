//! What this machine is: asked once per run, with pure readers for what each system prints.
//!
//! What cannot be found out is absent; nothing here is an error.

use crate::host::placement;
use crate::measure::machine;
use crate::protocol::HostFacts;

/// The facts of the machine that this program runs on.
#[must_use]
pub fn gather() -> HostFacts {
    let uname = rustix::system::uname();
    let word = |word: &std::ffi::CStr| word.to_string_lossy().into_owned();
    let kernel = format!("{} {}", word(uname.sysname()), word(uname.release()));
    let common = HostFacts {
        hostname: word(uname.nodename()),
        os: kernel.clone(),
        kernel,
        arch: word(uname.machine()),
        cpus: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
        load1: machine::load1(),
        can_pin: placement::OBSTACLE.is_none(),
        ..HostFacts::default()
    };
    if cfg!(target_os = "linux") {
        linux(common)
    } else if cfg!(target_os = "macos") {
        macos(common)
    } else {
        freebsd(common)
    }
}

fn linux(common: HostFacts) -> HostFacts {
    let cpuinfo = file("/proc/cpuinfo").unwrap_or_default();
    let virtualisation = Evidence {
        docker: exists("/.dockerenv"),
        podman: exists("/run/.containerenv"),
        systemd_container: file("/run/systemd/container"),
        cgroup: file("/proc/1/cgroup"),
        vendor: file("/sys/class/dmi/id/sys_vendor"),
        product: file("/sys/class/dmi/id/product_name"),
        hypervisor: file("/sys/hypervisor/type"),
        clocks: file("/sys/devices/system/clocksource/clocksource0/available_clocksource"),
        kernel: common.kernel.clone(),
        flag: has_hypervisor_flag(&cpuinfo),
    };
    HostFacts {
        os: file("/etc/os-release").as_deref().and_then(os_release).unwrap_or(common.os),
        cpu: cpu_model(&cpuinfo),
        memory_bytes: file("/proc/meminfo").as_deref().and_then(mem_total),
        virtualisation: virtualisation.conclusion(),
        governor: file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        clock: file("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        ..common
    }
}

fn macos(common: HostFacts) -> HostFacts {
    let version = output("sw_vers", &["-productVersion"]);
    HostFacts {
        os: version.map_or(common.os, |version| format!("macOS {version}")),
        cpu: sysctl("machdep.cpu.brand_string"),
        memory_bytes: sysctl("hw.memsize").and_then(|bytes| bytes.parse().ok()),
        virtualisation: sysctl("kern.hv_vmm_present").filter(|vm| vm == "1").map(|_| "vm".to_owned()),
        load1: sysctl("vm.loadavg").as_deref().and_then(load_average),
        ..common
    }
}

fn freebsd(common: HostFacts) -> HostFacts {
    let jail = sysctl("security.jail.jailed").filter(|jailed| jailed == "1").map(|_| "jail".to_owned());
    let guest = sysctl("kern.vm_guest").filter(|guest| guest != "none");
    HostFacts {
        cpu: sysctl("hw.model"),
        memory_bytes: sysctl("hw.physmem").and_then(|bytes| bytes.parse().ok()),
        virtualisation: within(jail, guest),
        clock: sysctl("kern.timecounter.hardware"),
        load1: sysctl("vm.loadavg").as_deref().and_then(load_average),
        ..common
    }
}

// ------------------------------------------------------------------------------------------- looking

fn file(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn exists(path: &str) -> bool {
    std::fs::exists(path).unwrap_or(false)
}

fn sysctl(name: &str) -> Option<String> {
    // A shell without /sbin in its PATH is common over ssh.
    output("sysctl", &["-n", name]).or_else(|| output("/sbin/sysctl", &["-n", name]))
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let done =
        std::process::Command::new(program).args(args).stdin(std::process::Stdio::null()).output().ok()?;
    let text = String::from_utf8(done.stdout).ok()?.trim().to_owned();
    (done.status.success() && !text.is_empty()).then_some(text)
}

// ------------------------------------------------------------------------------------------- reading

/// The value of `key` in lines such as `model name\t: AMD EPYC` or `MemTotal:  1024 kB`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
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
    if let Some(name) = ["model name", "cpu", "uarch"].iter().find_map(|key| field(cpuinfo, key)) {
        return Some(name.to_owned());
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

fn has_hypervisor_flag(cpuinfo: &str) -> bool {
    field(cpuinfo, "flags")
        .is_some_and(|flags| flags.split_ascii_whitespace().any(|flag| flag == "hypervisor"))
}

fn mem_total(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal")?.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The first of `{ 1.52 1.60 1.71 }`, as both BSD and macOS print it; macOS writes a comma in some locales.
fn load_average(text: &str) -> Option<f64> {
    text.trim_matches(['{', '}', ' ']).split_ascii_whitespace().next()?.replace(',', ".").parse().ok()
}

/// `docker in kvm`, or the one that is known.
fn within(inner: Option<String>, outer: Option<String>) -> Option<String> {
    match (inner, outer) {
        (Some(inner), Some(outer)) => Some(format!("{inner} in {outer}")),
        (inner, outer) => inner.or(outer),
    }
}

/// Where Linux shows that it is a guest or a container.
#[derive(Default)]
struct Evidence {
    docker: bool,
    podman: bool,
    systemd_container: Option<String>,
    cgroup: Option<String>,
    vendor: Option<String>,
    product: Option<String>,
    hypervisor: Option<String>,
    clocks: Option<String>,
    kernel: String,
    flag: bool,
}

impl Evidence {
    fn conclusion(&self) -> Option<String> {
        within(self.container().map(str::to_owned), self.machine().map(str::to_owned))
    }

    fn container(&self) -> Option<&str> {
        let cgroup = self.cgroup.as_deref().unwrap_or_default();
        let named = |name: &'static str| cgroup.contains(name).then_some(name);
        None.or_else(|| self.podman.then_some("podman"))
            .or_else(|| named("kubepods").map(|_| "kubernetes"))
            .or_else(|| self.docker.then_some("docker"))
            .or_else(|| named("docker"))
            .or_else(|| named("lxc"))
            .or(self.systemd_container.as_deref())
    }

    fn machine(&self) -> Option<&str> {
        let firmware =
            format!("{} {}", self.vendor.as_deref().unwrap_or(""), self.product.as_deref().unwrap_or(""));
        let clocks = self.clocks.as_deref().unwrap_or_default();
        let by_firmware = [
            ("KVM", "kvm"),
            ("QEMU", "qemu"),
            ("VMware", "vmware"),
            ("VirtualBox", "virtualbox"),
            ("Virtual Machine", "hyper-v"),
            ("Google Compute Engine", "kvm"),
            ("Xen", "xen"),
            ("Parallels", "parallels"),
            ("Apple Virtualization", "apple"),
        ];
        // A cloud's bare-metal machine has the firmware of the cloud, but no hypervisor clock and no flag.
        if self.kernel.to_ascii_lowercase().contains("microsoft") {
            Some("wsl")
        } else if clocks.contains("kvm-clock") {
            Some("kvm")
        } else if clocks.contains("hyperv_clocksource") {
            Some("hyper-v")
        } else if let Some(hypervisor) = self.hypervisor.as_deref() {
            Some(hypervisor)
        } else if let Some((_, name)) = by_firmware.iter().find(|(mark, _)| firmware.contains(mark)) {
            Some(name)
        } else {
            self.flag.then_some("vm")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_the_facts_that_every_machine_has() {
        let facts = gather();
        assert!(!facts.hostname.is_empty() && !facts.os.is_empty() && !facts.arch.is_empty());
        assert!(facts.cpus > 0);
        assert_eq!(facts.can_pin, cfg!(target_os = "linux"));
    }

    #[test]
    fn a_distribution_has_a_name_and_mostly_a_version() {
        let debian =
            "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n";
        assert_eq!(os_release(debian).as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!(os_release("NAME='Arch Linux'\nID=arch\n").as_deref(), Some("Arch Linux"));
        assert_eq!(os_release("").as_deref(), None);
    }

    #[test]
    fn cpus_are_named_on_every_architecture() {
        let x86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel\t\t: 2\nmodel name\t: AMD EPYC\nflags\t\t: fpu hypervisor\n";
        assert_eq!(cpu_model(x86).as_deref(), Some("AMD EPYC"));
        assert!(has_hypervisor_flag(x86));
        let arm = "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\nCPU revision\t: 1\n";
        assert_eq!(cpu_model(arm).as_deref(), Some("ARM Neoverse-N1"));
        let unknown = arm.replace("0xd0c", "0xfff");
        assert_eq!(cpu_model(&unknown).as_deref(), Some("implementer 0x41 part 0xfff"));
        assert_eq!(
            cpu_model("cpu\t\t: POWER9, altivec supported\n").as_deref(),
            Some("POWER9, altivec supported")
        );
        assert_eq!(cpu_model(""), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(mem_total("MemTotal:       24684288 kB\nMemFree: 1 kB\n"), Some(25_276_710_912));
    }

    #[test]
    fn bsd_prints_loads_in_braces() {
        assert_eq!(load_average("{ 1.52 1.60 1.71 }"), Some(1.52));
        assert_eq!(load_average("{ 2,10 1,60 1,71 }"), Some(2.10));
    }

    #[test]
    fn a_container_in_a_virtual_machine_is_both() {
        let evidence =
            Evidence { docker: true, clocks: Some("tsc kvm-clock".to_owned()), ..Evidence::default() };
        assert_eq!(evidence.conclusion().as_deref(), Some("docker in kvm"));
    }

    #[test]
    fn bare_metal_shows_no_virtualisation() {
        let evidence = Evidence {
            vendor: Some("Dell Inc.".to_owned()),
            clocks: Some("tsc hpet acpi_pm".to_owned()),
            cgroup: Some("0::/init.scope".to_owned()),
            ..Evidence::default()
        };
        assert_eq!(evidence.conclusion(), None);
        assert_eq!(Evidence { flag: true, ..evidence }.conclusion().as_deref(), Some("vm"));
    }
}
