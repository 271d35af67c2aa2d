//! The words that requests and answers about work are made of: families of work with their units, and windows of time.

/// What a total or a board is about: a family of work, or all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Accepted submissions of every type.
    All,
    /// BOINC credit.
    Boinc,
    /// Native useful work: every type that begins with `nuw_`.
    Nuw,
    /// Bytes moved.
    Bandwidth,
    /// Receipts of computations.
    Compute,
    /// Contributions to ceremonies.
    Ceremony,
}

impl Family {
    /// Every word for it in requests, `all` first.
    pub const WORDS: &[(&str, Self)] = &[
        ("all", Self::All),
        ("boinc", Self::Boinc),
        ("nuw", Self::Nuw),
        ("bandwidth", Self::Bandwidth),
        ("compute", Self::Compute),
        ("ceremony", Self::Ceremony),
    ];

    /// The families themselves, in the order of answers.
    pub const EACH: [Self; 5] = [Self::Boinc, Self::Nuw, Self::Bandwidth, Self::Compute, Self::Ceremony];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Boinc => "boinc",
            Self::Nuw => "nuw",
            Self::Bandwidth => "bandwidth",
            Self::Compute => "compute",
            Self::Ceremony => "ceremony",
        }
    }

    /// What a score of it counts.
    pub fn unit(self) -> &'static str {
        match self {
            Self::All | Self::Nuw => "submissions",
            Self::Boinc => "cobblestones",
            Self::Bandwidth => "bytes",
            Self::Compute => "receipts",
            Self::Ceremony => "contributions",
        }
    }

    /// The family with a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(word, _)| *word == name).map(|(_, family)| *family)
    }

    /// The family that a type belongs to as records spell it; none of a type that nobody knows.
    pub fn of_type(work_type: &str) -> Option<Self> {
        if work_type.starts_with("nuw_") { Some(Self::Nuw) } else { Self::named(work_type) }
    }
}

/// A window of time that ends with the newest hour of the clock source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Timeframe {
    /// The current hour so far and the 24 full hours before it.
    Day,
    /// The current UTC day so far and the 7 full days before it.
    Week,
    /// The current UTC day so far and the 30 full days before it.
    Month,
    /// All time.
    All,
}

impl Timeframe {
    /// Every word for it in requests.
    pub const WORDS: &[(&str, Self)] =
        &[("day", Self::Day), ("week", Self::Week), ("month", Self::Month), ("all", Self::All)];

    /// The word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::All => "all",
        }
    }
}
