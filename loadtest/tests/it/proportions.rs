//! The network that everybody starts with shows something of everything, in believable proportions.

use std::collections::{BTreeMap, BTreeSet};

use loadtest::network::{Chain, Defect, IdentityBook, Kind, Ledger, NetworkConfig, ProposalState, Visibility};

use crate::support::{blocks, chain, payload, transactions};

/// Blocks after the history in which the head is looked at, every few.
const LIVE_BLOCKS: u64 = 600;
const LOOK_EVERY: u64 = 6;

fn states(ledger: &Ledger) -> BTreeSet<ProposalState> {
    ledger.proposals.values().map(|proposal| proposal.state).collect()
}

fn per_cent(ledger: &Ledger, fits: impl Fn(&IdentityBook) -> bool) -> usize {
    ledger.identities.values().filter(|identity| fits(identity)).count() * 100 / ledger.identities.len()
}

#[test]
fn the_history_shows_governance_in_every_state() {
    let chain = chain(NetworkConfig::default());
    let ledger = chain.ledger();
    assert!(ledger.proposals.len() >= 12, "{} proposals", ledger.proposals.len());
    assert_eq!(states(&ledger), BTreeSet::from(ProposalState::ALL));
    let voted = ledger.proposals.values().filter(|proposal| proposal.voters >= 3).count();
    assert!(voted * 2 > ledger.proposals.len(), "only {voted} proposals have three voters");
    let carried = |wanted| ledger.proposals.values().filter(|p| p.computed_passed == Some(wanted)).count();
    assert!(carried(true) >= 3 && carried(false) >= 3, "{} carried, {} not", carried(true), carried(false));
    assert!(ledger.delegations.len() >= 10, "{} delegations", ledger.delegations.len());
    let powerful = ledger.identities.values().filter(|identity| identity.power() > 0).count();
    assert!(powerful >= 50, "{powerful} identities can vote");
}

#[test]
fn every_state_of_a_proposal_can_be_seen_at_the_growing_head() {
    let mut chain = chain(NetworkConfig::default());
    let (mut looks, mut complete) = (0, 0);
    for _ in 0..LIVE_BLOCKS / LOOK_EVERY {
        for _ in 0..LOOK_EVERY {
            chain.advance().expect("a step");
        }
        looks += 1;
        complete += u64::from(states(&chain.ledger()).len() == ProposalState::ALL.len());
    }
    assert!(complete * 3 > looks * 2, "{complete} of {looks} heads show every state");
}

#[test]
fn people_are_many_and_differ() {
    let ledger = chain(NetworkConfig::default()).ledger();
    assert!(ledger.identities.len() >= 2_000, "{} identities", ledger.identities.len());
    let share = |visibility| per_cent(&ledger, |identity| identity.visibility == visibility);
    assert!((50..=70).contains(&share(Visibility::Public)), "{} % public", share(Visibility::Public));
    assert!((10..=25).contains(&share(Visibility::FriendsOnly)), "{} % friends", share(Visibility::FriendsOnly));
    assert!((15..=35).contains(&share(Visibility::Private)), "{} % private", share(Visibility::Private));
    let linked = per_cent(&ledger, |identity| !identity.wallets.is_empty());
    assert!((35..=75).contains(&linked), "{linked} % have a wallet");
    let of_somebody: BTreeSet<&String> = ledger.identities.values().flat_map(|identity| &identity.wallets).collect();
    let attributed = ledger.miners.keys().filter(|address| of_somebody.contains(address)).count();
    assert!(attributed >= 200, "{attributed} miners are somebody's");
    assert!(ledger.follows.len() >= 300, "{} follows", ledger.follows.len());
    let follows: BTreeSet<&(String, String)> = ledger.follows.iter().collect();
    let mutual = |(one, other): &&(String, String)| follows.contains(&(other.clone(), one.clone()));
    let friends = ledger.follows.iter().filter(mutual).count();
    assert!(friends >= 50, "{friends} follows are mutual");
    let most = ledger.identities.values().map(|identity| identity.followers).max();
    assert!(most >= Some(5), "the most popular has {most:?} followers");
}

#[test]
fn oracles_differ_in_quality() {
    let chain = chain(NetworkConfig { history_blocks: 1_500, ..NetworkConfig::default() });
    let ledger = chain.ledger();
    let of = |id: &str| &ledger.oracles[id];
    let (best, worst) = (of("oracle-1"), of("oracle-4"));
    assert!(best.accepted > of("oracle-2").accepted && of("oracle-2").accepted > of("oracle-3").accepted);
    assert!(of("oracle-3").accepted > worst.accepted && worst.accepted > 100);
    assert_eq!(best.refuted, 0, "the best oracle signs well");
    assert!(worst.refuted > 0 && worst.rejected * 100 > worst.accepted * 10, "{worst:?}");
    assert!(best.rejected * 100 < best.accepted * 5 && best.overturned > 0, "{best:?}");
    assert!(!of("oracle-5").registered && of("oracle-5").accepted == 0);
    assert!(chain.tally().defect(Defect::UnregisteredOracle) > 0);
    assert!(ledger.oracles.values().any(|oracle| oracle.slash_count > 0));
}

#[test]
fn most_of_what_happens_is_money_and_work() {
    let mut chain = chain(NetworkConfig::default());
    let count = |chain: &Chain, kinds: &[Kind]| kinds.iter().map(|kind| chain.tally().kind(*kind)).sum::<u64>();
    let before = chain.tally().transactions;
    let wanted = [Kind::Transfer, Kind::SubmitWork];
    let busy = count(&chain, &wanted);
    for _ in 0..LIVE_BLOCKS {
        chain.advance().expect("a step");
    }
    let (all, some) = (chain.tally().transactions - before, count(&chain, &wanted) - busy);
    assert!(some * 100 > all * 60, "{some} of {all}");
}

#[test]
fn bandwidth_states_its_bytes_unless_the_oracle_signed_for_it() {
    let chain = chain(NetworkConfig { defect_per_mille: 0, ..NetworkConfig::default() });
    let mut spelled: BTreeMap<(bool, bool), u64> = BTreeMap::new();
    for block in blocks(&chain) {
        for tx in transactions(&block) {
            let Some(work) = payload(&tx).filter(|payload| payload["work_type"] == "bandwidth") else { continue };
            if work["kind"] == "pouw.submit" {
                assert_ne!(work.get("bytes").is_some(), work.get("credit").is_some(), "{work}");
                let key = (work.get("oracle_signature").is_some(), work.get("bytes").is_some());
                *spelled.entry(key).or_default() += 1;
            }
        }
    }
    assert_eq!(spelled.keys().copied().collect::<Vec<_>>(), [(false, true), (true, false)], "{spelled:?}");
}
