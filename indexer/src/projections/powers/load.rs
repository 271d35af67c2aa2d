//! Reading back powers, delegations and the owners of wallets before a fold.

use std::collections::{BTreeMap, BTreeSet};

use schema::chain::IdentityId;
use schema::event::{Event, RecordedEvent};
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::{Delegation, DelegationKey, Power, PowerKey, Powers};
use crate::projections::World;
use crate::projections::balances::exact;

/// What a batch is about.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Wallets whose stake or owner may change, with their source; their owners' powers may change too.
    addresses: BTreeMap<i64, i32>,
    /// Identities whose own stake or delegations may change; all of their delegations are read with them.
    givers: BTreeSet<PowerKey>,
    /// Delegations named.
    delegations: BTreeSet<DelegationKey>,
    /// Identities whose power may change, or is asked for.
    powers: BTreeSet<PowerKey>,
}

impl Wanted {
    pub(super) fn of(batch: &[LoggedUnit], world: &World) -> Self {
        let mut wanted = Self::default();
        for event in batch.iter().flat_map(|unit| &unit.events) {
            wanted.add(event, world);
        }
        wanted
    }

    fn add(&mut self, event: &RecordedEvent, world: &World) {
        let of = |identity: &IdentityId| PowerKey {
            source_id: event.source_id.0,
            identity_id: identity.as_bytes().to_vec(),
        };
        match &event.event {
            Event::Staked(body) => self.add_address(event, &body.account, world),
            Event::Unstaked(body) => self.add_address(event, &body.account, world),
            Event::WalletLinked(body) => {
                self.add_address(event, &body.wallet_address, world);
                self.givers.insert(of(body.identity_id.get()));
            }
            Event::WalletUnlinked(body) => {
                self.add_address(event, &body.wallet_address, world);
                self.givers.insert(of(body.identity_id.get()));
            }
            Event::Delegated(body) => self.add_delegation(of(body.delegator.get()), of(body.delegatee.get())),
            Event::Undelegated(body) => self.add_delegation(of(body.delegator.get()), of(body.delegatee.get())),
            Event::Voted(body) => {
                self.powers.insert(of(body.voter.get()));
            }
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
            | Event::Proposed(_)
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
            | Event::Unrecognized(_) => {}
        }
    }

    fn add_address(&mut self, event: &RecordedEvent, spelled: &str, world: &World) {
        let Ok(address) = world.address(event.source_id, spelled) else { return };
        if let Some(address_id) = world.address_id(event.source_id, &address) {
            self.addresses.insert(address_id, event.source_id.0);
        }
    }

    fn add_delegation(&mut self, giver: PowerKey, receiver: PowerKey) {
        self.delegations.insert(DelegationKey {
            source_id: giver.source_id,
            delegator_id: giver.identity_id.clone(),
            delegatee_id: receiver.identity_id.clone(),
        });
        self.givers.insert(giver);
        self.powers.insert(receiver);
    }
}

/// Reads all that a batch may touch. Few batches touch much of it, and what one touches follows from rows that others
/// write; so nothing is remembered from batch to batch.
pub(super) async fn all(powers: &mut Powers, db: &mut PgConnection, mut wanted: Wanted) -> Result<(), StoreError> {
    *powers = Powers::default();
    owners(powers, db, &mut wanted).await?;
    delegations(powers, db, &mut wanted).await?;
    wanted.powers.append(&mut wanted.givers);
    rows(powers, db, wanted.powers).await
}

async fn owners(powers: &mut Powers, db: &mut PgConnection, wanted: &mut Wanted) -> Result<(), StoreError> {
    if wanted.addresses.is_empty() {
        return Ok(());
    }
    let addresses: Vec<i64> = wanted.addresses.keys().copied().collect();
    let found =
        sqlx::query!(r#"select address_id, identity_id from wallet_holders where address_id = any($1)"#, &addresses)
            .fetch_all(db)
            .await?;
    for row in found {
        if let Some(&source_id) = wanted.addresses.get(&row.address_id) {
            wanted.givers.insert(PowerKey { source_id, identity_id: row.identity_id.clone() });
        }
        powers.owners.insert(row.address_id, row.identity_id);
    }
    Ok(())
}

async fn delegations(powers: &mut Powers, db: &mut PgConnection, wanted: &mut Wanted) -> Result<(), StoreError> {
    if wanted.givers.is_empty() {
        return Ok(());
    }
    let (sources, givers) = columns(&wanted.givers);
    let found = sqlx::query!(
        r#"
        select
            d.source_id,
            d.delegator_id,
            d.delegatee_id,
            d.amount::text as "amount!",
            d.counted::text as "counted!",
            d.created_at,
            d.updated_at,
            d.claim_position
        from unnest($1::integer[], $2::bytea[]) as wanted (source_id, identity_id)
        join delegations d
            on d.source_id = wanted.source_id
            and d.delegator_id = wanted.identity_id
        "#,
        &sources,
        &givers
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let delegation = Delegation {
            amount: exact(&row.amount)?,
            counted: exact(&row.counted)?,
            created_at: row.created_at,
            updated_at: row.updated_at,
            claim_position: row.claim_position,
        };
        let key =
            DelegationKey { source_id: row.source_id, delegator_id: row.delegator_id, delegatee_id: row.delegatee_id };
        Ok((key, delegation))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    let receivers =
        found.iter().map(|(key, _)| PowerKey { source_id: key.source_id, identity_id: key.delegatee_id.clone() });
    wanted.powers.extend(receivers);
    powers.delegations.loaded(wanted.delegations.iter().cloned().collect(), found);
    Ok(())
}

async fn rows(powers: &mut Powers, db: &mut PgConnection, wanted: BTreeSet<PowerKey>) -> Result<(), StoreError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let (sources, identities) = columns(&wanted);
    let found = sqlx::query!(
        r#"
        select
            p.source_id,
            p.identity_id,
            p.own_stake::text as "own_stake!",
            p.delegated_in::text as "delegated_in!",
            p.delegated_out::text as "delegated_out!"
        from unnest($1::integer[], $2::bytea[]) as wanted (source_id, identity_id)
        join powers p
            on p.source_id = wanted.source_id
            and p.identity_id = wanted.identity_id
        "#,
        &sources,
        &identities
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let power = Power {
            own_stake: exact(&row.own_stake)?,
            delegated_in: exact(&row.delegated_in)?,
            delegated_out: exact(&row.delegated_out)?,
        };
        Ok((PowerKey { source_id: row.source_id, identity_id: row.identity_id }, power))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    powers.powers.loaded(wanted.into_iter().collect(), found);
    Ok(())
}

fn columns(keys: &BTreeSet<PowerKey>) -> (Vec<i32>, Vec<Vec<u8>>) {
    keys.iter().map(|key| (key.source_id, key.identity_id.clone())).unzip()
}
