//! The bytes that a Python program signs: `json.dumps(x, sort_keys=True, separators=(",", ":"))`.
//!
//! Numbers keep their spelling, because the other side wrote them with the same `repr` that it signed.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::value::RawValue;

use crate::decode::Misfit;
use crate::decode::json::{self, Object};

/// Nesting beyond this is not a transaction.
const DEPTH_MAX: u32 = 64;

/// The canonical text of a JSON value.
pub fn canonical(value: &RawValue) -> Result<String, Misfit> {
    let mut out = String::with_capacity(value.get().len());
    write_value(value, DEPTH_MAX, &mut out)?;
    Ok(out)
}

/// The canonical text of an object with these members, whose values are canonical already.
pub fn object(members: &BTreeMap<&str, String>) -> String {
    let members: Vec<_> = members.iter().map(|(key, value)| format!("{}:{value}", string(key))).collect();
    format!("{{{}}}", members.join(","))
}

/// A text as a canonical JSON string: everything beyond ASCII is escaped, in surrogate pairs where needed.
pub fn string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(char),
            _ => {
                for unit in char.encode_utf16(&mut [0; 2]) {
                    write!(out, "\\u{unit:04x}").expect("a string takes every text");
                }
            }
        }
    }
    out.push('"');
    out
}

fn write_value(value: &RawValue, depth: u32, out: &mut String) -> Result<(), Misfit> {
    let depth = depth.checked_sub(1).ok_or_else(|| Misfit::new("nested too deeply"))?;
    match value.get().as_bytes().first() {
        Some(b'{') => {
            let object = Object::parse(value.get())?;
            // Python keeps the last of equal keys, and sorts by code point, which is the order of UTF-8.
            let members: BTreeMap<_, _> = object.members().collect();
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&string(&key));
                out.push(':');
                write_value(value, depth, out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            out.push('[');
            for (index, value) in json::array("array", value)?.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_value(value, depth, out)?;
            }
            out.push(']');
        }
        Some(b'"') => out.push_str(&string(&json::text("string", value)?)),
        Some(_) | None => out.push_str(value.get()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_python() {
        let value = serde_json::from_str::<&RawValue>(
            "{\"b\": [1.50, true, null], \"a\": \"\u{e9}\\u0000\u{1f600}\u{7f}\\/\"}",
        );
        let expected = r#"{"a":"\u00e9\u0000\ud83d\ude00\u007f/","b":[1.50,true,null]}"#;
        assert_eq!(canonical(value.expect("JSON")).expect("canonical"), expected);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(canonical(serde_json::from_str(&deep).expect("JSON")).is_err());
    }
}
