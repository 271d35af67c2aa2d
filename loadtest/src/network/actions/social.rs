//! Follows and stakes.

use super::super::draft::{Draft, From};
use super::super::tally::{Defect, Kind};
use super::{money, somebody, two_people};

/// Follows that may still be taken back.
const RECENT_FOLLOWS: usize = 64;

fn relation(draft: &mut Draft<'_>, kind: Kind, follower: usize, following: usize) {
    let ids = &draft.cast.identity_ids;
    let data = format!(
        r#"{{"v":1,"kind":"{}","follower":"{}","following":"{}"}}"#,
        kind.name(),
        ids[follower],
        ids[following]
    );
    draft.act(kind, From::Account(follower), &data);
}

/// One identity follows another.
pub fn follow(draft: &mut Draft<'_>) {
    let Some((follower, following)) = two_people(draft) else { return money::transfer(draft) };
    let follows = &mut draft.world.follows;
    follows.push_back((follower, following));
    if follows.len() > RECENT_FOLLOWS {
        follows.pop_front();
    }
    relation(draft, Kind::Follow, follower, following);
}

/// A recent follow is taken back.
pub fn unfollow(draft: &mut Draft<'_>) {
    if draft.world.follows.is_empty() {
        return money::transfer(draft);
    }
    let index = draft.dice.index(draft.world.follows.len());
    if let Some((follower, following)) = draft.world.follows.remove(index) {
        relation(draft, Kind::Unfollow, follower, following);
    }
}

/// An identity follows itself, which is not allowed.
pub fn follow_self(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    draft.defect(Defect::SelfFollow);
    relation(draft, Kind::Follow, identity, identity);
}

fn staking(draft: &mut Draft<'_>, kind: Kind, account: usize, amount: u64) {
    let cast = draft.cast;
    let validator = &cast.validators[account % cast.validators.len()];
    let spelled = draft.spell(amount);
    let data = format!(
        r#"{{"v":1,"kind":"{}","account":"{}","validator":"{validator}","amount":{spelled}}}"#,
        kind.name(),
        cast.accounts[account].address
    );
    draft.act(kind, From::Account(account), &data);
}

/// An account of an identity stakes part of what it has.
pub fn stake(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let pool: Vec<_> = draft.cast.pool(identity).collect();
    let (_, account) = *draft.dice.pick(&pool);
    let entry = *draft.world.accounts.get(account);
    let free = entry.balance.saturating_sub(entry.staked);
    if draft.powers_frozen || free < money::WORTH_SPENDING {
        return money::transfer(draft);
    }
    let amount = 1 + draft.dice.below(free / 4);
    draft.world.accounts.change(account).staked += amount;
    draft.world.staked += amount;
    staking(draft, Kind::Stake, account, amount);
}

/// An account takes some of its stake back, unless its identity delegates.
pub fn unstake(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let staked = draft.world.accounts.get(identity).staked;
    let delegates = draft.world.identities.get(identity).delegated_out.is_some();
    if draft.powers_frozen || delegates || staked == 0 {
        return money::transfer(draft);
    }
    let amount = 1 + draft.dice.below(staked);
    draft.world.accounts.change(identity).staked -= amount;
    draft.world.staked -= amount;
    staking(draft, Kind::Unstake, identity, amount);
}

/// An account takes back more than it staked.
pub fn unstake_too_much(draft: &mut Draft<'_>) {
    let account = money::rich(draft);
    let amount = draft.world.accounts.get(account).staked + 1 + draft.dice.below(1_000);
    draft.defect(Defect::UnstakeTooMuch);
    staking(draft, Kind::Unstake, account, amount);
}
