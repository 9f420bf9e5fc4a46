use std::fs;
use std::path::Path;
use std::process::Command;

use orchestrate::record::TrialRecord;
use orchestrate::results::journal::{Event, Journal, JournalError, Reader};
use orchestrate::results::provenance::EndReason;
use orchestrate::results::rebuild::rebuild;
use orchestrate::results::run_dir::RunDir;

use crate::records::{Run, end, failed, ok, session, settings, start, without_checksums};

fn events(path: &Path) -> Vec<Event> {
    Reader::open(path).unwrap().map(|entry| entry.unwrap().event).collect()
}

fn trials(count: u32) -> Vec<TrialRecord> {
    (1..=count).map(|repetition| ok(&settings("sync", 1), repetition, 8600.0)).collect()
}

#[test]
fn what_was_written_is_read_back_to_the_last_digit() {
    let mut record = ok(&settings("sync", 1), 1, 8_655.07);
    // Parsed carelessly, some numbers come back as their neighbours. This is one of them.
    record.rtt_us = Some(51.248_178_243_758_96);
    let failure = failed(&settings("async", 100), 1, "line one\nline \"two\", and\tmore \u{1}");
    let run = Run::of(&[record.clone(), failure.clone()]);
    let events = events(&run.journal());
    let id = run.path.file_name().unwrap().to_str().unwrap();
    assert_eq!(
        events,
        [
            Event::Session(Box::new(session(id, 4))),
            Event::Trial(Box::new(record)),
            Event::Trial(Box::new(failure)),
            Event::End(end(EndReason::Complete)),
        ]
    );
}

#[test]
fn a_last_line_torn_anywhere_is_left_out_of_what_is_read() {
    let run = Run::of(&trials(2));
    let whole = fs::read(run.journal()).unwrap();
    let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
    let (kept, last) = (lines[..3].concat(), lines[3]);
    assert!(last.starts_with(b"{\"trial\""));
    for cut in 1..last.len() {
        fs::write(run.journal(), [&kept, &last[..cut]].concat()).unwrap();
        let mut reader = Reader::open(&run.journal()).unwrap();
        assert_eq!(reader.by_ref().map(Result::unwrap).count(), 2);
        let torn = reader.torn().unwrap();
        assert_eq!((torn.line, torn.offset, torn.bytes), (4, kept.len() as u64, cut as u64));
    }
}

#[test]
fn a_last_line_torn_anywhere_is_cut_off_and_the_run_goes_on_behind_it() {
    let run = Run::of(&trials(1));
    let whole = fs::read(run.journal()).unwrap();
    let last = whole.split_inclusive(|&byte| byte == b'\n').next_back().unwrap();
    let kept = &whole[..whole.len() - last.len()];
    for cut in 1..last.len() {
        fs::write(run.journal(), [kept, &last[..cut]].concat()).unwrap();
        let mut seen = 0;
        let (mut journal, torn) = Journal::resume(&run.journal(), |_| seen += 1).unwrap();
        assert_eq!((seen, torn.unwrap().bytes), (2, cut as u64));
        assert_eq!(fs::read(run.journal()).unwrap(), kept);
        journal.end(&end(EndReason::Complete)).unwrap();
        assert_eq!(fs::read(run.journal()).unwrap(), whole);
    }
}

#[test]
fn zeros_that_a_crash_left_in_place_of_the_last_line_are_cut_off() {
    let run = Run::of(&trials(1));
    let whole = fs::read(run.journal()).unwrap();
    fs::write(run.journal(), [whole.as_slice(), &[0; 512], b"\n"].concat()).unwrap();
    let (_, torn) = Journal::resume(&run.journal(), |_| {}).unwrap();
    assert_eq!(torn.unwrap().bytes, 513);
    assert_eq!(fs::read(run.journal()).unwrap(), whole);
}

#[test]
fn a_damaged_line_in_the_middle_is_an_error_that_names_it_and_nothing_is_cut_off() {
    let run = Run::of(&trials(3));
    let text = fs::read_to_string(run.journal()).unwrap();
    let damaged = text.replacen("{\"trial\":{", "{\"trial\":{{", 2);
    fs::write(run.journal(), &damaged).unwrap();
    let error = Journal::resume(&run.journal(), |_| {}).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { line: 3, .. }), "{error}");
    assert!(error.to_string().contains("line 3 of the journal"), "{error}");
    assert_eq!(fs::read_to_string(run.journal()).unwrap(), damaged);
}

