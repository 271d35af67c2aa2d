//! Whose wallet is it? Every claim is kept with its verdict. The one holder of each wallet on its chain is chosen by rule over
//! the whole set of claims, removed ones included (MEANING §4). Level two: the holder owns the wallet also beyond the chain
//! while the chain's registration of that identity is recognised; else nobody does.

use std::collections::BTreeSet;

use schema::chain::IdentityId;
use schema::event::{Event, Position, Verdict, WalletLinked, WalletUnlinked};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::identities::Identities;
use super::identities::recognition::{self, Recognition};
use super::{Broken, Moment, Projection, Retraction, World};

mod choose;
mod holder;
mod load;

/// Wallets that one identity may have linked at a time.
const MAX_LINKS: usize = 32;

versioned_table! {
    /// Links that stand now, with the verdict on their proofs.
    LinksTable = "wallet_links" {
        key LinkKey { source_id: int4(i32), identity_id: bytes(Vec<u8>), address_id: int8(i64) }
        value Link {
            wallet_address: text(String),
            link_type: text(String),
            proof_alg: text(String),
            proof_public_key: text(String),
            proof_signature: text(String),
            verdict: int2(i16),
            verdict_reason: text_opt(Option<String>),
            trusted: bool(bool),
            created_at: time(chrono::DateTime<chrono::Utc>),
            claim_position: int8(i64),
        }
    }
}

versioned_table! {
    /// Every claim that may ever have counted, removed ones included, and those that stand unproven. A refuted claim has
    /// no row.
    ClaimsTable = "wallet_claims" {
        key ClaimKey { address_id: int8(i64), source_id: int4(i32), claim_position: int8(i64) }
        value Claim {
            identity_id: bytes(Vec<u8>),
            verdict: int2(i16),
            trusted: bool(bool),
            removed_position: int8_opt(Option<i64>),
        }
    }
}

versioned_table! {
    /// Whose each wallet is on its chain.
    HoldersTable = "wallet_holders" {
        key HolderKey { address_id: int8(i64) }
        value Holder { identity_id: bytes(Vec<u8>), source_id: int4(i32), claim_position: int8(i64) }
    }
}

versioned_table! {
    /// Whose each wallet is beyond its chain too.
    OwnersTable = "wallet_owners" {
        key OwnerKey { address_id: int8(i64) }
        value Owner { identity_id: bytes(Vec<u8>), source_id: int4(i32), claim_position: int8(i64) }
    }
}

versioned_table! {
    /// Claims that stand behind another identity's.
    ContestedTable = "contested_wallets" {
        key ContestedKey { event_position: int8(i64) }
        value Contested {
            event_source_id: int4(i32),
            address_id: int8(i64),
            identity_id: bytes(Vec<u8>),
            owner_identity_id: bytes(Vec<u8>),
            detail: text(String),
        }
    }
}

/// What a unit changed about whose a wallet is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnerChange {
    /// The wallet in `log.subjects`.
    pub address_id: i64,
    /// Whose it was before the unit.
    pub before: Option<Vec<u8>>,
    /// Whose it is after it.
    pub after: Option<Vec<u8>>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Wallets {
    links: Rows<LinksTable>,
    claims: Rows<ClaimsTable>,
    holders: Rows<HoldersTable>,
    owners: Rows<OwnersTable>,
    contested: Rows<ContestedTable>,
    recognition: Recognition,
    holder_changes: Vec<OwnerChange>,
    owner_changes: Vec<OwnerChange>,
}

impl Wallets {
    /// Wallets that are somebody else's on their own chain since the unit closed last; those are of the unit's source.
    pub fn holder_changes(&self) -> &[OwnerChange] {
        &self.holder_changes
    }

    /// Wallets that have another owner since the unit closed last, of whatever source.
    pub fn owner_changes(&self) -> &[OwnerChange] {
        &self.owner_changes
    }

    fn note_changes(&mut self) {
        let holders = self.holders.changes().map(|(key, before, now)| OwnerChange {
            address_id: key.address_id,
            before: before.map(|row| row.identity_id.clone()),
            after: now.map(|row| row.identity_id.clone()),
        });
        self.holder_changes = holders.filter(|change| change.before != change.after).collect();
        let owners = self.owners.changes().map(|(key, before, now)| OwnerChange {
            address_id: key.address_id,
            before: before.map(|row| row.identity_id.clone()),
            after: now.map(|row| row.identity_id.clone()),
        });
        self.owner_changes = owners.filter(|change| change.before != change.after).collect();
    }

