//! The words of every chain, parsed once and valid ever after: heights, hashes, addresses, amounts, times.
//!
//! This module knows no source's protocol; it only knows how a well-formed value looks.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

mod time;

pub use time::Time;

/// Why a text is not the value it should be; a plain sentence for logs and for `source.unrecognized`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Malformed {
    /// The kind of value that was expected.
    pub what: &'static str,
    /// What is wrong with the text.
    pub why: String,
}

impl Malformed {
    /// A refusal of one value.
    pub fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, why: why.into() }
    }
}

/// A block height, 0 ..= 2^63 − 1, so that it always fits the database's `bigint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Height(i64);

impl Height {
    /// Height of the first block of every chain.
    pub const GENESIS: Self = Self(0);

    /// A height from a database column, which may hold only what was checked on the way in.
    pub fn from_db(value: i64) -> Result<Self, Malformed> {
        if value < 0 { Err(Malformed::new("height", "is negative")) } else { Ok(Self(value)) }
    }

    /// The height as a database value.
    pub fn to_db(self) -> i64 {
        self.0
    }

    /// The next height, or none at the end of the range.
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The height before, or none at genesis.
    pub fn previous(self) -> Option<Self> {
        (self.0 > 0).then(|| Self(self.0 - 1))
    }

    /// The height so many blocks lower, at least genesis.
    pub fn saturating_sub(self, blocks: u32) -> Self {
        Self((self.0 - i64::from(blocks)).max(0))
    }

    /// The height so many blocks higher, at most the end of the range.
    pub fn saturating_add(self, blocks: u32) -> Self {
        Self(self.0.saturating_add(i64::from(blocks)))
    }
}

impl TryFrom<u64> for Height {
    type Error = Malformed;
    fn try_from(value: u64) -> Result<Self, Malformed> {
        i64::try_from(value).map(Self).map_err(|_| Malformed::new("height", "is above 2^63 − 1"))
    }
}

impl FromStr for Height {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        digits("height", text)?;
        text.parse().map(Self).map_err(|_| Malformed::new("height", "is above 2^63 − 1"))
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A block hash: 1 to 64 bytes, shown as lower-case hex without `0x`, read with or without it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockHash(Vec<u8>);

impl BlockHash {
    /// A hash from its bytes.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Malformed> {
        if bytes.is_empty() || bytes.len() > 64 {
            return Err(Malformed::new("block hash", "must be 1 to 64 bytes"));
        }
        Ok(Self(bytes))
    }

    /// The bytes of the hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for BlockHash {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bytes = hex::decode(strip_0x(text)).map_err(|_| Malformed::new("block hash", "is not hex"))?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

/// A transaction's id or hash, normalised: a dashed lower-case UUID, lower-case hex without `0x`, or (for chains with
/// ids of another form) the text as given, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxId(String);

impl TxId {
    /// The normalised text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TxId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > 128 || text.contains('\0') {
            return Err(Malformed::new("transaction id", "must be 1 to 128 bytes without NUL"));
        }
        let bare = strip_0x(text);
        if bare.len() == 64 && is_hex(bare) {
            return Ok(Self(bare.to_ascii_lowercase()));
        }
        match uuid::Uuid::try_parse(bare) {
            Ok(id) => Ok(Self(id.hyphenated().to_string())),
            Err(_) => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An account, spelled by its chain's own rule so that one account is one key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(String);

impl Address {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a source spells accounts (MEANING §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRule {
    /// Byte-exact as given: upper and lower case are different accounts.
    Exact,
    /// `0x`, `ait1` and `aitbc1` before the same 40 hex digits are one account; canonical is `0x` and lower case.
    Aitbc,
}

impl AddressRule {
    /// The name in `/v1/chains`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Aitbc => "aitbc",
        }
    }

    /// The canonical form of an address as upstream spelled it.
    pub fn canonical(self, text: &str) -> Result<Address, Malformed> {
        if text.is_empty() || text.len() > 128 {
            return Err(Malformed::new("address", "must be 1 to 128 bytes"));
        }
        if text.chars().any(char::is_control) {
            return Err(Malformed::new("address", "contains a control character"));
        }
        match self {
            Self::Exact => Ok(Address(text.to_owned())),
            Self::Aitbc => {
                let lower = text.to_ascii_lowercase();
                let payload = ["aitbc1", "ait1", "0x"].iter().find_map(|prefix| lower.strip_prefix(prefix));
                match payload {
                    Some(hex) if hex.len() == 40 && is_hex(hex) => Ok(Address(format!("0x{hex}"))),
                    Some(_) | None => Ok(Address(text.to_owned())),
                }
            }
        }
    }
}

/// An identity's id: 32 bytes, shown as lower-case hex without `0x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId([u8; 32]);

impl IdentityId {
    /// The bytes of the id.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for IdentityId {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(strip_0x(text), &mut bytes)
            .map_err(|_| Malformed::new("identity id", "is not 32 bytes of hex"))?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for IdentityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// An amount of money, power or points as a record states it: 0 ..= 2^64 − 1 base units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount as a number of base units.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for Amount {
    fn from(value: u64) -> Self {
        Self(value)
    }
}

impl FromStr for Amount {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        digits("amount", text)?;
        text.parse().map(Self).map_err(|_| Malformed::new("amount", "is above 2^64 − 1"))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An exact decimal number (BOINC credit, difficulty): at most 18 integer and 9 fraction digits, no exponent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

impl Decimal {
    /// The number in units of 10^-9.
    pub fn nanos(&self) -> i128 {
        self.0
    }
}

impl FromStr for Decimal {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed::new("decimal", "must be digits with at most 18 before and 9 behind the point");
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        if whole.is_empty() || whole.len() > 18 || fraction.is_empty() || fraction.len() > 9 {
            return Err(bad());
        }
        digits("decimal", whole)?;
        digits("decimal", fraction)?;
        format!("{whole}{fraction:0<9}").parse().map(Self).map_err(|_| bad())
    }
}

/// A value together with the text that upstream used for it: bodies keep the text, code uses the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled<T> {
    text: String,
    value: T,
}

impl<T: FromStr<Err = Malformed>> Spelled<T> {
    /// Parses a text and keeps it.
    pub fn parse(text: impl Into<String>) -> Result<Self, Malformed> {
        let text = text.into();
        let value = text.parse()?;
        Ok(Self { text, value })
    }
}

impl<T> Spelled<T> {
    /// The text as upstream spelled it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value.
    pub fn get(&self) -> &T {
        &self.value
    }
}

impl<T> Serialize for Spelled<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de, T: FromStr<Err = Malformed>> Deserialize<'de> for Spelled<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// Text without a leading `0x`.
pub fn strip_0x(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

fn is_hex(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_hexdigit())
}

fn digits(what: &'static str, text: &str) -> Result<(), Malformed> {
    if text.is_empty() {
        return Err(Malformed::new(what, "is empty"));
    }
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Malformed::new(what, "is not made of digits"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
