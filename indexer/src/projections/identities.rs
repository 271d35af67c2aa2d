//! Who is there, and what do they say of themselves? Level one keeps what each source claims of an identity; level two
//! shows the earliest standing claim over all sources, and lists those that claim the same id and are not recognised.

use std::collections::BTreeSet;

use schema::chain::IdentityId;
use schema::event::{
    Change, Event, IdentityRegistered, IdentityUpdated, KeyRotated, Position, StatsVisibility, Verdict,
};
use schema::fold_text::search_form;
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

mod contested;
mod load;
pub(super) mod recognition;

use recognition::Registration;

versioned_table! {
    /// What each source says of an identity.
    ClaimsTable = "identity_claims" {
        key ClaimKey { source_id: int4(i32), identity_id: bytes(Vec<u8>) }
        value Claim {
            controller: text(String),
            key_alg: text(String),
            public_key: text(String),
            display_name: text_opt(Option<String>),
            search_name: text_opt(Option<String>),
            avatar_hash: bytes_opt(Option<Vec<u8>>),
            bio: text_opt(Option<String>),
            stats_visibility: text(String),
            created_at: time(chrono::DateTime<chrono::Utc>),
            updated_at: time(chrono::DateTime<chrono::Utc>),
            claim_position: int8(i64),
        }
    }
}

versioned_table! {
    /// The identity as clients see it.
    IdentitiesTable = "identities" {
        key IdentityKey { identity_id: bytes(Vec<u8>) }
        value Identity {
            source_id: int4(i32),
            controller: text(String),
            key_alg: text(String),
            public_key: text(String),
            display_name: text_opt(Option<String>),
            search_name: text_opt(Option<String>),
            avatar_hash: bytes_opt(Option<Vec<u8>>),
            bio: text_opt(Option<String>),
            stats_visibility: text(String),
            created_at: time(chrono::DateTime<chrono::Utc>),
            updated_at: time(chrono::DateTime<chrono::Utc>),
            claim_position: int8(i64),
        }
    }
}

versioned_table! {
    /// Registrations that stand behind an earlier one of another source and are by another account.
    ContestedTable = "contested_identities" {
        key ContestedKey { event_position: int8(i64) }
        value Contested {
            event_source_id: int4(i32),
            identity_id: bytes(Vec<u8>),
            winner_source_id: int4(i32),
            detail: text(String),
        }
    }
}

/// What a unit changed about who may see an identity's statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VisibilityChange {
    /// The identity.
    pub identity_id: Vec<u8>,
    /// Whether they are public after the unit.
    pub public: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Identities {
    claims: Rows<ClaimsTable>,
    identities: Rows<IdentitiesTable>,
    contested: Rows<ContestedTable>,
    visibility_changes: Vec<VisibilityChange>,
    unrecognised: Vec<Registration>,
}

impl Identities {
    /// Registrations made in the unit closed last whose word does not count beyond their source.
    pub fn unrecognised(&self) -> &[Registration] {
        &self.unrecognised
    }

    /// Identities whose statistics became public, or ceased to be, in the unit closed last.
    pub fn visibility_changes(&self) -> &[VisibilityChange] {
        &self.visibility_changes
    }

    fn note_visibility(&mut self) {
        let public =
            |row: Option<&Identity>| row.is_some_and(|row| row.stats_visibility == StatsVisibility::Public.name());
        let changes = self.identities.changes().filter(|(_, before, now)| public(*before) != public(*now));
        self.visibility_changes = changes
            .map(|(key, _, now)| VisibilityChange { identity_id: key.identity_id.clone(), public: public(now) })
            .collect();
    }

    /// What a source says of an identity at this moment of the fold.
    pub fn claim(&self, source_id: i32, identity: &IdentityId) -> Option<&Claim> {
        self.claims.get(&ClaimKey { source_id, identity_id: identity.as_bytes().to_vec() })
    }

    /// Whether an action on an identity is its controller's; if not, that is a finding and the action counts nothing.
    pub fn allows(&self, moment: &Moment<'_>, identity: &IdentityId, sender: &str, findings: &mut Findings) -> bool {
        let subject = Some(identity.to_string());
        if moment.sender_refuted {
            findings.report(moment, "sender-refuted", subject, "the transaction's signature does not hold");
            return false;
        }
        match self.claim(moment.event.source_id.0, identity) {
            None => {
                findings.report(moment, "unknown-identity", subject, "the identity is not registered at this source");
                false
            }
            Some(claim) if !moment.is_address(sender, &claim.controller) => {
                let detail = format!("{sender} is not the controller of the identity");
                findings.report(moment, "not-controller", subject, detail);
                false
            }
            Some(_) => true,
        }
    }

