//! Files that are inside the program and are included by name.

use super::*;

#[test]
fn a_mode_that_ships_but_is_not_included_names_its_file() {
    let text = complaint(
        "name = \"x\"\n[workload]\noperations = 10\n[[matrix]]\nmodes = [\"py-sync\"]\nworkers = 1\n",
    );
    assert!(text.contains("mode `py-sync` is in a file that is not included"), "{text}");
    assert!(text.contains("include = [\"builtin:python\"]"), "{text}");
}

/// Cells with the modes `hiredis` and `redis-benchmark`, and where their files are.
fn cells_with(included: &[Source]) -> (Vec<String>, Vec<Directory>) {
    let main = source("x.toml", "name = 'x'\n[[matrix]]\nmodes = ['hiredis', 'redis-benchmark']\n");
    let experiment = parse(&main, included, &MODES).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let cells = Plan::new(&experiment).cells().map(|cell| cell.id.to_string()).collect();
    (cells, experiment.modes.into_values().map(|mode| mode.directory).collect())
}

#[test]
fn a_built_in_file_gives_the_same_cells_as_the_file_that_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("drivers");
    let file = |name: &str| source(name, std::fs::read(root.join(name)).unwrap());
    let (of_files, _) = cells_with(&["c.toml", "load-generators.toml"].map(file));
    let builtin = |name: &str| shipped::builtin(name).unwrap();
    let (of_builtin, directories) = cells_with(&["c", "load-generators"].map(builtin));
    assert_eq!(of_builtin, of_files);
    assert_eq!(of_builtin.len(), 2);
    assert!(directories.iter().all(|directory| *directory == Directory::Builtin), "{directories:?}");
}

#[test]
fn a_built_in_file_is_included_by_its_name_and_kept_as_the_tables_in_it() {
    let main = source(
        "x.toml",
        "name = 'x'\ninclude = ['builtin:c', './builtin:c']\n[[matrix]]\nmodes = 'hiredis'\n",
    );
    assert_eq!(
        includes(&main),
        [Include::Builtin("c".to_owned()), Include::File("/experiments/./builtin:c".into())]
    );
    let text = resolved_text(&main, &[shipped::builtin("c").unwrap()]);
    assert!(text.contains("\n# included from builtin:c\n[mode.hiredis]\n"), "{text}");
}

#[test]
fn a_built_in_file_that_does_not_exist_is_refused_with_those_that_do() {
    let said = |include: &str| {
        let main = format!("name = 'x'\ninclude = ['{include}']\n[[matrix]]\n");
        Diagnostics::unknown_builtin(&source("x.toml", main), 0).to_string()
    };
    let missing = Diagnostics::missing_include(
        &source("x.toml", "name = 'x'\ninclude = ['../drivers/python.toml']\n[[matrix]]\n"),
        0,
        "no such file or directory",
    );
    let said = [said("builtin:pyhton"), said("builtin:fortran"), missing.to_string()];
    insta::assert_snapshot!(said.join("\n\n"));
}
