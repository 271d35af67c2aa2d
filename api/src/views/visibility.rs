//! Who may see whose statistics (MEANING §7): every caller is anonymous, so only what is public now.
//!
//! The decision itself is `log.shows_stats` in the database, in one place, and every query of a statistic asks it in the
//! statement that reads the rows: there is no answer to filter afterwards, and none to forget to filter.

/// What an anonymous caller gets to see of something that belongs to an identity.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Shown<T> {
    /// There is no such identity.
    Unknown,
    /// There is, and it does not show this to everybody.
    Hidden,
    /// There is, and this is it.
    Seen(T),
}

impl<T> Shown<T> {
    /// From the two columns that every statement about a statistic selects: whether the identity is known at the position,
    /// and whether it shows its statistics now.
    pub fn when(known: Option<bool>, shown: Option<bool>, value: impl FnOnce() -> T) -> Self {
        match (known.unwrap_or(false), shown.unwrap_or(false)) {
            (false, _) => Self::Unknown,
            (true, false) => Self::Hidden,
            (true, true) => Self::Seen(value()),
        }
    }
}
