//! What one source says: its events one after the other, and what is wrong with them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::chain::{Height, IdentityId};
use schema::event::{Checks, Event, Position, RecordedEvent, Verdict};
use schema::source::SourceFacts;
use schema::store::LoggedUnit;

use super::Collected;
use super::governance::Governance;
use super::identity::Registered;
use super::money::Money;
use super::power::Delegation;
use super::social::Follow;
use super::wallets::{Claim, Link};
use super::work::Work;

/// A block that stands.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: DateTime<Utc>,
    /// End of its unit.
    pub end: Position,
}

/// One event, and the transaction that carried it.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    /// The event.
    pub event: &'a RecordedEvent,
    /// Who sent the transaction.
    pub tx_sender: Option<&'a str>,
    /// Whether nobody can have sent it: its signature is refuted.
    pub is_forged: bool,
}

impl Said<'_> {
    /// Place in the log.
    pub fn position(&self) -> i64 {
        self.event.position.0
    }

    /// Height of the block; 0 outside of blocks.
    pub fn height(&self) -> i64 {
        self.event.height.map_or(0, Height::to_db)
    }

    /// Id of the transaction; a dash outside of transactions.
    pub fn tx(&self) -> String {
        super::or_dash(self.event.tx_id.as_ref())
    }

    /// Block time.
    pub fn time(&self) -> DateTime<Utc> {
        self.event.occurred_at
    }
}

/// Everything that one source says, as far as it has been walked.
#[derive(Debug)]
pub struct Chain {
    /// What is fixed about the source.
    pub facts: SourceFacts,
    /// Its standing blocks.
    pub blocks: Vec<Block>,
    /// Who holds what.
    pub money: Money,
    /// Registered identities.
    pub identities: BTreeMap<IdentityId, Registered>,
    /// Links that stand, by identity and address.
    pub links: BTreeMap<(IdentityId, String), Link>,
    /// Every claim to a wallet ever made, in order.
    pub claims: Vec<Claim>,
    /// Work and oracles.
    pub work: Work,
    /// Delegations that stand, by delegator and delegatee.
    pub delegations: BTreeMap<(IdentityId, IdentityId), Delegation>,
    /// Proposals and votes.
    pub governance: Governance,
    /// Who follows whom.
    pub follows: BTreeMap<(IdentityId, IdentityId), Follow>,
    /// Why events that are decided at the end of their block are refused, judged when they were said.
    pub refused: BTreeMap<i64, &'static str>,
    /// What is wrong with which event: whether the event counts in spite of it.
    pub findings: BTreeMap<(i64, String), bool>,
}

impl Chain {
    /// A source of which nothing is known.
    pub fn of(facts: SourceFacts) -> Self {
        Self {
            facts,
            blocks: Vec::new(),
            money: Money::default(),
            identities: BTreeMap::new(),
            links: BTreeMap::new(),
            claims: Vec::new(),
            work: Work::default(),
            delegations: BTreeMap::new(),
            governance: Governance::default(),
            follows: BTreeMap::new(),
            refused: BTreeMap::new(),
            findings: BTreeMap::new(),
        }
    }

    /// The canonical form of an address.
    pub fn address(&self, spelled: &str) -> String {
        self.facts.kind.address_rule().canonical(spelled).expect("decoders let only addresses through").to_string()
    }