#[test]
fn a_line_that_was_changed_anywhere_is_an_error_that_says_what_to_do() {
    let run = Run::of(&trials(2));
    let whole = fs::read(run.journal()).unwrap();
    let lines: Vec<&[u8]> = whole.split_inclusive(|&byte| byte == b'\n').collect();
    assert!(
        lines.iter().all(|line| line.windows(10).any(|part| part == b",\"crc32\":\"")),
        "every line has one"
    );
    // A digit in place of another one: JSON as good as before, and another number.
    let (before, after) = (lines[..2].concat(), lines[3..].concat());
    let digits: Vec<usize> = (0..lines[2].len()).filter(|&at| lines[2][at].is_ascii_digit()).collect();
    assert!(digits.len() > 100);
    // Of the name `crc32` itself nothing depends.
    for at in digits.into_iter().filter(|&at| !(lines[2].len() - 17..lines[2].len() - 15).contains(&at)) {
        let mut line = lines[2].to_vec();
        line[at] = if line[at] == b'7' { b'8' } else { b'7' };
        fs::write(run.journal(), [&before, line.as_slice(), &after].concat()).unwrap();
        let error = Journal::resume(&run.journal(), |_| {}).unwrap_err();
        assert!(matches!(error, JournalError::Damaged { line: 3, .. }), "at {at}: {error}");
        assert!(error.to_string().contains("--fresh"), "{error}");
    }
}

#[test]
fn a_journal_without_checksums_is_read_like_any_other() {
    let run = Run::of(&trials(2));
    let before = events(&run.journal());
    let text = fs::read_to_string(run.journal()).unwrap();
    let plain = without_checksums(&text);
    assert!(!plain.contains("crc32"));
    fs::write(run.journal(), plain).unwrap();
    assert_eq!(events(&run.journal()), before);
    // What is added to it has them.
    let (mut journal, _) = Journal::resume(&run.journal(), |_| {}).unwrap();
    journal.trial(&ok(&settings("sync", 1), 3, 8600.0)).unwrap();
    drop(journal);
    assert_eq!(events(&run.journal()).len(), before.len() + 1);
    assert_eq!(fs::read_to_string(run.journal()).unwrap().matches("crc32").count(), 1);
}

#[test]
fn a_line_that_stands_there_twice_counts_once() {
    let run = Run::of(&trials(3));
    let once = events(&run.journal());
    let rows = rebuild(&run.path).unwrap().attempts;
    let table = fs::read(run.path.join("trials.csv")).unwrap();
    let text = fs::read_to_string(run.journal()).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    // The whole file a second time; and single lines, next to themselves and far from there.
    for doubled in [
        format!("{text}{text}"),
        [lines[0], lines[1], lines[2], lines[2], lines[3], lines[4], lines[5]].concat(),
        [lines[0], lines[1], lines[2], lines[3], lines[4], lines[2], lines[5], lines[1]].concat(),
    ] {
        fs::write(run.journal(), &doubled).unwrap();
        assert_eq!(events(&run.journal()), once);
        let (journal, torn) = Journal::resume(&run.journal(), |_| {}).unwrap();
        assert_eq!((torn, journal.repeated()), (None, (doubled.lines().count() - lines.len()) as u64));
        drop(journal);
        assert_eq!(rebuild(&run.path).unwrap().attempts, rows);
        assert_eq!(fs::read(run.path.join("trials.csv")).unwrap(), table);
    }
}

#[test]
fn a_journal_is_written_by_one_process_at_a_time() {
    let run = Run::of(&trials(1));
    let (first, _) = Journal::resume(&run.journal(), |_| {}).unwrap();
    let error = Journal::resume(&run.journal(), |_| {}).unwrap_err();
    assert!(matches!(error, JournalError::InUse(_)), "{error}");
    drop(first);
    Journal::resume(&run.journal(), |_| {}).unwrap();
}

#[test]
fn a_journal_whose_file_was_taken_away_takes_no_more_lines() {
    let record = &trials(1)[0];
    for take_away in [
        (|run: &Run| fs::remove_file(run.journal()).unwrap()) as fn(&Run),
        |run| fs::rename(&run.path, run.path.with_file_name("away")).unwrap(),
        |run| fs::remove_dir_all(run.path.parent().unwrap()).unwrap(),
        |run| {
            fs::copy(run.journal(), run.path.join("copy")).unwrap();
            fs::rename(run.path.join("copy"), run.journal()).unwrap();
        },
    ] {
        let run = Run::of(&trials(1));
        let (mut journal, _) = Journal::resume(&run.journal(), |_| {}).unwrap();
        journal.trial(record).unwrap();
        take_away(&run);
        let there = fs::read(run.journal()).ok();
        let error = journal.trial(record).unwrap_err();
        assert!(matches!(error, JournalError::Moved(_)), "{error}");
        assert_eq!(fs::read(run.journal()).ok(), there);
    }
}

