//! What was found becomes text for readers. Does no I/O: whoever asks for a text decides where it goes.

pub mod compare;
pub mod compare_data;
pub mod table;
