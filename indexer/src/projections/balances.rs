//! Who holds what? Balances per address and the supply per chain, by the rules of MEANING §3, with the conservation of
//! money checked at the end of every block.

use std::collections::BTreeSet;

use schema::chain::{Address, Height};
use schema::event::{Event, Position, SourceId, TransactionApplied};
use schema::source::FeeRule;
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World, addresses_of};

mod closed;
mod load;

pub(crate) use load::exact;

versioned_table! {
    /// Balance and activity of each address.
    BalancesTable = "balances" {
        key BalanceKey { source_id: int4(i32), address_id: int8(i64) }
        value Balance {
            address: text(String),
            balance: numeric(i128),
            received: numeric(i128),
            sent: numeric(i128),
            fees_paid: numeric(i128),
            minted: numeric(i128),
            staked: numeric(i128),
            nonce: numeric_opt(Option<i128>),
            tx_count: int8(i64),
            first_height: int8(i64),
            last_height: int8(i64),
        }
    }
}

versioned_table! {
    /// Money of each chain.
    SupplyTable = "supply" {
        key SupplyKey { source_id: int4(i32) }
        value Supply {
            allocated: numeric(i128),
            minted: numeric(i128),
            burned: numeric(i128),
            undisclosed: numeric(i128),
            balances_total: numeric(i128),
            closed: bool(bool),
        }
    }
}

/// What a unit changed about the stake of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StakeChange {
    /// The address in `log.subjects`.
    pub address_id: i64,
    /// Base units staked before the unit.
    pub before: i128,
    /// Base units staked after it.
    pub after: i128,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Balances {
    balances: Rows<BalancesTable>,
    supply: Rows<SupplyTable>,
    stake_changes: Vec<StakeChange>,
}

impl Balances {
    /// Stake that the unit closed last has changed.
    pub fn stake_changes(&self) -> &[StakeChange] {
        &self.stake_changes
    }

    /// Base units that an address has staked at this moment of the fold. The batch must name the address.
    pub fn staked(&self, source: SourceId, address_id: i64) -> i128 {
        self.balances.get(&BalanceKey { source_id: source.0, address_id }).map_or(0, |row| row.staked)
    }

    fn note_stakes(&mut self) {
        let staked = |row: Option<&Balance>| row.map_or(0, |row| row.staked);
        let changes = self.balances.changes().map(|(key, before, now)| StakeChange {
            address_id: key.address_id,
            before: staked(before),
            after: staked(now),
        });
        self.stake_changes = changes.filter(|change| change.before != change.after).collect();
    }

    fn edit(&mut self, moment: &Moment<'_>, address: &Address, change: impl FnOnce(&mut Balance)) {
        let source = moment.event.source_id;
        let Some(address_id) = moment.world.address_id(source, address) else {
            // The log numbers every subject of an event; an address without a number cannot be one.
            debug_assert!(false, "address {address} of source {source:?} has no number");
            return;
        };
        let key = BalanceKey { source_id: source.0, address_id };
        let height = moment.event.height.map_or(0, Height::to_db);
        let mut row = self.balances.get(&key).cloned().unwrap_or_else(|| Balance {
            address: address.as_str().to_owned(),
            balance: 0,
            received: 0,
            sent: 0,
            fees_paid: 0,
            minted: 0,
            staked: 0,
            nonce: None,
            tx_count: 0,
            first_height: height,
            last_height: height,
        });
        row.last_height = row.last_height.max(height);
        change(&mut row);
        row.balance = row.minted + row.received - row.sent - row.fees_paid;
        self.balances.set(key, row);
    }

    fn edit_supply(&mut self, source: SourceId, change: impl FnOnce(&mut Supply)) {
        let key = SupplyKey { source_id: source.0 };
        let mut supply = self.supply.get(&key).cloned().unwrap_or(Supply {
            allocated: 0,
            minted: 0,
            burned: 0,
            undisclosed: 0,
            balances_total: 0,
            closed: false,
        });
        change(&mut supply);
        self.supply.set(key, supply);
    }

