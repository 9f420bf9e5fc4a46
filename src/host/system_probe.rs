//! What this machine shows of itself: files, and the answers of its own programs. One seam, so that what is read from
//! them is tested on what other machines showed. Concludes nothing and changes nothing.

use std::process::{Command, Stdio};

/// Something that can be looked at. What is missing, unreadable or empty is absent; text comes without the white space
/// around it.
pub(super) trait SystemProbe {
    /// The text of a file.
    fn file(&self, path: &str) -> Option<String>;

    /// Whether there is such a file or directory.
    fn exists(&self, path: &str) -> bool;

    /// What a program says if it succeeds.
    fn output(&self, program: &str, args: &[&str]) -> Option<String>;

    /// A value of sysctl(8).
    fn sysctl(&self, name: &str) -> Option<String> {
        // A shell without /sbin in its PATH is common over ssh.
        ["sysctl", "/sbin/sysctl", "/usr/sbin/sysctl"]
            .iter()
            .find_map(|program| self.output(program, &["-n", name]))
    }
}

/// The machine that this program runs on.
pub(super) struct LiveSystem;

impl SystemProbe for LiveSystem {
    fn file(&self, path: &str) -> Option<String> {
        tidy(&std::fs::read_to_string(path).ok()?)
    }

    fn exists(&self, path: &str) -> bool {
        std::fs::exists(path).unwrap_or(false)
    }

    fn output(&self, program: &str, args: &[&str]) -> Option<String> {
        let done = Command::new(program).args(args).stdin(Stdio::null()).output().ok()?;
        done.status.success().then(|| tidy(std::str::from_utf8(&done.stdout).ok()?)).flatten()
    }
}

fn tidy(text: &str) -> Option<String> {
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A machine as somebody captured it.
#[cfg(test)]
#[derive(Default)]
pub(super) struct Captured {
    /// By path.
    pub(super) files: Vec<(String, String)>,
    /// As sysctl(8) prints all of its values, each with its name.
    pub(super) sysctl: &'static str,
    /// What commands say, by command line.
    pub(super) commands: &'static [(&'static str, &'static str)],
}

#[cfg(test)]
impl Captured {
    pub(super) fn with(self, path: &str, text: &str) -> Self {
        let mut files = self.files;
        files.push((path.to_owned(), text.to_owned()));
        Self { files, ..self }
    }
}

#[cfg(test)]
impl SystemProbe for Captured {
    fn file(&self, path: &str) -> Option<String> {
        tidy(&self.files.iter().find(|(name, _)| name == path)?.1)
    }

    fn exists(&self, path: &str) -> bool {
        self.files.iter().any(|(name, _)| name == path)
    }

    fn output(&self, program: &str, args: &[&str]) -> Option<String> {
        let line = [&[program], args].concat().join(" ");
        tidy(self.commands.iter().find(|(command, _)| *command == line)?.1)
    }

    fn sysctl(&self, name: &str) -> Option<String> {
        tidy(self.sysctl.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?)
    }
}

/// A machine that says the same to whatever it is asked.
#[cfg(test)]
pub(super) struct Noise(pub(super) String);

#[cfg(test)]
impl SystemProbe for Noise {
    fn file(&self, _path: &str) -> Option<String> {
        tidy(&self.0)
    }

    fn exists(&self, _path: &str) -> bool {
        true
    }

    fn output(&self, _program: &str, _args: &[&str]) -> Option<String> {
        tidy(&self.0)
    }
}