    fn register(&mut self, moment: &Moment<'_>, registered: &IdentityRegistered, findings: &mut Findings) {
        let id = registered.identity_id.get();
        let subject = Some(id.to_string());
        if moment.sender_refuted {
            findings.report(moment, "sender-refuted", subject, "the transaction's signature does not hold");
            return;
        }
        if self.claim(moment.event.source_id.0, id).is_some() {
            findings.report(
                moment,
                "registered-twice",
                subject,
                "the identity is registered already; the first registration wins",
            );
            return;
        }
        let Ok(controller) = moment.world.address(moment.event.source_id, &registered.sender) else { return };
        let claim = Claim {
            controller: controller.as_str().to_owned(),
            key_alg: registered.key.alg.clone(),
            public_key: registered.key.public_key.to_lowercase(),
            display_name: registered.display_name.clone(),
            search_name: registered.display_name.as_deref().map(search_form),
            avatar_hash: registered.avatar_hash.as_deref().and_then(bytes),
            bio: registered.bio.clone(),
            stats_visibility: registered.stats_visibility.name().to_owned(),
            created_at: moment.event.occurred_at,
            updated_at: moment.event.occurred_at,
            claim_position: moment.event.position.0,
        };
        let key = ClaimKey { source_id: moment.event.source_id.0, identity_id: id.as_bytes().to_vec() };
        self.claims.set(key, claim);
    }

    fn edit(&mut self, moment: &Moment<'_>, identity: &IdentityId, change: impl FnOnce(&mut Claim)) {
        let key = ClaimKey { source_id: moment.event.source_id.0, identity_id: identity.as_bytes().to_vec() };
        if let Some(mut claim) = self.claims.get(&key).cloned() {
            change(&mut claim);
            claim.updated_at = moment.event.occurred_at;
            self.claims.set(key, claim);
        }
    }

    fn update(&mut self, moment: &Moment<'_>, updated: &IdentityUpdated, findings: &mut Findings) {
        if !self.allows(moment, updated.identity_id.get(), &updated.sender, findings) {
            return;
        }
        self.edit(moment, updated.identity_id.get(), |claim| {
            apply(&mut claim.display_name, &updated.display_name, |name| Some(name.clone()));
            claim.search_name = claim.display_name.as_deref().map(search_form);
            apply(&mut claim.avatar_hash, &updated.avatar_hash, |hash| bytes(hash));
            apply(&mut claim.bio, &updated.bio, |bio| Some(bio.clone()));
            match &updated.stats_visibility {
                Change::Keep => {}
                Change::Clear => claim.stats_visibility = StatsVisibility::Private.name().to_owned(),
                Change::Set(visibility) => claim.stats_visibility = visibility.name().to_owned(),
            }
        });
    }

    fn rotate_key(&mut self, moment: &Moment<'_>, rotated: &KeyRotated, findings: &mut Findings) {
        if !self.allows(moment, rotated.identity_id.get(), &rotated.sender, findings) {
            return;
        }
        let counts = match moment.event.verdict {
            Some(Verdict::Verified) => true,
            Some(Verdict::Unverifiable) => moment.facts().trusted,
            Some(Verdict::Refuted) | None => false,
        };
        if counts {
            self.edit(moment, rotated.identity_id.get(), |claim| {
                claim.key_alg = rotated.key.alg.clone();
                claim.public_key = rotated.key.public_key.to_lowercase();
            });
        }
    }

    /// Level two: of all sources' claims to an identity, the earliest that stands.
    fn choose(&mut self, identity_id: &[u8], world: &World) {
        let earliest = self.by_age(identity_id, world).into_iter().next().map(|(source_id, claim)| Identity {
            source_id,
            controller: claim.controller.clone(),
            key_alg: claim.key_alg.clone(),
            public_key: claim.public_key.clone(),
            display_name: claim.display_name.clone(),
            search_name: claim.search_name.clone(),
            avatar_hash: claim.avatar_hash.clone(),
            bio: claim.bio.clone(),
            stats_visibility: claim.stats_visibility.clone(),
            created_at: claim.created_at,
            updated_at: claim.updated_at,
            claim_position: claim.claim_position,
        });
        let key = IdentityKey { identity_id: identity_id.to_vec() };
        match earliest {
            Some(identity) => self.identities.set(key, identity),
            None => self.identities.remove(key),
        }
    }
}

