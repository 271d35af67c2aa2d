//! Identities: the profile that clients see, one or many at a time.

use schema::chain::IdentityId;
use schema::event::{Kind, Namespace, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Keep, Query, Stamp, Stamped, stamped};
use crate::views::provenance::{self, Provenance, Sources};

/// Kinds of events that make an identity what it is.
const CAUSES: &[Kind] = &[
    Kind::IdentityRegistered,
    Kind::IdentityUpdated,
    Kind::KeyRotated,
    Kind::WalletLinked,
    Kind::WalletUnlinked,
    Kind::Followed,
    Kind::Unfollowed,
];

/// Those that make its own fields, which are what the source shown says of it and no other.
const PROFILE: &[Kind] = &[Kind::IdentityRegistered, Kind::IdentityUpdated, Kind::KeyRotated];

/// An identity: the earliest standing claim to its id, over all sources.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Identity {
    /// Id, 32 bytes as lower-case hex.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: String,
    /// Name to show.
    #[schema(example = "Zoë")]
    pub display_name: Option<String>,
    /// Hash of the picture, hex.
    pub avatar_hash: Option<String>,
    /// About the person.
    pub bio: Option<String>,
    /// Who may see its statistics: `public`, `friends_only` or `private`; what holds now, also in answers about the past.
    #[schema(example = "public")]
    pub stats_visibility: String,
    /// Address that registered it and may change it.
    pub controller: String,
    /// Key that it signs with.
    pub key: IdentityKey,
    /// Block time of the registration, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Block time of the newest change, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Name of the chain or source that registered it.
    #[schema(example = "chert")]
    pub chain: String,
    /// Its main wallet: the earliest counting link of type `main`; null when there is none.
    pub main_wallet: Option<String>,
    /// Wallets that belong to it.
    pub wallet_count: i64,
    /// Identities that follow it.
    pub follower_count: i64,
    /// Identities that it follows.
    pub following_count: i64,
    /// Position of its registration in the log.
    pub position: i64,
    /// The events behind the answer (its profile, wallet links, and who follows whom); only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct IdentityKey {
    /// `ed25519`, `ml-dsa-44`, `ml-dsa-65` or `ml-dsa-87`.
    #[schema(example = "ed25519")]
    pub alg: String,
    /// The key, hex.
    pub public_key: String,
}

/// An identity and its number in the log.
#[derive(Debug)]
pub(crate) struct Known {
    /// Number of the identity in `log.subjects`.
    pub subject_id: Option<i64>,
    /// The source that registered it.
    pub source_id: Option<i32>,
    /// The identity.
    pub identity: Identity,
}

/// The statement of [`read`]: `$3` are the ids.
macro_rules! identities_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.ordinal as "ordinal?", r.identity_id as "identity_id?", r.display_name as "display_name?",
            r.avatar_hash as "avatar_hash?", r.bio as "bio?", r.stats_visibility as "stats_visibility?",
            r.controller as "controller?", r.key_alg as "key_alg?", r.public_key as "public_key?", r.created_at as "created_at?",
            r.updated_at as "updated_at?", r.chain as "chain?", r.main_wallet as "main_wallet?",
            r.wallet_count as "wallet_count?", r.followers as "followers?", r.following as "following?",
            r.claim_position as "claim_position?", r.subject_id as "subject_id?",
            r.source_id as "source_id?"
            "#,
            r#"
                select
                    n.ordinal, i.identity_id, i.display_name, i.avatar_hash, i.bio,
                    coalesce(c.stats_visibility, i.stats_visibility) as stats_visibility, i.controller, i.key_alg,
                    i.public_key, i.created_at, i.updated_at, src.name as chain, l.main_wallet, l.wallet_count,
                    f.followers, f.following, i.claim_position, i.source_id, sub.subject_id
                from unnest($3::bytea[]) with ordinality n (asked, ordinal)
                left join lateral (
                    select
                        v.identity_id, v.source_id, v.display_name, v.avatar_hash, v.bio, v.stats_visibility, v.controller,
                        v.key_alg, v.public_key, v.created_at, v.updated_at, v.claim_position, v.present
                    from identities_versions v
                    where v.identity_id = n.asked
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) i on i.present
                -- Whoever hides something now has hidden it in the past too.
                left join identities c on c.identity_id = i.identity_id
                left join log.sources src on src.source_id = i.source_id
                left join log.subjects sub
                    on sub.namespace = 2
                    and sub.subject = encode(i.identity_id, 'hex')
                    and coalesce(sub.source_id, 0) = 0
                left join lateral (
                    select
                        count(*) as wallet_count,
                        (array_agg(k.wallet_address order by k.claim_position)
                            filter (where k.link_type in ('main', 'primary')))[1] as main_wallet
                    from (
                        select distinct on (v.source_id, v.address_id)
                            v.address_id, v.wallet_address, v.link_type, v.verdict, v.trusted, v.claim_position, v.present
                        from wallet_links_versions v
                        where v.identity_id = i.identity_id
                            and v.from_position <= s.position
                        order by v.source_id, v.address_id, v.from_position desc
                    ) k
                    join lateral (
                        select v.identity_id, v.present
                        from wallet_owners_versions v
                        where v.address_id = k.address_id
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) o on o.present and o.identity_id = i.identity_id
                    where k.present
                        and (k.verdict = 1 or (k.verdict = 3 and k.trusted))
                ) l on true
                left join lateral (
                    select v.followers, v.following
                    from social_counts_versions v
                    where v.identity_id = i.identity_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) f on true
            "#,
            "order by r.ordinal"
            $(, $argument)*
        )
    };
}

