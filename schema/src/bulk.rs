//! Many rows into a table at once: by binary COPY when they are many, by one INSERT over arrays when they are few.
//!
//! COPY is the fastest way in, but it takes a second message after the rows, which waits up to 40 ms for the first to be
//! acknowledged on a TCP connection whose small segments are held back; one INSERT is a single round trip. Neither can be
//! a statement that is checked at compile time: this module knows the encoding of each type that our tables use, and
//! nothing about any table.

use chrono::{DateTime, Utc};
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgArguments, PgTypeInfo};
use sqlx::{Arguments, AssertSqlSafe, Encode, PgConnection, Postgres, Type};

/// Rows from which on COPY is faster than an INSERT, its second round trip included.
const COPY_FROM_ROWS: usize = 2_000;
/// Bytes from which on rows are not sent as one message.
const COPY_FROM_BYTES: usize = 8 << 20;
/// Bytes sent to the server at once.
const CHUNK_BYTES: usize = 1 << 20;
/// Microseconds from the Unix epoch to PostgreSQL's.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Length that stands for SQL null.
const NULL: i32 = -1;

/// Where rows go: constants of this program only, since they become part of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The table.
    pub table: &'static str,
    /// Its columns, with commas between them.
    pub columns: &'static str,
    /// Their types, in the same order.
    pub types: &'static [ColumnType],
}

/// The types that our tables use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `smallint`
    Int2,
    /// `integer`
    Int4,
    /// `bigint`
    Int8,
    /// `boolean`
    Bool,
    /// `text`
    Text,
    /// `bytea`
    Bytes,
    /// `timestamptz`
    Time,
    /// `numeric`
    Numeric,
}

impl ColumnType {
    /// PostgreSQL's fixed numbers of the type and of arrays of it.
    fn oids(self) -> (u32, u32) {
        match self {
            Self::Int2 => (21, 1005),
            Self::Int4 => (23, 1007),
            Self::Int8 => (20, 1016),
            Self::Bool => (16, 1000),
            Self::Text => (25, 1009),
            Self::Bytes => (17, 1001),
            Self::Time => (1184, 1185),
            Self::Numeric => (1700, 1231),
        }
    }
}

#[derive(Debug, Default)]
struct Column {
    /// Each field as PostgreSQL sends it: length, then bytes.
    fields: Vec<u8>,
    has_null: bool,
}

/// Rows for one table, encoded as they are added.
#[derive(Debug)]
pub struct RowBatch {
    target: &'static Target,
    columns: Vec<Column>,
    next: usize,
    rows: usize,
}

