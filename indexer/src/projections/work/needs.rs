//! What a batch's events will ask for while they are folded.

use std::collections::{BTreeMap, BTreeSet};

use schema::event::{Event, RecordedEvent, WorkSubmitted};
use schema::store::LoggedUnit;

use super::proofs::Proofs;
use super::score::hour_of;
use super::submissions::SubmissionKey;
use super::totals::HourKey;
use crate::projections::World;

/// Keys that a batch names.
#[derive(Debug, Default)]
pub(super) struct Needs {
    /// Ids of submissions and rejections.
    pub ids: BTreeSet<SubmissionKey>,
    /// Ids that an oracle may take out.
    pub rejections: BTreeSet<SubmissionKey>,
    /// Miners and types of the submissions in the batch that have an id which the batch rejects.
    pub submitted: BTreeMap<SubmissionKey, BTreeSet<(i64, String)>>,
    /// Buckets that submissions are counted in.
    pub hours: BTreeSet<HourKey>,
    /// Miners, and wallets that are linked or unlinked.
    pub addresses: BTreeSet<i64>,
    /// Wallets that are linked or unlinked.
    pub linked: BTreeSet<i64>,
    /// Identities that may gain or lose a wallet or change who sees their statistics.
    pub identities: BTreeSet<Vec<u8>>,
}

impl Needs {
    /// Walks through a batch.
    pub(super) fn of(batch: &[LoggedUnit], proofs: &Proofs, world: &World) -> Self {
        let mut needs = Self::default();
        let events = || batch.iter().flat_map(|unit| &unit.events);
        for event in events() {
            needs.note(event, proofs, world);
        }
        for event in events() {
            if let Event::WorkSubmitted(work) = &event.event {
                needs.note_rejected(event, work, world);
            }
        }
        needs
    }

    fn note(&mut self, event: &RecordedEvent, proofs: &Proofs, world: &World) {
        match &event.event {
            Event::WorkSubmitted(work) => {
                self.ids.insert((event.source_id.0, work.submission_id.clone()));
                if let Some(address_id) = number(event, &work.miner_address, world) {
                    self.addresses.insert(address_id);
                    self.hours.insert(HourKey {
                        source_id: event.source_id.0,
                        address_id,
                        work_type: work.work_type.clone(),
                        hour: hour_of(event.occurred_at),
                    });
                }
            }
            Event::WorkRejected(work) => {
                let key = (event.source_id.0, work.submission_id.clone());
                if proofs.may_be(event.source_id, &work.oracle_id, &work.sender, world) {
                    self.rejections.insert(key.clone());
                }
                self.ids.insert(key);
            }
            Event::IdentityRegistered(body) => self.name(body.identity_id.get().as_bytes()),
            Event::IdentityUpdated(body) => self.name(body.identity_id.get().as_bytes()),
            Event::WalletLinked(body) => {
                self.name(body.identity_id.get().as_bytes());
                self.link(event, &body.wallet_address, world);
            }
            Event::WalletUnlinked(body) => {
                self.name(body.identity_id.get().as_bytes());
                self.link(event, &body.wallet_address, world);
            }
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
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
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => {}
        }
    }

    fn name(&mut self, identity_id: &[u8]) {
        self.identities.insert(identity_id.to_vec());
    }

    fn link(&mut self, event: &RecordedEvent, wallet: &str, world: &World) {
        let address_id = number(event, wallet, world);
        self.linked.extend(address_id);
        self.addresses.extend(address_id);
    }

    fn note_rejected(&mut self, event: &RecordedEvent, work: &WorkSubmitted, world: &World) {
        let key = (event.source_id.0, work.submission_id.clone());
        if let Some(address_id) = number(event, &work.miner_address, world)
            && self.rejections.contains(&key)
        {
            self.submitted.entry(key).or_default().insert((address_id, work.work_type.clone()));
        }
    }
}

fn number(event: &RecordedEvent, spelled: &str, world: &World) -> Option<i64> {
    world.address_id(event.source_id, &world.address(event.source_id, spelled).ok()?)
}
