//! How an identity came to be what it is: every version of it and of its wallet links, and what each changed.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

/// What the versions of an identity are compared by, in the order of the statement.
const IDENTITY_FIELDS: [&str; 8] =
    ["display_name", "avatar_hash", "bio", "stats_visibility", "controller", "key.alg", "key.public_key", "chain"];
/// What the versions of a wallet link are compared by, in the order of the statement.
const WALLET_FIELDS: [&str; 6] = ["link_type", "verdict", "reason", "proof_alg", "proof_public_key", "proof_signature"];

/// One change of an identity or of one of its wallet links.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Change {
    /// Position in the log from which on it holds.
    pub position: i64,
    /// Chain or source whose block or retraction made the change.
    #[schema(example = "chert")]
    pub chain: Option<String>,
    /// Height of the block; null for a retraction.
    pub height: Option<i64>,
    /// Hash of the block, hex; null for a retraction.
    pub block: Option<String>,
    /// Time of the block, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
    /// `event` when something happened on the chain, `retracted` when a reorganisation took something back.
    pub reason: Reason,
    /// What changed: the identity itself or one of its wallet links.
    pub what: What,
    /// The wallet, when a link changed; canonical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet_address: Option<String>,
    /// Whether it came to be, changed, or went away.
    pub action: Action,
    /// The fields that changed, by name.
    pub changed: BTreeMap<&'static str, Changed>,
}

/// Why something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Something happened on the chain.
    Event,
    /// A reorganisation took something back.
    Retracted,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The identity itself.
    Identity,
    /// One of its wallet links.
    Wallet,
}

/// How it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It came to be.
    Created,
    /// It was there and is there.
    Updated,
    /// It went away.
    Removed,
}

/// A field before and after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Changed {
    /// Its value before; null when it had none.
    pub from: Option<String>,
    /// Its value from then on; null when it has none.
    pub to: Option<String>,
}

/// Sort key of a change: position, 0 identity or 1 wallet, source and address of the link; newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangeKey {
    position: i64,
    what: i32,
    source_id: i32,
    address_id: i64,
}

impl ChangeKey {
    /// Behind every change there can be.
    pub const NEWEST: Self = Self { position: i64::MAX, what: i32::MAX, source_id: i32::MAX, address_id: i64::MAX };
}

impl fmt::Display for ChangeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}:{}", self.position, self.what, self.source_id, self.address_id)
    }
}

impl FromStr for ChangeKey {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(4, ':');
        let mut part = || parts.next().unwrap_or_default();
        Ok(Self {
            position: part().parse()?,
            what: part().parse()?,
            source_id: part().parse()?,
            address_id: part().parse()?,
        })
    }
}

/// The changes of an identity and its links, newest first. None when nobody ever spoke of such an identity.
#[derive(Debug, Clone)]
pub struct ChangeList {
    /// The identity.
    pub identity_id: IdentityId,
    /// Only changes older than this one.
    pub before: ChangeKey,
    /// Items on a page.
    pub limit: i64,
}

/// The statement; the columns of `identities_versions` and `wallet_links_versions` are in the order of the field names.
macro_rules! changes_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.what as "what?", r.source_id as "source_id?", r.address_id as "address_id?",
            r.from_position as "from_position?", r.wallet_address as "wallet_address?", r.present as "present?",
            r.was_present as "was_present?", r.new as "new?: Vec<Option<String>>", r.old as "old?: Vec<Option<String>>",
            r.chain as "chain?", r.height as "height?", r.block_hash as "block_hash?", r.occurred_at as "occurred_at?",
            r.retracted as "retracted?"
            "#,
            r#"
            select
                k.known, c.what, c.source_id, c.address_id, c.from_position, c.wallet_address, c.present,
                coalesce(i.present, w.present, false) as was_present, c.new, coalesce(i.old, w.old) as old, src.name as chain,
                u.height, u.block_hash, u.occurred_at, x.at_position is not null as retracted
            from (
                select exists (
                    select 1 from identities_versions v where v.identity_id = $3 and v.from_position <= s.position
                ) or exists (
                    select 1 from wallet_links_versions v where v.identity_id = $3 and v.from_position <= s.position
                ) as known
            ) k
            left join lateral (
                select o.what, o.source_id, o.address_id, o.from_position, o.wallet_address, o.present, o.new
                from (
                    (
                        select
                            0 as what, 0 as source_id, 0::bigint as address_id, v.from_position, null::text as wallet_address,
                            v.present, array[
                                v.display_name, encode(v.avatar_hash, 'hex'), v.bio, v.stats_visibility, v.controller,
                                v.key_alg, v.public_key, (select n.name from log.sources n where n.source_id = v.source_id)
                            ] as new
                        from identities_versions v
                        where v.identity_id = $3
                            and v.from_position <= least(s.position, $4)
                            and (v.from_position, 0, 0, 0::bigint) < ($4, $5, $6, $7)
                        order by v.from_position desc
                        limit $8::bigint + 1
                    )
                    union all
                    (
                        select
                            1, v.source_id, v.address_id, v.from_position, v.wallet_address, v.present, array[
                                v.link_type, v.verdict::text, v.verdict_reason, v.proof_alg, v.proof_public_key,
                                v.proof_signature
                            ]
                        from wallet_links_versions v
                        where v.identity_id = $3
                            and v.from_position <= least(s.position, $4)
                            and (v.from_position, 1, v.source_id, v.address_id) < ($4, $5, $6, $7)
                        order by v.from_position desc, v.source_id desc, v.address_id desc
                        limit $8::bigint + 1
                    )
                ) o
                order by o.from_position desc, o.what desc, o.source_id desc, o.address_id desc
                limit $8::bigint + 1
            ) c on true
            left join lateral (
                select v.present, array[
                    v.display_name, encode(v.avatar_hash, 'hex'), v.bio, v.stats_visibility, v.controller, v.key_alg,
                    v.public_key, (select n.name from log.sources n where n.source_id = v.source_id)
                ] as old
                from identities_versions v
                where c.what = 0
                    and v.identity_id = $3
                    and v.from_position < c.from_position
                order by v.from_position desc
                limit 1
            ) i on true
            left join lateral (
                select v.present, array[
                    v.link_type, v.verdict::text, v.verdict_reason, v.proof_alg, v.proof_public_key, v.proof_signature
                ] as old
                from wallet_links_versions v
                where c.what = 1
                    and v.source_id = c.source_id
                    and v.identity_id = $3
                    and v.address_id = c.address_id
                    and v.from_position < c.from_position
                order by v.from_position desc
                limit 1
            ) w on true
            left join log.log_units u on u.end_position = c.from_position
            left join log.sources src on src.source_id = u.source_id
            left join log.retractions x on x.at_position = c.from_position
            "#,
            "order by r.from_position desc, r.what desc, r.source_id desc, r.address_id desc"
            $(, $argument)*
        )
    };
}

