//! Follows and stakes.

use super::super::dice::derive_bytes;
use super::super::draft::{Draft, From, Order, To};
use super::super::tally::{Defect, Kind};
use super::super::world::Identity;
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

/// One identity follows another, sometimes for the second time, which changes nothing.
pub fn follow(draft: &mut Draft<'_>) {
    let Some((follower, following)) = somebody_to_follow(draft) else { return money::transfer(draft) };
    if let Err(place) = draft.world.following.get(follower).binary_search(&following) {
        draft.world.following.change(follower).insert(place, following);
        let recent = &mut draft.world.follows;
        recent.push_back((follower, following));
        if recent.len() > RECENT_FOLLOWS {
            recent.pop_front();
        }
    }
    relation(draft, Kind::Follow, follower, following);
}

/// Who follows whom next; some follow back.
fn somebody_to_follow(draft: &mut Draft<'_>) -> Option<(usize, usize)> {
    if draft.world.follows.is_empty() || !draft.dice.one_in(4) {
        return two_people(draft);
    }
    let index = draft.dice.index(draft.world.follows.len());
    draft.world.follows.get(index).map(|(follower, following)| (*following, *follower))
}

/// A recent follow is taken back.
pub fn unfollow(draft: &mut Draft<'_>) {
    if draft.world.follows.is_empty() {
        return money::transfer(draft);
    }
    let index = draft.dice.index(draft.world.follows.len());
    if let Some((follower, following)) = draft.world.follows.remove(index) {
        draft.world.following.change(follower).retain(|other| *other != following);
        relation(draft, Kind::Unfollow, follower, following);
    }
}

/// An identity takes back a follow that does not stand.
pub fn unfollow_unfollowed(draft: &mut Draft<'_>) {
    let Some((follower, following)) = two_people(draft) else { return money::transfer(draft) };
    if draft.world.following.get(follower).contains(&following) {
        return money::transfer(draft);
    }
    draft.defect(Defect::UnfollowOfUnfollowed);
    relation(draft, Kind::Unfollow, follower, following);
}

/// An identity follows itself, which is not allowed.
pub fn follow_self(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    draft.defect(Defect::SelfFollow);
    relation(draft, Kind::Follow, identity, identity);
}

/// Somebody follows an identity that nobody has registered.
pub fn follow_unknown(draft: &mut Draft<'_>) {
    let Some(follower) = somebody(draft) else { return money::transfer(draft) };
    let nobody = hex::encode(derive_bytes(draft.config.seed, "nobody", &[draft.height]));
    let id = &draft.cast.identity_ids[follower];
    let data = format!(r#"{{"v":1,"kind":"social.follow","follower":"{id}","following":"{nobody}"}}"#);
    draft.defect(Defect::FollowOfUnknown);
    draft.act(Kind::Follow, From::Account(follower), &data);
}

/// A follow in a transaction whose signature does not hold: nobody proved to have sent it.
pub fn follow_badly_signed(draft: &mut Draft<'_>) {
    let Some((follower, following)) = two_people(draft) else { return money::transfer(draft) };
    let ids = &draft.cast.identity_ids;
    let data =
        format!(r#"{{"v":1,"kind":"social.follow","follower":"{}","following":"{}"}}"#, ids[follower], ids[following]);
    draft.defect(Defect::FollowBadlySigned);
    let (from, data) = (From::Account(follower), Some(data.as_str()));
    draft.send(Order { kind: Kind::Follow, from, to: To::Registry, amount: 0, data, genuine: false });
}

fn staking(draft: &mut Draft<'_>, kind: Kind, account: usize, amount: u64) {
    staking_by(draft, account, kind, account, amount);
}

fn staking_by(draft: &mut Draft<'_>, sender: usize, kind: Kind, account: usize, amount: u64) {
    let cast = draft.cast;
    let validator = &cast.validators[account % cast.validators.len()];
    let spelled = draft.spell(amount);
    let data = format!(
        r#"{{"v":1,"kind":"{}","account":"{}","validator":"{validator}","amount":{spelled}}}"#,
        kind.name(),
        cast.accounts[account].address
    );
    draft.act(kind, From::Account(sender), &data);
}

/// Notes that the stake of an account has changed. An account is in the pool of one identity at most.
fn restaked(draft: &mut Draft<'_>, identity: usize) {
    draft.restaked.insert(identity);
    draft.world.cover(draft.cast, identity);
}

/// An account of an identity stakes part of what it has; most often one that is linked. The treasury does not stake: nobody
/// else's vote would count for anything.
pub fn stake(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let Identity { links, gone, .. } = *draft.world.identities.get(identity);
    let has_free = |account: usize| {
        let entry = draft.world.accounts.get(account);
        account != money::TREASURER && entry.balance.saturating_sub(entry.staked) >= money::WORTH_SPENDING
    };
    let able: Vec<(u32, usize)> =
        draft.cast.pool(identity).filter(|(bit, account)| gone & (1 << bit) == 0 && has_free(*account)).collect();
    let linked: Vec<(u32, usize)> = able.iter().copied().filter(|(bit, _)| links & (1 << bit) != 0).collect();
    let choice = if linked.is_empty() || draft.dice.one_in(5) { able } else { linked };
    if choice.is_empty() || draft.delegated.contains(&identity) {
        return money::transfer(draft);
    }
    let (_, account) = *draft.dice.pick(&choice);
    let entry = draft.world.accounts.get(account);
    let free = entry.balance - entry.staked;
    let amount = 1 + draft.dice.below(free / 4);
    draft.world.accounts.change(account).staked += amount;
    draft.world.staked += amount;
    restaked(draft, identity);
    staking(draft, Kind::Stake, account, amount);
}

/// An account takes some of its stake back; a delegation that stood on it then counts less.
pub fn unstake(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    let staked = draft.world.accounts.get(identity).staked;
    if staked == 0 || draft.delegated.contains(&identity) {
        return money::transfer(draft);
    }
    let amount = 1 + draft.dice.below(staked);
    draft.world.accounts.change(identity).staked -= amount;
    draft.world.staked -= amount;
    restaked(draft, identity);
    staking(draft, Kind::Unstake, identity, amount);
}

/// An account takes back more than it staked.
pub fn unstake_too_much(draft: &mut Draft<'_>) {
    let account = money::rich(draft);
    let amount = draft.world.accounts.get(account).staked + 1 + draft.dice.below(1_000);
    draft.defect(Defect::UnstakeTooMuch);
    staking(draft, Kind::Unstake, account, amount);
}

/// Somebody stakes another's money.
pub fn stake_of_another(draft: &mut Draft<'_>) {
    let Some((sender, account)) = two_people(draft) else { return money::transfer(draft) };
    draft.defect(Defect::StakeOfAnother);
    staking_by(draft, sender, Kind::Stake, account, 1_000);
}

/// An account stakes more than it has. A reader can know that only as long as it knows of all the money there is: nobody
/// has tried to make any.
pub fn stake_too_much(draft: &mut Draft<'_>) {
    let tally = &draft.world.tally;
    if tally.defect(Defect::MintByStranger) + tally.defect(Defect::LateAllocation) > 0 {
        return money::transfer(draft);
    }
    let account = money::rich(draft);
    let amount = draft.world.accounts.get(account).balance + 1 + draft.dice.below(1_000_000);
    draft.defect(Defect::StakeTooMuch);
    staking(draft, Kind::Stake, account, amount);
}
