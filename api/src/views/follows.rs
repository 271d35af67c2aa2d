//! Who follows whom: the followers of an identity, and those it follows.

use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

/// An identity that follows, or is followed by, the one asked about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Connection {
    /// Its id, hex.
    pub identity_id: String,
    /// Its name.
    #[schema(example = "Zoë")]
    pub display_name: Option<String>,
    /// Hash of its picture, hex.
    pub avatar_hash: Option<String>,
    /// Block time of the follow, RFC 3339 UTC; of the earliest that stands, when several sources have one.
    #[schema(format = DateTime)]
    pub since: String,
    /// Whether each of the two follows the other.
    pub mutual: bool,
    /// Name of the chain or source of the follow.
    #[schema(example = "chert")]
    pub chain: String,
    /// Position of the follow in the log.
    pub position: i64,
}

/// Which end of the connections is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Those who follow the identity.
    Followers,
    /// Those whom the identity follows.
    Following,
}

/// The connections of an identity, newest follow first; sort key is the position of the follow. None when the identity is
/// not registered.
#[derive(Debug, Clone)]
pub struct ConnectionList {
    /// The identity.
    pub identity_id: IdentityId,
    /// Which end.
    pub side: Side,
    /// Only follows before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
    /// Whether to say how many there are.
    pub count: bool,
}

/// The statement: `asked` is the column of the identity `$3`, `other` that of the items, `counted` that of their number.
/// `$4` is the position before, `$5` the limit, `$6` whether to count.
///
/// A row of now that is not newer than the position was the row then too; the others changed since and are read from
/// their versions. So a page of now reads the current rows in the order of their index and nothing else.
macro_rules! connections_at {
    ($db:expr, $at:expr, $views:expr, $asked:literal, $other:literal, $counted:literal $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.counted as "counted?", r.identity_id as "identity_id?", r.display_name as "display_name?",
            r.avatar_hash as "avatar_hash?", r.created_at as "created_at?", r.mutual as "mutual?", r.chain as "chain?",
            r.claim_position as "claim_position?"
            "#,
            (r#"
            select
                k.known, c.counted, f.other as identity_id, i.display_name, i.avatar_hash, f.created_at,
                coalesce(m.present, false) as mutual, src.name as chain, f.claim_position
            from (
                select coalesce((
                    select v.present
                    from identities_versions v
                    where v.identity_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ), false) as known
            ) k
            left join lateral (
                select v."# + $counted + r#" as counted
                from social_counts_versions v
                where $6
                    and v.identity_id = $3
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) c on true
            left join lateral (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select few.*
                from (
                    (
                        select n."# + $other + r#" as other, n.source_id, n.created_at, n.claim_position
                        from social_connections n
                        where n."# + $asked + r#" = $3
                            and n.claim_position <= s.position
                            and n.claim_position < $4
                            and n.from_position <= s.position
                        order by n.claim_position desc
                        limit $5::bigint + 1
                    )
                    union all
                    (
                        select o.other, o.source_id, o.created_at, o.claim_position
                        from (
                            select distinct v."# + $other + r#" as other
                            from social_connections_versions v
                            where v."# + $asked + r#" = $3
                                and v.from_position > s.position
                        ) changed
                        cross join lateral (
                            select x.*
                            from (
                                -- By its whole key: the index of one end alone would read all that the other end ever did.
                                select
                                    v."# + $other + r#" as other, v.source_id, v.created_at, v.claim_position, v.from_position,
                                    v.present
                                from social_connections_versions v
                                where v."# + $asked + r#" = $3
                                    and v."# + $other + r#" = changed.other
                                offset 0
                            ) x
                            where x.from_position <= s.position
                            order by x.from_position desc
                            limit 1
                        ) o
                        where o.present
                            and o.claim_position < $4
                        order by o.claim_position desc
                        limit $5::bigint + 1
                    )
                    order by claim_position desc
                    limit $5::bigint + 1
                ) few
                limit 101
            ) f on k.known
            left join log.sources src on src.source_id = f.source_id
            left join lateral (
                select v.display_name, v.avatar_hash
                from identities_versions v
                where v.identity_id = f.other
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) i on true
            left join lateral (
                select x.present
                from (
                    select v.from_position, v.present
                    from social_connections_versions v
                    where v."# + $asked + r#" = f.other
                        and v."# + $other + r#" = $3
                    offset 0
                ) x
                where x.from_position <= s.position
                order by x.from_position desc
                limit 1
            ) m on true
            "#),
            "order by r.claim_position desc"
            $(, $argument)*
        )
    };
}

/// Makes a page of rows whose columns may all be null; none when the identity is not known.
macro_rules! page_from {
    ($rows:expr, $list:expr) => {{
        let first = $rows.first();
        let known = first.and_then(|row| row.known).unwrap_or_default();
        let counted = first.and_then(|row| row.counted).unwrap_or_default();
        let items = $rows.into_iter().filter_map(|row| {
            Some(Connection {
                identity_id: hex::encode(row.identity_id?),
                display_name: row.display_name,
                avatar_hash: row.avatar_hash.map(hex::encode),
                since: rfc3339_micros(row.created_at?),
                mutual: row.mutual?,
                chain: row.chain?,
                position: row.claim_position?,
            })
        });
        let page = Rows::page(items.collect(), $list.limit, |item: &Connection| item.position.to_string());
        known.then(|| Rows { count: $list.count.then_some(counted), ..page })
    }};
}

impl Query for ConnectionList {
    const VIEWS: &'static [&'static str] = &["social", "identities"];
    type Answer = Option<Rows<Connection>>;

    fn key(&self) -> String {
        format!("{:?}:{}:{:?}:{}:{}", self.side, self.identity_id, self.before, self.limit, self.count)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let id = self.identity_id.as_bytes().as_slice();
        let before = self.before.unwrap_or(i64::MAX);
        let (at, value) = match self.side {
            Side::Followers => {
                let (at, rows) = connections_at!(
                    db,
                    at,
                    Self::VIEWS,
                    "following_id",
                    "follower_id",
                    "followers",
                    id,
                    before,
                    self.limit,
                    self.count
                )?;
                (at, page_from!(rows, self))
            }
            Side::Following => {
                let (at, rows) = connections_at!(
                    db,
                    at,
                    Self::VIEWS,
                    "follower_id",
                    "following_id",
                    "following",
                    id,
                    before,
                    self.limit,
                    self.count
                )?;
                (at, page_from!(rows, self))
            }
        };
        Ok(Stamped { at, value })
    }
}
