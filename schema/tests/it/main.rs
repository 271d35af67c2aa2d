//! What holds for the whole crate, checked from outside.

mod log_format;
