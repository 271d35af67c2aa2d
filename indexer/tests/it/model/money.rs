//! Who holds what (MEANING §3).

use std::collections::BTreeMap;

use schema::event::{Allocated, Minted, Part, TransactionApplied, Unrecognized};
use schema::source::FeeRule;

use super::chain::{Chain, Said};
use super::{Collected, or_dash};

/// What an account took part in.
#[derive(Debug, Clone, Default)]
pub struct Account {
    received: i128,
    sent: i128,
    fees_paid: i128,
    minted: i128,
    /// Base units staked; still part of the balance.
    pub staked: i128,
    nonce: Option<u64>,
    tx_count: u64,
    heights: Vec<i64>,
}

impl Account {
    /// What it holds.
    pub fn balance(&self) -> i128 {
        self.minted + self.received - self.sent - self.fees_paid
    }
}

/// The money of a chain.
#[derive(Debug, Default)]
pub struct Money {
    /// By canonical address.
    pub accounts: BTreeMap<String, Account>,
    allocated: i128,
    minted: i128,
    burned: i128,
    undisclosed: i128,
    /// Whether block 0 handed out all there is, and everything since was understood.
    is_closed: bool,
    began_closed: bool,
    is_there: bool,
}

impl Chain {
    fn account(&mut self, said: &Said<'_>, spelled: &str) -> &mut Account {
        let address = self.address(spelled);
        let account = self.money.accounts.entry(address).or_default();
        account.heights.push(said.height());
        account
    }

    /// A transaction moves its amount and pays its fee, whatever else it says.
    pub fn transfer(&mut self, said: &Said<'_>, tx: &TransactionApplied) {
        let (amount, fee) = (i128::from(tx.amount.get().get()), i128::from(tx.fee.get().get()));
        let undisclosed = tx.undisclosed.as_ref().map_or(0, |part| i128::from(part.get().get()));
        let sender = self.account(said, &tx.sender);
        sender.sent += amount;
        sender.fees_paid += fee;
        sender.nonce = sender.nonce.max(tx.nonce.as_ref().map(|nonce| nonce.get().get()));
        let receipts: Vec<(&str, i128)> = if tx.outputs.is_empty() {
            tx.recipient.iter().map(|recipient| (recipient.as_str(), amount - undisclosed)).collect()
        } else {
            tx.outputs.iter().map(|output| (output.recipient.as_str(), i128::from(output.amount.get().get()))).collect()
        };
        let furnace = self.facts.kind.furnace().unwrap_or_default();
        let mut named = vec![self.address(&tx.sender)];
        for (recipient, part) in receipts {
            let account = self.account(said, recipient);
            if recipient == furnace {
                self.money.burned += part;
            } else {
                account.received += part;
            }
            named.push(self.address(recipient));
        }
        named.sort();
        named.dedup();
        for address in named {
            self.money.accounts.entry(address).or_default().tx_count += 1;
        }
        match self.facts.kind.fee_rule() {
            FeeRule::PaidTo(levy) if fee > 0 => self.account(said, levy).received += fee,
            FeeRule::PaidTo(_) => {}
            FeeRule::Burned => self.money.burned += fee,
        }
        self.money.undisclosed += undisclosed;
        self.money.is_there = true;
        let is_overspent = self.money.accounts[&self.address(&tx.sender)].balance() < 0;
        if is_overspent && !self.money.is_closed && self.facts.start_height.to_db() == 0 {
            self.noted(said.position(), "overspent");
        }
    }

    /// Money that was there from the beginning.
    pub fn allocate(&mut self, said: &Said<'_>, body: &Allocated) {
        let amount = i128::from(body.amount.get().get());
        self.account(said, &body.address).minted += amount;
        self.money.allocated += amount;
        self.money.is_closed |= !self.facts.off_block_state;
        self.money.began_closed |= !self.facts.off_block_state;
    }

    /// Money that the chain makes.
    pub fn mint(&mut self, said: &Said<'_>, body: &Minted) {
        if self.not_by_origin(said, &body.sender).is_some() {
            if self.facts.kind.origin() == Some(body.sender.as_str()) {
                self.open(said);
            }
            return self.wrong(said.position(), "not-origin");
        }
        let amount = i128::from(body.amount.get().get());
        self.account(said, &body.address).minted += amount;
        self.money.minted += amount;
    }

    /// What nobody understood may have moved money, or made some.
    pub fn not_understood(&mut self, said: &Said<'_>, what: &Unrecognized) {
        let by_origin = said.tx_sender.is_some_and(|sender| self.facts.kind.origin() == Some(sender));
        if what.part == Part::Transaction || by_origin && what.reason != "an allocation outside block 0" {
            self.open(said);
        }
    }

    fn open(&mut self, said: &Said<'_>) {
        if std::mem::take(&mut self.money.is_closed) {
            self.noted(said.position(), "supply-not-understood");
        }
    }

    /// Stakes, or with a negative amount takes back.
    pub fn stake(&mut self, said: &Said<'_>, account: &str, sender: &str, amount: i128) {
        let held = self.money.accounts.get(&self.address(account));
        let (balance, staked) = held.map_or((0, 0), |account| (account.balance(), account.staked));
        if said.is_forged {
            self.wrong(said.position(), "sender-refuted");
        } else if !self.is_same(account, sender) {
            self.wrong(said.position(), "stake-not-own");
        } else if staked + amount < 0 {
            self.wrong(said.position(), "unstaked-too-much");
        } else if self.money.began_closed && amount > 0 && amount > balance - staked {
            self.wrong(said.position(), "staked-too-much");
        } else {
            self.account(said, account).staked += amount;
        }
    }

    /// Rows of `balances` and `supply`.
    pub fn money_lines(&self, lines: &mut Collected) {
        let name = &self.facts.name;
        let mut held = 0;
        for (address, account) in &self.money.accounts {
            held += account.balance();
            lines.add(
                "balances",
                &[
                    name,
                    address,
                    &account.balance(),
                    &account.received,
                    &account.sent,
                    &account.fees_paid,
                    &account.minted,
                    &account.staked,
                    &or_dash(account.nonce),
                    &account.tx_count,
                    &or_dash(account.heights.iter().min()),
                    &or_dash(account.heights.iter().max()),
                ],
            );
        }
        let money = &self.money;
        let created = money.allocated + money.minted - money.burned;
        assert_eq!(held + money.undisclosed, created, "money is neither lost nor doubled");
        if money.is_there {
            let Self { facts, .. } = self;
            lines.add(
                "supply",
                &[
                    &facts.name,
                    &money.allocated,
                    &money.minted,
                    &money.burned,
                    &money.undisclosed,
                    &held,
                    &money.is_closed,
                ],
            );
        }
    }

    /// What an address holds.
    pub fn balance(&self, address: &str) -> Option<i128> {
        self.money.accounts.get(address).map(Account::balance)
    }
}
