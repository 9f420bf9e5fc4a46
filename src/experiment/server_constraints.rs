//! What must hold between the server of a cell and the rest of it: what it can be told, what a client has to be able to do to
//! reach it, and what cannot be measured on a cluster.

use super::constraints::{CellChecks, Conflict};
use super::grid::TooTangled;
use super::matrix::Draft;
use super::{Factor, Level, Link, ServerSpec, Support};
use crate::workload::Kind;

impl CellChecks<'_> {
    /// What a server that somebody else runs cannot be told.
    pub(super) fn servers(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let names = self.names;
        let external = |level: &Level| matches!(level, Level::Name(name) if matches!(names.servers.get(name), Some(ServerSpec::External { .. })));
        for (factor, why) in [
            (Factor::ServerArgs, "has its arguments already"),
            (Factor::Lifetime, "is not started or stopped"),
            (Factor::Link, "is reached as its address says"),
        ] {
            self.conflict(
                draft,
                &Conflict {
                    one: Factor::Server,
                    other: factor,
                    forbids: &|server, level| external(server) && *level != Link::Tcp.level(),
                    says: &|server, level| {
                        let (key, value) = (factor.key_of(level), level.in_file());
                        format!("the server `{server}`, which somebody else runs, {why}: {key} = {value}")
                    },
                    only: None,
                    help: match factor {
                        Factor::Link => {
                            "use a server with `program`; an address of TLS is rediss://HOST:PORT".to_owned()
                        }
                        _ => "use a server with `program`".to_owned(),
                    },
                },
            )?;
        }
        self.connections(draft)?;
        self.clusters(draft)
    }

    /// What a server demands of a connection but a client does not support.
    fn connections(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let names = self.names;
        let lacks = |mode: &Level, support: Support| match mode {
            Level::Name(mode) => names.supports(mode).is_some_and(|known| !known.contains(&support)),
            _ => false,
        };
        let lacking = |mode: &Level, server: &Level| {
            let Level::Name(name) = server else { return None };
            names.servers.get(name)?.demands().find(|support| lacks(mode, *support))
        };
        let help = "a mode with a driver of its own says so by `supports`, such as supports = [\"tls\"]";
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Mode,
                other: Factor::Server,
                forbids: &|mode, server| lacking(mode, server).is_some(),
                says: &|mode, server| {
                    let does = lacking(mode, server).map_or("connect", Support::does);
                    format!("the mode `{mode}` cannot {does}, which the server `{server}` asks for")
                },
                only: None,
                help: help.to_owned(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Mode,
                other: Factor::Link,
                forbids: &|mode, link| *link == Link::Tls.level() && lacks(mode, Support::Tls),
                says: &|mode, _| format!("the mode `{mode}` cannot speak TLS"),
                only: None,
                help: help.to_owned(),
            },
        )
    }

    /// What does not go together with the several nodes of a cluster.
    fn clusters(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let names = self.names;
        let spec = |level: &Level| match level {
            Level::Name(name) => names.servers.get(name).filter(|spec| spec.is_cluster()),
            _ => None,
        };
        let shares_keys = |kind: &Level| match kind {
            Level::Word(word) => Kind::of(word).is_some_and(|kind| kind.workload().pushers.is_some()),
            _ => false,
        };
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Server,
                other: Factor::Workload,
                forbids: &|server, kind| spec(server).is_some() && shares_keys(kind),
                says: &|server, kind| {
                    format!(
                        "the workload {} has nothing that the cluster `{server}` could spread over its nodes",
                        kind.in_file()
                    )
                },
                only: None,
                help: "use a server that stands alone".to_owned(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Server,
                other: Factor::Link,
                forbids: &|server, link| spec(server).is_some() && *link == Link::Unix.level(),
                says: &|server, _| {
                    format!("the nodes of the cluster `{server}` name each other by host and port")
                },
                only: None,
                help: "use workload.link = \"tcp\" or \"tls\"".to_owned(),
            },
        )?;
        let ours = |level: &Level| spec(level).is_some_and(|spec| matches!(spec, ServerSpec::Managed { .. }));
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Server,
                other: Factor::Hosts,
                forbids: &|server, hosts| {
                    ours(server) && matches!(hosts, Level::Hosts(pair) if pair.is_network())
                },
                says: &|server, hosts| {
                    format!("the cluster `{server}` is made for clients on its own host: `{hosts}`")
                },
                only: None,
                help: "use one host, or name a node of an existing cluster: address = \"HOST:PORT\", cluster = true"
                    .to_owned(),
            },
        )
    }
}
