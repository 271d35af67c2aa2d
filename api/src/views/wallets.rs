//! Wallets: every claim of an identity to an address with the verdict on it, and whose an address is.

use schema::chain::IdentityId;
use schema::event::{Kind, Namespace, Position, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Keep, LOG, Query, Stamped, stamped};
use crate::views::addresses::stamped_by_address;
use crate::views::checks::verdict_name;
use crate::views::identities::{self, Identity};
use crate::views::provenance::{self, Provenance};

/// A claim of an identity to an address.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Wallet {
    /// Chain or source where the claim was made.
    #[schema(example = "chert")]
    pub chain: String,
    /// Who claims, hex.
    pub identity_id: String,
    /// The address in canonical form.
    pub wallet_address: String,
    /// `main`, `mining`, `staking`, `trading`, `governance` or another word.
    #[schema(example = "main")]
    pub link_type: String,
    /// Outcome of the check of the proof: `verified`, `refuted` or `unverifiable`.
    #[schema(example = "verified")]
    pub verdict: &'static str,
    /// Why it is not verified, in a plain sentence.
    pub reason: Option<String>,
    /// Whether the claim counts: the address belongs to this identity.
    pub counts: bool,
    /// Identity that the address belongs to, hex; null when no claim counts.
    pub owner_identity_id: Option<String>,
    /// Algorithm of the proof.
    pub proof_alg: String,
    /// Key that the proof is by, hex.
    pub proof_public_key: String,
    /// The proof: a signature, hex.
    pub proof_signature: String,
    /// Block time of the claim, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Position of the claim in the log.
    pub position: i64,
}

/// Makes a wallet of a row whose columns may all be null.
macro_rules! wallet_from {
    ($row:expr) => {
        Wallet {
            chain: $row.chain?,
            identity_id: hex::encode($row.identity_id?),
            wallet_address: $row.wallet_address?,
            link_type: $row.link_type?,
            verdict: verdict_name($row.verdict)?,
            reason: $row.verdict_reason,
            counts: $row.counts.unwrap_or_default(),
            owner_identity_id: $row.owner_identity_id.map(hex::encode),
            proof_alg: $row.proof_alg?,
            proof_public_key: $row.proof_public_key?,
            proof_signature: $row.proof_signature?,
            created_at: rfc3339_micros($row.created_at?),
            position: $row.claim_position?,
        }
    };
}

/// The standing claims of an identity, oldest first; sort key is the position of the claim. None when nobody ever spoke of
/// such an identity.
#[derive(Debug, Clone)]
pub struct WalletList {
    /// The identity.
    pub identity_id: IdentityId,
    /// Only claims behind this position.
    pub after: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

impl Query for WalletList {
    const VIEWS: &'static [&'static str] = &["identities", "wallets"];
    type Answer = Option<Rows<Wallet>>;

    fn key(&self) -> String {
        format!("wallets:{}:{:?}:{}", self.identity_id, self.after, self.limit)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = stamped!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.known as "known?", r.chain as "chain?", r.identity_id as "identity_id?", r.wallet_address as "wallet_address?",
            r.link_type as "link_type?", r.verdict as "verdict?", r.verdict_reason as "verdict_reason?",
            r.counts as "counts?", r.owner_identity_id as "owner_identity_id?", r.proof_alg as "proof_alg?",
            r.proof_public_key as "proof_public_key?", r.proof_signature as "proof_signature?",
            r.created_at as "created_at?", r.claim_position as "claim_position?"
            "#,
            r#"
                select
                    known.known, src.name as chain, l.identity_id, l.wallet_address, l.link_type, l.verdict, l.verdict_reason,
                    o.identity_id = l.identity_id and (l.verdict = 1 or (l.verdict = 3 and l.trusted)) as counts,
                    o.identity_id as owner_identity_id, l.proof_alg, l.proof_public_key, l.proof_signature, l.created_at,
                    l.claim_position
                from (
                    select exists (
                        select 1
                        from identities_versions v
                        where v.identity_id = $3
                            and v.from_position <= s.position
                    ) or exists (
                        select 1
                        from wallet_links_versions v
                        where v.identity_id = $3
                            and v.from_position <= s.position
                    ) as known
                ) known
                left join lateral (
                    select k.*
                    from (
                        select distinct on (v.source_id, v.address_id)
                            v.source_id, v.address_id, v.identity_id, v.wallet_address, v.link_type, v.verdict,
                            v.verdict_reason, v.trusted, v.proof_alg, v.proof_public_key, v.proof_signature, v.created_at,
                            v.claim_position, v.present
                        from wallet_links_versions v
                        where v.identity_id = $3
                            and v.from_position <= s.position
                        order by v.source_id, v.address_id, v.from_position desc
                    ) k
                    where k.present
                        and k.claim_position > coalesce($4::bigint, 0)
                    order by k.claim_position
                    limit $5::bigint + 1
                ) l on true
                left join log.sources src on src.source_id = l.source_id
                left join lateral (
                    select v.identity_id, v.present
                    from wallet_owners_versions v
                    where v.address_id = l.address_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present
            "#,
            "order by r.claim_position",
            self.identity_id.as_bytes().as_slice(),
            self.after,
            self.limit,
        )?;
        if !rows.first().and_then(|row| row.known).unwrap_or_default() {
            return Ok(Stamped { at, value: None });
        }
        let items = rows.into_iter().filter_map(|row| Some(wallet_from!(row))).collect();
        let page = Rows::page(items, self.limit, |wallet: &Wallet| wallet.position.to_string());
        Ok(Stamped { at, value: Some(page) })
    }
}

