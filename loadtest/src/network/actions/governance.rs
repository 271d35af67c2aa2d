//! Proposals, votes and outcomes.

use super::super::cast::Cast;
use super::super::dice::to_u64;
use super::super::draft::{Draft, From};
use super::super::ledger::{ProposalBook, ProposalState};
use super::super::tally::{Defect, Kind};
use super::super::wire::json_string;
use super::super::world::{Choice, Proposal, Shared, World};
use super::{can_pay, money, programme, somebody};

/// So many proposals are open at most.
const OPEN_PROPOSALS: usize = 24;
/// So many of these places are kept for when no proposal is pending.
const KEPT_PLACES: usize = 4;
/// The origin account lets a proposal that is due lie until the next one is due, or for about so many blocks: so there is
/// nearly always one that has ended and one that waits for its execution.
const PATIENCE_BLOCKS: u64 = 400;
/// Below this height nothing that is due lies for long, so that decisions can be seen early.
const IMPATIENT_BELOW: u64 = 200;
/// So many proposals have short windows, for the same reason.
const HASTY_PROPOSALS: u64 = 4;
/// A proposal is called off once in so many blocks.
const CANCEL_EVERY: u64 = 120;
/// A quorum is the power of up to so many average voters, about as many as vote.
const QUORUM_VOTERS: u64 = 6;
const TYPES: [&str; 4] = ["parameter_change", "treasury_spend", "upgrade", "text"];
const TITLES: [&str; 5] = [
    "Raise the block gas limit",
    "Fund the translation of the handbook",
    "Weniger Gebühren für kleine Überweisungen",
    "Retire the first oracle",
    "提案: 報酬の計算を変更する",
];

/// Whether the block at this time is the first in some proposal's voting window.
pub fn opens(world: &World, time_ms: u64) -> bool {
    world.proposals.iter().any(|proposal| proposal.powers.is_none() && time_ms >= proposal.starts_s * 1_000)
}

/// Notes the powers at the block that opened voting.
pub fn open(cast: &Cast, world: &mut World) {
    if !opens(world, world.time_ms) {
        return;
    }
    let powers = Shared::new(powers(cast, world));
    let time_ms = world.time_ms;
    for proposal in &mut world.proposals {
        if proposal.powers.is_none() && time_ms >= proposal.starts_s * 1_000 {
            proposal.powers = Some(powers.clone());
        }
    }
}

/// Identities that have power now, and how much.
fn powers(cast: &Cast, world: &World) -> Vec<(usize, u64)> {
    let powers = (0..world.registered).map(|identity| (identity, world.power(cast, identity)));
    powers.filter(|(_, power)| *power > 0).collect()
}

fn blocks_s(draft: &mut Draft<'_>, from: u64, more: u64) -> u64 {
    let blocks = from + draft.dice.below(more);
    (blocks * draft.config.interval_ms(draft.height + 1)).div_ceil(1_000)
}

/// A proposal is made; its window lies in the near future of the block time.
pub fn propose(draft: &mut Draft<'_>) {
    propose_up_to(draft, OPEN_PROPOSALS - KEPT_PLACES);
}

fn propose_up_to(draft: &mut Draft<'_>, open_max: usize) {
    let proposer = somebody(draft).filter(|identity| can_pay(draft, *identity));
    let (Some(proposer), true) = (proposer, draft.world.proposals.len() < open_max) else {
        return money::transfer(draft);
    };
    let title = (*draft.dice.pick(&TITLES)).to_owned();
    let is_hasty = draft.world.proposals_made < HASTY_PROPOSALS;
    let (wait, length) = if is_hasty { ((12, 20), (20, 20)) } else { ((2, 30), (40, 200)) };
    let starts_s = draft.time_s() + 1 + blocks_s(draft, wait.0, wait.1);
    let ends_s = starts_s + 1 + blocks_s(draft, length.0, length.1);
    let powers = powers(draft.cast, draft.world);
    let average = powers.iter().map(|(_, power)| power).sum::<u64>() / to_u64(powers.len()).max(1);
    let quorum = 1 + draft.dice.below(QUORUM_VOTERS * average + 1);
    draft.world.proposals_made += 1;
    let id = draft.world.proposals_made;
    draft.world.proposals.push(Proposal {
        id,
        starts_s,
        ends_s,
        quorum,
        powers: None,
        votes: Shared::default(),
        passed: false,
    });
    propose_as(draft, proposer, id, &title, (starts_s, ends_s), quorum);
}