    /// Whether two spellings are the same account.
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        self.address(one) == self.address(other)
    }

    /// Why something is not by the account that acts for the chain, if it is not.
    pub fn not_by_origin(&self, said: &Said<'_>, sender: &str) -> Option<&'static str> {
        let is_origin = self.facts.kind.origin().is_none_or(|origin| self.is_same(sender, origin));
        if said.is_forged { Some("sender-refuted") } else { (!is_origin).then_some("not-origin") }
    }

    /// The event breaks a rule and changes nothing.
    pub fn wrong(&mut self, position: i64, code: &str) {
        self.findings.insert((position, code.to_owned()), false);
    }

    /// Something about the event is wrong, and it counts all the same.
    pub fn noted(&mut self, position: i64, code: &str) {
        self.findings.insert((position, code.to_owned()), true);
    }

    /// Takes in a unit that stands.
    pub fn apply(&mut self, unit: &LoggedUnit) {
        if let Some(height) = unit.height {
            self.blocks.push(Block { height, time: unit.occurred_at, end: unit.end_position });
        }
        let mut carrier: Option<(&RecordedEvent, &str)> = None;
        let mut said = Vec::new();
        for event in &unit.events {
            if let Event::TransactionApplied(tx) = &event.event {
                carrier = Some((event, &tx.sender));
            }
            let carried = carrier.filter(|(tx, _)| event.tx_id.is_some() && event.tx_id == tx.tx_id);
            let is_forged = carried.is_some_and(|(tx, _)| tx.verdict == Some(Verdict::Refuted));
            said.push(Said { event, tx_sender: carried.map(|(_, sender)| sender), is_forged });
        }
        for said in &said {
            self.judge(said);
            self.event(said);
        }
        // Power is what it is at the end of a block, so what depends on it is decided there, in the order of the block.
        for said in &said {
            self.delegation(said);
        }
        if unit.height.is_some() {
            self.pass_time();
        }
        for said in &said {
            self.governance_event(said);
        }
    }

    fn judge(&mut self, said: &Said<'_>) {
        // What a block or a transaction does is the chain's to decide; other claims stand on their proof.
        let (checks, counts): (&Checks, bool) = if let Event::BlockApplied(body) = &said.event.event {
            (&body.checks, true)
        } else if let Event::TransactionApplied(body) = &said.event.event {
            (&body.checks, true)
        } else if let Event::KeyRotated(body) = &said.event.event {
            (&body.checks, false)
        } else if let Event::WalletLinked(body) = &said.event.event {
            (&body.checks, false)
        } else if let Event::WorkSubmitted(body) = &said.event.event {
            (&body.checks, false)
        } else {
            return;
        };
        for (name, check) in checks {
            if check.verdict == Verdict::Refuted {
                self.findings.insert((said.position(), format!("refuted-{name}")), counts);
            }
        }
    }

    fn event(&mut self, said: &Said<'_>) {
        match &said.event.event {
            Event::TransactionApplied(body) => self.transfer(said, body),
            Event::Allocated(body) => self.allocate(said, body),
            Event::Minted(body) => self.mint(said, body),
            Event::Unrecognized(body) => self.not_understood(said, body),
            Event::Staked(body) => self.stake(said, &body.account, &body.sender, i128::from(body.amount.get().get())),
            Event::Unstaked(body) => {
                self.stake(said, &body.account, &body.sender, -i128::from(body.amount.get().get()));
            }
            Event::IdentityRegistered(body) => self.register(said, body),
            Event::IdentityUpdated(body) => self.update(said, body),
            Event::KeyRotated(body) => self.rotate_key(said, body),
            Event::WalletLinked(body) => self.link(said, body),
            Event::WalletUnlinked(body) => self.unlink(said, body),
            Event::Followed(body) => self.follow(said, body),
            Event::Unfollowed(body) => self.unfollow(said, body),
            Event::OracleRegistered(body) => self.register_oracle(said, body),
            Event::OracleSlashed(body) => self.slash(said, body),
            Event::WorkSubmitted(body) => self.submit(said, body),
            Event::WorkRejected(body) => self.reject(said, body),
            Event::Proposed(body) => self.admit(said, body.proposer.get(), &body.sender),
            Event::Voted(body) => self.admit(said, body.voter.get(), &body.sender),
            Event::Delegated(body) => {
                self.admit_delegation(said, [body.delegator.get(), body.delegatee.get()], &body.sender);
            }
            Event::Undelegated(body) => {
                self.admit_delegation(said, [body.delegator.get(), body.delegatee.get()], &body.sender);
            }
            Event::ProposalFinalized(_)
            | Event::ProposalExecuted(_)
            | Event::ProposalCancelled(_)
            | Event::BlockApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::AccountReported(_)
            | Event::OracleReported(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_) => {}
        }
    }

    fn admit(&mut self, said: &Said<'_>, id: &IdentityId, sender: &str) {
        let refusal = self.refusal(said, id, sender);
        self.refused.extend(refusal.map(|code| (said.position(), code)));
    }

    /// Rows of `findings`.
    pub fn finding_lines(&self, lines: &mut Collected) {
        for ((position, code), counts) in &self.findings {
            lines.add("findings", &[&self.facts.name, position, code, counts]);
        }
    }

    /// The first block of each day, in the order in which the days began.
    pub fn first_blocks_of_days(&self) -> Vec<&Block> {
        let mut firsts: Vec<&Block> = Vec::new();
        for block in &self.blocks {
            if firsts.last().is_none_or(|first| first.time.date_naive() < block.time.date_naive()) {
                firsts.push(block);
            }
        }
        firsts
    }
}
