//! What holds for every file: it says the same with its included files in it, and no text makes the parser slow or panic.

use super::*;

#[test]
fn the_resolved_text_says_the_same_alone() {
    let main = "name = 'n' # first\n  include = [\n    'b.toml', # why\n    'clients/c.toml',\n  ]\n[mode.a]\ncommand = ['x']\n[[matrix]]\nmodes = ['a', 'py-uvloop', 'odd']\n[run]\nseed = 3";
    let odd = "mode.odd.command = ['z']\nserver = { s = { program = 'p' } }\n";
    for (main, included) in [
        (complete().0, vec![complete().1]),
        (
            source("sweep.toml", main),
            vec![source("/there/b.toml", PYTHON), source("/there/clients/c.toml", odd)],
        ),
        (source("sweep.toml", EVERY_KEY), vec![]),
    ] {
        let mut original =
            parse(&main, &included, &MODES).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let text = resolved_text(&main, &included);
        let resolved = source("experiment.toml", &text);
        assert!(includes(&resolved).is_empty());
        assert!(!text.contains("/there"), "{text}");
        let mut alone =
            parse(&resolved, &[], &MODES).unwrap_or_else(|diagnostics| panic!("{text}\n{diagnostics}"));
        for mode in original.modes.values_mut().chain(alone.modes.values_mut()) {
            mode.directory = PathBuf::new().into();
        }
        assert_eq!(original, alone, "{text}");
    }
}

#[test]
fn the_committed_schema_is_current() {
    let committed = include_str!("../../schema/experiment.schema.json");
    assert!(committed == schema(), "renew it: orchestrate schema > schema/experiment.schema.json");
}

#[test]
fn a_file_with_very_many_errors_is_answered_soon_and_shortly() {
    let started = Instant::now();
    let megabyte = |unit: &str| unit.repeat(1_000_000 / unit.len());
    let numbered = |unit: &dyn Fn(usize) -> String| (0..30_000).map(unit).collect::<String>();
    let dots = vec!["a"; 79].join(".");
    let sweep = "{ from = 1, to = 1000, step = 1 }";
    let large = |i: usize| {
        format!(
            "[[matrix]]\nmodes='sync'\nworkers={sweep}\nworkload.rate={sweep}\nworkload.value_bytes={sweep}\nrun.warmup={i}\n"
        )
    };
    let tangle = |i: usize| {
        let list = |by: usize| format!("[{}, {}, {}]", 1 + i % by, 1 + i / by % by, 1 + i * 7 % 40);
        format!(
            "{{ workers = {}, workload.rate = {}, workload.value_bytes = {} }},",
            list(37),
            list(31),
            list(29)
        )
    };
    for text in [
        format!("wrong = 1\nname='n'\n{}", (0..200).map(large).collect::<String>()),
        format!(
            "wrong = 1\nname='n'\n[[matrix]]\nmodes='sync'\nworkers={sweep}\nworkload.rate={sweep}\nworkload.value_bytes={sweep}\nexclude=[{}]",
            (0..1000).map(tangle).collect::<String>()
        ),
        numbered(&|i| format!("unknown{i} = {i}\n")),
        format!("[workload]\n{}", numbered(&|i| format!("unknown{i} = {i}\n"))),
        format!("name='n'\n[[matrix]]\nworkers = [{}]", megabyte("'a',")),
        format!("name='n'\n[[matrix]]\nworkers = [{}]", numbered(&|i| format!("{i},"))),
        format!("name='n'\n[[matrix]]\nmodes = [{}]", megabyte("'a',")),
        format!("name='n'\n[[matrix]]\nworkers=[1,2]\nexclude = [{}]", megabyte("{workers=1},")),
        format!("name='n'\n{}", megabyte("[[matrix]]\n")),
        format!("name='n'\n[[matrix]]\n{}", numbered(&|i| format!("[mode.m{i}]\n"))),
        megabyte("= = [ \n"),
        megabyte("["),
        format!("a = [{}", megabyte(",")),
        format!("a = {{{}", megabyte("password='x',")),
        megabyte("{a="),
        megabyte("a."),
        megabyte("\"\"\" "),
        format!("{}a = 1{}\n", format!("{dots} = {{ ").repeat(79), "}".repeat(79)),
        format!("x = 1\nx = {{{}a = 1{}}}\n", format!("{dots} = {{ ").repeat(77), "}".repeat(77)),
    ] {
        let one = Instant::now();
        let diagnostics = read(&text).expect_err("the file is wrong");
        assert!(diagnostics.findings().len() <= 100);
        let shown = diagnostics.render(true);
        assert!(shown.len() < 200_000, "{} bytes for {}", shown.len(), &text[..60]);
        println!(
            "{:?} for {} findings in {}…",
            one.elapsed(),
            diagnostics.findings().len(),
            text[..50].escape_debug()
        );
    }
    assert!(started.elapsed() < Duration::from_secs(60), "took {:?}", started.elapsed());
}

/// Nothing that is said of a file points outside of it, and all of it can be shown.
fn holds_together(bytes: &[u8]) -> Result<(), TestCaseError> {
    let main = source("sweep.toml", bytes);
    let _: Vec<Include> = includes(&main);
    let _: String = resolved_text(&main, &[source("b.toml", bytes)]);
    for included in [vec![], vec![source("b.toml", bytes)]] {
        let Err(diagnostics) = parse(&main, &included, &MODES) else { continue };
        prop_assert!(!diagnostics.findings().is_empty());
        for finding in diagnostics.findings() {
            let location = diagnostics.location(finding);
            prop_assert!(location.span.start <= location.span.end);
            // Bytes that are no UTF-8 are shown as three.
            prop_assert!(location.span.end <= bytes.len() + 2, "{location:?} of {}", bytes.len());
            prop_assert!(location.line >= 1 && location.column >= 1);
        }
        prop_assert!(!diagnostics.render(false).is_empty() && !diagnostics.render(true).is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        holds_together(&bytes)?;
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}=.,\"'#a-c0-9 \n\u{e9}]{0,120}") {
        holds_together(text.as_bytes())?;
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(
        which in 0usize..2,
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        from in any::<prop::sample::Index>(),
        insert in "[\\[\\]{}=.,\"'a-z0-9 \n\u{e9}-]{0,5}",
    ) {
        let text = [COMPLETE, EVERY_KEY][which];
        let start = text.floor_char_boundary(at.index(text.len()));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        let other = text.floor_char_boundary(from.index(text.len()));
        let moved = &text[other..text.ceil_char_boundary((other + length).min(text.len()))];
        holds_together(format!("{}{insert}{}", &text[..start], &text[end..]).as_bytes())?;
        holds_together(format!("{}{moved}{}", &text[..start], &text[end..]).as_bytes())?;
    }
}
