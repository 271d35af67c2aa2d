//! What happens in a block, in believable proportions.
//!
//! Each submodule makes the transactions of one noun; this file decides how often.

mod claims;
mod decisions;
mod delegation;
mod governance;
mod identity;
mod money;
mod odd;
mod programme;
mod refused;
mod social;
mod work;

use super::cast::Cast;
use super::dice::to_u64;
use super::draft::{Draft, From, Order, To};
use super::tally::Kind;
use super::world::World;

/// Adds one transaction to a block, or rarely a few.
type Action = fn(&mut Draft<'_>);

/// How often each action is chosen, relative to the sum. An action that is not possible now becomes a transfer.
const ACTIONS: &[(u64, Action)] = &[
    (3_900, money::transfer),
    (120, money::outputs),
    (30, money::burn),
    (150, money::mint),
    (3_600, work::submit),
    (120, identity::register),
    (120, identity::update),
    (25, identity::rotate_key),
    (250, identity::link_wallet),
    (40, identity::unlink_wallet),
    (1_000, social::follow),
    (100, social::unfollow),
    (250, social::stake),
    (60, social::unstake),
    (25, governance::propose),
    (450, governance::vote),
    (80, delegation::delegate),
    (25, delegation::undelegate),
    (5, work::slash),
];

/// One block in so many is empty.
const EMPTY_EVERY: u64 = 40;
/// Until two thirds of the identities are registered, one action in so many is a registration.
const EARLY_REGISTRATION_EVERY: u64 = 4;
/// So many accounts are given money at a time.
const FUNDED_AT_ONCE: usize = 16;

/// Fills a block.
pub fn fill(draft: &mut Draft<'_>) {
    match draft.height {
        0 => return money::genesis(draft),
        1 => work::register_oracles(draft),
        _ => {}
    }
    governance::conclude(draft);
    governance::propose_if_none_is_pending(draft);
    programme::next(draft);
    let mean = draft.config.txs_per_block;
    let wanted = if draft.dice.one_in(EMPTY_EVERY) { 0 } else { draft.dice.below(2 * mean + 1) };
    while draft.len() < wanted {
        one(draft);
    }
}

/// Notes what the finished block changed besides its transactions.
pub fn after_block(cast: &Cast, world: &mut World) {
    governance::open(cast, world);
}

fn one(draft: &mut Draft<'_>) {
    let config = draft.config;
    if draft.dice.per_mille(config.defect_per_mille) {
        return refused::or_contradicted(draft);
    }
    if draft.dice.per_mille(config.oddity_per_mille) {
        return odd::text(draft);
    }
    if draft.dice.per_mille(config.stealth_per_mille) {
        return money::stealth(draft);
    }
    if draft.world.registered < config.identities / 3 * 2 && draft.dice.one_in(EARLY_REGISTRATION_EVERY) {
        return identity::register(draft);
    }
    let total: u64 = ACTIONS.iter().map(|(weight, _)| weight).sum();
    let mut roll = draft.dice.below(total);
    for (weight, action) in ACTIONS {
        if roll < *weight {
            return action(draft);
        }
        roll -= weight;
    }
}

/// A registered identity, if there is any; earlier ones are more active.
fn somebody(draft: &mut Draft<'_>) -> Option<usize> {
    let registered = draft.world.registered;
    (registered > 0).then(|| draft.dice.skewed(registered))
}

/// Two different registered identities.
fn two_people(draft: &mut Draft<'_>) -> Option<(usize, usize)> {
    let registered = draft.world.registered;
    if registered < 2 {
        return None;
    }
    let first = draft.dice.skewed(registered);
    let second = draft.dice.skewed(registered - 1);
    Some((first, if second >= first { second + 1 } else { second }))
}

/// A transfer out of deep pockets, so that an account and those after it can pay their fees.
fn fund_next(draft: &mut Draft<'_>, account: usize) {
    let last = (account + FUNDED_AT_ONCE).min(draft.cast.plain_accounts());
    let parts = (account..last).map(|account| (account, 1_000_000 + draft.dice.below(1_000_000_000))).collect();
    let from = From::Account(money::rich(draft));
    let to = To::Several(parts);
    draft.send(Order { kind: Kind::Transfer, from, to, amount: 0, data: None, genuine: true });
}

/// Whether an account can pay the fee of another transaction.
fn can_pay(draft: &Draft<'_>, account: usize) -> bool {
    draft.world.accounts.get(account).balance >= money::WORTH_SPENDING
}

/// Identities as numbers, for the seeds of derived values.
fn numbered(identity: usize) -> u64 {
    to_u64(identity)
}
