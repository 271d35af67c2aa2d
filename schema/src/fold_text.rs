//! Names folded for search: one pure function that the indexer stores by and the API asks by.
//!
//! The database's locale has no part in it, so that two operators with different servers find the same names. A change
//! here changes stored rows, and so needs a new version of the projections that store its result.

use caseless::Caseless;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::canonical_combining_class;

/// The form of a name that searches compare: compatibility-decomposed (NFKD), without accents, fully case-folded, without
/// invisible characters, white space collapsed to single spaces and trimmed. May be empty. Folding twice changes nothing.
pub fn search_form(name: &str) -> String {
    let folded: String = name
        .chars()
        .filter(|&c| !is_invisible(c))
        .nfkd()
        .default_case_fold()
        // Folding can bring forth characters that decompose again, and decomposing some that fold again.
        .nfkd()
        .default_case_fold()
        .nfkd()
        .filter(|&c| canonical_combining_class(c) == 0 && !is_invisible(c))
        .map(bare_letter)
        .collect();
    // Control characters count as white space: NUL in particular has no place in a database text.
    folded
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

/// Joiners, direction marks, variation selectors and other characters that leave no trace on a screen, so that two names
/// that look alike are found alike.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{20dd}'..='\u{20e4}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{1f3fb}'..='\u{1f3ff}' | '\u{e0000}'..='\u{e0fff}')
}

/// Letters whose stroke Unicode does not call an accent, but people who type the name do.
fn bare_letter(c: char) -> char {
    match c {
        'ø' => 'o',
        'ł' => 'l',
        'đ' | 'ð' => 'd',
        'ħ' => 'h',
        'ŧ' => 't',
        'ı' => 'i',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_accents_and_width_make_no_difference() {
        for (name, form) in [
            ("Zoë  Brontë", "zoe bronte"),
            ("ZOE BRONTE", "zoe bronte"),
            ("Straße", "strasse"),
            ("İstanbul", "istanbul"),
            ("Ｆｕｌｌ ｗｉｄｔｈ", "full width"),
            ("ﬁne", "fine"),
            ("Łódź", "lodz"),
            ("ΣΊΣΥΦΟΣ", "σισυφοσ"),
            ("\tnew\u{a0}\u{3000}line\n", "new line"),
        ] {
            assert_eq!(search_form(name), form, "{name}");
        }
    }

    #[test]
    fn nothing_hostile_is_left_but_nothing_visible_is_lost() {
        assert_eq!(search_form("a\u{0}b"), "a b");
        assert_eq!(search_form("\u{202e}eve\u{200b}l"), "evel");
        assert_eq!(search_form("100%_'\""), "100%_'\"");
        assert_eq!(search_form("👩\u{200d}🚀"), "👩🚀");
        assert_eq!(search_form("שָׁלוֹם"), "שלום");
        assert_eq!(search_form(" \u{301}\u{200d} "), "");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(name in "\\PC{0,40}|.{0,40}") {
            let once = search_form(&name);
            prop_assert!(!once.contains('\0'));
            prop_assert_eq!(search_form(&once), once);
        }
    }
}
