//! What became of a source itself, and what could not be understood.

use serde::{Deserialize, Serialize};

use super::Part;
use crate::chain::{Height, Spelled};

body! {
    /// `source.started`: the first contact with a source.
    SourceStarted {
        /// Chain id that the source is followed under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain_id: Option<String>,
        /// Hash of block 0, where it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        genesis_hash: Option<String>,
        /// How block hashes are checked: the rule's name, or absent when only links are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash_rule: Option<String>,
        /// Kind of the source.
        kind: String,
        /// First height that is followed.
        start_height: Spelled<Height>,
    }
}

body! {
    /// `source.skipped`: an operator decided that something will not be indexed.
    SourceSkipped {
        /// First height left out.
        from_height: Spelled<Height>,
        /// The operator's reason.
        reason: String,
        /// Last height left out.
        through_height: Spelled<Height>,
    }
}

body! {
    /// `source.unrecognized`: well-formed on the outside, not understood within; nothing is lost.
    Unrecognized {
        /// SHA-256 (hex) of the raw bytes where they are kept elsewhere or are too long to keep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data_digest: Option<String>,
        /// Which part was not understood.
        part: Part,
        /// The bytes as they came; hex.
        raw: String,
        /// Why, in a plain sentence.
        reason: String,
    }
}