#[test]
fn a_whole_last_line_that_means_nothing_is_not_ours_to_cut_off() {
    let run = Run::of(&trials(1));
    let text = fs::read_to_string(run.journal()).unwrap() + "{\"telepathy\":{}}\n";
    fs::write(run.journal(), &text).unwrap();
    let error = Journal::resume(&run.journal(), |_| {}).unwrap_err();
    assert!(matches!(error, JournalError::Damaged { line: 5, .. }), "{error}");
    assert_eq!(fs::read_to_string(run.journal()).unwrap(), text);
}

#[test]
fn a_journal_of_the_future_is_refused_by_its_version() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    fs::write(&path, "{\"journal\":{\"format\":2,\"colour\":\"blue\"}}\n").unwrap();
    let error = Reader::open(&path).unwrap_err().to_string();
    assert!(error.ends_with("has format 2, this version of orchestrate reads format 1"), "{error}");
}

#[test]
fn what_is_no_journal_is_not_read_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("journal.jsonl");
    for text in ["", "\n", "hello\n", "{\"journal\":", "{\"trial\":{}}\n"] {
        fs::write(&path, text).unwrap();
        let error = Reader::open(&path).unwrap_err();
        assert!(matches!(error, JournalError::NoHeading(_)), "{text:?}: {error}");
        assert!(error.to_string().contains("--fresh"), "{error}");
    }
}

#[test]
fn a_journal_is_never_begun_twice() {
    let run = Run::of(&trials(1));
    let before = fs::read(run.journal()).unwrap();
    Journal::create(&run.journal(), "article", "x").unwrap_err();
    assert_eq!(fs::read(run.journal()).unwrap(), before);
}

/// Runs itself again in a process whose files may not grow beyond a few kilobytes.
#[test]
fn half_a_line_on_a_full_disk_is_taken_back_and_does_not_spoil_the_next_one() {
    let this = "journal::half_a_line_on_a_full_disk_is_taken_back_and_does_not_spoil_the_next_one";
    let Some(path) = std::env::var_os("JOURNAL_ON_A_FULL_DISK") else {
        let run = Run::of(&[]);
        let limited = "trap '' XFSZ; ulimit -f 20; exec \"$@\"";
        let child = Command::new("sh")
            .args(["-c", limited, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", this])
            .env("JOURNAL_ON_A_FULL_DISK", run.journal())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        assert!(matches!(events(&run.journal()).last(), Some(Event::End(_))));
        return;
    };
    let path = Path::new(&path);
    let (mut journal, _) = Journal::resume(path, |_| {}).unwrap();
    let record = &trials(1)[0];
    let mut whole = fs::read(path).unwrap();
    let error = loop {
        match journal.trial(record) {
            Ok(()) => whole = fs::read(path).unwrap(),
            Err(error) => break error,
        }
    };
    assert!(error.to_string().starts_with("failed to append to the journal"), "{error}");
    assert_eq!(fs::read(path).unwrap(), whole);
    journal.end(&end(EndReason::HostLost)).unwrap();
}

/// Runs itself again in a process that may not write a single byte to a file.
#[test]
fn a_disk_that_is_full_at_the_start_has_no_directories_left_on_it() {
    let this = "journal::a_disk_that_is_full_at_the_start_has_no_directories_left_on_it";
    let Some(place) = std::env::var_os("RUN_ON_A_FULL_DISK") else {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("there/already")).unwrap();
        let limited = "trap '' XFSZ; ulimit -f 0; exec \"$@\"";
        let child = Command::new("sh")
            .args(["-c", limited, "sh"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", this])
            .env("RUN_ON_A_FULL_DISK", place.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
        let left = |path: &str| -> Vec<_> {
            let entries = fs::read_dir(place.path().join(path)).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        assert_eq!(
            (left(""), left("there"), left("there/already")),
            (vec!["there".to_owned()], vec!["already".to_owned()], vec![])
        );
        return;
    };
    for results in ["new/one", "there", "there/already"] {
        let results = Path::new(&place).join(results);
        let error =
            RunDir::create(&results, "article", "name = \"article\"\n", "mercury", start()).unwrap_err();
        assert!(error.to_string().starts_with("failed to write"), "{error}");
    }
}