    fn link(&mut self, moment: &Moment<'_>, linked: &WalletLinked, identities: &Identities, findings: &mut Findings) {
        let source = moment.event.source_id;
        let identity = linked.identity_id.get();
        if !identities.allows(moment, identity, &linked.sender, findings) {
            return;
        }
        let subject = Some(identity.to_string());
        let Ok(address) = moment.world.address(source, &linked.wallet_address) else { return };
        let Some(address_id) = moment.world.address_id(source, &address) else { return };
        let key = LinkKey { source_id: source.0, identity_id: identity.as_bytes().to_vec(), address_id };
        let verdict = moment.event.verdict.unwrap_or(Verdict::Unverifiable);
        let before = self.links.get(&key).cloned();
        if let Some(before) = &before {
            // Saying the same again is idempotent; a better proof replaces a worse one and counts from now on.
            let better = standing(verdict.code(), moment.facts().trusted) > standing(before.verdict, before.trusted);
            if !better {
                return;
            }
            self.retire(address_id, source.0, before.claim_position, moment.event.position);
        } else if self.count(&key) >= MAX_LINKS {
            findings.report(
                moment,
                "too-many-links",
                subject,
                format!("the identity has {MAX_LINKS} linked wallets already"),
            );
            return;
        }
        let check = linked.checks.values().find(|check| check.verdict == verdict);
        let link = Link {
            wallet_address: address.as_str().to_owned(),
            link_type: linked.link_type.clone(),
            proof_alg: linked.proof.alg.clone(),
            proof_public_key: linked.proof.public_key.to_lowercase(),
            proof_signature: linked.proof.signature.to_lowercase(),
            verdict: verdict.code(),
            verdict_reason: check.and_then(|check| check.reason.clone()),
            trusted: moment.facts().trusted,
            created_at: moment.event.occurred_at,
            claim_position: moment.event.position.0,
        };
        if verdict != Verdict::Refuted {
            let claim = Claim {
                identity_id: key.identity_id.clone(),
                verdict: link.verdict,
                trusted: link.trusted,
                removed_position: None,
            };
            self.claims.set(ClaimKey { address_id, source_id: source.0, claim_position: link.claim_position }, claim);
        }
        self.links.set(key, link);
    }

    fn unlink(
        &mut self,
        moment: &Moment<'_>,
        unlinked: &WalletUnlinked,
        identities: &Identities,
        findings: &mut Findings,
    ) {
        let source = moment.event.source_id;
        let identity = unlinked.identity_id.get();
        if !identities.allows(moment, identity, &unlinked.sender, findings) {
            return;
        }
        let Ok(address) = moment.world.address(source, &unlinked.wallet_address) else { return };
        let Some(address_id) = moment.world.address_id(source, &address) else { return };
        let key = LinkKey { source_id: source.0, identity_id: identity.as_bytes().to_vec(), address_id };
        match self.links.get(&key).map(|link| link.claim_position) {
            Some(claim_position) => {
                self.retire(address_id, source.0, claim_position, moment.event.position);
                self.links.remove(key);
            }
            None => {
                let subject = Some(identity.to_string());
                findings.report(moment, "not-linked", subject, format!("{address} is not linked to the identity"));
            }
        }
    }

    /// Ends a claim. One that counted still decides what stood behind it; one that never did leaves nothing.
    fn retire(&mut self, address_id: i64, source_id: i32, claim_position: i64, at: Position) {
        let key = ClaimKey { address_id, source_id, claim_position };
        let Some(mut claim) = self.claims.get(&key).cloned() else { return };
        if standing(claim.verdict, claim.trusted) == 0 {
            self.claims.remove(key);
        } else {
            claim.removed_position = Some(at.0);
            self.claims.set(key, claim);
        }
    }

    fn count(&self, key: &LinkKey) -> usize {
        let first = LinkKey { address_id: i64::MIN, ..key.clone() };
        let last = LinkKey { address_id: i64::MAX, ..key.clone() };
        self.links.range(first..=last).count()
    }
}