    fn transfer(&mut self, moment: &Moment<'_>, tx: &TransactionApplied, findings: &mut Findings) {
        let source = moment.event.source_id;
        let facts = moment.facts();
        let Ok(sender) = moment.world.address(source, &tx.sender) else { return };
        let amount = i128::from(tx.amount.get().get());
        let fee = i128::from(tx.fee.get().get());
        let undisclosed = tx.undisclosed.as_ref().map_or(0, |part| i128::from(part.get().get()));
        let nonce = tx.nonce.as_ref().map(|nonce| i128::from(nonce.get().get()));
        self.edit(moment, &sender, |row| {
            row.sent += amount;
            row.fees_paid += fee;
            row.tx_count += 1;
            row.nonce = row.nonce.max(nonce);
        });
        let mut counted = BTreeSet::from([sender.clone()]);
        let mut burned = 0;
        for (recipient, part) in receipts(moment, tx, amount - undisclosed) {
            let first = counted.insert(recipient.clone());
            let burns = facts.kind.furnace() == Some(recipient.as_str());
            burned += if burns { part } else { 0 };
            self.edit(moment, &recipient, |row| {
                row.received += if burns { 0 } else { part };
                row.tx_count += i64::from(first);
            });
        }
        match facts.kind.fee_rule() {
            FeeRule::Burned => burned += fee,
            FeeRule::PaidTo(levy) => {
                if fee > 0
                    && let Ok(levy) = moment.world.address(source, levy)
                {
                    self.edit(moment, &levy, |row| row.received += fee);
                }
            }
        }
        self.edit_supply(source, |supply| {
            supply.burned += burned;
            supply.undisclosed += undisclosed;
        });
        self.judge_overspending(moment, &sender, findings);
    }

    /// Whether we know of all the money of a chain.
    fn is_closed(&self, source: SourceId) -> bool {
        self.supply.get(&SupplyKey { source_id: source.0 }).is_some_and(|supply| supply.closed)
    }

    /// On a chain that also changes outside its blocks, spending more than we know of is noteworthy, not wrong.
    fn judge_overspending(&self, moment: &Moment<'_>, sender: &Address, findings: &mut Findings) {
        let source = moment.event.source_id;
        if moment.facts().start_height > Height::GENESIS {
            // What was received before the first block that is followed is not known.
            return;
        }
        let Some(address_id) = moment.world.address_id(source, sender) else { return };
        let balance = self.balances.get(&BalanceKey { source_id: source.0, address_id }).map_or(0, |row| row.balance);
        if balance < 0 && !self.is_closed(source) {
            let detail = format!("the sender has spent {} more base units than its blocks gave it", -balance);
            findings.remark(moment, "overspent", Some(sender.to_string()), detail);
        }
    }

    fn create(&mut self, moment: &Moment<'_>, spelled: &str, amount: u64, is_genesis: bool) {
        let source = moment.event.source_id;
        let Ok(address) = moment.world.address(source, spelled) else { return };
        let amount = i128::from(amount);
        let closes = is_genesis && moment.event.height == Some(Height::GENESIS) && !moment.facts().off_block_state;
        self.edit(moment, &address, |row| row.minted += amount);
        self.edit_supply(source, |supply| {
            supply.closed |= closes;
            if is_genesis {
                supply.allocated += amount;
            } else {
                supply.minted += amount;
            }
        });
    }

    /// Σ balances + undisclosed = allocated + minted − burned. The left side is summed from the rows that changed, the right
    /// side from the events, so that a lost or doubled change shows.
    fn check_conservation(&mut self, unit: &LoggedUnit) -> Result<(), Broken> {
        let broken = |why: String| Broken { view: Self::NAME, position: unit.end_position, why };
        let source = unit.source_id;
        let held = |row: Option<&Balance>| row.map_or(0, |row| row.balance);
        let mut delta = 0;
        let mut overdrawn = None;
        for (_, before, now) in self.balances.changes() {
            delta += held(now) - held(before);
            overdrawn = overdrawn.or_else(|| now.filter(|row| row.balance < 0).map(|row| row.address.clone()));
        }
        if delta == 0 && self.supply.changes().next().is_none() && overdrawn.is_none() {
            return Ok(());
        }
        self.edit_supply(source, |supply| supply.balances_total += delta);
        let Some(supply) = self.supply.get(&SupplyKey { source_id: source.0 }) else { return Ok(()) };
        let held_in_all = supply.balances_total + supply.undisclosed;
        let created = supply.allocated + supply.minted - supply.burned;
        if held_in_all != created {
            return Err(broken(format!("{held_in_all} base units are held, but {created} exist")));
        }
        match overdrawn {
            Some(address) if supply.closed => {
                Err(broken(format!("{address} has a negative balance on a closed chain")))
            }
            Some(_) | None => Ok(()),
        }
    }
}

