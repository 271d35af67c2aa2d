//! Identities by name: names that begin with the text in their order, then similar ones, each by id at last.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamp, Stamped, stamped};

/// Characters that a folded text needs before similar names are looked for: trigrams of less say nothing.
const SIMILAR_CHARS: usize = 3;

/// An identity found by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FoundName {
    /// Its id, hex.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: String,
    /// Its name.
    #[schema(example = "Zoë")]
    pub display_name: String,
    /// Hash of its picture, hex.
    pub avatar_hash: Option<String>,
    /// How the name was found.
    pub matched: Match,
}

/// How a name was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// It begins with the text, case and accents aside.
    Prefix,
    /// It resembles the text.
    Similar,
}

/// Sort key of a found name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameKey {
    /// Among names that begin with the text: the folded name and the id.
    Prefix(String, Vec<u8>),
    /// Among similar names: the similarity in millionths and the id.
    Similar(i64, Vec<u8>),
}

/// A text that is not a sort key of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a place in a list of names")]
pub struct BadNameKey;

impl fmt::Display for NameKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(name, id) => write!(f, "p:{}:{name}", hex::encode(id)),
            Self::Similar(score, id) => write!(f, "s:{}:{score}", hex::encode(id)),
        }
    }
}

impl FromStr for NameKey {
    type Err = BadNameKey;
    fn from_str(text: &str) -> Result<Self, BadNameKey> {
        let (sort, rest) = text.split_once(':').ok_or(BadNameKey)?;
        let (id, rest) = rest.split_once(':').ok_or(BadNameKey)?;
        let id = hex::decode(id).map_err(|_| BadNameKey)?;
        match sort {
            "p" => Ok(Self::Prefix(rest.to_owned(), id)),
            "s" => rest.parse().map(|score| Self::Similar(score, id)).map_err(|_| BadNameKey),
            _ => Err(BadNameKey),
        }
    }
}

/// Identities by name.
#[derive(Debug, Clone)]
pub struct NameSearch {
    /// The text, folded for search; never empty.
    pub name: String,
    /// Only what comes behind this.
    pub after: Option<NameKey>,
    /// Items on a page.
    pub limit: i64,
}

/// A found name with its sort key.
struct Hit {
    key: NameKey,
    found: FoundName,
}

