//! Keeps the arrows between modules that `src/lib.rs` draws, the rule of who may touch the world, and comments without code.
//!
//! Looked at is every path such as `crate::run` or `std::fs` in the tokens of the sources, so comments and strings
//! do not count, and neither do items behind `#[cfg(test)]`. What a macro builds while it is expanded escapes this.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

const WORDS: &[&str] = &[
    "units",
    "untrusted",
    "latency",
    "setting",
    "workload",
    "experiment",
    "plan",
    "protocol",
    "record",
    "verify",
];
const MACHINES: &[&str] = &["host", "server", "measure", "driver", "agent"];
const EDGE: &[&str] = &["commands", "main"];
const AFTER: &[&str] = &["run", "results", "analysis", "report", "cli"];

/// Which modules may use which others. A module may always use itself.
const ARROWS: &[(&[&str], &[&[&str]])] = &[
    (WORDS, &[WORDS]),
    (MACHINES, &[WORDS, MACHINES]),
    (&["run"], &[WORDS, &["host"]]),
    (&["analysis"], &[WORDS]),
    (&["results"], &[WORDS, &["analysis"]]),
    (&["report"], &[WORDS, &["results", "analysis"]]),
    (&["cli"], &[WORDS, &["analysis"]]),
    (&["commands"], &[WORDS, MACHINES, AFTER]),
    (&["main"], &[&["cli", "commands"]]),
    (&["lib"], &[]),
];

/// A way to touch the world.
struct Effect {
    does: &'static str,
    /// Paths, or parts of them, by which it is known. A lone name stands for a crate.
    known_by: &'static [&'static str],
    allowed_in: &'static [&'static [&'static str]],
}

const EFFECTS: &[Effect] = &[
    Effect {
        does: "print",
        known_by: &["print!", "println!", "eprint!", "eprintln!", "anstream", "indicatif"],
        allowed_in: &[EDGE],
    },
    Effect {
        does: "use the standard streams",
        known_by: &["io::stdin", "io::stdout", "io::stderr"],
        // An agent's are its line to the coordinator.
        allowed_in: &[EDGE, &["agent"]],
    },
    Effect {
        does: "read the environment",
        known_by: &[
            "env::var",
            "env::var_os",
            "env::vars",
            "env::vars_os",
            "env::args",
            "env::args_os",
            "env::current_dir",
            "env::current_exe",
        ],
        allowed_in: &[EDGE],
    },
    Effect {
        does: "touch files",
        known_by: &["std::fs", "tokio::fs", "rustix::fs", "tempfile", "atomic_write_file"],
        allowed_in: &[MACHINES, EDGE, &["results"]],
    },
    Effect {
        does: "start processes",
        known_by: &["process::Command", "process::Child", "rustix::process", "libc", "wait4"],
        allowed_in: &[MACHINES, EDGE],
    },
    Effect {
        does: "talk over a network",
        known_by: &[
            "redis",
            "rustis",
            "fred",
            "TcpStream::connect",
            "TcpListener::bind",
            "tokio::net",
            "std::os::unix::net",
        ],
        allowed_in: &[MACHINES],
    },
    Effect {
        does: "wait for anything",
        known_by: &["tokio", "thread::sleep"],
        allowed_in: &[MACHINES, EDGE, &["run"]],
    },
    Effect {
        does: "look at the clock",
        known_by: &["Instant::now", "SystemTime::now", "Timestamp::now", "Zoned::now"],
        allowed_in: &[MACHINES, EDGE, &["run", "results"]],
    },
];

#[test]
fn modules_use_only_what_the_map_allows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for file in rust_files(&root.join("src")) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        found.extend(violations(file.strip_prefix(root).expect("it is in the project"), &text));
    }
    assert!(found.is_empty(), "{}\n(the rules stand in tests/architecture.rs)", found.join("\n"));
}

/// Cargo.toml says so as well (`doctest = false`): building tests of documentation takes longer than all they would test.
#[test]
fn no_comment_has_an_example_that_nobody_runs() {
    let comment = |line: &str| {
        let text = line.trim_start();
        text.strip_prefix("//!").or_else(|| text.strip_prefix("///")).map(|text| text.trim().to_owned())
    };
    for file in rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let fences = text.lines().filter_map(comment).filter(|line| line.starts_with("```"));
        for opening in fences.step_by(2) {
            let language = opening.trim_start_matches('`');
            assert!(["json", "text", "toml"].contains(&language), "{}: {opening}", file.display());
        }
    }
}

#[test]
fn a_module_that_is_not_on_the_map_is_found() {
    assert_eq!(check("src/utils.rs", ""), ["src/utils.rs:1: `utils` is not on the map"]);
}

#[test]
fn a_forbidden_arrow_is_found_however_it_is_written() {
    let expected = |line| [format!("src/plan/order.rs:{line}: `plan` may not use `run`")];
    assert_eq!(check("src/plan/order.rs", "use crate::run::Event;"), expected(1));
    assert_eq!(check("src/plan/order.rs", "\nuse crate::{units::Nanos, run::{Event}};"), expected(2));
    assert_eq!(check("src/plan/order.rs", "fn f() {\n\n crate::run::go() }"), expected(3));
    assert_eq!(check("src/plan/order.rs", "use super::super::run;"), expected(1));
    assert_eq!(check("src/plan/order.rs", "struct S { x: Vec<crate::run::Event> }"), expected(1));
    assert_eq!(check("src/plan/order.rs", "let x = units::S { x: crate::run::Event };"), expected(1));
    assert_eq!(check("src/plan/order.rs", "use crate::units::Nanos; use super::cell;"), [""; 0]);
}

