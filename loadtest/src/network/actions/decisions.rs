//! Votes and decisions that come too early, too late or once too often.

use super::super::draft::Draft;
use super::super::tally::{Defect, Kind};
use super::{governance, money, somebody};

/// The number of a proposal that was decided or called off.
fn decided(draft: &mut Draft<'_>) -> Option<u64> {
    let concluded = draft.world.concluded.get().keys().copied();
    let passed = draft.world.proposals.iter().filter(|proposal| proposal.passed).map(|proposal| proposal.id);
    let ids: Vec<u64> = concluded.chain(passed).collect();
    if ids.is_empty() { None } else { Some(*draft.dice.pick(&ids)) }
}

/// A vote on a proposal that was decided or called off.
pub fn vote_after_close(draft: &mut Draft<'_>) {
    let (Some(id), Some(voter)) = (decided(draft), somebody(draft)) else { return money::transfer(draft) };
    let choice = governance::some_choice(draft);
    draft.defect(Defect::VoteAfterClose);
    governance::vote_as(draft, voter, id, choice, 1_000);
}

/// A vote by somebody who had no power when voting opened.
pub fn vote_without_power(draft: &mut Draft<'_>) {
    let (Some(index), Some(voter)) = (governance::some_proposal(draft, true), somebody(draft)) else {
        return money::transfer(draft);
    };
    let proposal = &draft.world.proposals[index];
    let id = proposal.id;
    let powers = proposal.powers.as_ref().map(|powers| powers.get());
    if powers.is_some_and(|powers| powers.iter().any(|(identity, _)| *identity == voter)) {
        return money::transfer(draft);
    }
    let choice = governance::some_choice(draft);
    draft.defect(Defect::VoteWithoutPower);
    governance::vote_as(draft, voter, id, choice, 1_000);
}

/// The origin account finalises a proposal while votes still count. The chain's word rules, so it is decided.
pub fn finalize_early(draft: &mut Draft<'_>) {
    let Some(index) = governance::some_proposal(draft, true) else { return money::transfer(draft) };
    draft.defect(Defect::FinalizedEarly);
    governance::finalize(draft, index);
}

/// What was decided is decided once more, and stays as it was.
pub fn finalize_again(draft: &mut Draft<'_>) {
    let Some(id) = decided(draft) else { return money::transfer(draft) };
    draft.defect(Defect::DecidedTwice);
    governance::act_on(draft, Kind::Finalize, id, r#","outcome":"rejected""#);
}

/// What was decided or called off is called off.
pub fn cancel_decided(draft: &mut Draft<'_>) {
    let Some(id) = decided(draft) else { return money::transfer(draft) };
    draft.defect(Defect::CancelOfDecided);
    governance::act_on(draft, Kind::Cancel, id, "");
}

/// A proposal is executed that has not passed, or has been executed before.
pub fn execute_unpassed(draft: &mut Draft<'_>) {
    let concluded = draft.world.concluded.get().keys().copied();
    let undecided = draft.world.proposals.iter().filter(|proposal| !proposal.passed).map(|proposal| proposal.id);
    let ids: Vec<u64> = concluded.chain(undecided).collect();
    if ids.is_empty() {
        return money::transfer(draft);
    }
    let id = *draft.dice.pick(&ids);
    draft.defect(Defect::ExecuteOfUnpassed);
    governance::act_on(draft, Kind::Execute, id, "");
}
