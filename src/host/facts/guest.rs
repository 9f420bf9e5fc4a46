//! Where Linux shows that it is a guest or a container, and what follows from that. Looks at nothing itself.

use super::within;

/// What there is to see.
#[derive(Default)]
pub(super) struct Evidence {
    pub(super) docker: bool,
    pub(super) podman: bool,
    pub(super) root_is_disk: bool,
    pub(super) systemd_container: Option<String>,
    pub(super) cgroup: Option<String>,
    pub(super) vendor: Option<String>,
    pub(super) product: Option<String>,
    pub(super) hypervisor: Option<String>,
    pub(super) clocks: Option<String>,
    pub(super) kernel: String,
    pub(super) flag: bool,
}

impl Evidence {
    pub(super) fn conclusion(&self) -> Option<String> {
        within(self.container().map(str::to_owned), self.machine().map(str::to_owned))
    }

    fn container(&self) -> Option<&str> {
        let cgroup = self.cgroup.as_deref().unwrap_or_default();
        let named = |name: &'static str| cgroup.contains(name).then_some(name);
        // The marks of an image outlast the container: a virtual machine may have been made from it.
        let contained = !self.root_is_disk;
        None.or_else(|| (contained && self.podman).then_some("podman"))
            .or_else(|| named("kubepods").map(|_| "kubernetes"))
            .or_else(|| (contained && self.docker).then_some("docker"))
            .or_else(|| named("docker"))
            .or_else(|| named("lxc"))
            .or(self.systemd_container.as_deref())
    }

    fn machine(&self) -> Option<&str> {
        let vendor = self.vendor.as_deref().unwrap_or_default();
        let product = self.product.as_deref().unwrap_or_default();
        let firmware = format!("{vendor} {product}");
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
        } else if vendor == "Amazon EC2" && !product.is_empty() && !product.contains(".metal") {
            // An arm64 guest has neither a flag nor a clock of the hypervisor: only its product tells.
            Some("nitro")
        } else {
            self.flag.then_some("vm")
        }
    }
}

/// Whether `/` is a block device: the second word after the dash is a mount's source (proc_pid_mountinfo(5)).
pub(super) fn root_is_disk(mountinfo: &str) -> bool {
    mountinfo.lines().any(|line| {
        let root = line.split_ascii_whitespace().nth(4) == Some("/");
        let source = line.split_once(" - ").and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1));
        root && source.is_some_and(|source| source.starts_with("/dev/"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_in_a_virtual_machine_is_both() {
        let evidence =
            Evidence { docker: true, clocks: Some("tsc kvm-clock".to_owned()), ..Evidence::default() };
        assert_eq!(evidence.conclusion().as_deref(), Some("docker in kvm"));
    }

    #[test]
    fn a_virtual_machine_made_from_a_containers_image_is_no_container() {
        assert!(root_is_disk(
            "22 27 0:20 / /proc rw - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"
        ));
        assert!(!root_is_disk(
            "1234 1000 0:99 / / rw,relatime master:1 - overlay overlay rw,lowerdir=/dev/x\n"
        ));
        let evidence = Evidence { docker: true, root_is_disk: true, ..Evidence::default() };
        assert_eq!(evidence.conclusion(), None);
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

    #[test]
    fn a_clouds_bare_metal_is_bare_metal() {
        let instance = |product: &str| Evidence {
            vendor: Some("Amazon EC2".to_owned()),
            product: Some(product.to_owned()),
            ..Evidence::default()
        };
        assert_eq!(instance("c6g.metal").conclusion(), None);
        assert_eq!(instance("c6g.large").conclusion().as_deref(), Some("nitro"));
    }
}
