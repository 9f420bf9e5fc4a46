//! Whether a server writes to disk only because its command line asks for it. Pure.

/// The values of `save` and `appendonly`, of a command line or of a running server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Persistence {
    /// Save points such as `3600 1 300 100`; empty for none.
    pub(super) save: String,
    /// Whether the append-only file is on.
    pub(super) appendonly: bool,
}

impl Persistence {
    /// What a command line asks for. What it does not mention is off: the server's own default is to save, and nobody who
    /// did not ask for that should measure it.
    pub(super) fn asked(args: &[String]) -> Self {
        let mut asked = Self { save: String::new(), appendonly: false };
        let mut option = String::new();
        for arg in args {
            if let Some(name) = arg.strip_prefix("--") {
                option = name.to_ascii_lowercase();
            } else if option == "save" {
                asked.save.push(' ');
                asked.save.push_str(arg);
            } else if option == "appendonly" {
                asked.appendonly = arg.eq_ignore_ascii_case("yes");
            }
        }
        asked.save = words(&asked.save);
        asked
    }

    /// What a server answered to `CONFIG GET save` and `CONFIG GET appendonly`.
    pub(super) fn answered(save: &str, appendonly: &str) -> Self {
        Self { save: words(save), appendonly: appendonly == "yes" }
    }

    /// Whether anything is written to disk.
    pub(super) fn is_on(&self) -> bool {
        !self.save.is_empty() || self.appendonly
    }

    /// What is wrong if a server that was asked for `self` answers `answer`.
    pub(super) fn disagreement(&self, answer: &Self) -> Option<String> {
        let mut wrong = Vec::new();
        if answer.save != self.save {
            wrong.push(format!("`save` is \"{}\" (its args ask for \"{}\")", answer.save, self.save));
        }
        if answer.appendonly != self.appendonly {
            let word = |on| if on { "yes" } else { "no" };
            wrong.push(format!(
                "`appendonly` is \"{}\" (its args ask for \"{}\")",
                word(answer.appendonly),
                word(self.appendonly)
            ));
        }
        if wrong.is_empty() {
            return None;
        }
        Some(format!(
            "{}; to measure without persistence, add \"--save\", \"\", \"--appendonly\", \"no\" to its args; to measure \
             with it, set both there",
            wrong.join(" and ")
        ))
    }
}

fn words(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(args: &[&str]) -> Persistence {
        Persistence::asked(&args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn nobody_measures_a_persistence_that_was_not_asked_for() {
        let answer = Persistence::answered("3600 1 300 100 60 10000", "no");
        insta::assert_snapshot!(
            asked(&["--io-threads", "2"]).disagreement(&answer).unwrap(),
            @r#"`save` is "3600 1 300 100 60 10000" (its args ask for ""); to measure without persistence, add "--save", "", "--appendonly", "no" to its args; to measure with it, set both there"#
        );
    }

    #[test]
    fn a_persistence_that_was_asked_for_is_allowed() {
        let asked = asked(&["--save", "60 1", "--SAVE", "300", "10", "--appendonly", "yes"]);
        assert_eq!(asked.disagreement(&Persistence::answered("60 1 300 10", "yes")), None);
        assert!(asked.is_on());
        assert!(asked.disagreement(&Persistence::answered("60 1 300 10", "no")).is_some());
    }

    #[test]
    fn off_is_off_however_it_is_said() {
        for args in [&["--save", "", "--appendonly", "no"][..], &["--save"], &[]] {
            let asked = asked(args);
            assert!(!asked.is_on());
            assert_eq!(asked.disagreement(&Persistence::answered("", "no")), None);
        }
    }
}
