//! `orchestrate`.
fn main() {}