/// Identities as of the position, out of the current ones that have not changed since and of those that have: the cost is
/// what the answer holds and what has changed since, and nothing at all of the latter now. `test` and `order` speak of `i`.
macro_rules! named_identities {
    (
        $db:expr, $at:expr, $score:literal, $test:literal, $order:literal, $outer:literal $(, $argument:expr)* $(,)?
    ) => {
        stamped!(
            $db,
            $at,
            NameSearch::VIEWS,
            r#"
            r.identity_id as "identity_id?", r.display_name as "display_name?", r.search_name as "search_name?",
            r.avatar_hash as "avatar_hash?", r.score as "score?"
            "#,
            (r#"
            select c.identity_id, c.display_name, c.search_name, c.avatar_hash, c.score
            from (
                (
                    select i.identity_id, i.display_name, i.search_name, i.avatar_hash, "# + $score + r#" as score
                    from identities i
                    where i.from_position <= s.position and "# + $test + " order by " + $order + r#" limit $3::bigint + 1
                )
                union all
                (
                    select i.identity_id, i.display_name, i.search_name, i.avatar_hash, "# + $score + r#" as score
                    from (
                        select distinct v.identity_id
                        from identities_versions v
                        where v.from_position > s.position
                    ) later
                    cross join lateral (
                        select v.identity_id, v.display_name, v.search_name, v.avatar_hash, v.present
                        from identities_versions v
                        where v.identity_id = later.identity_id
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) i
                    where i.present and "# + $test + " order by " + $order + r#" limit $3::bigint + 1
                )
            ) c
            "#),
            $outer
            $(, $argument)*
        )
    };
}

impl NameSearch {
    /// Names that begin with the text, at most one more than a page.
    async fn prefix_hits(&self, db: &mut PgConnection, at: At) -> sqlx::Result<(Stamp, Vec<Hit>)> {
        let (name, id) = match &self.after {
            Some(NameKey::Prefix(name, id)) => (Some(name.as_str()), id.as_slice()),
            Some(NameKey::Similar(..)) | None => (None, [].as_slice()),
        };
        // Names are compared byte by byte, where nothing that begins with the text comes behind this.
        let end = format!("{}\u{10ffff}", self.name);
        let begin = name.map_or(self.name.as_str(), |name| name.max(self.name.as_str()));
        let wanted = !matches!(self.after, Some(NameKey::Similar(..)));
        let (at, rows) = named_identities!(
            db,
            at,
            "0::bigint",
            r#"
            $4
                and i.search_name ~>=~ $5
                and i.search_name ~<~ $6
                and ($7::text is null or i.search_name ~>~ $7 or i.identity_id > $8)
            "#,
            "i.search_name using ~<~, i.identity_id",
            "order by r.search_name using ~<~, r.identity_id limit $3::bigint + 1",
            self.limit,
            wanted,
            begin,
            end,
            name,
            id,
        )?;
        let hits = rows.into_iter().filter_map(|row| {
            let id = row.identity_id?;
            let found = FoundName {
                identity_id: hex::encode(&id),
                display_name: row.display_name?,
                avatar_hash: row.avatar_hash.map(hex::encode),
                matched: Match::Prefix,
            };
            Some(Hit { key: NameKey::Prefix(row.search_name?, id), found })
        });
        Ok((at, hits.collect()))
    }

    /// Similar names that do not begin with the text, at most one more than a page.
    async fn similar_hits(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Vec<Hit>> {
        let (score, id) = match &self.after {
            Some(NameKey::Similar(score, id)) => (*score, id.as_slice()),
            Some(NameKey::Prefix(..)) | None => (i64::MAX, [].as_slice()),
        };
        let end = format!("{}\u{10ffff}", self.name);
        let (_, rows) = named_identities!(
            db,
            at,
            "round(similarity(i.search_name, $4) * 1000000)::bigint",
            r#"
            i.search_name % $4
                and not (i.search_name ~>=~ $4 and i.search_name ~<~ $5)
                and (
                    round(similarity(i.search_name, $4) * 1000000)::bigint < $6
                    or (round(similarity(i.search_name, $4) * 1000000)::bigint = $6 and i.identity_id > $7)
                )
            "#,
            "5 desc, i.identity_id",
            "order by r.score desc, r.identity_id limit $3::bigint + 1",
            self.limit,
            self.name,
            end,
            score,
            id,
        )?;
        let hits = rows.into_iter().filter_map(|row| {
            let id = row.identity_id?;
            let found = FoundName {
                identity_id: hex::encode(&id),
                display_name: row.display_name?,
                avatar_hash: row.avatar_hash.map(hex::encode),
                matched: Match::Similar,
            };
            Some(Hit { key: NameKey::Similar(row.score?, id), found })
        });
        Ok(hits.collect())
    }

    /// One page of names that begin with the text, for other queries' answers.
    pub async fn prefixes(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Vec<FoundName>> {
        let (_, hits) = self.prefix_hits(db, at).await?;
        let limit = usize::try_from(self.limit).unwrap_or_default();
        Ok(hits.into_iter().take(limit).map(|hit| hit.found).collect())
    }
}

impl Query for NameSearch {
    const VIEWS: &'static [&'static str] = &["identities"];
    type Answer = Rows<FoundName>;

    fn key(&self) -> String {
        let after = self.after.as_ref().map(ToString::to_string);
        format!("names:{}:{after:?}:{:?}", self.limit, self.name)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, mut hits) = self.prefix_hits(db, at).await?;
        let full = i64::try_from(hits.len()).is_ok_and(|found| found > self.limit);
        if !full && self.name.chars().count() >= SIMILAR_CHARS {
            // As of the position just read, so that both statements speak of the same moment.
            let moment = At::Position(schema::event::Position(at.position));
            hits.extend(self.similar_hits(db, moment).await?);
        }
        let page = Rows::page(hits, self.limit, |hit: &Hit| hit.key.to_string());
        let items = page.items.into_iter().map(|hit| hit.found).collect();
        Ok(Stamped { at, value: Rows { items, next: page.next, count: None } })
    }
}
