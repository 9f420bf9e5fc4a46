//! Which texts in messages come from other programs, and how long each may be. The receiver of a message has all of them
//! sanitised and shortened ([`crate::untrusted`]) in one call, so that no message can be received without that.

use std::collections::BTreeMap;

use super::{
    AgentError, AppliedPlacement, Done, DriverEvent, DriverFiles, Endpoint, HostFacts, Notice, Ready,
    ServerCounts, ServerDescription, ServerIdentity, ServerUp, TrialReady, TrialResult, Welcome,
};
use crate::units::Nanos;
use crate::untrusted::{MESSAGE, NAME, SENTENCE};

/// The longest line of a log that is kept, in characters.
pub const LOG_LINE: usize = 2_000;
/// At most this many settings of a server, or commands of a driver, are kept. There are a few hundred.
const MOST_ENTRIES: usize = 2_000;

/// Sanitises a text and shortens it to this many characters.
pub type Fit<'f> = &'f mut dyn FnMut(&mut String, usize);

/// Something that was received from another process.
pub trait Untrusted {
    /// Applies `fit` to every text in it that another program may have written.
    fn fit(&mut self, fit: Fit<'_>) {
        let _ = fit;
    }

    /// The secrets that it has to carry.
    fn secrets(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl Untrusted for () {}

impl Untrusted for Nanos {}

impl<T: Untrusted> Untrusted for Option<T> {
    fn fit(&mut self, fit: Fit<'_>) {
        if let Some(inner) = self {
            inner.fit(fit);
        }
    }
}

impl Untrusted for AgentError {
    fn fit(&mut self, fit: Fit<'_>) {
        fit(&mut self.message, MESSAGE);
    }
}

impl Untrusted for Notice {
    fn fit(&mut self, fit: Fit<'_>) {
        match self {
            Self::Progress { trial, .. } => fit(trial, NAME),
            Self::Stderr { trial, line } => {
                fit(trial, NAME);
                fit(line, LOG_LINE);
            }
        }
    }
}

impl Untrusted for Welcome {
    fn fit(&mut self, fit: Fit<'_>) {
        fit(&mut self.version, NAME);
        self.facts.fit(fit);
    }
}

impl Untrusted for HostFacts {
    fn fit(&mut self, fit: Fit<'_>) {
        let Self { hostname, os, kernel, arch, cpu, virtualisation, governor, clock, revision, .. } = self;
        for text in [hostname, os, kernel, arch] {
            fit(text, NAME);
        }
        let (pages, microcode) = (&mut self.transparent_huge_pages, &mut self.microcode);
        for text in [cpu, virtualisation, governor, clock, revision, pages, microcode].into_iter().flatten() {
            fit(text, NAME);
        }
        if let Some(build) = &mut self.build {
            for text in [&mut build.profile, &mut build.opt_level, &mut build.target] {
                fit(text, NAME);
            }
            build.features.iter_mut().for_each(|feature| fit(feature, NAME));
        }
        fit_keys(&mut self.environment, fit);
        self.environment.values_mut().for_each(|value| fit(value, MESSAGE));
    }
}

impl Untrusted for ServerUp {
    fn fit(&mut self, fit: Fit<'_>) {
        self.identity.fit(fit);
    }

    fn secrets(&self) -> Vec<&str> {
        [Some(&self.endpoint), self.tls_endpoint.as_ref()]
            .into_iter()
            .flatten()
            .flat_map(Endpoint::secrets)
            .collect()
    }
}

impl Untrusted for ServerIdentity {
    fn fit(&mut self, fit: Fit<'_>) {
        fit(&mut self.name, NAME);
        fit(&mut self.version, NAME);
        if let Some(allocator) = &mut self.allocator {
            fit(allocator, NAME);
        }
    }
}

impl Untrusted for ServerDescription {
    fn fit(&mut self, fit: Fit<'_>) {
        if let Some(hash) = &mut self.program_sha256 {
            fit(hash, NAME);
        }
        if let Some(config) = &mut self.config {
            fit_keys(config, fit);
            config.values_mut().for_each(|value| fit(value, MESSAGE));
        }
    }
}

impl Untrusted for ServerCounts {
    fn fit(&mut self, fit: Fit<'_>) {
        fit_keys(&mut self.commands, fit);
        if let Some(after) = &mut self.after_done {
            fit_keys(after, fit);
        }
    }
}

impl Untrusted for DriverFiles {
    fn fit(&mut self, fit: Fit<'_>) {
        fit(&mut self.sha256, NAME);
        // A path may be long, and two long ones must not be shortened to the same text.
        let files = std::mem::take(&mut self.files);
        self.files.extend(files.into_iter().map(|(mut name, mut hash)| {
            fit(&mut name, MESSAGE);
            fit(&mut hash, NAME);
            (name, hash)
        }));
    }
}

impl Untrusted for AppliedPlacement {
    fn fit(&mut self, fit: Fit<'_>) {
        if let Self::NotApplied { reason } = self {
            fit(reason, SENTENCE);
        }
    }
}

impl Untrusted for TrialReady {
    fn fit(&mut self, fit: Fit<'_>) {
        self.ready.fit(fit);
        self.placement.fit(fit);
    }
}

impl Untrusted for Ready {
    /// Its options are compared with those that were asked for, and not kept.
    fn fit(&mut self, fit: Fit<'_>) {
        fit(&mut self.client, NAME);
        fit(&mut self.runtime, NAME);
        if let Some(comparability) = &mut self.comparability {
            fit(comparability, SENTENCE);
        }
    }
}

impl Untrusted for TrialResult {
    fn fit(&mut self, fit: Fit<'_>) {
        self.done.fit(fit);
    }
}

impl Untrusted for Done {
    fn fit(&mut self, fit: Fit<'_>) {
        if let Some(calls) = &mut self.calls {
            fit_keys(calls, fit);
        }
    }
}

impl Untrusted for DriverEvent {
    fn fit(&mut self, fit: Fit<'_>) {
        match self {
            Self::Ready(ready) => ready.fit(fit),
            Self::Done(done) => done.fit(fit),
            Self::Failed { error, .. } => fit(error, SENTENCE),
            Self::Progress { .. } => {}
        }
    }
}

/// Sanitises the names of values. If there are more than [`MOST_ENTRIES`], the rest are left out.
fn fit_keys<V>(map: &mut BTreeMap<String, V>, fit: Fit<'_>) {
    let all = std::mem::take(map);
    map.extend(all.into_iter().take(MOST_ENTRIES).map(|(mut name, value)| {
        fit(&mut name, NAME);
        (name, value)
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::untrusted::excerpt;

    #[test]
    fn what_a_driver_says_of_itself_is_one_short_line() {
        let mut ready = Ready {
            client: "c\u{1b}[31m".repeat(1_000_000),
            runtime: "r\r\nr".to_owned(),
            comparability: Some("d".repeat(1_000)),
            ..Ready::default()
        };
        ready.fit(&mut |text, most| *text = excerpt(text, most));
        assert_eq!((ready.client.chars().count(), ready.runtime.as_str()), (NAME + 1, "r  r"));
        assert!(!ready.client.contains('\u{1b}'));
        assert_eq!(ready.comparability.unwrap().chars().count(), SENTENCE + 1);
    }

    #[test]
    fn the_password_of_a_server_arrives_and_nothing_else_that_is_like_it() {
        let endpoint = Endpoint { password: Some("hunter2".to_owned()), ..Endpoint::local(1) };
        let identity = ServerIdentity { version: "hunter2".to_owned(), ..ServerIdentity::default() };
        let mut up =
            ServerUp { endpoint, tls_endpoint: None, identity, started: true, flushes: true, clients: None };
        up.fit(&mut |text, _| *text = text.replace("hunter2", "***"));
        assert_eq!((up.secrets(), up.identity.version.as_str()), (vec!["hunter2"], "***"));
    }
}