/// Sees to it that there is nearly always a proposal whose voting has not begun.
pub fn propose_if_none_is_pending(draft: &mut Draft<'_>) {
    let pending = draft.world.proposals.iter().any(|proposal| proposal.powers.is_none());
    if !pending && draft.world.registered > 0 && draft.dice.one_in(4) {
        propose_up_to(draft, OPEN_PROPOSALS);
    }
}

/// A proposal with the number of an earlier one.
pub fn propose_again(draft: &mut Draft<'_>) {
    let made = draft.world.proposals_made;
    let (Some(proposer), true) = (somebody(draft), made > 0) else { return money::transfer(draft) };
    let id = 1 + draft.dice.below(made);
    let window_s = (draft.time_s() + 1_000, draft.time_s() + 2_000);
    draft.defect(Defect::ProposedTwice);
    propose_as(draft, proposer, id, "The same number again", window_s, 1);
}

fn propose_as(draft: &mut Draft<'_>, proposer: usize, id: u64, title: &str, window_s: (u64, u64), quorum: u64) {
    let cast = draft.cast;
    let mut data = format!(
        r#"{{"v":1,"kind":"governance.propose","proposal_id":{id},"proposer":"{}","proposal_type":"{}","title":{},"voting_starts_at":{},"voting_ends_at":{},"quorum":{}"#,
        cast.identity_ids[proposer],
        draft.dice.pick(&TYPES),
        json_string(title),
        draft.spell_time(window_s.0),
        draft.spell_time(window_s.1),
        draft.spell(quorum)
    );
    if draft.dice.one_in(2) {
        let text = json_string("Motivation:\n\n* less waiting\n* \"fairer\" fees\n");
        data += &format!(r#","description":{text}"#);
    }
    if draft.dice.one_in(3) {
        let target = &cast.accounts[0].address;
        data += &format!(r#","targets":["{target}"],"values":["{}"],"calldatas":["0x00ff"]"#, draft.dice.below(1_000));
    }
    data.push('}');
    draft.act(Kind::Propose, From::Account(proposer), &data);
}

/// A title far beyond the limit: the payload is no proposal at all.
pub fn title_too_long(draft: &mut Draft<'_>) {
    let Some(proposer) = somebody(draft) else { return money::transfer(draft) };
    let data = format!(
        r#"{{"v":1,"kind":"governance.propose","proposal_id":{},"proposer":"{}","proposal_type":"text","title":"{}","voting_starts_at":{},"voting_ends_at":{}}}"#,
        7_000_000_000 + draft.height,
        draft.cast.identity_ids[proposer],
        "T".repeat(10_000),
        draft.time_s() + 1_000,
        draft.time_s() + 2_000
    );
    draft.defect(Defect::TitleTooLong);
    draft.act(Kind::Unrecognized, From::Account(proposer), &data);
}

/// Sends a vote.
pub fn vote_as(draft: &mut Draft<'_>, voter: usize, proposal: u64, choice: Choice, power: u64) {
    let choice = match choice {
        Choice::For => "for",
        Choice::Against => "against",
        Choice::Abstain => "abstain",
    };
    let reason = if draft.dice.one_in(8) { r#","reason":"discussed in the council call""# } else { "" };
    let data = format!(
        r#"{{"v":1,"kind":"governance.vote","proposal_id":{proposal},"voter":"{}","choice":"{choice}","power":{}{reason}}}"#,
        draft.cast.identity_ids[voter],
        draft.spell(power)
    );
    draft.act(Kind::Vote, From::Account(voter), &data);
}

/// A choice, more often for than against.
pub fn some_choice(draft: &mut Draft<'_>) -> Choice {
    const CHOICES: [Choice; 7] = {
        use Choice::{Abstain, Against, For};
        [For, For, For, For, Against, Against, Abstain]
    };
    *draft.dice.pick(&CHOICES)
}

/// An index among the proposals that are open for votes, or surely not, at the time of the block.
pub fn some_proposal(draft: &mut Draft<'_>, voting: bool) -> Option<usize> {
    let time_ms = draft.time_ms;
    let fits = |proposal: &Proposal| {
        let inside = time_ms > proposal.starts_s * 1_000 && time_ms < proposal.ends_s * 1_000;
        // One second of distance, so that no rounding of times decides.
        let outside = time_ms + 1_000 < proposal.starts_s * 1_000 || time_ms > (proposal.ends_s + 1) * 1_000;
        !proposal.passed && if voting { inside && proposal.powers.is_some() } else { outside }
    };
    let open: Vec<usize> =
        draft.world.proposals.iter().enumerate().filter(|(_, proposal)| fits(proposal)).map(|(n, _)| n).collect();
    if open.is_empty() { None } else { Some(*draft.dice.pick(&open)) }
}

/// Somebody with power votes, sometimes for the second time.
pub fn vote(draft: &mut Draft<'_>) {
    vote_claiming(draft, 1);
}

/// A vote that claims twice the power its voter has.
pub fn vote_overclaimed(draft: &mut Draft<'_>) {
    if vote_claiming(draft, 2) {
        draft.defect(Defect::VoteOverclaimed);
    }
}

fn vote_claiming(draft: &mut Draft<'_>, factor: u64) -> bool {
    let proposal = some_proposal(draft, true);
    let powers = proposal.and_then(|index| draft.world.proposals[index].powers.clone());
    let (Some(index), Some(powers)) = (proposal, powers) else {
        money::transfer(draft);
        return false;
    };
    if powers.get().is_empty() {
        money::transfer(draft);
        return false;
    }
    let (voter, power) = *draft.dice.pick(powers.get());
    let choice = some_choice(draft);
    let open = &mut draft.world.proposals[index];
    open.votes.change().insert(voter, (choice, power));
    let id = open.id;
    vote_as(draft, voter, id, choice, power.saturating_mul(factor));
    true
}

/// A vote before its window opens or after it closed.
pub fn vote_outside(draft: &mut Draft<'_>) {
    let (Some(index), Some(voter)) = (some_proposal(draft, false), somebody(draft)) else {
        return money::transfer(draft);
    };
    let (id, choice) = (draft.world.proposals[index].id, some_choice(draft));
    draft.defect(Defect::VoteOutsideWindow);
    vote_as(draft, voter, id, choice, 1_000);
}

/// A vote on a proposal that nobody made.
pub fn vote_unknown(draft: &mut Draft<'_>) {
    let Some(voter) = somebody(draft) else { return money::transfer(draft) };
    let choice = some_choice(draft);
    draft.defect(Defect::UnknownProposal);
    vote_as(draft, voter, 9_000_000_000, choice, 1_000);
}

/// The origin account finalises, executes or calls off what is due, one proposal per block.
pub fn conclude(draft: &mut Draft<'_>) {
    // By the time of the block before, so that no reader is asked what comes first in the block that ends a vote.
    let before_ms = draft.world.time_ms;
    let waiting = |fits: fn(&Proposal, u64) -> bool| -> Vec<usize> {
        let proposals = draft.world.proposals.iter().enumerate();
        proposals.filter(|(_, proposal)| fits(proposal, before_ms)).map(|(index, _)| index).collect()
    };
    let ended = waiting(|proposal, before_ms| !proposal.passed && proposal.is_over(before_ms));
    let passed = waiting(|proposal, _| proposal.passed);
    if let Some(oldest) = ended.first()
        && is_time(draft, ended.len())
    {
        return finalize(draft, *oldest);
    }
    if let Some(oldest) = passed.first()
        && is_time(draft, passed.len())
    {
        return execute(draft, *oldest);
    }
    if draft.dice.one_in(CANCEL_EVERY) {
        cancel(draft);
    }
}

/// Whether the oldest of so many that are due gets its turn.
fn is_time(draft: &mut Draft<'_>, due: usize) -> bool {
    draft.dice.one_in(if due > 1 || draft.height < IMPATIENT_BELOW { 4 } else { PATIENCE_BLOCKS })
}

/// A proposal that is still open is called off.
fn cancel(draft: &mut Draft<'_>) {
    let (before_ms, now_ms) = (draft.world.time_ms, draft.time_ms);
    // Not in the block that opens or ends voting: what comes first there is nobody's business.
    let is_open = |proposal: &Proposal| {
        let opens = proposal.powers.is_none() && now_ms >= proposal.starts_s * 1_000;
        let ends = proposal.is_over(now_ms) && !proposal.is_over(before_ms);
        !proposal.passed && !opens && !ends
    };
    let open: Vec<usize> =
        draft.world.proposals.iter().enumerate().filter(|(_, proposal)| is_open(proposal)).map(|(n, _)| n).collect();
    if open.is_empty() {
        return;
    }
    let index = *draft.dice.pick(&open);
    let id = close(draft.world, index, ProposalState::Cancelled);
    act_on(draft, Kind::Cancel, id, "");
}

/// Moves a proposal to those that nothing more happens to.
fn close(world: &mut World, index: usize, state: ProposalState) -> u64 {
    let proposal = world.proposals.remove(index);
    let is_over = proposal.is_over(world.time_ms);
    world.concluded.change().insert(proposal.id, ProposalBook::of(&proposal, state, is_over));
    proposal.id
}

fn execute(draft: &mut Draft<'_>, index: usize) {
    let id = close(draft.world, index, ProposalState::Executed);
    act_on(draft, Kind::Execute, id, "");
}

/// The origin account finalises a proposal, now and then falsely.
pub fn finalize(draft: &mut Draft<'_>, index: usize) {
    let proposal = draft.world.proposals[index].clone();
    let (yes, no, abstain) = proposal.sums();
    let rate = draft.config.defect_per_mille.saturating_mul(5);
    let is_false = draft.dice.per_mille(rate) || programme::misses(draft, Defect::FalseOutcome);
    let passed = proposal.is_carried() != is_false;
    let outcome = if passed { "passed" } else { "rejected" };
    let mut fields = format!(r#","outcome":"{outcome}""#);
    if is_false {
        draft.defect(Defect::FalseOutcome);
    }
    if draft.dice.per_mille(rate) || (!is_false && programme::misses(draft, Defect::FalseTally)) {
        draft.defect(Defect::FalseTally);
        fields += &format!(r#","votes_for":"{}","votes_against":"{no}","votes_abstain":"{abstain}""#, yes + 1);
    } else if !draft.dice.one_in(3) {
        fields += &format!(r#","votes_for":"{yes}","votes_against":"{no}","votes_abstain":"{abstain}""#);
    }
    if passed {
        draft.world.proposals[index].passed = true;
    } else {
        close(draft.world, index, ProposalState::Rejected);
    }
    act_on(draft, Kind::Finalize, proposal.id, &fields);
}

/// Somebody but the origin account says how a proposal ended.
pub fn finalize_by_stranger(draft: &mut Draft<'_>) {
    if draft.world.proposals.is_empty() {
        return money::transfer(draft);
    }
    let index = draft.dice.index(draft.world.proposals.len());
    let id = draft.world.proposals[index].id;
    let stranger = From::Account(money::rich(draft));
    draft.defect(Defect::FinalizeByStranger);
    let data = format!(r#"{{"v":1,"kind":"governance.finalize","proposal_id":{id},"outcome":"passed"}}"#);
    draft.act(Kind::Finalize, stranger, &data);
}

/// Sends a decision by the origin account.
pub fn act_on(draft: &mut Draft<'_>, kind: Kind, proposal: u64, fields: &str) {
    let data = format!(r#"{{"v":1,"kind":"{}","proposal_id":{proposal}{fields}}}"#, kind.name());
    draft.act(kind, From::Origin, &data);
}
