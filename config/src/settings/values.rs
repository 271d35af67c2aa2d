//! Values that are more than text: parsed once, valid ever after.

use std::{fmt, num::NonZeroU32, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize, Serializer};
use sqlx::postgres::PgConnectOptions;

/// The longest name of a source, in characters.
pub const SOURCE_NAME_CHARS_MAX: usize = 32;

/// The name of a source: 1 to 32 of `a-z`, `0-9` and `-`. It is in routes, logs and metrics.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String")]
pub struct SourceName(String);

impl SourceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the source that `chain.rpc_url` stands for.
    pub(super) fn shorthand() -> Self {
        Self("chert".to_owned())
    }
}

impl TryFrom<String> for SourceName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if (1..=SOURCE_NAME_CHARS_MAX).contains(&name.len()) && name.bytes().all(allowed) {
            return Ok(Self(name));
        }
        Err(format!("a source's name is 1 to {SOURCE_NAME_CHARS_MAX} of a-z, 0-9 and \"-\", not {name:?}"))
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The most that [`ClockSkew`] can allow, in seconds: 366 days.
pub const CLOCK_SKEW_SECS_MAX: u32 = 31_622_400;

/// How far the time of a block may lie ahead of this machine's clock, in whole seconds; 0 stands for any time at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct ClockSkew(Option<NonZeroU32>);

impl ClockSkew {
    /// The most that is allowed, or none where every time is.
    pub fn limit(self) -> Option<Duration> {
        self.0.map(|seconds| Duration::from_secs(seconds.get().into()))
    }
}

impl Default for ClockSkew {
    /// Two hours: what a proposer's clock and ours may differ by, and less than the day that a leaderboard counts.
    fn default() -> Self {
        Self(NonZeroU32::new(7_200))
    }
}

impl TryFrom<u64> for ClockSkew {
    type Error = String;

    fn try_from(seconds: u64) -> Result<Self, String> {
        match u32::try_from(seconds) {
            Ok(seconds) if seconds <= CLOCK_SKEW_SECS_MAX => Ok(Self(NonZeroU32::new(seconds))),
            Ok(_) | Err(_) => Err(format!(
                "`max_clock_skew_secs` is 0 (any time is taken) or up to {CLOCK_SKEW_SECS_MAX} seconds, not {seconds}"
            )),
        }
    }
}

impl From<ClockSkew> for u64 {
    fn from(skew: ClockSkew) -> Self {
        skew.0.map_or(0, |seconds| seconds.get().into())
    }
}

/// An `http://` or `https://` address with a host. Printed, it shows no password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct HttpUrl(String);

impl HttpUrl {
    /// The address with its password, for a client to connect to.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether the address asks for TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }
}

impl TryFrom<String> for HttpUrl {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        let parsed: http::Uri = url.parse().map_err(|error| format!("not a URL: {error}"))?;
        let is_http = matches!(parsed.scheme_str(), Some("http" | "https"));
        let has_host = parsed.host().is_some_and(|host| !host.is_empty());
        if is_http && has_host { Ok(Self(url)) } else { Err("not an http:// or https:// URL with a host".to_owned()) }
    }
}

/// A `postgres://` or `postgresql://` address. Printed, it shows no password.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct DatabaseUrl(String);

impl DatabaseUrl {
    /// The address with its password, for a pool to connect to.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for DatabaseUrl {
    type Error = String;

    fn try_from(url: String) -> Result<Self, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err("not a postgres:// or postgresql:// URL".to_owned());
        }
        // The parser's message may hold parts of a password, so it is not repeated.
        PgConnectOptions::from_str(&url).map_err(|_| "not a PostgreSQL URL that can be parsed".to_owned())?;
        Ok(Self(url))
    }
}

macro_rules! prints_masked {
    ($($url:ty),*) => {$(
        impl fmt::Display for $url {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&masked(&self.0))
            }
        }
        impl fmt::Debug for $url {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", masked(&self.0))
            }
        }
        impl Serialize for $url {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&masked(&self.0))
            }
        }
    )*};
}
prints_masked!(HttpUrl, DatabaseUrl);

/// The URL with the password of its user, and any query parameter that sounds like a secret, replaced by `***`.
pub fn masked(url: &str) -> String {
    let (head, query) = url.split_once('?').map_or((url, None), |(head, query)| (head, Some(query)));
    let mut shown = match head.split_once("://") {
        Some((scheme, rest)) => format!("{scheme}://{}", masked_authority(rest)),
        None => head.to_owned(),
    };
    if let Some(query) = query {
        shown.push('?');
        shown.push_str(&query.split('&').map(masked_parameter).collect::<Vec<_>>().join("&"));
    }
    shown
}

fn masked_authority(rest: &str) -> String {
    // The last `@`: a password may hold an unescaped one.
    let Some((user, host)) = rest.rsplit_once('@') else { return rest.to_owned() };
    match user.split_once(':') {
        Some((name, _)) => format!("{name}:***@{host}"),
        None => rest.to_owned(),
    }
}

fn masked_parameter(parameter: &str) -> String {
    let Some((name, _)) = parameter.split_once('=') else { return parameter.to_owned() };
    let lower = name.to_lowercase();
    let is_secret = ["password", "token", "key", "secret"].iter().any(|word| lower.contains(word));
    if is_secret { format!("{name}=***") } else { parameter.to_owned() }
}

/// Reads an optional value that is written as text, where the empty text means none.
pub(super) mod empty_is_none {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
    where
        D: Deserializer<'de>,
        T: TryFrom<String, Error = String>,
    {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() { Ok(None) } else { T::try_from(text).map(Some).map_err(D::Error::custom) }
    }

    pub fn serialize<S: Serializer, T: Serialize>(value: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => value.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}