#[test]
fn a_forbidden_effect_is_found_however_it_is_written() {
    let files = ["src/plan/mod.rs:1: `plan` may not touch files (std::fs)"];
    assert_eq!(check("src/plan/mod.rs", "use std::{fmt, fs};"), files);
    assert_eq!(check("src/plan/mod.rs", "let x = std::fs::read(p);"), files);
    assert_eq!(check("src/run/mod.rs", "use std::io; io::stdout();").len(), 1);
    assert_eq!(check("src/run/mod.rs", "println!(\"{}\", 1);").len(), 1);
    assert_eq!(check("src/commands/run.rs", "println!(\"{}\", 1); std::env::var(\"HOME\");"), [""; 0]);
}

#[test]
fn comments_strings_and_tests_are_free() {
    let text = r####"
        // crate::run
        /* crate::run /* nested */ std::fs */
        //! [`crate::run`]
        const A: &str = "crate::run \" std::fs";
        const B: &str = r#"crate::run " std::fs"#;
        const C: (char, char) = ('"', '\'');
        fn f<'a>(redis: &'a str, run: u8) -> bool { run != 1 && redis.len() != 2 }
        #[cfg(test)]
        mod tests { use crate::run; fn g() { println!("{}", std::fs::read("}").is_ok()) } }
    "####;
    assert_eq!(check("src/plan/mod.rs", text), [""; 0]);
    assert_eq!(check("src/plan/mod.rs", &format!("{text}use crate::run;")).len(), 1);
}

fn check(file: &str, text: &str) -> Vec<String> {
    violations(Path::new(file), text)
}

fn violations(file: &Path, text: &str) -> Vec<String> {
    let here = module_path(file);
    let module = here[0].as_str();
    let Some(arrows) = arrows_of(module) else {
        return vec![format!("{}:1: `{module}` is not on the map", file.display())];
    };
    let allowed = |groups: &[&[&str]], name: &str| groups.iter().any(|group| group.contains(&name));
    let mut found = Vec::new();
    for (line, path) in paths(text) {
        let mut report =
            |what: String| found.push(format!("{}:{line}: `{module}` may not {what}", file.display()));
        if let Some(other) = top_level_module(&path, here.len())
            && other != module
            && arrows_of(other).is_some()
            && !allowed(arrows, other)
        {
            report(format!("use `{other}`"));
        }
        for Effect { does, known_by, allowed_in } in EFFECTS {
            if let Some(name) = known_by.iter().find(|name| mentions(&path, name))
                && !allowed(allowed_in, module)
            {
                report(format!("{does} ({name})"));
            }
        }
    }
    found
}

/// The modules that a module may use; `None` if it is not on the map.
fn arrows_of(module: &str) -> Option<&'static [&'static [&'static str]]> {
    ARROWS.iter().find(|(modules, _)| modules.contains(&module)).map(|(_, arrows)| *arrows)
}

/// `src/plan/order.rs` is `plan::order`, `src/plan/mod.rs` is `plan`.
fn module_path(file: &Path) -> Vec<String> {
    let inner = file.strip_prefix("src").expect("sources are in src").with_extension("");
    let mut parts: Vec<String> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.pop_if(|last| last == "mod");
    parts
}

/// The module below the crate's root that a path leads to, seen from a module at this depth.
fn top_level_module(path: &[String], depth: usize) -> Option<&str> {
    let supers = path.iter().take_while(|part| *part == "super").count();
    match path[0].as_str() {
        "crate" | "orchestrate" => path.get(1).map(String::as_str),
        "super" if supers >= depth => path.get(supers).map(String::as_str),
        _ => None,
    }
}

fn mentions(path: &[String], name: &str) -> bool {
    let wanted: Vec<&str> = name.split("::").collect();
    if wanted.len() == 1 && !name.ends_with('!') {
        return path.len() > 1 && path[0] == name;
    }
    path.windows(wanted.len()).any(|part| part.iter().zip(&wanted).all(|(a, b)| a == b))
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("the sources can be listed") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Every path in the code with its line; `use a::{b, c}` is two paths, and a macro's name ends with `!`.
fn paths(text: &str) -> Vec<(usize, Vec<String>)> {
    let tokens: TokenStream = text.parse().expect("the source has balanced brackets");
    let mut found = Vec::new();
    read_paths(tokens, &[], &mut found);
    found
}

fn read_paths(tokens: TokenStream, prefix: &[String], found: &mut Vec<(usize, Vec<String>)>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) if group.to_string() == "[cfg (test)]" => skip_item(&mut tokens),
            TokenTree::Group(group) => read_paths(group.stream(), &[], found),
            TokenTree::Ident(first) => {
                let line = first.span().start().line;
                let mut path = [prefix, &[first.to_string()]].concat();
                let mut is_whole = true;
                while tokens.next_if(is_joint_colon).is_some() {
                    tokens.next();
                    match tokens.peek() {
                        Some(TokenTree::Ident(part)) => path.push(part.to_string()),
                        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                            read_paths(group.stream(), &path, found);
                            is_whole = false;
                        }
                        _ => break,
                    }
                    tokens.next();
                }
                if tokens.peek().is_some_and(|next| is_sign(next, '!')) {
                    path.last_mut().expect("it has a first part").push('!');
                }
                if is_whole {
                    found.push((line, path));
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

fn skip_item(tokens: &mut impl Iterator<Item = TokenTree>) {
    let ends = |token: &TokenTree| match token {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        token => is_sign(token, ';'),
    };
    let _end = tokens.find(ends);
}

/// The first half of `::`, not the colon of `name: Type`.
fn is_joint_colon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ':' && punct.spacing() == Spacing::Joint)
}

fn is_sign(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == sign)
}
