//! How much voting power has each identity on a chain (MEANING §6)?

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::chain::IdentityId;
use schema::event::{Delegated, Event, Undelegated};

use super::chain::{Chain, Said};
use super::{Collected, time};

/// Power that one identity has given to another.
#[derive(Debug, Clone)]
pub struct Delegation {
    /// What was given and was covered when it was given.
    pub amount: i128,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Position of the first delegation that stands.
    pub position: i64,
}

/// What an identity's power is made of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Power {
    own_stake: i128,
    delegated_in: i128,
    delegated_out: i128,
}

impl Power {
    /// What a vote weighs.
    pub fn sum(self) -> i128 {
        self.own_stake + self.delegated_in - self.delegated_out
    }
}

impl Chain {
    /// What is staked by the wallets that belong to an identity.
    fn own_stake(&self, id: &IdentityId) -> i128 {
        let staking = self.money.accounts.iter().filter(|(_, account)| account.staked > 0);
        staking.filter(|(address, _)| self.holder(address) == Some(*id)).map(|(_, account)| account.staked).sum()
    }

    /// What counts of each delegation: an identity's stake covers the older ones first.
    fn counted(&self) -> BTreeMap<(IdentityId, IdentityId), i128> {
        let mut by_age: Vec<(&(IdentityId, IdentityId), &Delegation)> = self.delegations.iter().collect();
        by_age.sort_by_key(|(_, delegation)| delegation.position);
        let mut counted: BTreeMap<(IdentityId, IdentityId), i128> = BTreeMap::new();
        for (&(delegator, delegatee), delegation) in by_age {
            let used: i128 = counted.iter().filter(|((giver, _), _)| *giver == delegator).map(|(_, part)| part).sum();
            let covered = (self.own_stake(&delegator) - used).min(delegation.amount);
            counted.insert((delegator, delegatee), covered.max(0));
        }
        counted
    }

    /// The power of every identity that has some, or gave or received some.
    pub fn powers(&self) -> BTreeMap<IdentityId, Power> {
        let counted = self.counted();
        let mut powers: BTreeMap<IdentityId, Power> = BTreeMap::new();
        for id in self.identities.keys() {
            let given = counted.iter().filter(|((delegator, _), _)| delegator == id);
            let received = counted.iter().filter(|((_, delegatee), _)| delegatee == id);
            let power = Power {
                own_stake: self.own_stake(id),
                delegated_in: received.map(|(_, part)| part).sum(),
                delegated_out: given.map(|(_, part)| part).sum(),
            };
            if power != Power::default() {
                powers.insert(*id, power);
            }
        }
        powers
    }

    /// Why power may not be given or taken back, judged when it is said: whose it is, and who they are.
    pub fn admit_delegation(&mut self, said: &Said<'_>, ids: [&IdentityId; 2], sender: &str) {
        let [delegator, delegatee] = ids;
        let refusal = self.refusal(said, delegator, sender).or_else(|| {
            let unknown = (!self.identities.contains_key(delegatee)).then_some("unknown-identity");
            let code = if delegator == delegatee { Some("self-delegation") } else { unknown };
            code.inspect(|code| self.wrong(said.position(), code))
        });
        self.refused.extend(refusal.map(|code| (said.position(), code)));
    }

    /// Gives power, or takes it back, at the end of the block.
    pub fn delegation(&mut self, said: &Said<'_>) {
        if self.refused.contains_key(&said.position()) {
            return;
        }
        if let Event::Delegated(body) = &said.event.event {
            self.delegate(said, body);
        } else if let Event::Undelegated(body) = &said.event.event {
            self.undelegate(said, body);
        }
    }

    fn delegate(&mut self, said: &Said<'_>, body: &Delegated) {
        let (delegator, delegatee) = (*body.delegator.get(), *body.delegatee.get());
        let given = self.delegations.iter().filter(|((giver, _), _)| *giver == delegator);
        let given: Vec<i128> = given.map(|(_, delegation)| delegation.amount).collect();
        if given.len() >= 32 && !self.delegations.contains_key(&(delegator, delegatee)) {
            return self.wrong(said.position(), "too-many-delegations");
        }
        let free = self.own_stake(&delegator) - given.iter().sum::<i128>();
        let asked = i128::from(body.amount.get().get());
        let covered = asked.min(free.max(0));
        if covered < asked {
            // What is covered counts; where nothing is, neither does the event.
            self.findings.insert((said.position(), "delegated-too-much".to_owned()), covered > 0);
        }
        if covered > 0 {
            let fresh =
                Delegation { amount: 0, created_at: said.time(), updated_at: said.time(), position: said.position() };
            let delegation = self.delegations.entry((delegator, delegatee)).or_insert(fresh);
            delegation.amount += covered;
            delegation.updated_at = said.time();
        }
    }

    fn undelegate(&mut self, said: &Said<'_>, body: &Undelegated) {
        let key = (*body.delegator.get(), *body.delegatee.get());
        let amount = i128::from(body.amount.get().get());
        let recorded = self.delegations.get(&key).map_or(0, |delegation| delegation.amount);
        if amount > recorded {
            return self.wrong(said.position(), "undelegated-too-much");
        }
        if let Some(delegation) = self.delegations.get_mut(&key).filter(|_| amount > 0) {
            delegation.amount -= amount;
            delegation.updated_at = said.time();
        }
        self.delegations.retain(|_, delegation| delegation.amount > 0);
    }

    /// Rows of `powers` and `delegations`.
    pub fn power_lines(&self, lines: &mut Collected) {
        let name = &self.facts.name;
        for (id, power) in self.powers() {
            lines.add("powers", &[name, &id, &power.own_stake, &power.delegated_in, &power.delegated_out]);
        }
        let counted = self.counted();
        for ((delegator, delegatee), delegation) in &self.delegations {
            lines.add(
                "delegations",
                &[
                    name,
                    delegator,
                    delegatee,
                    &delegation.amount,
                    &counted[&(*delegator, *delegatee)],
                    &time(delegation.created_at),
                    &time(delegation.updated_at),
                    &delegation.position,
                ],
            );
        }
    }
}
