//! What a report says, and what it must never say.

mod answers;
mod pages;
mod pictures;
mod support;
mod trust;
mod views;
