//! macOS shows what it is through sysctl(8), sw_vers(1) and pmset(1), which take milliseconds. Never asks
//! system_profiler(8), which takes seconds.

use super::{count, field, load_average, name};
use crate::host::system_probe::SystemProbe;
use crate::protocol::HostFacts;

pub(super) fn facts(probe: &impl SystemProbe, common: HostFacts) -> HostFacts {
    HostFacts {
        os: probe.output("sw_vers", &[]).as_deref().and_then(version).unwrap_or(common.os),
        cpu: probe.sysctl("machdep.cpu.brand_string").as_deref().and_then(name),
        cores: probe.sysctl("hw.physicalcpu").as_deref().and_then(count),
        memory_bytes: probe.sysctl("hw.memsize").and_then(|bytes| bytes.parse().ok()),
        virtualisation: virtualisation(probe),
        governor: probe.output("pmset", &["-g"]).as_deref().and_then(power_mode),
        load1: probe.sysctl("vm.loadavg").as_deref().and_then(load_average),
        ..common
    }
}

/// `macOS 14.2.1`.
fn version(sw_vers: &str) -> Option<String> {
    let version = field(sw_vers, "ProductVersion")?;
    Some(format!("{} {version}", field(sw_vers, "ProductName").unwrap_or("macOS")))
}

/// The model of a virtual machine bears the name of its maker.
fn virtualisation(probe: &impl SystemProbe) -> Option<String> {
    let model = probe.sysctl("hw.model").unwrap_or_default();
    let makers = [("VirtualMac", "apple"), ("VMware", "vmware"), ("Parallels", "parallels")];
    let by_model = makers.iter().find(|(prefix, _)| model.starts_with(prefix)).map(|(_, name)| *name);
    let guest = || probe.sysctl("kern.hv_vmm_present").filter(|guest| guest == "1").map(|_| "vm");
    by_model.or_else(guest).map(str::to_owned)
}

