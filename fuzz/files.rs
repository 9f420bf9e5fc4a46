//! Seeds as files: libFuzzer reads nothing else.

use std::fs;
use std::path::Path;

use crate::seeds::seeds;

/// Writes the seeds of a target to the directory that `FUZZ_SEEDS` names, if it names one.
pub fn write_seeds(target: &str) {
    let Some(directory) = std::env::var_os("FUZZ_SEEDS") else { return };
    let directory = Path::new(&directory);
    fs::create_dir_all(directory).expect("the directory can be created");
    for (number, seed) in seeds(target).into_iter().enumerate() {
        fs::write(directory.join(format!("seed-{number:03}")), seed).expect("seeds can be written there");
    }
}
