//! Paging: what a list query returns, and the opaque cursor that leads to its next page.
//!
//! A cursor pins the position of the first page and the running hash there, so that a list never shifts under its
//! reader, and carries a fingerprint of the question, so that it cannot be used with another one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use crate::view::HashPrefix;

/// One page of a list, as a query returns it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rows<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Sort key of the last item when there are more; what [`Cursor::key`] will be.
    #[serde(skip)]
    pub next: Option<String>,
    /// How many there are over all pages, when that was asked for.
    #[serde(skip)]
    pub count: Option<i64>,
}

impl<T> Rows<T> {
    /// A page out of up to `limit` + 1 rows: one row too many means that there is a next page.
    pub fn page(mut items: Vec<T>, limit: i64, sort_key: impl Fn(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or_default();
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(sort_key) } else { None };
        Self { items, next, count: None }
    }
}

/// One page of a list that says more than its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Described<A, T> {
    /// What is true of the whole list; its fields stand beside `items`.
    pub about: A,
    /// The page.
    pub rows: Rows<T>,
}

/// A list as clients see it; documentation and tests use it, replies are assembled from cached bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// Opaque; goes into `cursor=` of the same question for the next page, and is null on the last one.
    pub next_cursor: Option<String>,
    /// How many there are over all pages; only with `count=`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
}

/// How exact `count=` shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// Counted.
    Exact,
    /// Counted up to 10,000 where counting takes long.
    Estimated,
}

impl Count {
    /// How many items to count at most, where counting takes long.
    pub fn at_most(self) -> i64 {
        match self {
            Self::Exact => i64::MAX,
            Self::Estimated => 10_000,
        }
    }
}

/// Where the next page begins, and what it must agree with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Position that all pages are true at.
    #[serde(rename = "p")]
    pub position: i64,
    /// First bytes of the running hash there.
    #[serde(rename = "h", with = "hex_prefix")]
    pub chain_hash: HashPrefix,
    /// Sort key of the last item shown.
    #[serde(rename = "k")]
    pub key: String,
    /// First bytes of a hash of the question.
    #[serde(rename = "q", with = "hex_prefix")]
    pub question: HashPrefix,
}

/// A text that is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a cursor that this server has given out")]
pub struct BadCursor;

impl Cursor {
    /// The opaque text.
    pub fn encode(&self) -> String {
        let json = serde_json::to_vec(self).expect("a cursor holds only numbers and strings");
        URL_SAFE_NO_PAD.encode(json)
    }

    /// The cursor behind an opaque text.
    pub fn decode(text: &str) -> Result<Self, BadCursor> {
        let json = URL_SAFE_NO_PAD.decode(text).map_err(|_| BadCursor)?;
        let cursor: Self = serde_json::from_slice(&json).map_err(|_| BadCursor)?;
        // A NUL cannot go to PostgreSQL, and no sort key of ours holds one.
        if cursor.position < 0 || cursor.key.contains('\0') { Err(BadCursor) } else { Ok(cursor) }
    }
}

/// A short hash of a question: its path and its own parameters, in a fixed order.
pub fn fingerprint<'a>(path: &str, parameters: impl Iterator<Item = (&'a str, &'a str)>) -> HashPrefix {
    let mut parameters: Vec<_> = parameters.collect();
    parameters.sort_unstable();
    let text = serde_json::to_vec(&(path, parameters)).expect("strings are always JSON");
    crate::view::prefix(&Sha256::digest(text))
}

mod hex_prefix {
    use serde::{Deserialize, Deserializer, Serializer, de};

    use crate::view::HashPrefix;

    pub fn serialize<S: Serializer>(prefix: &HashPrefix, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(prefix))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HashPrefix, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut prefix = HashPrefix::default();
        hex::decode_to_slice(text, &mut prefix).map_err(de::Error::custom)?;
        Ok(prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_knows_whether_there_is_another() {
        let page = Rows::page(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!((page.items, page.next), (vec![1, 2], Some("2".to_owned())));
        let last = Rows::page(vec![1, 2], 2, ToString::to_string);
        assert_eq!((last.items, last.next), (vec![1, 2], None));
    }

    #[test]
    fn a_fingerprint_forgets_the_order_of_parameters_and_nothing_else() {
        let of = |path, parameters: &[(&'static str, &'static str)]| fingerprint(path, parameters.iter().copied());
        assert_eq!(of("/a", &[("x", "1"), ("y", "2")]), of("/a", &[("y", "2"), ("x", "1")]));
        assert_ne!(of("/a", &[("x", "1")]), of("/a", &[("x", "2")]));
        assert_ne!(of("/a", &[]), of("/b", &[]));
    }

    proptest! {
        #[test]
        fn cursors_survive_the_way_through_the_client(position in 0..i64::MAX, key in "[^\0]{0,40}", question: [u8; 8]) {
            let cursor = Cursor { position, chain_hash: [7; 8], key, question };
            prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
        }

        #[test]
        fn no_text_makes_the_decoder_panic(text: String) {
            let _ = Cursor::decode(&text);
        }
    }
}