fn apply<T, U>(field: &mut Option<U>, change: &Change<T>, convert: impl FnOnce(&T) -> Option<U>) {
    match change {
        Change::Keep => {}
        Change::Clear => *field = None,
        Change::Set(value) => *field = convert(value),
    }
}

fn bytes(spelled: &str) -> Option<Vec<u8>> {
    hex::decode(schema::chain::strip_0x(spelled)).ok()
}

/// The identities that a batch's events name.
pub(super) fn named(batch: &[LoggedUnit]) -> BTreeSet<Vec<u8>> {
    let ids = |event: &Event| match event {
        Event::IdentityRegistered(body) => [Some(*body.identity_id.get()), None],
        Event::IdentityUpdated(body) => [Some(*body.identity_id.get()), None],
        Event::KeyRotated(body) => [Some(*body.identity_id.get()), None],
        Event::WalletLinked(body) => [Some(*body.identity_id.get()), None],
        Event::WalletUnlinked(body) => [Some(*body.identity_id.get()), None],
        Event::Followed(body) => [Some(*body.follower.get()), Some(*body.following.get())],
        Event::Unfollowed(body) => [Some(*body.follower.get()), Some(*body.following.get())],
        Event::Proposed(body) => [Some(*body.proposer.get()), None],
        Event::Voted(body) => [Some(*body.voter.get()), None],
        Event::Delegated(body) => [Some(*body.delegator.get()), Some(*body.delegatee.get())],
        Event::Undelegated(body) => [Some(*body.delegator.get()), Some(*body.delegatee.get())],
        Event::BlockApplied(_)
        | Event::TransactionApplied(_)
        | Event::Retracted(_)
        | Event::Finalized(_)
        | Event::Allocated(_)
        | Event::Minted(_)
        | Event::AccountReported(_)
        | Event::Staked(_)
        | Event::Unstaked(_)
        | Event::ProposalFinalized(_)
        | Event::ProposalExecuted(_)
        | Event::ProposalCancelled(_)
        | Event::WorkSubmitted(_)
        | Event::WorkRejected(_)
        | Event::OracleRegistered(_)
        | Event::OracleReported(_)
        | Event::OracleSlashed(_)
        | Event::SourceStarted(_)
        | Event::SourceSkipped(_)
        | Event::Unrecognized(_) => [None, None],
    };
    let events = batch.iter().flat_map(|unit| &unit.events);
    events.flat_map(|event| ids(&event.event)).flatten().map(|id| id.as_bytes().to_vec()).collect()
}

impl Projection for Identities {
    const NAME: &'static str = "identities";
    const VERSION: i32 = 3;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        load::by_identity(self, db, &named(batch), world).await?;
        contested::load(&mut self.contested, db, &contested::registered(batch), world).await
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), findings: &mut Findings) {
        match &moment.event.event {
            Event::IdentityRegistered(registered) => self.register(moment, registered, findings),
            Event::IdentityUpdated(updated) => self.update(moment, updated, findings),
            Event::KeyRotated(rotated) => self.rotate_key(moment, rotated, findings),
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::WalletLinked(_)
            | Event::WalletUnlinked(_)
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

    fn close(&mut self, unit: &LoggedUnit, world: &World, _: Self::Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        let changed: BTreeSet<Vec<u8>> = self.claims.changes().map(|(key, _, _)| key.identity_id.clone()).collect();
        for identity_id in &changed {
            self.choose(identity_id, world);
        }
        self.contest(&self.newly_registered(), world);
        self.note_visibility();
        self.unrecognised = recognition::unrecognised(&self.contested);
        self.claims.close(unit.end_position);
        self.identities.close(unit.end_position);
        self.contested.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.claims.last_change().max(self.identities.last_change());
        self.claims.write(db, before).await?;
        self.identities.write(db, before).await?;
        self.contested.write(db, before).await?;
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
        if restore(db, "identity_claims", source_id, first, at).await? == 0 {
            return Ok(false);
        }
        let rows = sqlx::query!(r#"select identity_id from identity_claims_versions where from_position = $1"#, at.0)
            .fetch_all(&mut *db)
            .await?;
        let touched: BTreeSet<Vec<u8>> = rows.into_iter().map(|row| row.identity_id).collect();
        load::by_identity(self, db, &touched, world).await?;
        contested::load(&mut self.contested, db, &touched, world).await?;
        for identity_id in &touched {
            self.choose(identity_id, world);
        }
        self.contest(&touched, world);
        self.identities.close(at);
        self.contested.close(at);
        self.identities.write(db, Position(at.0 - 1)).await?;
        self.contested.write(db, Position(at.0 - 1)).await?;
        Ok(true)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
