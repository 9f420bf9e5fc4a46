#![no_main]

#[path = "../files.rs"]
mod files;
#[path = "../seeds.rs"]
mod seeds;
#[path = "../targets.rs"]
#[allow(dead_code, reason = "each program uses one of them")]
mod targets;

libfuzzer_sys::fuzz_target!(
    // Before libFuzzer reads them.
    init: files::write_seeds("journal"),
    |bytes: &[u8]| {
        targets::journal(bytes);
    }
);