macro_rules! optional {
    ($(#[$meta:meta] $name:ident: $plain:ident($type:ty);)+) => {
        $(
            #[$meta]
            pub fn $name(&mut self, value: Option<$type>) -> &mut Self {
                match value {
                    Some(value) => self.$plain(value),
                    None => self.null(),
                }
            }
        )+
    };
}

impl RowBatch {
    /// No rows yet.
    pub fn new(target: &'static Target) -> Self {
        let columns = target.types.iter().map(|_| Column::default()).collect();
        Self { target, columns, next: 0, rows: 0 }
    }

    /// Begins a row; every column must follow, in order.
    pub fn row(&mut self) -> &mut Self {
        assert!(self.rows == 0 || self.next == self.columns.len(), "{}: a row is incomplete", self.target.table);
        self.next = 0;
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

    fn column(&mut self) -> &mut Column {
        let column = self.columns.get_mut(self.next).expect("a row has as many fields as its table has columns");
        self.next += 1;
        column
    }

    fn field(&mut self, kind: ColumnType, bytes: &[u8]) -> &mut Self {
        debug_assert_eq!(self.target.types.get(self.next), Some(&kind), "{}: column {}", self.target.table, self.next);
        let length = i32::try_from(bytes.len()).expect("a field is far below 2 GiB: bodies are bounded");
        let column = self.column();
        column.fields.extend_from_slice(&length.to_be_bytes());
        column.fields.extend_from_slice(bytes);
        self
    }

    /// SQL null.
    pub fn null(&mut self) -> &mut Self {
        let column = self.column();
        column.fields.extend_from_slice(&NULL.to_be_bytes());
        column.has_null = true;
        self
    }

    /// `bigint`.
    pub fn int8(&mut self, value: i64) -> &mut Self {
        self.field(ColumnType::Int8, &value.to_be_bytes())
    }

    /// `integer`.
    pub fn int4(&mut self, value: i32) -> &mut Self {
        self.field(ColumnType::Int4, &value.to_be_bytes())
    }

    /// `smallint`.
    pub fn int2(&mut self, value: i16) -> &mut Self {
        self.field(ColumnType::Int2, &value.to_be_bytes())
    }

    /// `boolean`.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.field(ColumnType::Bool, &[u8::from(value)])
    }

    /// `text`. PostgreSQL cannot hold U+0000 in it, so that is replaced visibly: the log keeps the text itself, as bytes,
    /// and a view must not be an error that stops everything.
    pub fn text(&mut self, value: &str) -> &mut Self {
        if value.contains('\0') {
            self.field(ColumnType::Text, value.replace('\0', "\u{fffd}").as_bytes())
        } else {
            self.field(ColumnType::Text, value.as_bytes())
        }
    }

    /// `bytea`.
    pub fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.field(ColumnType::Bytes, value)
    }

    /// `timestamptz`, cut to microseconds.
    pub fn time(&mut self, value: DateTime<Utc>) -> &mut Self {
        self.field(ColumnType::Time, &(value.timestamp_micros() - POSTGRES_EPOCH_MICROS).to_be_bytes())
    }

    /// `numeric` without fraction digits.
    pub fn numeric(&mut self, value: i128) -> &mut Self {
        let mut groups = Vec::with_capacity(10);
        let mut rest = value.unsigned_abs();
        while rest > 0 {
            groups.push(u16::try_from(rest % 10_000).expect("a remainder of 10,000 fits 16 bits"));
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
        self.field(ColumnType::Numeric, &field)
    }

    optional! {
        /// `bigint` or null.
        int8_opt: int8(i64);
        /// `integer` or null.
        int4_opt: int4(i32);
        /// `smallint` or null.
        int2_opt: int2(i16);
        /// `text` or null.
        text_opt: text(&str);
        /// `bytea` or null.
        bytes_opt: bytes(&[u8]);
        /// `numeric` without fraction digits, or null.
        numeric_opt: numeric(i128);
        /// `timestamptz` or null, cut to microseconds.
        time_opt: time(DateTime<Utc>);
    }

    /// Stores the rows.
    pub async fn send(self, db: &mut PgConnection) -> sqlx::Result<()> {
        assert!(self.rows == 0 || self.next == self.columns.len(), "{}: a row is incomplete", self.target.table);
        let bytes: usize = self.columns.iter().map(|column| column.fields.len()).sum();
        match self.rows {
            0 => Ok(()),
            rows if rows < COPY_FROM_ROWS && bytes < COPY_FROM_BYTES => self.insert(db).await,
            _ => self.copy(db).await,
        }
    }

    async fn insert(self, db: &mut PgConnection) -> sqlx::Result<()> {
        let Target { table, columns, types } = self.target;
        let arrays: Vec<String> = (1..=types.len()).map(|number| format!("${number}")).collect();
        let statement = format!("insert into {table} ({columns}) select * from unnest({})", arrays.join(", "));
        let mut arguments = PgArguments::default();
        for (kind, column) in types.iter().zip(self.columns) {
            arguments.add(Array::new(*kind, column, self.rows)).map_err(sqlx::Error::Encode)?;
        }
        sqlx::query_with(AssertSqlSafe(statement), arguments).execute(db).await?;
        Ok(())
    }

    async fn copy(self, db: &mut PgConnection) -> sqlx::Result<()> {
        let Target { table, columns, types } = self.target;
        let statement = format!("copy {table} ({columns}) from stdin (format binary)");
        let width = i16::try_from(types.len()).expect("a table has far fewer than 32,768 columns");
        let mut bytes = Vec::with_capacity(CHUNK_BYTES + 4_096);
        bytes.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        bytes.extend_from_slice(&[0; 8]);
        let mut rest: Vec<&[u8]> = self.columns.iter().map(|column| column.fields.as_slice()).collect();
        let mut copy = db.copy_in_raw(&statement).await?;
        for _ in 0..self.rows {
            bytes.extend_from_slice(&width.to_be_bytes());
            for column in &mut rest {
                let (field, behind) = column.split_at(field_length(column));
                bytes.extend_from_slice(field);
                *column = behind;
            }
            if bytes.len() >= CHUNK_BYTES {
                copy.send(bytes.as_slice()).await?;
                bytes.clear();
            }
        }
        bytes.extend_from_slice(&(-1_i16).to_be_bytes());
        copy.send(bytes.as_slice()).await?;
        copy.finish().await?;
        Ok(())
    }
}

/// The length of the first encoded field, its own length included.
fn field_length(fields: &[u8]) -> usize {
    let prefix: [u8; 4] = fields.first_chunk().copied().expect("every field begins with its length");
    4 + usize::try_from(i32::from_be_bytes(prefix)).unwrap_or(0)
}

/// A column as a one-dimensional array in PostgreSQL's binary format.
struct Array {
    kind: ColumnType,
    bytes: Vec<u8>,
}

impl Array {
    fn new(kind: ColumnType, column: Column, rows: usize) -> Self {
        let (element, _) = kind.oids();
        let rows = i32::try_from(rows).expect("fewer rows than COPY begins with");
        let mut bytes = Vec::with_capacity(column.fields.len() + 20);
        bytes.extend_from_slice(&1_i32.to_be_bytes());
        bytes.extend_from_slice(&i32::from(column.has_null).to_be_bytes());
        bytes.extend_from_slice(&element.to_be_bytes());
        bytes.extend_from_slice(&rows.to_be_bytes());
        bytes.extend_from_slice(&1_i32.to_be_bytes());
        bytes.extend_from_slice(&column.fields);
        Self { kind, bytes }
    }
}

impl Type<Postgres> for Array {
    fn type_info() -> PgTypeInfo {
        // Asked for only when a value does not say what it produces; every value here does.
        PgTypeInfo::with_oid(Oid(1016))
    }
}

impl Encode<'_, Postgres> for Array {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&self.bytes);
        Ok(IsNull::No)
    }

    fn produces(&self) -> Option<PgTypeInfo> {
        Some(PgTypeInfo::with_oid(Oid(self.kind.oids().1)))
    }
}