/// How much a claim counts: not at all, by its source's word, or by proof.
fn standing(verdict: i16, trusted: bool) -> u8 {
    match Verdict::from_code(verdict) {
        Some(Verdict::Verified) => 2,
        Some(Verdict::Unverifiable) => u8::from(trusted),
        Some(Verdict::Refuted) | None => 0,
    }
}

/// Identity and wallet that a link or unlink is about, and whether it is a link.
fn named(event: &Event) -> Option<(&IdentityId, &str, bool)> {
    if let Event::WalletLinked(body) = event {
        Some((body.identity_id.get(), &body.wallet_address, true))
    } else if let Event::WalletUnlinked(body) = event {
        Some((body.identity_id.get(), &body.wallet_address, false))
    } else {
        None
    }
}

impl Projection for Wallets {
    const NAME: &'static str = "wallets";
    const VERSION: i32 = 3;
    const DEPENDS_ON: &'static [&'static str] = &["identities"];
    type Reads<'a> = &'a Identities;

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        let mut wanted = load::Wanted::default();
        for event in batch.iter().flat_map(|unit| &unit.events) {
            let Some((identity, spelled, links)) = named(&event.event) else { continue };
            let Ok(address) = world.address(event.source_id, spelled) else { continue };
            let Some(address_id) = world.address_id(event.source_id, &address) else { continue };
            let identity_id = identity.as_bytes().to_vec();
            wanted.links.insert(LinkKey { source_id: event.source_id.0, identity_id, address_id });
            if links {
                wanted.claims.insert(ClaimKey {
                    address_id,
                    source_id: event.source_id.0,
                    claim_position: event.position.0,
                });
            }
        }
        load::all(self, db, wanted, world).await
    }

    fn fold(&mut self, moment: &Moment<'_>, identities: &Identities, findings: &mut Findings) {
        match &moment.event.event {
            Event::WalletLinked(linked) => self.link(moment, linked, identities, findings),
            Event::WalletUnlinked(unlinked) => self.unlink(moment, unlinked, identities, findings),
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
            | Event::KeyRotated(_)
            | Event::Followed(_)
            | Event::Unfollowed(_)
            | Event::Staked(_)
            | Event::Unstaked(_)
            | Event::Proposed(_)
            | Event::Voted(_)
            | Event::ProposalFinalized(_)
            | Event::ProposalExecuted(_)
            | Event::ProposalCancelled(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => {}
        }
    }

    fn close(&mut self, unit: &LoggedUnit, _: &World, reads: Self::Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        self.recognition.follow(reads.unrecognised());
        let changed: BTreeSet<ClaimKey> = self.claims.changes().map(|(key, _, _)| key.clone()).collect();
        self.choose_all(&changed);
        self.note_changes();
        self.links.close(unit.end_position);
        self.claims.close(unit.end_position);
        self.close_derived(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.links.last_change().max(self.owners.last_change()).max(self.contested.last_change());
        self.links.write(db, before).await?;
        self.claims.write(db, before).await?;
        self.write_derived(db, before).await?;
        Ok(last)
    }

    async fn retract(
        &mut self,
        db: &mut PgConnection,
        retraction: Retraction,
        world: &World,
    ) -> Result<bool, StoreError> {
        self.forget();
        let Retraction { source_id, first, at } = retraction;
        let links = restore(db, "wallet_links", source_id, first, at).await?;
        let claims = restore(db, "wallet_claims", source_id, first, at).await?;
        let changed = recognition::changed_at(db, at).await?;
        let mut wanted = load::Wanted { held: load::held(db, &changed).await?, ..Default::default() };
        if claims == 0 && wanted.held.is_empty() {
            // A refuted link has no claim, and is shown nevertheless.
            return Ok(links > 0);
        }
        let rows = sqlx::query!(
            r#"select address_id, source_id, claim_position from wallet_claims_versions where from_position = $1"#,
            at.0
        )
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let key =
                ClaimKey { address_id: row.address_id, source_id: row.source_id, claim_position: row.claim_position };
            wanted.claims.insert(key);
        }
        let (touched, held) = (wanted.claims.clone(), wanted.held.clone());
        load::all(self, db, wanted, world).await?;
        for address_id in held {
            self.own(address_id);
        }
        self.choose_all(&touched);
        self.close_derived(at);
        self.write_derived(db, Position(at.0 - 1)).await?;
        Ok(true)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
