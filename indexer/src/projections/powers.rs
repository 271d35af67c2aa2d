//! How much voting power has each identity on each chain?
//!
//! Power is own stake + delegated in − delegated out (MEANING §6), all of it of one chain, so every row belongs to a source.
//! An address's stake moves with its owner. What a block stakes and delegates is judged when the block ends: its
//! delegations one after another, in their order, against the stake at its end. Stake of the same block therefore covers
//! a delegation wherever in the block it stands, and what the same block unstakes covers none.

use std::collections::{BTreeMap, BTreeSet};

use schema::chain::IdentityId;
use schema::event::{Event, Position, SourceId};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::balances::Balances;
use super::findings::{Findings, Place};
use super::identities::Identities;
use super::wallets::{OwnerChange, Wallets};
use super::{Broken, Moment, Projection, Retraction, World};

mod check;
mod delegate;
mod load;

use delegate::Given;

versioned_table! {
    /// Voting power of each identity on each chain.
    PowersTable = "powers" {
        key PowerKey { source_id: int4(i32), identity_id: bytes(Vec<u8>) }
        value Power { own_stake: numeric(i128), delegated_in: numeric(i128), delegated_out: numeric(i128) }
    }
}

versioned_table! {
    /// Power that one identity has given to another.
    DelegationsTable = "delegations" {
        key DelegationKey { source_id: int4(i32), delegator_id: bytes(Vec<u8>), delegatee_id: bytes(Vec<u8>) }
        value Delegation {
            amount: numeric(i128),
            counted: numeric(i128),
            created_at: time(chrono::DateTime<chrono::Utc>),
            updated_at: time(chrono::DateTime<chrono::Utc>),
            claim_position: int8(i64),
        }
    }
}

/// What an identity without a row has.
const NONE: Power = Power { own_stake: 0, delegated_in: 0, delegated_out: 0 };

/// What the fold reads of others.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    /// What is staked.
    pub balances: &'a Balances,
    /// Whose wallet is whose.
    pub wallets: &'a Wallets,
    /// Who may act for whom.
    pub identities: &'a Identities,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Powers {
    powers: Rows<PowersTable>,
    delegations: Rows<DelegationsTable>,
    /// Owners of the wallets that the batch names, at this moment of the fold.
    owners: BTreeMap<i64, Vec<u8>>,
    given: Vec<Given>,
    changed: BTreeSet<PowerKey>,
    /// End of the unit that was closed last.
    end: Position,
}

impl Powers {
    /// Voting power of an identity on a chain, in base units, after the unit closed last. The batch must name the identity.
    pub fn power(&self, source: SourceId, identity: &[u8]) -> i128 {
        let power = self.row(&PowerKey { source_id: source.0, identity_id: identity.to_vec() });
        power.own_stake + power.delegated_in - power.delegated_out
    }

    fn row(&self, key: &PowerKey) -> Power {
        self.powers.get(key).cloned().unwrap_or(NONE)
    }

    /// Changes a row; an identity that never had any power gets none for being named.
    fn edit(&mut self, key: PowerKey, change: impl FnOnce(&mut Power)) {
        let before = self.powers.get(&key);
        let mut power = before.cloned().unwrap_or(NONE);
        change(&mut power);
        if before.is_some() || power != NONE {
            self.powers.set(key, power);
        }
    }

    /// By how much the own stake of each identity differs from before the unit: what was staked before leaves with the
    /// owner before, what is staked now comes with the owner now.
    fn stake_moves(&mut self, source: SourceId, reads: Reads<'_>) -> BTreeMap<Vec<u8>, i128> {
        let stakes: BTreeMap<i64, (i128, i128)> = reads
            .balances
            .stake_changes()
            .iter()
            .map(|change| (change.address_id, (change.before, change.after)))
            .collect();
        let owners: BTreeMap<i64, &OwnerChange> =
            reads.wallets.holder_changes().iter().map(|change| (change.address_id, change)).collect();
        let addresses: BTreeSet<i64> = stakes.keys().chain(owners.keys()).copied().collect();
        let mut moves: BTreeMap<Vec<u8>, i128> = BTreeMap::new();
        for address_id in addresses {
            let (before, after) = stakes.get(&address_id).copied().unwrap_or_else(|| {
                let staked = reads.balances.staked(source, address_id);
                (staked, staked)
            });
            let (owner_before, owner_after) = match owners.get(&address_id) {
                Some(change) => (change.before.clone(), change.after.clone()),
                None => (self.owners.get(&address_id).cloned(), self.owners.get(&address_id).cloned()),
            };
            if let Some(owner) = owner_before {
                *moves.entry(owner).or_default() -= before;
            }
            if let Some(owner) = owner_after {
                *moves.entry(owner).or_default() += after;
            }
        }
        for change in owners.values() {
            match &change.after {
                Some(owner) => self.owners.insert(change.address_id, owner.clone()),
                None => self.owners.remove(&change.address_id),
            };
        }
        moves.retain(|_, moved| *moved != 0);
        moves
    }

