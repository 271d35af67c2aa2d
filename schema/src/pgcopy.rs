//! Rows in PostgreSQL's binary COPY format: the fastest way in, and the only one that is not a checked statement.
//!
//! It knows the encoding of each type used in our tables and nothing about any table.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Bytes sent to the server at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Microseconds from the Unix epoch to PostgreSQL's.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

/// Rows for one COPY, encoded as they are added.
#[derive(Debug)]
pub struct CopyRows {
    bytes: Vec<u8>,
    columns: i16,
    rows: usize,
}

impl CopyRows {
    /// No rows yet, of so many columns.
    pub fn new(columns: i16) -> Self {
        let mut bytes = Vec::with_capacity(64 * 1024);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        bytes.extend_from_slice(&[0; 8]);
        Self { bytes, columns, rows: 0 }
    }

    /// Begins a row; exactly so many columns must follow.
    pub fn row(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
        self.rows += 1;
        self
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    fn field(&mut self, bytes: &[u8]) -> &mut Self {
        let length = i32::try_from(bytes.len()).expect("a field is far below 2 GiB: bodies are bounded");
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(bytes);
        self
    }

    /// SQL null.
    pub fn null(&mut self) -> &mut Self {
        self.bytes.extend_from_slice(&(-1_i32).to_be_bytes());
        self
    }

    fn optional<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T) -> &mut Self) -> &mut Self {
        match value {
            Some(value) => write(self, value),
            None => self.null(),
        }
    }

    /// `bigint`.
    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    /// `bigint` or null.
    pub fn int8_opt(&mut self, value: Option<i64>) -> &mut Self {
        self.optional(value, Self::int8)
    }

    /// `integer`.
    pub fn int4(&mut self, value: i32) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    /// `integer` or null.
    pub fn int4_opt(&mut self, value: Option<i32>) -> &mut Self {
        self.optional(value, Self::int4)
    }

    /// `smallint`.
    pub fn int2(&mut self, value: i16) -> &mut Self {
        self.field(&value.to_be_bytes())
    }

    /// `smallint` or null.
    pub fn int2_opt(&mut self, value: Option<i16>) -> &mut Self {
        self.optional(value, Self::int2)
    }

    /// `boolean`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.field(&[u8::from(value)])
    }

    /// `text`. PostgreSQL cannot hold U+0000: what reaches a view has been checked for it, so it is replaced visibly here
    /// and not an error that would stop everything.
    pub fn text(&mut self, value: &str) -> &mut Self {
        if value.contains('\0') { self.field(value.replace('\0', "\u{fffd}").as_bytes()) } else { self.field(value.as_bytes()) }
    }

    /// `text` or null.
    pub fn text_opt(&mut self, value: Option<&str>) -> &mut Self {
        self.optional(value, |rows, value| rows.text(value))
    }

    /// `bytea`.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.field(value)
    }

    /// `bytea` or null.
    pub fn bytes_opt(&mut self, value: Option<&[u8]>) -> &mut Self {
        self.optional(value, |rows, value| rows.bytes(value))
    }

    /// `timestamptz`, cut to microseconds.
    pub fn time(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.int8(value.timestamp_micros() - POSTGRES_EPOCH_MICROS)
    }

    /// `numeric` without fraction digits.
    pub fn numeric(&mut self, value: i128) -> &mut Self {
        let mut groups = Vec::with_capacity(10);
        let mut rest = value.unsigned_abs();
        while rest > 0 {
            let group = u16::try_from(rest % 10_000).expect("a remainder of 10,000 fits 16 bits");
            groups.push(group);
            rest /= 10_000;
        }
        let count = u16::try_from(groups.len()).expect("an i128 has at most ten groups of four digits");
        let sign: u16 = if value < 0 { 0x4000 } else { 0 };
        let mut field = Vec::with_capacity(8 + 2 * groups.len());
        for header in [count, count.saturating_sub(1), sign, 0] {
            field.extend_from_slice(&header.to_be_bytes());
        }
        for group in groups.iter().rev() {
            field.extend_from_slice(&group.to_be_bytes());
        }
        self.field(&field)
    }

    /// `numeric` without fraction digits, or null.
    pub fn numeric_opt(&mut self, value: Option<i128>) -> &mut Self {
        self.optional(value, Self::numeric)
    }

    /// Sends the rows with a `copy … from stdin (format binary)` statement; returns how many the server took.
    pub async fn send(mut self, db: &mut PgConnection, statement: &str) -> sqlx::Result<u64> {
        self.bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        let mut copy = db.copy_in_raw(statement).await?;
        for chunk in self.bytes.chunks(CHUNK_BYTES) {
            copy.send(chunk).await?;
        }
        copy.finish().await
    }
}