impl Query for ChangeList {
    const VIEWS: &'static [&'static str] = &["identities", "wallets"];
    type Answer = Option<Rows<Change>>;

    fn key(&self) -> String {
        format!("changes:{}:{}:{}", self.identity_id, self.before, self.limit)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let before = self.before;
        let (at, rows) = changes_at!(
            db,
            at,
            Self::VIEWS,
            self.identity_id.as_bytes().as_slice(),
            before.position,
            before.what,
            before.source_id,
            before.address_id,
            self.limit,
        )?;
        if !rows.first().and_then(|row| row.known).unwrap_or_default() {
            return Ok(Stamped { at, value: None });
        }
        let items = rows.into_iter().filter_map(|row| {
            let what = if row.what? == 0 { What::Identity } else { What::Wallet };
            let (old, new) = (row.old.unwrap_or_default(), row.new?);
            let (present, was_present) = (row.present?, row.was_present?);
            let key = ChangeKey {
                position: row.from_position?,
                what: row.what?,
                source_id: row.source_id?,
                address_id: row.address_id?,
            };
            let change = Change {
                position: key.position,
                chain: row.chain,
                height: row.height,
                block: row.block_hash.map(hex::encode),
                occurred_at: row.occurred_at.map(rfc3339_micros),
                reason: if row.retracted? { Reason::Retracted } else { Reason::Event },
                what,
                wallet_address: row.wallet_address,
                action: action(was_present, present),
                changed: compared(what, was_present.then_some(old), present.then_some(new)),
            };
            Some((key, change))
        });
        let page = Rows::page(items.collect(), self.limit, |(key, _)| key.to_string());
        let items = page.items.into_iter().map(|(_, change)| change).collect();
        Ok(Stamped { at, value: Some(Rows { items, next: page.next, count: None }) })
    }
}

pub(super) fn action(was_present: bool, present: bool) -> Action {
    match (was_present, present) {
        (false, true) => Action::Created,
        (true, true) => Action::Updated,
        (true | false, false) => Action::Removed,
    }
}

/// The fields that differ between two versions; a version that is not there has no field.
fn compared(
    what: What,
    old: Option<Vec<Option<String>>>,
    new: Option<Vec<Option<String>>>,
) -> BTreeMap<&'static str, Changed> {
    let names: &[&'static str] = match what {
        What::Identity => &IDENTITY_FIELDS,
        What::Wallet => &WALLET_FIELDS,
    };
    let field = |version: &Option<Vec<Option<String>>>, index: usize| {
        let value = version.as_ref().and_then(|fields| fields.get(index).cloned().flatten());
        match (names.get(index), value) {
            (Some(&"verdict"), Some(code)) => verdict_name(&code),
            (_, value) => value,
        }
    };
    let differs = |(index, name): (usize, &&'static str)| {
        let change = Changed { from: field(&old, index), to: field(&new, index) };
        (change.from != change.to).then_some((*name, change))
    };
    names.iter().enumerate().filter_map(differs).collect()
}

fn verdict_name(code: &str) -> Option<String> {
    super::checks::verdict_name(code.parse().ok()).map(str::to_owned)
}