/// Reads identities in the order asked; none where an id is not registered.
pub(crate) async fn read(
    db: &mut PgConnection,
    at: At,
    views: &[&str],
    ids: &[Vec<u8>],
) -> sqlx::Result<(Stamp, Vec<Option<Known>>)> {
    let (at, rows) = identities_at!(db, at, views, ids)?;
    let known = rows.into_iter().filter(|row| row.ordinal.is_some()).map(|row| {
        Some(Known {
            subject_id: row.subject_id,
            source_id: row.source_id,
            identity: Identity {
                identity_id: hex::encode(row.identity_id?),
                display_name: row.display_name,
                avatar_hash: row.avatar_hash.map(hex::encode),
                bio: row.bio,
                stats_visibility: row.stats_visibility?,
                controller: row.controller?,
                key: IdentityKey { alg: row.key_alg?, public_key: row.public_key? },
                created_at: rfc3339_micros(row.created_at?),
                updated_at: rfc3339_micros(row.updated_at?),
                chain: row.chain?,
                main_wallet: row.main_wallet,
                wallet_count: row.wallet_count.unwrap_or_default(),
                follower_count: row.followers.unwrap_or_default(),
                following_count: row.following.unwrap_or_default(),
                position: row.claim_position?,
                provenance: None,
            },
        })
    });
    Ok((at, known.collect()))
}

/// One identity.
#[derive(Debug, Clone)]
pub struct OneIdentity {
    /// Its id.
    pub identity_id: IdentityId,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneIdentity {
    const VIEWS: &'static [&'static str] = &["identities", "wallets", "social"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Option<Identity>;

    fn key(&self) -> String {
        format!("identity:{}:{}", self.identity_id, self.explain)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["identities", "wallets", "social", "findings"] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let ids = [self.identity_id.as_bytes().to_vec()];
        let (at, found) = read(db, at, self.views(), &ids).await?;
        let Some(Known { subject_id, source_id, mut identity }) = found.into_iter().next().flatten() else {
            return Ok(Stamped { at, value: None });
        };
        if self.explain {
            let link = provenance::events_link(Namespace::Identity, &identity.identity_id, None);
            let sources = Sources { identity_id: Some(&self.identity_id), source_id, only_there: PROFILE };
            identity.provenance = Some(match subject_id {
                Some(subject_id) => provenance::of_identity(db, at.position, subject_id, CAUSES, sources, link).await?,
                None => Provenance::nothing(link),
            });
        }
        Ok(Stamped { at, value: Some(identity) })
    }
}

/// Up to 100 identities in the order asked; null where an id is not registered.
#[derive(Debug, Clone)]
pub struct Identities {
    /// The ids, repetitions included.
    pub ids: Vec<IdentityId>,
}

impl Query for Identities {
    const VIEWS: &'static [&'static str] = OneIdentity::VIEWS;
    const KEEP: Keep = Keep::Visible;
    type Answer = Rows<Option<Identity>>;

    fn key(&self) -> String {
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        format!("identities:{}", ids.join(","))
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let ids: Vec<Vec<u8>> = self.ids.iter().map(|id| id.as_bytes().to_vec()).collect();
        let (at, found) = read(db, at, Self::VIEWS, &ids).await?;
        let items = found.into_iter().map(|known| known.map(|known| known.identity)).collect();
        Ok(Stamped { at, value: Rows { items, next: None, count: None } })
    }
}
