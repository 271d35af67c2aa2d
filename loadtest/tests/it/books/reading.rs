//! A second bookkeeper, who reads the blocks and keeps everything as plainly as possible.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use loadtest::network::{
    Chain, DelegationBook, IdentityBook, MinerBook, OracleBook, ProposalBook, ProposalState, Visibility,
};
use serde_json::Value;

use crate::support::{StoredTx, derived_address, payloads, verifies};

#[derive(Debug, Default)]
struct Person {
    visibility: Visibility,
    wallets: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct Ballot {
    starts_s: i64,
    ends_s: i64,
    quorum: u64,
    powers: Option<BTreeMap<String, u64>>,
    votes: BTreeMap<String, (String, u64)>,
    decided: Option<ProposalState>,
    over_when_decided: bool,
}

struct Accepted {
    oracle: String,
    miner: String,
    score: MinerBook,
    rejected: bool,
}

/// Everything again, kept as plainly as possible.
#[derive(Default)]
pub struct Reading {
    chain_id: String,
    people: BTreeMap<String, Person>,
    pub follows: BTreeSet<(String, String)>,
    pub staked: BTreeMap<String, u64>,
    gives: BTreeMap<String, (String, u64)>,
    proposals: BTreeMap<u64, Ballot>,
    oracle_keys: BTreeMap<String, (String, String)>,
    pub oracles: BTreeMap<String, OracleBook>,
    submissions: BTreeMap<String, Accepted>,
    pub miners: BTreeMap<String, MinerBook>,
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}")).to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    let spelled = &value[name];
    spelled.as_u64().unwrap_or_else(|| spelled.as_str().expect("a number or a text").parse().expect("digits"))
}

fn seconds(value: &Value, name: &str) -> i64 {
    let spelled = &value[name];
    spelled.as_i64().unwrap_or_else(|| {
        DateTime::parse_from_rfc3339(spelled.as_str().expect("a number or a text")).expect("RFC 3339").timestamp()
    })
}

/// A decimal text in billionths.
fn nanos(text: &str) -> u64 {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{rest:0<9}").parse().expect("at most nine digits behind the point")
}

impl Reading {
    fn stake_of(&self, id: &str) -> u64 {
        let wallets = self.people.get(id).map(|person| &person.wallets);
        wallets.into_iter().flatten().filter_map(|wallet| self.staked.get(wallet)).sum()
    }

    fn counted(&self, id: &str) -> u64 {
        self.gives.get(id).map_or(0, |(_, amount)| (*amount).min(self.stake_of(id)))
    }

    fn received(&self, id: &str) -> u64 {
        self.gives.iter().filter(|(_, (to, _))| to == id).map(|(from, _)| self.counted(from)).sum()
    }

    fn power(&self, id: &str) -> u64 {
        self.stake_of(id) + self.received(id) - self.counted(id)
    }

    fn read(&mut self, tx: &StoredTx, time_ms: i64) {
        let p = &tx.payload;
        match text(p, "kind").as_str() {
            "identity.register" | "identity.update" => self.profile(p),
            "identity.link_wallet" => self.link(p),
            "identity.unlink_wallet" => {
                let person = self.people.get_mut(&text(p, "identity_id")).expect("registered");
                person.wallets.remove(&text(p, "wallet_address"));
            }
            "social.follow" => {
                self.follows.insert((text(p, "follower"), text(p, "following")));
            }
            "social.unfollow" => {
                assert!(self.follows.remove(&(text(p, "follower"), text(p, "following"))), "nothing to take back: {p}");
            }
            "staking.stake" => *self.staked.entry(text(p, "account")).or_default() += number(p, "amount"),
            "staking.unstake" => *self.staked.get_mut(&text(p, "account")).expect("staked") -= number(p, "amount"),
            "governance.delegate" => {
                let (from, amount) = (text(p, "delegator"), number(p, "amount"));
                assert!(amount <= self.stake_of(&from), "{p}");
                assert!(self.gives.insert(from, (text(p, "delegatee"), amount)).is_none(), "{p}");
            }
            "governance.undelegate" => {
                let given = self.gives.remove(&text(p, "delegator"));
                assert_eq!(given, Some((text(p, "delegatee"), number(p, "amount"))));
            }
            "pouw.submit" => self.submit(tx),
            "pouw.reject" => self.reject(tx),
            "oracle.register" => {
                let key = (text(p, "address"), text(&p["key"], "public_key"));
                self.oracle_keys.insert(text(p, "oracle_id"), key);
                self.oracles.entry(text(p, "oracle_id")).or_default().registered = true;
            }
            "oracle.slash" => {
                let book = self.oracles.entry(text(p, "oracle_id")).or_default();
                book.slash_count += 1;
                book.slashed += number(p, "amount");
            }
            kind if kind.starts_with("governance.") => self.govern(p, time_ms),
            _ => {}
        }
    }

