//! The first word, where it is neither a subcommand nor a file. The command line takes any word as a file, and would complain
//! about what follows it.

use std::env;
use std::ffi::OsString;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::Cli;

/// What is wrong with the first word of the command line, if it is a typo.
pub(super) fn mistyped() -> Option<anyhow::Error> {
    explained(&first_word(env::args_os().skip(1))?)
}

/// The first word that is neither an option nor the value of one.
fn first_word(mut words: impl Iterator<Item = OsString>) -> Option<OsString> {
    let command = Cli::command();
    let takes_value = |option: &str| {
        command.get_arguments().any(|argument| {
            let is_it = match option.strip_prefix("--") {
                Some(long) => argument.get_long() == Some(long),
                None => {
                    option.strip_prefix('-').is_some_and(|short| argument.get_short() == short.chars().last())
                }
            };
            is_it && argument.get_action().takes_values()
        })
    };
    loop {
        let word = words.next()?;
        let text = word.to_string_lossy();
        if !text.starts_with('-') {
            return Some(word);
        }
        // With `=` its value is in the same word.
        if !text.contains('=') && takes_value(&text) {
            words.next()?;
        }
    }
}

fn explained(word: &OsString) -> Option<anyhow::Error> {
    let text = word.to_str()?;
    let is_path = Path::new(word).exists() || text.contains(['/', '\\', '.', '*']);
    let command = Cli::command();
    let names = || command.get_subcommands().map(clap::Command::get_name);
    if is_path || text == "help" || names().any(|name| name == text) {
        return None;
    }
    let near = names().map(|name| (strsim::damerau_levenshtein(name, text), name)).min()?;
    let help = match near {
        (distance, name) if distance <= 2 && distance < text.chars().count() => {
            format!("did you mean `{name}`?")
        }
        _ => {
            "`orchestrate --help` lists the commands; an experiment is a file such as experiments/sweep.toml"
                .to_owned()
        }
    };
    Some(anyhow::anyhow!("no command or file named `{text}`: {help}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(word: &str) -> String {
        explained(&word.into()).map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn a_mistyped_command_is_named_before_what_follows_it() {
        assert_eq!(said("chek"), "no command or file named `chek`: did you mean `check`?");
        assert_eq!(said("compair"), "no command or file named `compair`: did you mean `compare`?");
        assert!(said("sweeep").starts_with("no command or file named `sweeep`: `orchestrate --help` lists"));
    }

    #[test]
    fn the_value_of_an_option_is_not_taken_for_a_command() {
        let first = |words: &str| {
            first_word(words.split(' ').map(OsString::from)).map(|word| word.into_string().unwrap())
        };
        for options in
            ["--label commit=1", "--label=commit=1", "--results here", "-v --fresh --results here", "-q"]
        {
            assert_eq!(first(&format!("{options} chek x")).as_deref(), Some("chek"), "{options}");
        }
        assert_eq!(first("--results here"), None);
    }

    #[test]
    fn what_may_be_a_file_or_is_a_command_is_left_alone() {
        for word in ["sweep.toml", "experiments/sweep", "check", "help", "src"] {
            assert_eq!(said(word), "", "{word}");
        }
    }
}
