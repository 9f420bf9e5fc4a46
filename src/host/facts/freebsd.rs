//! FreeBSD shows what it is through sysctl(8). Asks for no value that only root may see.

use super::{count, list, load_average, name, within};
use crate::host::system_probe::SystemProbe;
use crate::protocol::HostFacts;

pub(super) fn facts(probe: &impl SystemProbe, common: HostFacts) -> HostFacts {
    let jail = probe.sysctl("security.jail.jailed").filter(|jailed| jailed == "1").map(|_| "jail".to_owned());
    HostFacts {
        cpu: probe.sysctl("hw.model").as_deref().and_then(name),
        cores: probe.sysctl("kern.smp.cores").as_deref().and_then(count),
        memory_bytes: probe.sysctl("hw.physmem").and_then(|bytes| bytes.parse().ok()),
        virtualisation: within(jail, probe.sysctl("kern.vm_guest").as_deref().and_then(guest)),
        governor: frequency(probe),
        clock: probe.sysctl("kern.timecounter.hardware"),
        load1: probe.sysctl("vm.loadavg").as_deref().and_then(load_average),
        ..common
    }
}

/// The hypervisor, by the names that it has on other systems.
fn guest(vm_guest: &str) -> Option<String> {
    let known = match vm_guest {
        "none" => return None,
        "generic" => "vm",
        "hv" => "hyper-v",
        "vbox" => "virtualbox",
        other => other,
    };
    Some(known.to_owned())
}

/// The driver that sets the frequency (cpufreq(4)) and its setting: either how much it is to favour saving energy, where 0 is
/// not at all (hwpstate_intel(4)), or between which frequencies powerd(8) may choose.
fn frequency(probe: &impl SystemProbe) -> Option<String> {
    let driver = probe.sysctl("dev.cpufreq.0.freq_driver");
    let driver =
        driver.as_deref().map(|driver| driver.trim_end_matches(|digit: char| digit.is_ascii_digit()));
    let preference = driver.and_then(|driver| probe.sysctl(&format!("dev.{driver}.0.epp")));
    let preference = preference.as_deref().and_then(|epp| epp.parse::<u32>().ok());
    let told = match preference {
        Some(preference) => Some(format!("energy preference {preference}")),
        None => probe.sysctl("dev.cpu.0.freq_levels").as_deref().and_then(range),
    };
    list([driver.map(str::to_owned), told])
}