    fn profile(&mut self, p: &Value) {
        let person = self.people.entry(text(p, "identity_id")).or_default();
        match p["stats_visibility"].as_str() {
            None => {}
            Some("public") => person.visibility = Visibility::Public,
            Some("friends_only") => person.visibility = Visibility::FriendsOnly,
            Some(_) => person.visibility = Visibility::Private,
        }
    }

    fn link(&mut self, p: &Value) {
        let (id, wallet, link) = (text(p, "identity_id"), text(p, "wallet_address"), text(p, "link_type"));
        let signed = format!("chert:wallet-link:v1\n{}\n{id}\n{wallet}\n{link}", self.chain_id);
        let key = text(&p["proof"], "public_key");
        if verifies(&key, &text(&p["proof"], "signature"), &signed) && derived_address(&key) == wallet {
            self.people.get_mut(&id).expect("registered").wallets.insert(wallet);
        }
    }

    fn submit(&mut self, tx: &StoredTx) {
        let p = &tx.payload;
        let (oracle, miner) = (text(p, "oracle_id"), text(p, "miner_address"));
        let Some((address, key)) = self.oracle_keys.get(&oracle).cloned() else { return };
        let spelled = |name: &str| tx.spelled.get(name).map_or(String::new(), |raw| raw.trim_matches('"').to_owned());
        let book = self.oracles.entry(oracle.clone()).or_default();
        if p.get("oracle_signature").is_some() {
            let signed = format!(
                "chert:pouw:v1\n{}\n{}\n{miner}\n{oracle}\n{}\n{}\n{}\n{}\n{}",
                self.chain_id,
                text(p, "submission_id"),
                text(p, "work_type"),
                spelled("difficulty"),
                spelled("credit"),
                spelled("reward"),
                seconds(p, "validated_at")
            );
            if !verifies(&key, &text(p, "oracle_signature"), &signed) {
                book.refuted += 1;
                return;
            }
        } else {
            assert_eq!(tx.sender, address);
        }
        book.accepted += 1;
        let mut score = MinerBook { accepted: 1, ..MinerBook::default() };
        match text(p, "work_type").as_str() {
            "boinc" => score.credit_nanos = nanos(&spelled("credit")),
            "bandwidth" => score.bytes = format!("{}{}", spelled("bytes"), spelled("credit")).parse().expect("digits"),
            _ => {}
        }
        let total = self.miners.entry(miner.clone()).or_default();
        total.accepted += 1;
        total.credit_nanos += score.credit_nanos;
        total.bytes += score.bytes;
        let accepted = Accepted { oracle, miner, score, rejected: false };
        assert!(self.submissions.insert(text(p, "submission_id"), accepted).is_none(), "{p}");
    }

    fn reject(&mut self, tx: &StoredTx) {
        let p = &tx.payload;
        let oracle = text(p, "oracle_id");
        let Some((address, _)) = self.oracle_keys.get(&oracle) else { return };
        assert_eq!(&tx.sender, address);
        let book = self.oracles.entry(oracle.clone()).or_default();
        match self.submissions.get_mut(&text(p, "submission_id")) {
            None => book.rejected += 1,
            Some(accepted) if accepted.rejected => {}
            Some(accepted) => {
                assert_eq!(accepted.oracle, oracle);
                accepted.rejected = true;
                book.rejected += 1;
                book.overturned += 1;
                let total = self.miners.get_mut(&accepted.miner).expect("it counted");
                total.accepted -= 1;
                total.rejected += 1;
                total.credit_nanos -= accepted.score.credit_nanos;
                total.bytes -= accepted.score.bytes;
            }
        }
    }

