//! Voting power given to others and taken back.

use super::super::dice::to_u64;
use super::super::draft::{Draft, From};
use super::super::tally::{Defect, Kind};
use super::super::world::Given;
use super::{money, somebody, two_people};

/// Identities looked at to find one that can give, or that has given.
const GUESSES: u32 = 24;

fn delegation(draft: &mut Draft<'_>, kind: Kind, from: usize, to: usize, amount: u64) {
    let ids = &draft.cast.identity_ids;
    let data = format!(
        r#"{{"v":1,"kind":"{}","delegator":"{}","delegatee":"{}","amount":{}}}"#,
        kind.name(),
        ids[from],
        ids[to],
        draft.spell(amount)
    );
    draft.act(kind, From::Account(from), &data);
}

/// The first of some guesses that fits: few do, so that a single guess would hardly ever find one.
fn guess(draft: &mut Draft<'_>, fits: impl Fn(&Draft<'_>, usize) -> bool) -> Option<usize> {
    let guesses: Vec<usize> = (0..GUESSES).filter_map(|_| somebody(draft)).collect();
    guesses.into_iter().find(|identity| fits(draft, *identity))
}

/// An identity that delegates to nobody yet delegates part of its own stake.
pub fn delegate(draft: &mut Draft<'_>) {
    let from = guess(draft, |draft, identity| {
        let gives = draft.world.identities.get(identity).gives.is_some();
        !gives && !draft.restaked.contains(&identity) && draft.world.own_stake(draft.cast, identity) > 0
    });
    let (Some(from), Some(to)) = (from, somebody(draft)) else { return money::transfer(draft) };
    if from == to {
        return money::transfer(draft);
    }
    let stake = draft.world.own_stake(draft.cast, from);
    let amount = 1 + draft.dice.below(stake);
    draft.delegated.insert(from);
    draft.world.identities.change(from).gives = Some(Given { to, amount, counted: amount });
    draft.world.identities.change(to).delegated_in += amount;
    delegation(draft, Kind::Delegate, from, to, amount);
}

/// A delegation is taken back, whole.
pub fn undelegate(draft: &mut Draft<'_>) {
    let from = guess(draft, |draft, identity| {
        draft.world.identities.get(identity).gives.is_some() && !draft.restaked.contains(&identity)
    });
    let given = from.and_then(|identity| draft.world.identities.get(identity).gives);
    let (Some(from), Some(given)) = (from, given) else { return money::transfer(draft) };
    draft.delegated.insert(from);
    draft.world.identities.change(from).gives = None;
    draft.world.identities.change(given.to).delegated_in -= given.counted;
    delegation(draft, Kind::Undelegate, from, given.to, given.amount);
}

/// More is delegated than any stake covers, by somebody without stake: none of it counts.
pub fn delegate_too_much(draft: &mut Draft<'_>) {
    let Some((from, to)) = two_people(draft) else { return money::transfer(draft) };
    if draft.world.own_stake(draft.cast, from) > 0 || draft.restaked.contains(&from) {
        return money::transfer(draft);
    }
    let amount = 1_000_000 + to_u64(from);
    draft.delegated.insert(from);
    draft.defect(Defect::DelegateTooMuch);
    delegation(draft, Kind::Delegate, from, to, amount);
}

/// An identity delegates to itself.
pub fn delegate_to_self(draft: &mut Draft<'_>) {
    let Some(identity) = somebody(draft) else { return money::transfer(draft) };
    draft.defect(Defect::DelegateToSelf);
    delegation(draft, Kind::Delegate, identity, identity, 1_000);
}

/// More is taken back than was given: nothing is.
pub fn undelegate_too_much(draft: &mut Draft<'_>) {
    let Some((from, to)) = two_people(draft) else { return money::transfer(draft) };
    let given = draft.world.identities.get(from).gives;
    let (to, amount) = given.map_or((to, 0), |given| (given.to, given.amount));
    draft.defect(Defect::UndelegateTooMuch);
    delegation(draft, Kind::Undelegate, from, to, amount + 1_000);
}
