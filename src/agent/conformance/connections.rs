//! Connection features that not every driver supports: TLS, an ACL user, a database, a cluster. A driver may refuse any of
//! them, but must carry out what it accepts.

use super::{Bench, Outcome, Start, Stop, server_probe, start, wrong};
use crate::protocol::{Endpoint, Job, ServerUp};

/// The server that speaks TLS and knows an ACL user.
const CAPABLE: &str = "capable";
const CLUSTER: &str = "cluster";
pub(super) const MASTERS: u32 = 3;

const USER: &str = "check";
const PASSWORD: &str = "open-sesame";
const DATABASE: u32 = 3;

impl Bench<'_> {
    pub(super) async fn tls(&mut self) -> Outcome {
        let up = self.start_capable().await?;
        let Some(mut endpoint) = up.tls_endpoint else { return Err(untested("it does not say where")) };
        if let Some(tls) = &mut endpoint.tls {
            *tls = self.servers.tls_files(tls)?;
        }
        self.reach(endpoint, CAPABLE).await
    }

    pub(super) async fn user(&mut self) -> Outcome {
        let up = self.start_capable().await?;
        let login = Endpoint {
            unix_socket: None,
            username: Some(USER.to_owned()),
            password: Some(PASSWORD.to_owned()),
            ..up.endpoint
        };
        // The default user has no password: the server refuses a client that gives one for it.
        self.reach(login, CAPABLE).await
    }

    pub(super) async fn database(&mut self) -> Outcome {
        let up = self.start_capable().await?;
        let database = Endpoint { unix_socket: None, db: DATABASE, ..up.endpoint };
        let note = self.reach(database.clone(), CAPABLE).await?;
        let keys = server_probe::keys_in(&database, DATABASE).await.map_err(Stop::Wrong)?;
        if keys == 0 { wrong(format!("leaves no key in database {DATABASE}")) } else { Ok(note) }
    }

    pub(super) async fn cluster(&mut self) -> Outcome {
        // A driver that refuses does so without a cluster, which takes a while to create.
        let job = self.job_at(Endpoint { unix_socket: None, cluster: true, ..self.up.endpoint.clone() });
        match self.ready(&job).await.map_err(Stop::from) {
            Err(stop) if stop.is_refusal() => return Err(older(stop)),
            Ok(_) | Err(_) => {}
        }
        let what = Start { masters: Some(MASTERS), ..Start::new(CLUSTER) };
        let up = start(&mut self.servers, self.options, what).await.map_err(|error| untested(&error))?;
        self.reach(up.endpoint, CLUSTER).await
    }

    /// Starts the server of these tests, or checks that it is still up.
    async fn start_capable(&mut self) -> Result<ServerUp, Stop> {
        let user = ["--user", USER, "on", &format!(">{PASSWORD}"), "~*", "&*", "+@all"];
        let what = Start { tls: true, args: &user, ..Start::new(CAPABLE) };
        start(&mut self.servers, self.options, what).await.map_err(|error| untested(&error))
    }

    /// A trial on a server that is reached in this way.
    async fn reach(&mut self, endpoint: Endpoint, server: &str) -> Outcome {
        let job = self.job_at(endpoint);
        match self.carry_out(job, server).await {
            Err(stop) if stop.is_refusal() => Err(older(stop)),
            trial => trial.map(|_| None),
        }
    }

    fn job_at(&self, endpoint: Endpoint) -> Job {
        let mut job = self.job();
        job.protocol = job.protocol.max(endpoint.protocol());
        job.server = endpoint;
        job
    }
}

/// A refusal in words that say what it means here.
fn older(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(why) => Stop::Refused(why),
        Stop::Wrong(_) => Stop::Refused("it speaks an earlier version of the protocol".to_owned()),
    }
}

fn untested(why: impl std::fmt::Display) -> Stop {
    Stop::Refused(format!("not tested, since the server cannot do it: {why}"))
}
