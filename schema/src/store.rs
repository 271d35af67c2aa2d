//! The event log in PostgreSQL: the one appender, and readers that stop at the contiguous watermark.
//!
//! The only SQL that touches the log from the writing side. It must not know what an event means.

mod append;
mod read;
mod sources;
mod subjects;
mod verify;

pub use append::{AppendError, Appended, Appender, Batch, CursorMove, Lease};
pub use read::{LoggedUnit, StoreHead, read_head, read_units};
pub use sources::{
    Cursor, Declared, Look, Order, Orders, SourceProgress, configure_sources, declare_source, first_contact,
    load_facts, order_source, report_look,
};
pub use subjects::{SubjectKey, SubjectNumbers};
pub use verify::{LogCheck, verify_log};

use crate::chain::Malformed;

/// Why the log could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// PostgreSQL refused or is away.
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// A row is not what only this module could have written.
    #[error("the log is damaged at position {position}: {why}")]
    Damaged {
        /// Where.
        position: i64,
        /// What is wrong.
        why: String,
    },
    /// The settings contradict what the database has fixed about a source.
    #[error(
        "source {name:?} is already in this database with {field} {stored}, and the settings say {wanted}; use another name for another source"
    )]
    SourceChanged {
        /// The source's name.
        name: String,
        /// Which fact differs.
        field: &'static str,
        /// What the database says.
        stored: String,
        /// What the settings say.
        wanted: String,
    },
}

impl StoreError {
    pub(crate) fn damaged(position: i64, why: impl Into<String>) -> Self {
        Self::Damaged { position, why: why.into() }
    }

    /// Whether the same call may succeed later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

impl From<Malformed> for StoreError {
    fn from(error: Malformed) -> Self {
        Self::damaged(0, error.to_string())
    }
}
