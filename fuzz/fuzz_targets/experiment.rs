#![no_main]

#[path = "../seeds.rs"]
mod seeds;
#[path = "../targets.rs"]
#[allow(dead_code, reason = "each program uses one of them")]
mod targets;

libfuzzer_sys::fuzz_target!(
    init: if let Some(directory) = std::env::var_os("FUZZ_SEEDS") {
        seeds::write("experiment", directory.as_ref()).expect("the seeds can be written");
    },
    |bytes: &[u8]| {
        targets::experiment(bytes);
    }
);
