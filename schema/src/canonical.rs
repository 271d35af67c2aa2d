//! Canonical JSON (RFC 8785) without numbers, and the hashes over it that `docs/log-format.md` specifies.
//!
//! It must not know what an event means: only how its bytes are made.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A SHA-256 value.
pub type Hash = [u8; 32];

/// Why a value has no canonical form here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanonicalError {
    /// Bodies spell numbers as strings, so that no reader rounds them.
    #[error("a body holds a JSON number")]
    Number,
    /// The value could not be turned into JSON at all.
    #[error("a body cannot be written as JSON: {0}")]
    Unwritable(String),
}

/// The canonical bytes of a value: keys in UTF-16 order, no white space, strings escaped as RFC 8785 says.
pub fn bytes<T: Serialize>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value).map_err(|error| CanonicalError::Unwritable(error.to_string()))?;
    let mut out = Vec::with_capacity(256);
    write(&value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(_) => return Err(CanonicalError::Number),
        Value::String(text) => write_string(text, out)?,
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            // Sorted here and not left to the map, whose order depends on which features other crates switch on.
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            out.push(b'{');
            for (index, (key, item)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out)?;
                out.push(b':');
                write(item, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// `serde_json` escapes exactly what RFC 8785 escapes, and in the same way; a test holds it to that.
fn write_string(text: &str, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    serde_json::to_writer(out, text).map_err(|error| CanonicalError::Unwritable(error.to_string()))
}

/// Hashes the fields of one record: each as its length (four bytes, big-endian) and its bytes, absent ones as four
/// bytes `ff`, behind the RFC 6962 leaf prefix `00`.
#[derive(Debug)]
pub struct LeafHasher(Sha256);

impl Default for LeafHasher {
    fn default() -> Self {
        Self(Sha256::new_with_prefix([0]))
    }
}

impl LeafHasher {
    /// Adds one field, or its absence.
    pub fn field(&mut self, bytes: Option<&[u8]>) -> &mut Self {
        match bytes {
            Some(bytes) => {
                let length = u32::try_from(bytes.len()).expect("a field is far below 4 GiB: units are bounded");
                self.0.update(length.to_be_bytes());
                self.0.update(bytes);
            }
            None => self.0.update(u32::MAX.to_be_bytes()),
        }
        self
    }

    /// The digest of the fields so far.
    pub fn finish(self) -> Hash {
        self.0.finalize().into()
    }
}

/// The running hash after one more unit: SHA-256 of the hash before and the digests of the unit's events.
pub fn chain_hash<'a>(previous: &Hash, digests: impl IntoIterator<Item = &'a Hash>) -> Hash {
    let mut hasher = Sha256::new_with_prefix(previous);
    for digest in digests {
        hasher.update(digest);
    }
    hasher.finalize().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(value: &Value) -> String {
        String::from_utf8(bytes(value).expect("canonical")).expect("UTF-8")
    }

    #[test]
    fn keys_are_sorted_by_utf16_and_strings_escaped_as_rfc_8785_says() {
        let value = json!({"\u{20ac}": "a", "\r": "b", "\u{fb33}": "c", "1": "d", "\u{1f600}": "e", "\u{80}": "f", "\u{f6}": "g"});
        let expected = "{\"\\r\":\"b\",\"1\":\"d\",\"\u{80}\":\"f\",\"\u{f6}\":\"g\",\"\u{20ac}\":\"a\",\"\u{1f600}\":\"e\",\"\u{fb33}\":\"c\"}";
        assert_eq!(text(&value), expected);
        let hostile = json!("\u{20ac}$\u{f}\nA'\u{42}\u{22}\u{5c}\\\"/\u{0}\u{7f}\u{8}\u{c}\t");
        assert_eq!(text(&hostile), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\\u0000\u{7f}\\b\\f\\t\"");
    }

    #[test]
    fn a_number_has_no_place_in_a_body() {
        assert_eq!(bytes(&json!({"a": [1]})), Err(CanonicalError::Number));
    }
}
