//! What a question is and what an answer carries: [`Query`], [`At`], [`Stamp`], and [`View`], which answers from the
//! cache or the database.
//!
//! An answer is one SQL statement: the watermark with its rows beside it, so that the position an answer names is the
//! position its rows were read at. Nothing here knows JSON shapes, HTTP or any noun.

mod answer;
mod connections;

use std::future::Future;

use schema::event::Position;
use sqlx::PgConnection;

pub use answer::{Answered, Encoded, Kept, Ttls, Unanswered, View};
pub use connections::{Connections, Statement};

/// When a question is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// At the newest position that all live views show.
    Now,
    /// As of a position of the log.
    Position(Position),
}

impl At {
    /// The position to bind as the first argument of a stamped statement; null reads at the watermark.
    pub fn bound(self) -> Option<i64> {
        match self {
            Self::Now => None,
            Self::Position(position) => Some(position.0),
        }
    }
}

/// The first bytes of a running hash: enough to tell two histories apart, short enough for an `ETag`.
pub type HashPrefix = [u8; 8];

/// What every statement returns with its rows: where in the log they were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Position that the rows are true at.
    pub position: i64,
    /// First bytes of the running hash there.
    pub chain_hash: HashPrefix,
    /// Newest position at which one of the query's views changed.
    pub changed_position: i64,
    /// First bytes of the running hash there.
    pub changed_hash: HashPrefix,
    /// As-of answers below this position have been pruned.
    pub horizon: i64,
}

impl Stamp {
    /// A stamp from the columns that `stamped!` selects.
    pub fn from_columns(
        position: i64,
        chain_hash: &[u8],
        changed_position: i64,
        changed_hash: &[u8],
        horizon: i64,
    ) -> Self {
        Self { position, chain_hash: prefix(chain_hash), changed_position, changed_hash: prefix(changed_hash), horizon }
    }
}

/// The first eight bytes of a hash; a shorter one is filled with zeros, as position 0 has no hash but zeros.
pub fn prefix(hash: &[u8]) -> HashPrefix {
    let mut prefix = HashPrefix::default();
    for (to, from) in prefix.iter_mut().zip(hash) {
        *to = *from;
    }
    prefix
}

/// A value and the position that it is true at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped<T> {
    /// Where it is true.
    pub at: Stamp,
    /// The value.
    pub value: T,
}

/// How long an answer may be kept, and by whom (DESIGN §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// Asked by everybody and independent of visibility: shared caches may keep it for a second.
    HotList,
    /// Independent of visibility: to be checked against its `ETag`, immutable once finalized and as-of.
    Checked,
    /// Depends on somebody's current visibility, so it is never immutable.
    Visible,
    /// Only ever about this moment (lags, errors): computed each time.
    Never,
}

/// Stands for the log itself in [`Query::VIEWS`]: it changes whenever the watermark moves.
pub const LOG: &str = "log";

/// One question that the views can answer, whatever protocol it came by.
pub trait Query: Send + Sync {
    /// Names in `view_state` of the projections whose tables the statement reads, and [`LOG`] when it reads the log.
    const VIEWS: &'static [&'static str];
    /// How long answers may be kept.
    const KEEP: Keep = Keep::Checked;
    /// What comes back.
    type Answer: serde::Serialize + Send;

    /// The normalised text of the question: two questions with the same text have the same answer at one position.
    fn key(&self) -> String;

    /// What [`Self::VIEWS`] is for this very question: with the events behind an answer, it depends on more.
    fn views(&self) -> &'static [&'static str] {
        Self::VIEWS
    }

    /// Asks, in one statement made by `stamped!`.
    fn run(&self, db: &mut PgConnection, at: At) -> impl Future<Output = sqlx::Result<Stamped<Self::Answer>>> + Send;
}

/// One checked statement: the stamp, and beside it the rows.
///
/// `stamped!(db, at, VIEWS, columns, rows, order, arguments…)` gives `sqlx::Result<(Stamp, Vec<record>)>`.
///
/// * `rows` is a select that may read `s.position`, the position the answer is true at. It must bound append rows with
///   `position <= s.position` and read versions with `from_position <= s.position`; current tables are already there.
/// * `columns` are columns of it, as `r.x as "x?"`. The rows stand on the right of a `left join lateral`, so that an
///   answer without rows still has its stamp: then there is one record whose columns are all null.
/// * `order` is an `order by` over `r` (a join need not keep the order of the select), or `""` for at most one row.
/// * A view that `view_state` does not know, the log among them, counts as changed at the watermark.
/// * Instead of one literal `rows` may be `(literal + literal + …)`, so that a module can share parts of its own.
/// * `$1` and `$2` are taken by position and views; own arguments start at `$3`.
macro_rules! stamped {
    ($db:expr, $at:expr, $views:expr, $columns:literal, $rows:literal, $order:literal $(, $argument:expr)* $(,)?) => {
        $crate::view::stamped!($db, $at, $views, $columns, ($rows), $order $(, $argument)*)
    };
    ($db:expr, $at:expr, $views:expr, $columns:literal, ($($rows:tt)+), $order:literal $(, $argument:expr)* $(,)?) => {
        match sqlx::query!(
            r#"
            with s as materialized (
                select
                    a.position,
                    case
                        when a.position = w.position then w.chain_hash
                        else coalesce((
                            select u.chain_hash
                            from log.log_units u
                            where u.end_position <= a.position
                            order by u.end_position desc
                            limit 1
                        ), '\x0000000000000000'::bytea)
                    end as chain_hash,
                    coalesce(v.changed_position, w.position) as changed_position,
                    coalesce(v.changed_hash, w.chain_hash) as changed_hash,
                    w.horizon
                from watermark w
                cross join lateral (
                    select
                        min(case when x.state = 'set_aside' then x.position end) as position,
                        max(coalesce(x.changed_position, w.position)) as changed_position,
                        (array_agg(
                            coalesce(x.changed_hash, w.chain_hash)
                            order by coalesce(x.changed_position, w.position) desc
                        ))[1] as changed_hash
                    from unnest($2::text[]) n (name)
                    left join view_state x on x.view = n.name
                ) v
                cross join lateral (
                    select least(coalesce($1::bigint, w.position), w.position, v.position) as position
                ) a
                where w.only_row
            )
            select
                s.position as "stamp_position!",
                s.chain_hash as "stamp_chain_hash!",
                s.changed_position as "stamp_changed_position!",
                s.changed_hash as "stamp_changed_hash!",
                s.horizon as "stamp_horizon!",
            "# + $columns + " from s left join lateral (" + $($rows)+ + ") r on true " + $order,
            $at.bound(),
            $views as _
            $(, $argument)*
        )
        .fetch_all(&mut *$db)
        .await
        {
            Ok(rows) => match rows.first().map(|row| {
                $crate::view::Stamp::from_columns(
                    row.stamp_position,
                    &row.stamp_chain_hash,
                    row.stamp_changed_position,
                    &row.stamp_changed_hash,
                    row.stamp_horizon,
                )
            }) {
                Some(at) => Ok((at, rows)),
                None => Err(sqlx::Error::RowNotFound),
            },
            Err(error) => Err(error),
        }
    };
}
pub(crate) use stamped;