    fn govern(&mut self, p: &Value, time_ms: i64) {
        let ballot = self.proposals.entry(number(p, "proposal_id")).or_default();
        match text(p, "kind").as_str() {
            "governance.propose" => {
                ballot.starts_s = seconds(p, "voting_starts_at");
                ballot.ends_s = seconds(p, "voting_ends_at");
                ballot.quorum = number(p, "quorum");
            }
            "governance.vote" => {
                assert!(ballot.starts_s * 1_000 <= time_ms && time_ms <= ballot.ends_s * 1_000, "{p}");
                let (voter, power) = (text(p, "voter"), number(p, "power"));
                let powers = ballot.powers.as_ref().expect("voting has opened");
                assert_eq!(powers.get(&voter), Some(&power), "{p}");
                ballot.votes.insert(voter, (text(p, "choice"), power));
            }
            "governance.finalize" if p["outcome"] == "passed" => ballot.decided = Some(ProposalState::Passed),
            "governance.finalize" => ballot.decided = Some(ProposalState::Rejected),
            "governance.execute" => {
                assert_eq!(ballot.decided, Some(ProposalState::Passed));
                ballot.decided = Some(ProposalState::Executed);
            }
            _ => ballot.decided = Some(ProposalState::Cancelled),
        }
        if ballot.decided.is_some() {
            ballot.over_when_decided |= time_ms > ballot.ends_s * 1_000;
        }
    }

    /// Powers are those at the end of the block that opens voting.
    fn end_block(&mut self, time_ms: i64) {
        let opens =
            |ballot: &Ballot| ballot.powers.is_none() && ballot.decided.is_none() && time_ms >= ballot.starts_s * 1_000;
        if self.proposals.values().any(opens) {
            let powers = self.people.keys().map(|id| (id.clone(), self.power(id)));
            let powers: BTreeMap<String, u64> = powers.filter(|(_, power)| *power > 0).collect();
            for ballot in self.proposals.values_mut().filter(|ballot| opens(ballot)) {
                ballot.powers = Some(powers.clone());
            }
        }
    }

    /// Everything on the current branch, and the time of its head in unix milliseconds.
    pub fn of(chain: &Chain) -> (Self, i64) {
        let mut reading = Self { chain_id: chain.config().chain_id.clone(), ..Self::default() };
        let mut head_ms = 0;
        for (time, payloads) in payloads(chain) {
            head_ms = DateTime::parse_from_rfc3339(&time).expect("RFC 3339").timestamp_millis();
            for tx in &payloads {
                reading.read(tx, head_ms);
            }
            reading.end_block(head_ms);
        }
        (reading, head_ms)
    }

    pub fn identities(&self) -> BTreeMap<String, IdentityBook> {
        let count = |fits: &dyn Fn(&(String, String)) -> bool| {
            u64::try_from(self.follows.iter().filter(|follow| fits(follow)).count()).expect("a count")
        };
        let book = |(id, person): (&String, &Person)| {
            let book = IdentityBook {
                visibility: person.visibility,
                followers: count(&|(_, followed)| followed == id),
                following: count(&|(follower, _)| follower == id),
                wallets: person.wallets.clone(),
                own_stake: self.stake_of(id),
                delegated_in: self.received(id),
                delegated_out: self.counted(id),
            };
            (id.clone(), book)
        };
        self.people.iter().map(book).collect()
    }

    pub fn delegations(&self) -> Vec<DelegationBook> {
        let book = |(from, (to, amount)): (&String, &(String, u64))| DelegationBook {
            delegator: from.clone(),
            delegatee: to.clone(),
            amount: *amount,
            counted: self.counted(from),
        };
        self.gives.iter().map(book).collect()
    }

    pub fn proposals(&self, head_ms: i64) -> BTreeMap<u64, ProposalBook> {
        self.proposals.iter().map(|(id, ballot)| (*id, ballot.book(head_ms))).collect()
    }
}

impl Ballot {
    fn book(&self, head_ms: i64) -> ProposalBook {
        let sum = |wanted: &str| -> u64 {
            self.votes.values().filter(|(choice, _)| choice == wanted).map(|(_, power)| power).sum()
        };
        let (yes, no, abstain) = (sum("for"), sum("against"), sum("abstain"));
        let is_over = match self.decided {
            Some(ProposalState::Cancelled) => self.over_when_decided,
            _ => head_ms > self.ends_s * 1_000,
        };
        let open = match (is_over, self.powers.is_some()) {
            (true, _) => ProposalState::Ended,
            (false, true) => ProposalState::Active,
            (false, false) => ProposalState::Pending,
        };
        ProposalBook {
            state: self.decided.unwrap_or(open),
            quorum: self.quorum,
            votes_for: yes,
            votes_against: no,
            votes_abstain: abstain,
            voters: u64::try_from(self.votes.len()).expect("a count"),
            computed_passed: is_over.then_some(yes > no && yes + no + abstain >= self.quorum),
            final_passed: match self.decided {
                Some(ProposalState::Passed | ProposalState::Executed) => Some(true),
                Some(ProposalState::Rejected) => Some(false),
                _ => None,
            },
        }
    }
}
