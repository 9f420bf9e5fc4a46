//! On which CPUs a server and its client run: the plan, which is pure. [`Topology`] says what there is to choose from,
//! and system calls carry the plan out.

mod affinity;
mod topology;

pub use affinity::{OBSTACLE, bind, bind_process};
pub use topology::Topology;
pub(super) use topology::{parse_list, siblings};

use crate::experiment::Placement;

/// Where the two sides go. Neither is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sides {
    /// The server's CPUs.
    pub server: Vec<u32>,
    /// The client's CPUs.
    pub client: Vec<u32>,
}

/// Decides where the two sides go.
///
/// Where the plan is free to choose, the server gets the last CPU, because the first ones tend to serve the
/// interrupts of devices; the same machine always gives the same answer.
///
/// # Errors
/// A sentence that says why the machine cannot do it.
pub fn plan(placement: &Placement, topology: &Topology) -> Result<Sides, String> {
    let Topology { allowed, cores } = topology;
    let Some(&last) = allowed.last() else { return Err("no CPU is allowed to this process".to_owned()) };
    match placement {
        Placement::Free => Ok(Sides { server: allowed.clone(), client: allowed.clone() }),
        Placement::SameCore => Ok(Sides { server: vec![last], client: vec![last] }),
        Placement::SeparateCpus => {
            let shares_core = |cpu: u32| cores.iter().any(|core| core.contains(&cpu) && core.contains(&last));
            let others: Vec<u32> = allowed.iter().copied().filter(|&cpu| cpu != last).collect();
            let apart: Vec<u32> = others.iter().copied().filter(|&cpu| !shares_core(cpu)).collect();
            let client = if apart.is_empty() { others } else { apart };
            if client.is_empty() {
                return Err(format!(
                    "placement \"separate-cpus\" needs two CPUs, and only CPU {last} is allowed to this process"
                ));
            }
            Ok(Sides { server: vec![last], client })
        }
        Placement::Cpus { server, client } => {
            for (side, cpus) in [("server", server), ("client", client)] {
                if cpus.is_empty() {
                    return Err(format!("the placement names no CPU for the {side}"));
                }
                if let Some(cpu) = cpus.iter().find(|cpu| !allowed.contains(cpu)) {
                    return Err(format!(
                        "the placement puts the {side} on CPU {cpu}, but this process may only use {}",
                        list(allowed)
                    ));
                }
            }
            Ok(Sides { server: server.clone(), client: client.clone() })
        }
    }
}

/// `CPU 3`, `CPUs 0–2, 5`.
fn list(cpus: &[u32]) -> String {
    let ranges: Vec<String> = cpus
        .chunk_by(|a, b| a + 1 == *b)
        .map(|run| match run {
            [first, .., last] => format!("{first}–{last}"),
            _ => run[0].to_string(),
        })
        .collect();
    format!("CPU{} {}", if cpus.len() == 1 { "" } else { "s" }, ranges.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(allowed: &[u32], cores: &[&[u32]]) -> Topology {
        Topology { allowed: allowed.to_vec(), cores: cores.iter().map(|core| core.to_vec()).collect() }
    }

    fn split(allowed: &[u32], cores: &[&[u32]]) -> Result<Sides, String> {
        plan(&Placement::SeparateCpus, &topology(allowed, cores))
    }

    #[test]
    fn same_core_is_the_last_cpu_that_is_allowed() {
        let sides = plan(&Placement::SameCore, &topology(&[0, 1, 5], &[])).unwrap();
        assert_eq!(sides, Sides { server: vec![5], client: vec![5] });
    }

    #[test]
    fn split_keeps_the_client_off_the_servers_core_while_other_cores_exist() {
        let both = split(&[0, 1, 2, 3], &[&[0, 2], &[1, 3]]).unwrap();
        assert_eq!(both, Sides { server: vec![3], client: vec![0, 2] });
        let one_core = split(&[0, 1], &[&[0, 1]]).unwrap();
        assert_eq!(one_core, Sides { server: vec![1], client: vec![0] });
    }

    #[test]
    fn a_machine_with_one_cpu_cannot_split() {
        insta::assert_snapshot!(
            split(&[4], &[&[4]]).unwrap_err(),
            @r#"placement "separate-cpus" needs two CPUs, and only CPU 4 is allowed to this process"#
        );
    }

    #[test]
    fn free_undoes_an_earlier_binding() {
        let sides = plan(&Placement::Free, &topology(&[0, 1], &[])).unwrap();
        assert_eq!(sides, Sides { server: vec![0, 1], client: vec![0, 1] });
    }

    #[test]
    fn cpus_that_are_not_allowed_are_refused() {
        let placement = Placement::Cpus { server: vec![0], client: vec![1, 9] };
        insta::assert_snapshot!(
            plan(&placement, &topology(&[0, 1, 2, 5], &[])).unwrap_err(),
            @"the placement puts the client on CPU 9, but this process may only use CPUs 0–2, 5"
        );
    }
}
