//! The network's books are what its blocks say, read by somebody else.

use std::collections::BTreeMap;

use loadtest::network::{Chain, IdentityBook, Ledger, NetworkConfig, OracleBook};

use crate::support::{chain, small};

mod reading;

use reading::Reading;

/// Without mistakes but of signatures, whatever is said is done.
fn honest() -> NetworkConfig {
    NetworkConfig {
        seed: 11,
        defect_per_mille: 0,
        bad_signature_per_mille: 60,
        oddity_per_mille: 0,
        history_blocks: 500,
        txs_per_block: 25,
        fork_every_blocks: 20,
        ..small()
    }
}

fn assert_books(chain: &Chain) -> Ledger {
    let (reading, head_ms) = Reading::of(chain);
    let ledger = chain.ledger();
    assert_eq!(ledger.identities, reading.identities());
    assert_eq!(ledger.follows, reading.follows.iter().cloned().collect::<Vec<_>>());
    let staked: BTreeMap<String, u64> =
        reading.staked.iter().filter(|(_, n)| **n > 0).map(|(a, n)| (a.clone(), *n)).collect();
    assert_eq!(ledger.staked, staked);
    assert_eq!(ledger.delegations, reading.delegations());
    assert_eq!(ledger.proposals, reading.proposals(head_ms));
    assert_eq!(ledger.miners, reading.miners);
    let registered = |(id, book): (&String, &OracleBook)| book.registered.then(|| (id.clone(), book.clone()));
    let ours: BTreeMap<String, OracleBook> = ledger.oracles.iter().filter_map(registered).collect();
    assert_eq!(ours, reading.oracles);
    ledger
}

#[test]
fn the_books_are_what_the_blocks_say_on_every_branch() {
    let mut chain = chain(honest());
    let ledger = assert_books(&chain);
    assert!(!ledger.delegations.is_empty() && !ledger.follows.is_empty() && ledger.proposals.len() > 10);
    let mut switches = 0;
    for _ in 0..100 {
        if chain.advance().expect("a step").replaced > 0 {
            switches += 1;
            assert_books(&chain);
        }
    }
    assert!(switches >= 2, "only {switches} switches");
    chain.fork(20).expect("a switch");
    let ledger = assert_books(&chain);
    let counts = |book: &OracleBook| book.accepted > 0 && book.rejected > 0 && book.refuted > 0;
    assert!(ledger.oracles.values().any(counts), "{:?}", ledger.oracles);
    assert!(ledger.oracles.values().any(|book| book.overturned > 0), "{:?}", ledger.oracles);
}

#[test]
fn power_that_is_given_never_exceeds_the_stake_below_it() {
    let mut chain = chain(NetworkConfig { defect_per_mille: 60, ..honest() });
    let mut partly = 0;
    for _ in 0..300 {
        chain.advance().expect("a step");
        let ledger = chain.ledger();
        for given in &ledger.delegations {
            let giver = &ledger.identities[&given.delegator];
            assert_eq!(given.counted, given.amount.min(giver.own_stake));
            partly += u64::from(given.counted < given.amount);
        }
        let total = |of: fn(&IdentityBook) -> u64| ledger.identities.values().map(of).sum::<u64>();
        assert_eq!(total(|identity| identity.delegated_in), total(|identity| identity.delegated_out));
        assert_eq!(total(IdentityBook::power), total(|identity| identity.own_stake));
    }
    assert!(partly > 0, "no stake was ever taken from under a delegation");
}
