//! How long the texts may be that a decoder lets through: every one of them reaches a body, and some a view's index.
//!
//! The log takes bodies up to 8 MiB. Escaping doubles raw JSON at most, hex doubles everything, and a text that was
//! read from JSON can become six times as long; with these limits the largest body still fits.

use super::Misfit;

/// Characters of a transaction's type.
pub const TYPE_CHARS_MAX: usize = 64;
/// Characters of what a node says of a transaction.
pub const STATUS_CHARS_MAX: usize = 64;
/// Bytes of a payload's raw text. A longer one leaves only its digest.
pub const DATA_BYTES_MAX: usize = 1 << 20;
/// Raw bytes of a transaction that is not understood. Of a longer one only the digest is kept.
pub const RAW_BYTES_MAX: usize = 256 << 10;
/// Raw bytes of a payload that is not understood beyond which they are not repeated: its transaction's event has them.
pub const REPEATED_BYTES_MAX: usize = 16 << 10;
/// Transactions in a block, and allocations in block 0.
pub const TRANSACTIONS_MAX: usize = 100_000;
/// Outputs of a transaction, plain or stealth.
pub const OUTPUTS_MAX: usize = 10_000;
/// Bytes of a key or a signature as text; the largest of the ML-DSA family is 9,254 hex digits.
pub const KEY_BYTES_MAX: usize = 16 << 10;
/// Bytes of a block's signature as text, which may be one of many.
pub const BLOCK_SIGNATURE_BYTES_MAX: usize = 256 << 10;
/// Bytes of a block's state root as text.
pub const STATE_ROOT_BYTES_MAX: usize = 4 << 10;
/// Bytes of a number, a time or a hash as text: a hash of 64 bytes in hex, and some room.
pub const SPELLED_BYTES_MAX: usize = 160;

/// A text of one line that a short column must be able to hold.
pub fn line(name: &str, text: String, chars_max: usize) -> Result<String, Misfit> {
    if text.chars().any(char::is_control) {
        return Err(Misfit(format!("`{name}` contains a control character")));
    }
    chars(name, text, chars_max)
}

/// A text of so many characters at most.
pub fn chars(name: &str, text: String, chars_max: usize) -> Result<String, Misfit> {
    if text.chars().nth(chars_max).is_none() {
        Ok(text)
    } else {
        Err(Misfit(format!("`{name}` is longer than {chars_max} characters")))
    }
}

/// A text of so many bytes at most.
pub fn bytes(name: &str, text: String, bytes_max: usize) -> Result<String, Misfit> {
    count(name, text.len(), bytes_max, "bytes")?;
    Ok(text)
}

/// A number of things that has a bound.
pub fn count(name: &str, counted: usize, max: usize, things: &str) -> Result<(), Misfit> {
    if counted <= max { Ok(()) } else { Err(Misfit(format!("`{name}` has more than {max} {things}"))) }
}
