//! What a delegation comes to: how much of it stake covers when it is given, and how much counts afterwards.

use std::collections::BTreeMap;

use super::{Delegation, DelegationKey, PowerKey, Powers};
use crate::projections::findings::{Findings, Place};

/// Above every identity in the order of keys: an identity is 32 bytes.
const AFTER_ALL: [u8; 33] = [0xff; 33];

/// Delegations that stand at once, by delegator and chain. Each is judged anew whenever the stake behind it changes, and
/// leaves another version of its row: without a bound one stake change could make as many as somebody cared to collect.
const MAX_DELEGATIONS: usize = 32;

/// A delegation, kept until its block ends.
#[derive(Debug)]
pub(super) struct Given {
    pub place: Place,
    pub key: DelegationKey,
    /// Power given; below 0 when it is taken back.
    pub amount: i128,
}

impl Powers {
    /// Judges one delegation against the stake and the delegations as they are now.
    pub(super) fn give(&mut self, given: &Given, findings: &mut Findings) {
        if given.amount < 0 {
            self.take_back(given, -given.amount, findings);
            return;
        }
        let giver = PowerKey { source_id: given.key.source_id, identity_id: given.key.delegator_id.clone() };
        if self.delegations.get(&given.key).is_none() && self.given_by(&giver).count() >= MAX_DELEGATIONS {
            let subject = Some(hex::encode(&giver.identity_id));
            let detail = format!("the identity delegates to {MAX_DELEGATIONS} others already");
            findings.report_at(&given.place, "too-many-delegations", subject, detail);
            return;
        }
        let own = self.row(&giver).own_stake;
        let bound: i128 = self.given_by(&giver).map(|(_, delegation)| delegation.amount).sum();
        let covered = given.amount.min((own - bound).max(0));
        if covered < given.amount {
            let subject = Some(hex::encode(&giver.identity_id));
            let detail = format!("{own} base units are staked and {bound} of them delegated already");
            if covered > 0 {
                findings.remark_at(&given.place, "delegated-too-much", subject, detail);
            } else {
                findings.report_at(&given.place, "delegated-too-much", subject, detail);
            }
        }
        if covered > 0 {
            self.add(given, covered);
        }
    }

    fn add(&mut self, given: &Given, covered: i128) {
        let at = given.place.occurred_at;
        let mut delegation = self.delegations.get(&given.key).cloned().unwrap_or(Delegation {
            amount: 0,
            counted: 0,
            created_at: at,
            updated_at: at,
            claim_position: given.place.position.0,
        });
        delegation.amount += covered;
        delegation.updated_at = at;
        self.delegations.set(given.key.clone(), delegation);
    }

    fn take_back(&mut self, given: &Given, amount: i128, findings: &mut Findings) {
        let before = self.delegations.get(&given.key).cloned();
        let recorded = before.as_ref().map_or(0, |delegation| delegation.amount);
        if recorded < amount {
            let subject = Some(hex::encode(&given.key.delegator_id));
            let detail = format!("{recorded} base units are delegated");
            findings.report_at(&given.place, "undelegated-too-much", subject, detail);
            return;
        }
        let Some(mut delegation) = before else { return };
        delegation.amount -= amount;
        delegation.updated_at = given.place.occurred_at;
        if delegation.amount > 0 {
            self.delegations.set(given.key.clone(), delegation);
        } else {
            self.delegations.remove(given.key.clone());
        }
    }

    /// Spreads an identity's stake over its delegations, the oldest first.
    pub(super) fn cover(&mut self, giver: PowerKey) {
        let mut delegations: Vec<(DelegationKey, Delegation)> =
            self.given_by(&giver).map(|(key, delegation)| (key.clone(), delegation.clone())).collect();
        delegations.sort_by_key(|(_, delegation)| delegation.claim_position);
        let own = self.row(&giver).own_stake;
        let mut left = own;
        for (key, mut delegation) in delegations {
            delegation.counted = delegation.amount.min(left);
            left -= delegation.counted;
            if self.delegations.get(&key) != Some(&delegation) {
                self.delegations.set(key, delegation);
            }
        }
        self.edit(giver, |power| power.delegated_out = own - left);
    }

    /// Passes on to those who receive power what the unit has changed about the delegations to them.
    pub(super) fn receive(&mut self) {
        let mut received: BTreeMap<PowerKey, i128> = BTreeMap::new();
        for (key, before, now) in self.delegations.changes() {
            let counted = |delegation: Option<&Delegation>| delegation.map_or(0, |delegation| delegation.counted);
            let receiver = PowerKey { source_id: key.source_id, identity_id: key.delegatee_id.clone() };
            *received.entry(receiver).or_default() += counted(now) - counted(before);
        }
        for (receiver, more) in received {
            self.edit(receiver, |power| power.delegated_in += more);
        }
    }

    fn given_by(&self, giver: &PowerKey) -> impl Iterator<Item = (&DelegationKey, &Delegation)> {
        let to = |delegatee_id: Vec<u8>| DelegationKey {
            source_id: giver.source_id,
            delegator_id: giver.identity_id.clone(),
            delegatee_id,
        };
        self.delegations.range(to(Vec::new())..=to(AFTER_ALL.to_vec()))
    }
}