    /// Notes a delegation for the end of the unit, when those whom it names exist and its sender may give the power away.
    fn admit(&mut self, moment: &Moment<'_>, said: &Said<'_>, identities: &Identities, findings: &mut Findings) {
        if !identities.allows(moment, said.delegator, said.sender, findings) {
            return;
        }
        if said.delegator == said.delegatee {
            let subject = Some(said.delegator.to_string());
            findings.report(moment, "self-delegation", subject, "an identity has its own power without delegating it");
            return;
        }
        if identities.claim(moment.event.source_id.0, said.delegatee).is_none() {
            let subject = Some(said.delegatee.to_string());
            findings.report(moment, "unknown-identity", subject, "the identity is not registered at this source");
            return;
        }
        let key = DelegationKey {
            source_id: moment.event.source_id.0,
            delegator_id: said.delegator.as_bytes().to_vec(),
            delegatee_id: said.delegatee.as_bytes().to_vec(),
        };
        self.given.push(Given { place: Place::of(moment), key, amount: said.amount });
    }
}

/// What an event says about a delegation.
struct Said<'a> {
    delegator: &'a IdentityId,
    delegatee: &'a IdentityId,
    sender: &'a str,
    /// Power given; below 0 when it is taken back.
    amount: i128,
}

impl Projection for Powers {
    const NAME: &'static str = "powers";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &["balances", "wallets", "identities"];
    type Reads<'a> = Reads<'a>;

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        load::all(self, db, load::Wanted::of(batch, world)).await
    }

    fn fold(&mut self, moment: &Moment<'_>, reads: Self::Reads<'_>, findings: &mut Findings) {
        let said = match &moment.event.event {
            Event::Delegated(body) => Said {
                delegator: body.delegator.get(),
                delegatee: body.delegatee.get(),
                sender: &body.sender,
                amount: i128::from(body.amount.get().get()),
            },
            Event::Undelegated(body) => Said {
                delegator: body.delegator.get(),
                delegatee: body.delegatee.get(),
                sender: &body.sender,
                amount: -i128::from(body.amount.get().get()),
            },
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
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => return,
        };
        self.admit(moment, &said, reads.identities, findings);
    }

    fn close(
        &mut self,
        unit: &LoggedUnit,
        _: &World,
        reads: Self::Reads<'_>,
        findings: &mut Findings,
    ) -> Result<(), Broken> {
        let moves = self.stake_moves(unit.source_id, reads);
        let given = std::mem::take(&mut self.given);
        if moves.is_empty() && given.is_empty() {
            return Ok(());
        }
        let mut givers: BTreeSet<Vec<u8>> = given.iter().map(|given| given.key.delegator_id.clone()).collect();
        for (identity_id, moved) in moves {
            let key = PowerKey { source_id: unit.source_id.0, identity_id: identity_id.clone() };
            self.edit(key, |power| power.own_stake += moved);
            givers.insert(identity_id);
        }
        for given in &given {
            self.give(given, findings);
        }
        for delegator_id in givers {
            self.cover(PowerKey { source_id: unit.source_id.0, identity_id: delegator_id });
        }
        self.receive();
        self.check_sums(unit)?;
        self.changed.extend(self.powers.changes().map(|(key, _, _)| key.clone()));
        self.end = unit.end_position;
        self.powers.close(unit.end_position);
        self.delegations.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.powers.last_change().max(self.delegations.last_change());
        self.powers.write(db, before).await?;
        self.delegations.write(db, before).await?;
        Ok(last)
    }

    async fn check(&mut self, db: &mut PgConnection) -> Result<Result<(), String>, StoreError> {
        check::against_rows(db, std::mem::take(&mut self.changed), self.end).await
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.forget();
        let Retraction { source_id, first, at } = retraction;
        let restored = restore(db, "powers", source_id, first, at).await?;
        Ok(restored + restore(db, "delegations", source_id, first, at).await? > 0)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
