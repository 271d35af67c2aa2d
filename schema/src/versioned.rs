//! The one structure of every view: the newest version of each key for the next fold, and the versions that a batch made.
//!
//! It must not know what a view means; the database side of it is `migrations/0002_versioned.sql`.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgConnection;

use crate::bulk::{RowBatch, Target};
use crate::event::{Position, SourceId};

/// Keys kept in memory between batches, per view; beyond that all are forgotten and read again when needed.
const REMEMBERED: usize = 150_000;

/// A versioned view: its table, and how a row of it is written.
pub trait Table {
    /// Name of the table with the newest versions; all versions are in `<NAME>_versions`.
    const NAME: &'static str;
    /// Where versions go.
    const VERSIONS: &'static Target;
    /// Key columns.
    type Key: Ord + Clone + Send + Sync + std::fmt::Debug;
    /// Value columns.
    type Value: Clone + PartialEq + Send + Sync + std::fmt::Debug;
    /// Adds a version: all nulls when the key is gone.
    fn encode(rows: &mut RowBatch, key: &Self::Key, value: Option<&Self::Value>, from: Position);
}

/// Rows of a view in memory while a batch is folded: what is known, and what the batch made of it.
#[derive(Debug)]
pub struct Rows<T: Table> {
    known: BTreeMap<T::Key, Option<T::Value>>,
    before_unit: BTreeMap<T::Key, Option<T::Value>>,
    versions: Vec<(T::Key, Option<T::Value>, Position)>,
}

impl<T: Table> Default for Rows<T> {
    fn default() -> Self {
        Self { known: BTreeMap::new(), before_unit: BTreeMap::new(), versions: Vec::new() }
    }
}

impl<T: Table> Rows<T> {
    /// Which of the keys must be read from the database before folding.
    pub fn missing(&mut self, wanted: BTreeSet<T::Key>) -> Vec<T::Key> {
        if self.known.len() > REMEMBERED {
            self.known.clear();
        }
        wanted.into_iter().filter(|key| !self.known.contains_key(key)).collect()
    }

    /// Takes in what the database says of the missing keys; those it has no row for are known to be absent.
    pub fn loaded(&mut self, asked: Vec<T::Key>, found: impl IntoIterator<Item = (T::Key, T::Value)>) {
        for key in asked {
            self.known.insert(key, None);
        }
        for (key, value) in found {
            self.known.insert(key, Some(value));
        }
    }

    /// The row of a key. It must have been loaded: a fold names its keys first.
    pub fn get(&self, key: &T::Key) -> Option<&T::Value> {
        debug_assert!(self.known.contains_key(key), "{}: key {key:?} was not loaded before folding", T::NAME);
        self.known.get(key).and_then(Option::as_ref)
    }

    /// The known rows whose keys lie in a range, in order.
    pub fn range(&self, range: impl std::ops::RangeBounds<T::Key>) -> impl Iterator<Item = (&T::Key, &T::Value)> {
        self.known.range(range).filter_map(|(key, value)| Some((key, value.as_ref()?)))
    }

    /// Sets the row of a key.
    pub fn set(&mut self, key: T::Key, value: T::Value) {
        self.replace(key, Some(value));
    }

    /// Removes the row of a key.
    pub fn remove(&mut self, key: T::Key) {
        self.replace(key, None);
    }

    fn replace(&mut self, key: T::Key, value: Option<T::Value>) {
        let before = self.known.insert(key.clone(), value).flatten();
        self.before_unit.entry(key).or_insert(before);
    }

    /// What the current unit has changed so far: key, row before the unit, row now.
    pub fn changes(&self) -> impl Iterator<Item = (&T::Key, Option<&T::Value>, Option<&T::Value>)> {
        self.before_unit.iter().filter_map(|(key, before)| {
            let now = self.known.get(key).and_then(Option::as_ref);
            (before.as_ref() != now).then_some((key, before.as_ref(), now))
        })
    }

    /// Ends a unit: each row that differs from before becomes one version from here on.
    pub fn close(&mut self, end: Position) {
        for (key, before) in std::mem::take(&mut self.before_unit) {
            let now = self.known.get(&key).cloned().flatten();
            if now != before {
                self.versions.push((key, now, end));
            }
        }
    }

    /// Position of the newest version that the batch made.
    pub fn last_change(&self) -> Option<Position> {
        self.versions.last().map(|(_, _, position)| *position)
    }

    /// Writes the versions of the batch and brings the current rows up to them. `before` is the watermark before the batch.
    pub async fn write(&mut self, db: &mut PgConnection, before: Position) -> sqlx::Result<()> {
        self.write_versions(db).await?.publish(db, before).await
    }

    /// Writes the versions of the batch, and leaves the current rows what they were before it.
    pub async fn write_versions(&mut self, db: &mut PgConnection) -> sqlx::Result<Unpublished> {
        if self.versions.is_empty() {
            return Ok(Unpublished(None));
        }
        let mut rows = RowBatch::new(T::VERSIONS);
        for (key, value, from) in self.versions.drain(..) {
            T::encode(rows.row(), &key, value.as_ref(), from);
        }
        rows.send(db).await?;
        Ok(Unpublished(Some(T::NAME)))
    }

