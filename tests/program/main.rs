//! The real program, end to end: what it prints, what it keeps, and what it leaves behind.

mod cli;
mod run;
mod sandbox;
