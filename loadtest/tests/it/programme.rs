//! Odd actions occur early, so that no view and no finding needs a long chain to show anything.

use loadtest::network::{Defect, NetworkConfig, Oddity};

use crate::support::chain;

/// Mistakes that break a rule of some view; the others are payloads that nobody can recognise.
const EARLY: &[Defect] = &[
    Defect::BadTransactionSignature,
    Defect::BadLinkProof,
    Defect::LinkProofOfAnotherKey,
    Defect::BadRotationProof,
    Defect::BadOracleSignature,
    Defect::UnsignedWorkByStranger,
    Defect::UnregisteredOracle,
    Defect::OracleRegisteredTwice,
    Defect::SlashOfUnknownOracle,
    Defect::ValidatedBeforeSubmitted,
    Defect::RepeatedSubmission,
    Defect::RejectionByAnother,
    Defect::RejectedTwice,
    Defect::SecondRegistration,
    Defect::LinkByStranger,
    Defect::DoubleLink,
    Defect::TooManyLinks,
    Defect::UnlinkOfUnlinked,
    Defect::SelfFollow,
    Defect::FollowOfUnknown,
    Defect::FollowBadlySigned,
    Defect::UnfollowOfUnfollowed,
    Defect::StakeOfAnother,
    Defect::StakeTooMuch,
    Defect::UnstakeTooMuch,
    Defect::DelegateToSelf,
    Defect::DelegateTooMuch,
    Defect::UndelegateTooMuch,
    Defect::VoteOutsideWindow,
    Defect::VoteAfterClose,
    Defect::VoteWithoutPower,
    Defect::VoteOverclaimed,
    Defect::UnknownProposal,
    Defect::ProposedTwice,
    Defect::FinalizeByStranger,
    Defect::FinalizedEarly,
    Defect::DecidedTwice,
    Defect::CancelOfDecided,
    Defect::ExecuteOfUnpassed,
    Defect::FalseTally,
    Defect::FalseOutcome,
    Defect::MintByStranger,
];

fn assert_early(config: NetworkConfig) {
    let (seed, genesis) = (config.seed, config.genesis_time);
    let chain = chain(NetworkConfig { history_blocks: 200, ..config });
    let tally = chain.tally();
    let missing: Vec<&Defect> = EARLY.iter().filter(|defect| tally.defect(**defect) == 0).collect();
    assert!(missing.is_empty(), "never yet with seed {seed} from {genesis}: {missing:?}");
    assert!(tally.oddity(Oddity::MovedWallet) > 0, "no wallet has changed hands with seed {seed} from {genesis}");
    assert!(tally.oddity(Oddity::UnverifiableLink) > 0, "every link can be checked with seed {seed} from {genesis}");
}

#[test]
fn every_odd_action_occurs_in_the_first_two_hundred_blocks() {
    assert_early(NetworkConfig::default());
}

#[test]
fn so_it_is_whenever_the_chain_begins_and_whatever_its_seed() {
    // A chain begins when it is started for the first time, and its choices depend on that.
    for n in 1..=12_u32 {
        let config = NetworkConfig::default();
        let genesis_time = config.genesis_time + chrono::TimeDelta::seconds(997 * i64::from(n));
        assert_early(NetworkConfig { genesis_time, ..config.clone() });
        assert_early(NetworkConfig { seed: 100 + u64::from(n), ..config });
    }
}

#[test]
fn odd_actions_stay_rare_and_come_again() {
    let chain = chain(NetworkConfig { history_blocks: 1_500, ..NetworkConfig::default() });
    let tally = chain.tally();
    let again = |defect: &&Defect| tally.defect(**defect) < 2 && **defect != Defect::StakeTooMuch;
    let once: Vec<&Defect> = EARLY.iter().filter(again).collect();
    assert!(once.is_empty(), "once at most: {once:?}");
    assert!(tally.oddity(Oddity::MovedWallet) > 1, "wallets change hands again");
    let mistakes: u64 = tally.defects.values().sum();
    assert!(mistakes * 25 < tally.transactions, "{mistakes} mistakes in {} transactions", tally.transactions);
}