/// macOS picks frequencies by itself; only how far it goes is set. Macs that have a high power mode say `powermode`
/// where the others say `lowpowermode`.
fn power_mode(pmset: &str) -> Option<String> {
    let value = |key: &str| {
        let line = pmset.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix(' '))?;
        line.split_whitespace().next()
    };
    let mode = match value("powermode").or_else(|| value("lowpowermode"))? {
        "0" => "automatic",
        "1" => "low power mode",
        "2" => "high power mode",
        _ => return None,
    };
    Some(mode.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::system_probe::Captured;

    fn common() -> HostFacts {
        HostFacts { kernel: "Darwin 24.3.0".to_owned(), os: "Darwin".to_owned(), ..HostFacts::default() }
    }

    /// An Apple M4 Max with macOS 15, from `sysctl hw machdep`. The load is of another Mac.
    const APPLE_SILICON: &str = "hw.ncpu: 16
hw.byteorder: 1234
hw.memsize: 68719476736
hw.activecpu: 16
hw.perflevel0.physicalcpu: 12
hw.perflevel0.physicalcpu_max: 12
hw.perflevel0.logicalcpu: 12
hw.perflevel0.logicalcpu_max: 12
hw.perflevel0.name: Performance
hw.perflevel1.physicalcpu: 4
hw.perflevel1.physicalcpu_max: 4
hw.perflevel1.logicalcpu: 4
hw.perflevel1.logicalcpu_max: 4
hw.perflevel1.name: Efficiency
hw.optional.arm64: 1
hw.physicalcpu: 16
hw.physicalcpu_max: 16
hw.logicalcpu: 16
hw.logicalcpu_max: 16
hw.cputype: 16777228
hw.cpusubtype: 2
hw.cpu64bit_capable: 1
hw.tbfrequency: 24000000
hw.memsize_usable: 67793829888
hw.packages: 1
hw.osenvironment:
hw.nperflevels: 2
hw.targettype: J614c
machdep.cpu.cores_per_package: 16
machdep.cpu.core_count: 16
machdep.cpu.logical_per_package: 16
machdep.cpu.thread_count: 16
machdep.cpu.brand_string: Apple M4 Max
vm.loadavg: { 1.28 1.18 1.13 }
";

    /// macOS 14.2.1.
    const SW_VERS: &str = "ProductName:\t\tmacOS\nProductVersion:\t\t14.2.1\nBuildVersion:\t\t23C71\n";

    /// A MacBook Pro with Apple silicon.
    const PMSET: &str = "System-wide power settings:
 SleepDisabled		1
Currently in use:
 standby              1
 Sleep On Power Button 1
 hibernatefile        /var/vm/sleepimage
 powernap             1
 networkoversleep     0
 disksleep            10
 sleep                1 (sleep prevented by bluetoothd, powerd, sharingd)
 hibernatemode        3
 ttyskeepawake        1
 displaysleep         10
 tcpkeepalive         1
 lowpowermode         0
 womp                 1
";

    #[test]
    fn a_mac_with_apple_silicon() {
        let machine = Captured {
            sysctl: APPLE_SILICON,
            commands: &[("sw_vers", SW_VERS), ("pmset -g", PMSET)],
            ..Captured::default()
        };
        assert_eq!(
            facts(&machine, common()),
            HostFacts {
                os: "macOS 14.2.1".to_owned(),
                cpu: Some("Apple M4 Max".to_owned()),
                cores: Some(16),
                memory_bytes: Some(68_719_476_736),
                governor: Some("automatic".to_owned()),
                load1: Some(1.28),
                ..common()
            }
        );
    }

    /// A MacBook Pro with an Intel Core of four cores, from `sysctl hw`. The name is of a like one.
    const INTEL: &str = "hw.ncpu: 8
hw.byteorder: 1234
hw.memsize: 17179869184
hw.activecpu: 8
hw.physicalcpu: 4
hw.physicalcpu_max: 4
hw.logicalcpu: 8
hw.logicalcpu_max: 8
hw.cputype: 7
hw.cpusubtype: 8
hw.cpu64bit_capable: 1
hw.cpufamily: 280134364
hw.busfrequency: 100000000
hw.cpufrequency: 2200000000
hw.cpufrequency_min: 2200000000
hw.cpufrequency_max: 2200000000
hw.packages: 1
hw.targettype: Mac
hw.cputhreadtype: 1
machdep.cpu.vendor: GenuineIntel
machdep.cpu.brand_string: Intel(R) Core(TM) i7-4980HQ CPU @ 2.80GHz
";

    #[test]
    fn a_core_with_two_threads_is_counted_once() {
        let facts = facts(&Captured { sysctl: INTEL, ..Captured::default() }, common());
        assert_eq!(
            facts,
            HostFacts {
                cpu: Some("Intel(R) Core(TM) i7-4980HQ CPU @ 2.80GHz".to_owned()),
                cores: Some(4),
                memory_bytes: Some(17_179_869_184),
                ..common()
            }
        );
    }

    #[test]
    fn a_guest_is_known_by_its_model_and_otherwise_by_its_kernel() {
        let machine = |sysctl| Captured { sysctl, ..Captured::default() };
        // macOS 15 on a build server.
        let guest = "machdep.cpu.brand_string: Apple M1 (Virtual)\nkern.hv_vmm_present: 1\n";
        assert_eq!(virtualisation(&machine(guest)).as_deref(), Some("vm"));
        let guest = "hw.model: VirtualMac2,1\nkern.hv_vmm_present: 1\n";
        assert_eq!(virtualisation(&machine(guest)).as_deref(), Some("apple"));
        let metal = "hw.model: MacBookPro18,3\nkern.hv_vmm_present: 0\n";
        assert_eq!(virtualisation(&machine(metal)), None);
    }

    #[test]
    fn the_power_mode_is_told_in_words() {
        assert_eq!(power_mode(PMSET).as_deref(), Some("automatic"));
        let low = PMSET.replace("lowpowermode         0", "lowpowermode         1");
        assert_eq!(power_mode(&low).as_deref(), Some("low power mode"));
        // A MacBook Pro with an M1 Max has a high power mode.
        let max =
            "Battery Power:\n Sleep On Power Button 1\n powermode            0\n standby              1\n";
        assert_eq!(power_mode(max).as_deref(), Some("automatic"));
        let high = max.replace("powermode            0", "powermode            2");
        assert_eq!(power_mode(&high).as_deref(), Some("high power mode"));
        assert_eq!(power_mode(" standby              1\n"), None);
    }
}