/// Who receives what of the disclosed amount.
fn receipts(moment: &Moment<'_>, tx: &TransactionApplied, disclosed: i128) -> Vec<(Address, i128)> {
    let address = |spelled: &str| moment.world.address(moment.event.source_id, spelled).ok();
    if tx.outputs.is_empty() {
        let recipient = tx.recipient.as_deref().and_then(address);
        recipient.map(|recipient| (recipient, disclosed)).into_iter().collect()
    } else {
        let part =
            |output: &schema::event::Output| Some((address(&output.recipient)?, i128::from(output.amount.get().get())));
        tx.outputs.iter().filter_map(part).collect()
    }
}

impl Projection for Balances {
    const NAME: &'static str = "balances";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        let mut keys = BTreeSet::new();
        let mut sources = BTreeSet::new();
        for event in batch.iter().flat_map(|unit| &unit.events) {
            let Some(facts) = world.sources.get(&event.source_id) else { continue };
            if matches!(event.event, Event::WorkSubmitted(_) | Event::WorkRejected(_)) {
                // Names a miner and moves no money.
                continue;
            }
            sources.insert(SupplyKey { source_id: event.source_id.0 });
            for address in addresses_of(event, facts) {
                let key = schema::store::SubjectKey::address(event.source_id, &address);
                if let Some(address_id) = world.numbers.get(&key) {
                    keys.insert(BalanceKey { source_id: event.source_id.0, address_id });
                }
            }
        }
        load::balances(&mut self.balances, db, keys).await?;
        load::supply(&mut self.supply, db, sources).await
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), findings: &mut Findings) {
        match &moment.event.event {
            Event::TransactionApplied(tx) => self.transfer(moment, tx, findings),
            Event::Allocated(allocated) => {
                self.create(moment, &allocated.address, allocated.amount.get().get(), true);
            }
            Event::Unrecognized(what) if Self::may_concern_money(moment, what) => self.open(moment, findings),
            Event::Unrecognized(_) => {}
            Event::Minted(minted) if !moment.is_from_origin(&minted.sender) || moment.sender_refuted => {
                let subject = Some(minted.sender.clone());
                // The origin's signature may be one that we misread; what anybody else mints is nothing.
                if moment.is_from_origin(&minted.sender) {
                    self.open(moment, findings);
                }
                findings.report(moment, "not-origin", subject, "only the origin account may mint");
            }
            Event::Minted(minted) => self.create(moment, &minted.address, minted.amount.get().get(), false),
            Event::Staked(_) | Event::Unstaked(_) if moment.sender_refuted => {
                findings.report(moment, "sender-refuted", None, "the transaction's signature does not hold");
            }
            Event::Staked(staked) => {
                let amount = i128::from(staked.amount.get().get());
                self.stake(moment, &staked.account, &staked.sender, amount, findings);
            }
            Event::Unstaked(unstaked) => {
                let amount = i128::from(unstaked.amount.get().get());
                self.stake(moment, &unstaked.account, &unstaked.sender, -amount, findings);
            }
            Event::BlockApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
            | Event::KeyRotated(_)
            | Event::WalletLinked(_)
            | Event::WalletUnlinked(_)
            | Event::Followed(_)
            | Event::Unfollowed(_)
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
            | Event::SourceSkipped(_) => {}
        }
    }

    fn close(&mut self, unit: &LoggedUnit, _: &World, _: Self::Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        self.check_conservation(unit)?;
        self.note_stakes();
        self.balances.close(unit.end_position);
        self.supply.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.balances.last_change().max(self.supply.last_change());
        self.balances.write(db, before).await?;
        self.supply.write(db, before).await?;
        Ok(last)
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.forget();
        let Retraction { source_id, first, at } = retraction;
        let restored = restore(db, "balances", source_id, first, at).await?;
        Ok(restored + restore(db, "supply", source_id, first, at).await? > 0)
    }

    fn forget(&mut self) {
        self.balances.forget();
        self.supply.forget();
        self.stake_changes.clear();
    }
}
