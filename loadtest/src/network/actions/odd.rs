//! Correct payloads with texts and numbers that break careless readers.

use super::super::draft::Draft;
use super::super::tally::Oddity;
use super::{identity, money, somebody};

/// A payload with one odd text or number in it.
pub fn text(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let (oddity, fields) = match draft.dice.below(6) {
        0 => (Oddity::NulText, r#""bio":"before\u0000after""#),
        1 => (Oddity::LoneSurrogate, r#""bio":"half a pair: \ud83d, and the other: \udc00""#),
        2 => (Oddity::RightToLeft, r#""display_name":"שלום \u202eمرحبا‏""#),
        3 => (Oddity::DuplicateKeys, r#""bio":"the first","bio":"the second""#),
        4 => (Oddity::NumberBeyond53Bits, r#""bio":"big","extra":[9007199254740993,123456789012345678901234567890]"#),
        _ => return long_text(draft),
    };
    draft.oddity(oddity);
    identity::update_with(draft, identity, fields);
}

fn long_text(draft: &mut Draft<'_>) {
    draft.oddity(Oddity::LongText);
    money::mint_because(draft, Some(&"lang ".repeat(2_000)));
}