/// Whose an address is.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WalletOwner {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// The address in canonical form.
    pub wallet_address: String,
    /// Identity that it belongs to, hex.
    pub identity_id: String,
    /// The claim that counts.
    pub link: Wallet,
    /// The identity; null while a counting claim names an identity that is not registered.
    pub identity: Option<Identity>,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// The owner of an address of a chain.
#[derive(Debug, Clone)]
pub struct ByWallet {
    /// The chain.
    pub source_id: i32,
    /// The address, canonical.
    pub address: String,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl ByWallet {
    async fn owner(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Option<(i64, Vec<u8>, Wallet)>>> {
        let (at, rows) = stamped_by_address!(
            db,
            at,
            self.views(),
            r#"
            r.subject_id as "subject_id?", r.chain as "chain?", r.identity_id as "identity_id?",
            r.wallet_address as "wallet_address?", r.link_type as "link_type?", r.verdict as "verdict?",
            r.verdict_reason as "verdict_reason?", r.counts as "counts?", r.owner_identity_id as "owner_identity_id?",
            r.proof_alg as "proof_alg?", r.proof_public_key as "proof_public_key?",
            r.proof_signature as "proof_signature?", r.created_at as "created_at?", r.claim_position as "claim_position?"
            "#,
            r#"
                select
                    a.subject_id, src.name as chain, o.identity_id, l.wallet_address, l.link_type, l.verdict, l.verdict_reason,
                    true as counts, o.identity_id as owner_identity_id, l.proof_alg, l.proof_public_key, l.proof_signature,
                    l.created_at, l.claim_position
                from (select $4::text as asked) n
            "#,
            r#"
                join lateral (
                    select v.identity_id, v.source_id, v.present
                    from wallet_owners_versions v
                    where v.address_id = a.subject_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present
                join lateral (
                    select
                        v.wallet_address, v.link_type, v.verdict, v.verdict_reason, v.proof_alg, v.proof_public_key,
                        v.proof_signature, v.created_at, v.claim_position
                    from wallet_links_versions v
                    where v.source_id = o.source_id
                        and v.identity_id = o.identity_id
                        and v.address_id = a.subject_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) l on true
                join log.sources src on src.source_id = o.source_id
            "#,
            "",
            self.source_id,
            self.address,
        )?;
        let value = rows.into_iter().next().and_then(|row| {
            let (subject_id, identity_id) = (row.subject_id?, row.identity_id.clone()?);
            Some((subject_id, identity_id, wallet_from!(row)))
        });
        Ok(Stamped { at, value })
    }
}

impl Query for ByWallet {
    /// The log too: it says under which spellings an address is known.
    const VIEWS: &'static [&'static str] = &["identities", "wallets", "social", LOG];
    const KEEP: Keep = Keep::Visible;
    type Answer = Option<WalletOwner>;

    fn key(&self) -> String {
        format!("by wallet:{}:{}:{}", self.source_id, self.explain, self.address)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["identities", "wallets", "social", "findings", LOG] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let Stamped { at, value } = self.owner(db, at).await?;
        let Some((subject_id, identity_id, link)) = value else { return Ok(Stamped { at, value: None }) };
        // As of the position just read, so that both statements speak of the same moment.
        let moment = At::Position(Position(at.position));
        let (_, found) = identities::read(db, moment, Self::VIEWS, &[identity_id]).await?;
        let mut owner = WalletOwner {
            chain: link.chain.clone(),
            wallet_address: link.wallet_address.clone(),
            identity_id: link.identity_id.clone(),
            identity: found.into_iter().next().flatten().map(|known| known.identity),
            link,
            provenance: None,
        };
        if self.explain {
            let href = provenance::events_link(Namespace::Address, &owner.wallet_address, Some(&owner.chain));
            let causes = [Kind::WalletLinked, Kind::WalletUnlinked];
            owner.provenance = Some(provenance::of_address(db, at.position, subject_id, &causes, href).await?);
        }
        Ok(Stamped { at, value: Some(owner) })
    }
}