/// `800–3601 MHz` from levels such as `3601/65000 3600/65000 800/10111`: megahertz and milliwatts.
fn range(levels: &str) -> Option<String> {
    let levels: Option<Vec<u32>> =
        levels.split_whitespace().map(|level| level.split('/').next()?.parse().ok()).collect();
    let levels = levels?;
    let (least, most) = (levels.iter().min()?, levels.iter().max()?);
    Some(if least == most { format!("{most} MHz") } else { format!("{least}–{most} MHz") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::system_probe::Captured;

    fn common() -> HostFacts {
        HostFacts { kernel: "FreeBSD".to_owned(), os: "FreeBSD".to_owned(), ..HostFacts::default() }
    }

    fn machine(sysctl: &'static str) -> Captured {
        Captured { sysctl, ..Captured::default() }
    }

    /// FreeBSD 14.5 on x86-64, a guest of QEMU; what was captured of it does not say so.
    const X86: &str = "hw.model: Intel(R) Xeon(R) CPU           X5675  @ 3.07GHz
hw.machine: amd64
hw.ncpu: 2
hw.physmem: 2111283200
hw.realmem: 2147483648
hw.pagesize: 4096
hw.clockrate: 3059
kern.ostype: FreeBSD
kern.osrelease: 14.5-RELEASE
vm.loadavg: { 0.32 0.16 0.06 }
vm.stats.vm.v_page_size: 4096
";

    #[test]
    fn a_machine_with_an_intel_xeon() {
        assert_eq!(
            facts(&machine(X86), common()),
            HostFacts {
                cpu: Some("Intel(R) Xeon(R) CPU X5675 @ 3.07GHz".to_owned()),
                memory_bytes: Some(2_111_283_200),
                load1: Some(0.32),
                ..common()
            }
        );
    }

    /// FreeBSD 12.2 on arm64, a Raspberry Pi 3 Model B Plus.
    const ARM: &str = "hw.machine: arm64
hw.model: ARM Cortex-A53 r0p4
hw.ncpu: 4
hw.byteorder: 1234
hw.physmem: 974901248
hw.usermem: 856944640
hw.pagesize: 4096
hw.machine_arch: aarch64
hw.realmem: 993849344
hw.cpufreq.turbo: 0
hw.cpufreq.arm_freq: 600000000
kern.osrelease: 12.2-RELEASE
kern.ostype: FreeBSD
kern.timecounter.alloweddeviation: 5
kern.timecounter.choice: ARM MPCore Timecounter(1000) dummy(-1000000)
kern.timecounter.fast_gettime: 1
kern.timecounter.hardware: ARM MPCore Timecounter
kern.timecounter.tick: 1
";

    #[test]
    fn a_board_with_arm_cores() {
        assert_eq!(
            facts(&machine(ARM), common()),
            HostFacts {
                cpu: Some("ARM Cortex-A53 r0p4".to_owned()),
                memory_bytes: Some(974_901_248),
                clock: Some("ARM MPCore Timecounter".to_owned()),
                ..common()
            }
        );
    }

    #[test]
    fn cores_are_what_the_kernel_says() {
        // FreeBSD 14 on arm64, a router with eight cores.
        let smp = "kern.smp.forward_signal_enabled: 1
kern.smp.topology: 0
kern.smp.cores: 8
kern.smp.threads_per_core: 1
kern.smp.cpus: 8
kern.smp.maxid: 7
";
        assert_eq!(facts(&machine(smp), common()).cores, Some(8));
        assert_eq!(facts(&machine("kern.smp.cores: 0\n"), common()).cores, None);
    }

    #[test]
    fn a_jail_in_a_virtual_machine_is_both() {
        let virtualisation = |sysctl| facts(&machine(sysctl), common()).virtualisation;
        let jail = "security.jail.jailed: 1\nkern.vm_guest: none\n";
        assert_eq!(virtualisation(jail).as_deref(), Some("jail"));
        let both = "security.jail.jailed: 1\nkern.vm_guest: kvm\n";
        assert_eq!(virtualisation(both).as_deref(), Some("jail in kvm"));
        let guest = "security.jail.jailed: 0\nkern.vm_guest: hv\n";
        assert_eq!(virtualisation(guest).as_deref(), Some("hyper-v"));
        assert_eq!(virtualisation("security.jail.jailed: 0\nkern.vm_guest: none\n"), None);
    }

    #[test]
    fn the_frequency_policy_is_the_driver_and_what_it_is_told() {
        let frequency = |sysctl| frequency(&machine(sysctl));
        // FreeBSD 14.2 on a laptop with Speed Shift.
        let shift = "dev.cpufreq.0.freq_driver: hwpstate_intel0
dev.cpu.0.freq_levels: 1900/-1
dev.cpu.0.freq: 798
";
        assert_eq!(frequency(shift).as_deref(), Some("hwpstate_intel, 1900 MHz"));
        let preference = "dev.cpufreq.0.freq_driver: hwpstate_intel0\ndev.hwpstate_intel.0.epp: 100\n";
        assert_eq!(frequency(preference).as_deref(), Some("hwpstate_intel, energy preference 100"));
        // FreeBSD 13 on a desktop.
        let levels = "dev.cpu.0.freq_levels: 3601/65000 3600/65000 3400/59714 3200/54621 3000/50333 800/10111
dev.cpu.0.freq: 3600
dev.cpu.0.cx_lowest: C2
";
        assert_eq!(frequency(levels).as_deref(), Some("800–3601 MHz"));
        // FreeBSD 11 in VirtualBox.
        let virtual_cpu = "dev.cpu.0.cx_method: C1/hlt\ndev.cpu.0.%driver: cpu\ndev.cpu.0.%desc: ACPI CPU\n";
        assert_eq!(frequency(virtual_cpu), None);
    }
}