    /// Forgets everything: after a rollback, and after a retraction has changed rows behind our back.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

/// A view whose versions of the batch were written, if it had any; its current rows are still those before the batch.
#[derive(Debug)]
#[must_use = "until it is published the view does not show the batch"]
pub struct Unpublished(Option<&'static str>);

impl Unpublished {
    /// Brings the current rows up to the versions. `before` is the watermark before the batch.
    pub async fn publish(self, db: &mut PgConnection, before: Position) -> sqlx::Result<()> {
        match self.0 {
            Some(view) => publish(db, view, before).await,
            None => Ok(()),
        }
    }
}

/// Brings a view's current rows up to the versions written after a position.
pub async fn publish(db: &mut PgConnection, view: &str, after: Position) -> sqlx::Result<()> {
    sqlx::query!(r#"select log.publish($1, $2)"#, view, after.0).fetch_one(db).await?;
    Ok(())
}

/// Writes, as new versions at a retraction, what the rows of its source were before the fork; returns how many.
pub async fn restore(
    db: &mut PgConnection,
    view: &str,
    source: SourceId,
    first: Position,
    at: Position,
) -> sqlx::Result<i64> {
    let row = sqlx::query!(r#"select log.restore($1, $2, $3, $4) as "restored!""#, view, source.0, first.0, at.0)
        .fetch_one(db)
        .await?;
    Ok(row.restored)
}

/// Declares a versioned view: its key, its row, and with them how versions are stored.
///
/// Each column has the name of its table column, the [`RowBatch`] method that encodes it, and its Rust type.
#[macro_export]
macro_rules! versioned_table {
    (
        $(#[$meta:meta])*
        $table:ident = $name:literal {
            key $key:ident { $first_key:ident: $first_key_method:ident($first_key_type:ty) $(, $key_column:ident: $key_method:ident($key_type:ty))* $(,)? }
            value $value:ident { $($column:ident: $method:ident($type:ty)),+ $(,)? }
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy)]
        pub struct $table;

        #[doc = concat!("Key of `", $name, "`.")]
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the columns are documented in the migration")]
        pub struct $key { pub $first_key: $first_key_type, $(pub $key_column: $key_type),* }

        #[doc = concat!("Row of `", $name, "`.")]
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(missing_docs, reason = "the columns are documented in the migration")]
        pub struct $value { $(pub $column: $type),+ }

        impl $crate::versioned::Table for $table {
            const NAME: &'static str = $name;
            const VERSIONS: &'static $crate::bulk::Target = &$crate::bulk::Target {
                table: concat!($name, "_versions"),
                columns: concat!(
                    stringify!($first_key), $(", ", stringify!($key_column),)* $(", ", stringify!($column),)+ ", from_position, present"
                ),
                types: &[
                    $crate::versioned_table!(@type $first_key_method),
                    $($crate::versioned_table!(@type $key_method),)*
                    $($crate::versioned_table!(@type $method),)+
                    $crate::bulk::ColumnType::Int8,
                    $crate::bulk::ColumnType::Bool,
                ],
            };
            type Key = $key;
            type Value = $value;

            fn encode(
                rows: &mut $crate::bulk::RowBatch,
                key: &$key,
                value: Option<&$value>,
                from: $crate::event::Position,
            ) {
                rows.$first_key_method($crate::versioned_table!(@borrow $first_key_method key.$first_key));
                $(rows.$key_method($crate::versioned_table!(@borrow $key_method key.$key_column));)*
                match value {
                    Some(value) => { $(rows.$method($crate::versioned_table!(@borrow $method value.$column));)+ }
                    None => { $(let _ = stringify!($column); rows.null();)+ }
                }
                rows.int8(from.0).bool(value.is_some());
            }
        }
    };
    (@type int2) => { $crate::bulk::ColumnType::Int2 };
    (@type int4) => { $crate::bulk::ColumnType::Int4 };
    (@type int8) => { $crate::bulk::ColumnType::Int8 };
    (@type int8_opt) => { $crate::bulk::ColumnType::Int8 };
    (@type bool) => { $crate::bulk::ColumnType::Bool };
    (@type text) => { $crate::bulk::ColumnType::Text };
    (@type text_opt) => { $crate::bulk::ColumnType::Text };
    (@type bytes) => { $crate::bulk::ColumnType::Bytes };
    (@type bytes_opt) => { $crate::bulk::ColumnType::Bytes };
    (@type time) => { $crate::bulk::ColumnType::Time };
    (@type time_opt) => { $crate::bulk::ColumnType::Time };
    (@type numeric) => { $crate::bulk::ColumnType::Numeric };
    (@type numeric_opt) => { $crate::bulk::ColumnType::Numeric };
    (@borrow text $($value:tt)+) => { &$($value)+ };
    (@borrow bytes $($value:tt)+) => { &$($value)+ };
    (@borrow text_opt $($value:tt)+) => { $($value)+.as_deref() };
    (@borrow bytes_opt $($value:tt)+) => { $($value)+.as_deref() };
    (@borrow $other:ident $($value:tt)+) => { $($value)+ };
}
