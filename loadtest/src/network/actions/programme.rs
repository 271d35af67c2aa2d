//! The programme of odd actions: whatever chance has left out so far is played, one every few blocks.
//!
//! Every view and every finding thus has something to show early on every chain, and again from time to time.

use super::super::draft::Draft;
use super::super::tally::{Defect, Oddity, Tally};
use super::{Action, claims, decisions, delegation, governance, identity, money, refused, social, work};

/// Below this height there are too few people and stakes for most of it.
const BEGIN: u64 = 10;
/// One action is played every so many blocks, as long as any is missing.
const EVERY: u64 = 2;
/// Each occurs at least once more in so many blocks.
const ROUND_BLOCKS: u64 = 500;

/// What an action is counted as.
#[derive(Debug, Clone, Copy)]
enum Counted {
    Mistake(Defect),
    Signature(Defect),
    Oddity(Oddity),
}

const PROGRAMME: &[(Counted, Action)] = {
    use Counted::{Mistake, Oddity as Odd, Signature};
    &[
        (Mistake(Defect::StakeTooMuch), social::stake_too_much),
        (Odd(Oddity::UnverifiableLink), claims::link_unverifiable),
        (Odd(Oddity::MovedWallet), claims::move_wallet),
        (Mistake(Defect::DoubleLink), identity::link_twice),
        (Mistake(Defect::LinkByStranger), identity::link_by_stranger),
        (Mistake(Defect::LinkProofOfAnotherKey), identity::link_by_other_key),
        (Mistake(Defect::UnlinkOfUnlinked), identity::unlink_unlinked),
        (Mistake(Defect::TooManyLinks), claims::hoard),
        (Mistake(Defect::SecondRegistration), identity::register_again),
        (Signature(Defect::BadLinkProof), identity::link_wallet),
        (Signature(Defect::BadRotationProof), identity::rotate_key),
        (Signature(Defect::BadOracleSignature), work::submit),
        (Mistake(Defect::SelfFollow), social::follow_self),
        (Mistake(Defect::UnfollowOfUnfollowed), social::unfollow_unfollowed),
        (Mistake(Defect::FollowOfUnknown), social::follow_unknown),
        (Mistake(Defect::FollowBadlySigned), social::follow_badly_signed),
        (Mistake(Defect::StakeOfAnother), social::stake_of_another),
        (Mistake(Defect::UnstakeTooMuch), social::unstake_too_much),
        (Mistake(Defect::DelegateToSelf), delegation::delegate_to_self),
        (Mistake(Defect::DelegateTooMuch), delegation::delegate_too_much),
        (Mistake(Defect::UndelegateTooMuch), delegation::undelegate_too_much),
        (Mistake(Defect::VoteOutsideWindow), governance::vote_outside),
        (Mistake(Defect::VoteOverclaimed), governance::vote_overclaimed),
        (Mistake(Defect::UnknownProposal), governance::vote_unknown),
        (Mistake(Defect::VoteAfterClose), decisions::vote_after_close),
        (Mistake(Defect::VoteWithoutPower), decisions::vote_without_power),
        (Mistake(Defect::ProposedTwice), governance::propose_again),
        (Mistake(Defect::FinalizeByStranger), governance::finalize_by_stranger),
        (Mistake(Defect::FinalizedEarly), decisions::finalize_early),
        (Mistake(Defect::DecidedTwice), decisions::finalize_again),
        (Mistake(Defect::CancelOfDecided), decisions::cancel_decided),
        (Mistake(Defect::ExecuteOfUnpassed), decisions::execute_unpassed),
        (Mistake(Defect::UnsignedWorkByStranger), work::submit_unsigned),
        (Mistake(Defect::RepeatedSubmission), work::submit_again),
        (Mistake(Defect::ValidatedBeforeSubmitted), work::submit_before_it_was_handed_in),
        (Mistake(Defect::RejectionByAnother), work::reject_by_another),
        (Mistake(Defect::RejectedTwice), work::reject_twice),
        (Mistake(Defect::OracleRegisteredTwice), work::register_again),
        (Mistake(Defect::SlashOfUnknownOracle), work::slash_unknown),
        (Mistake(Defect::MintByStranger), money::mint_by_stranger),
        (Mistake(Defect::LateAllocation), refused::late_allocation),
        (Mistake(Defect::TitleTooLong), governance::title_too_long),
    ]
};

/// Plays an action that should have occurred by now. One that is not possible becomes a transfer and is tried again.
pub fn next(draft: &mut Draft<'_>) {
    if draft.height < BEGIN || !draft.height.is_multiple_of(EVERY) {
        return;
    }
    let missing: Vec<Action> =
        PROGRAMME.iter().filter(|(counted, _)| is_missing(draft, *counted)).map(|(_, action)| *action).collect();
    if !missing.is_empty() {
        let action = *draft.dice.pick(&missing);
        action(draft);
    }
}

/// Whether a mistake, made where others do the same right, should have been made by now.
pub fn misses(draft: &Draft<'_>, defect: Defect) -> bool {
    const SIGNATURES: [Defect; 3] = [Defect::BadLinkProof, Defect::BadRotationProof, Defect::BadOracleSignature];
    let is_signature = SIGNATURES.contains(&defect);
    let counted = if is_signature { Counted::Signature(defect) } else { Counted::Mistake(defect) };
    draft.height >= BEGIN && is_missing(draft, counted)
}

fn is_missing(draft: &Draft<'_>, counted: Counted) -> bool {
    let tally: &Tally = &draft.world.tally;
    let (rate, count) = match counted {
        Counted::Mistake(defect) => (draft.config.defect_per_mille, tally.defect(defect)),
        Counted::Signature(defect) => (draft.config.bad_signature_per_mille, tally.defect(defect)),
        Counted::Oddity(oddity) => (draft.config.oddity_per_mille, tally.oddity(oddity)),
    };
    let wanted = match counted {
        // Possible only before anybody has tried to make money.
        Counted::Mistake(Defect::StakeTooMuch) => 1,
        Counted::Mistake(_) | Counted::Signature(_) | Counted::Oddity(_) => 1 + draft.height / ROUND_BLOCKS,
    };
    rate > 0 && count < wanted
}
