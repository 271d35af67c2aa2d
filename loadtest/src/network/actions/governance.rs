//! Proposals, votes, outcomes and delegations.

use super::super::cast::Cast;
use super::super::dice::to_u64;
use super::super::draft::{Draft, From};
use super::super::tally::{Defect, Kind};
use super::super::wire::json_string;
use super::super::world::{Choice, Proposal, Shared, World};
use super::{can_pay, money, somebody, two_people};

/// So many proposals are open at most.
const OPEN_PROPOSALS: usize = 16;
/// Identities looked at to find one that delegates.
const GUESSES: u32 = 24;
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
    let powers = (0..world.registered).map(|identity| (identity, world.power(cast, identity)));
    let powers = Shared::new(powers.filter(|(_, power)| *power > 0).collect::<Vec<_>>());
    let time_ms = world.time_ms;
    for proposal in &mut world.proposals {
        if proposal.powers.is_none() && time_ms >= proposal.starts_s * 1_000 {
            proposal.powers = Some(powers.clone());
        }
    }
}

fn blocks_s(draft: &mut Draft<'_>, from: u64, more: u64) -> u64 {
    let blocks = from + draft.dice.below(more);
    (blocks * draft.config.interval_ms(draft.height + 1)).div_ceil(1_000)
}

/// A proposal is made; its window lies in the near future of the block time.
pub fn propose(draft: &mut Draft<'_>) {
    let proposer = somebody(draft).filter(|identity| can_pay(draft, *identity));
    let (Some(proposer), true) = (proposer, draft.world.proposals.len() < OPEN_PROPOSALS) else {
        return money::transfer(draft);
    };
    let title = (*draft.dice.pick(&TITLES)).to_owned();
    let starts_s = draft.time_s() + 1 + blocks_s(draft, 2, 30);
    let ends_s = starts_s + 1 + blocks_s(draft, 40, 200);
    let quorum = 1 + draft.dice.below(draft.world.staked / 8 + 1);
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

fn vote_as(draft: &mut Draft<'_>, voter: usize, proposal: u64, choice: Choice, power: u64) {
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

fn some_choice(draft: &mut Draft<'_>) -> Choice {
    *draft.dice.pick(&[Choice::For, Choice::For, Choice::For, Choice::Against, Choice::Against, Choice::Abstain])
}

/// An index among the proposals that are open for votes, or surely not, at the time of the block.
fn some_proposal(draft: &mut Draft<'_>, voting: bool) -> Option<usize> {
    let time_ms = draft.time_ms;
    let fits = |proposal: &Proposal| {
        let inside = time_ms > proposal.starts_s * 1_000 && time_ms < proposal.ends_s * 1_000;
        // One second of distance, so that no rounding of times decides.
        let outside = time_ms + 1_000 < proposal.starts_s * 1_000 || time_ms > (proposal.ends_s + 1) * 1_000;
        if voting { inside && proposal.powers.is_some() } else { outside }
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

/// The origin account finalises, executes or cancels what is due, one proposal per block.
pub fn conclude(draft: &mut Draft<'_>) {
    let time_s = draft.time_s();
    let due = draft.world.proposals.iter().position(|proposal| time_s > proposal.ends_s + 1);
    if let Some(index) = due {
        // Some blocks pass before the chain gets to it, so that the state "ended" can be seen.
        if draft.dice.one_in(4) {
            finalize_or_execute(draft, index);
        }
    } else if !draft.world.proposals.is_empty() && draft.dice.one_in(1_500) {
        let index = draft.dice.index(draft.world.proposals.len());
        let id = draft.world.proposals.remove(index).id;
        act_on(draft, Kind::Cancel, id, "");
    }
}

fn finalize_or_execute(draft: &mut Draft<'_>, index: usize) {
    if draft.world.proposals[index].passed {
        let id = draft.world.proposals.remove(index).id;
        return act_on(draft, Kind::Execute, id, "");
    }
    let proposal = draft.world.proposals[index].clone();
    let sum = |wanted: Choice| -> u64 {
        proposal.votes.get().values().filter(|(choice, _)| *choice == wanted).map(|(_, power)| power).sum()
    };
    let (yes, no, abstain) = (sum(Choice::For), sum(Choice::Against), sum(Choice::Abstain));
    let passed = yes > no && yes + no + abstain >= proposal.quorum;
    let outcome = if passed { "passed" } else { "rejected" };
    let mut fields = format!(r#","outcome":"{outcome}""#);
    if draft.dice.per_mille(draft.config.defect_per_mille.saturating_mul(5)) {
        draft.defect(Defect::FalseTally);
        fields += &format!(r#","votes_for":"{}","votes_against":"{no}","votes_abstain":"{abstain}""#, yes + 1);
    } else if !draft.dice.one_in(3) {
        fields += &format!(r#","votes_for":"{yes}","votes_against":"{no}","votes_abstain":"{abstain}""#);
    }
    if passed {
        draft.world.proposals[index].passed = true;
    } else {
        draft.world.proposals.remove(index);
    }
    act_on(draft, Kind::Finalize, proposal.id, &fields);
}

fn act_on(draft: &mut Draft<'_>, kind: Kind, proposal: u64, fields: &str) {
    let data = format!(r#"{{"v":1,"kind":"{}","proposal_id":{proposal}{fields}}}"#, kind.name());
    draft.act(kind, From::Origin, &data);
}

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

/// An identity that delegates to nobody yet delegates part of its own stake.
pub fn delegate(draft: &mut Draft<'_>) {
    let Some((from, to)) = two_people(draft) else { return money::transfer(draft) };
    let stake = draft.world.own_stake(draft.cast, from);
    if draft.powers_frozen || stake == 0 || draft.world.identities.get(from).delegated_out.is_some() {
        return money::transfer(draft);
    }
    let amount = 1 + draft.dice.below(stake);
    draft.world.identities.change(from).delegated_out = Some((to, amount));
    draft.world.identities.change(to).delegated_in += amount;
    delegation(draft, Kind::Delegate, from, to, amount);
}

/// A delegation is taken back, whole.
pub fn undelegate(draft: &mut Draft<'_>) {
    // Few delegate, so a single guess would hardly ever find one of them.
    let guesses: Vec<usize> = (0..GUESSES).filter_map(|_| somebody(draft)).collect();
    let giver = |identity: &usize| draft.world.identities.get(*identity).delegated_out.is_some();
    let from = guesses.into_iter().find(giver);
    let given = from.and_then(|identity| draft.world.identities.get(identity).delegated_out);
    let (Some(from), Some((to, amount)), false) = (from, given, draft.powers_frozen) else {
        return money::transfer(draft);
    };
    draft.world.identities.change(from).delegated_out = None;
    draft.world.identities.change(to).delegated_in -= amount;
    delegation(draft, Kind::Undelegate, from, to, amount);
}

/// More is delegated than any stake covers, by somebody without stake: none of it counts.
pub fn delegate_too_much(draft: &mut Draft<'_>) {
    let Some((from, to)) = two_people(draft) else { return money::transfer(draft) };
    if draft.world.own_stake(draft.cast, from) > 0 {
        return money::transfer(draft);
    }
    let amount = 1_000_000 + to_u64(from);
    draft.defect(Defect::DelegateTooMuch);
    delegation(draft, Kind::Delegate, from, to, amount);
}
