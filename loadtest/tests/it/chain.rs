//! The chain is deterministic, linked, and conserves money on every branch.

use std::collections::BTreeMap;

use loadtest::network::{Chain, Kind, NetworkConfig};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::{Tx, block, blocks, chain, payload, small, transactions, wild};

#[test]
fn the_same_configuration_gives_the_same_bytes() {
    let (one, two) = (chain(small()), chain(small()));
    assert_eq!(one.head(), two.head());
    for (left, right) in blocks(&one).iter().zip(blocks(&two)) {
        assert_eq!(left.json(), right.json());
    }
    let other = chain(NetworkConfig { seed: 43, ..small() });
    assert_ne!(one.head().hash, other.head().hash);
}

/// These bytes are what recordings and documents quote: if this fails, the chain of every seed has changed.
#[test]
fn block_zero_and_the_head_are_what_they_were() {
    let chain = chain(small());
    insta::assert_snapshot!(block(&chain, 0).hash(), @"8b8f51d2d04fa9aa24f07d9340b9a999966c3b2601e2070b79577333f0325904");
    insta::assert_snapshot!(chain.head().hash, @"b7dbbde83615055b7db091725f3c895ca2b7b3db81b9343db9e396b258df7e58");
}

#[test]
fn blocks_link_and_hash_by_the_announced_rule() {
    let chain = chain(small());
    let mut previous = "0".repeat(64);
    let mut time = String::new();
    for block in blocks(&chain) {
        let value: Value = serde_json::from_str(&block.json_without_transactions()).expect("JSON");
        assert_eq!(value["block_number"], block.height());
        assert_eq!(value["previous_block_hash"], previous);
        let txs = transactions(&block);
        assert_eq!(value["transaction_count"], txs.len());
        // A `serde_json` map sorts its keys and writes no spaces, which is RFC 8785 for these values.
        let preimage = serde_json::json!({
            "block_number": block.height(), "previous_block_hash": previous, "timestamp": value["timestamp"],
            "validator_address": value["validator_address"],
            "tx_ids": txs.iter().map(|tx| tx.tx_id.as_str()).collect::<Vec<_>>(),
        });
        let hash = Sha256::new().chain_update("CHERT_BLOCK_V1").chain_update(preimage.to_string()).finalize();
        assert_eq!(block.hash(), hex::encode(hash));
        assert_eq!(value["block_hash"], block.hash());
        let stamp = value["timestamp"].as_str().expect("text").to_owned();
        assert!(stamp > time, "block times rise");
        (previous, time) = (block.hash(), stamp);
    }
}

#[test]
fn blocks_and_transactions_are_found_by_their_ids() {
    let mut chain = chain(small());
    let head = chain.head();
    let found = chain.block_by_hash(&format!("0x{}", head.hash.to_uppercase())).expect("no file").expect("the head");
    assert_eq!(found.height(), head.height);
    let newest = blocks(&chain).into_iter().rev().find(|block| !transactions(block).is_empty()).expect("transactions");
    let tx_id = transactions(&newest)[0].tx_id.clone();
    let (holder, index) = chain.transaction(&tx_id).expect("no file").expect("the transaction");
    assert_eq!((holder.height(), index), (newest.height(), 0));
    let depth = head.height - newest.height() + 1;
    chain.fork(depth).expect("a switch");
    assert!(chain.transaction(&tx_id).expect("no file").is_none(), "a replaced transaction is gone");
    assert!(chain.block_by_hash(&head.hash).expect("no file").is_none(), "a replaced block is gone");
}

/// Money by the reader's rules, from the blocks of the current branch alone.
fn replayed(chain: &Chain) -> (BTreeMap<String, i128>, i128, i128, i128) {
    let (mut balances, mut issued, mut burned, mut undisclosed) = (BTreeMap::new(), 0, 0, 0);
    for block in blocks(chain) {
        for tx in transactions(&block) {
            let origin = tx.sender.ends_with("02") && tx.public_key.is_none();
            if origin {
                issued += issue(&tx, block.height(), &mut balances);
                continue;
            }
            let paid = balances.entry(tx.sender.clone()).or_insert(0);
            *paid -= i128::from(tx.amount) + i128::from(tx.fee);
            assert!(*paid >= 0, "{} overspends at {}", tx.sender, block.height());
            *balances.entry("0x0000000000000000000000000000000000000003".to_owned()).or_insert(0) += i128::from(tx.fee);
            let mut parts: Vec<_> = tx.outputs.iter().map(|part| (part.recipient.as_str(), part.amount)).collect();
            assert!(parts.is_empty() || parts.iter().map(|(_, amount)| amount).sum::<u64>() == tx.amount);
            if parts.is_empty() {
                parts.push((&tx.recipient, tx.amount));
            }
            for (recipient, amount) in parts {
                if tx.stealth_outputs.is_some() {
                    undisclosed += i128::from(amount);
                } else if recipient == "0x0000000000000000000000000000000000000001" {
                    burned += i128::from(amount);
                } else {
                    *balances.entry(recipient.to_owned()).or_insert(0) += i128::from(amount);
                }
            }
        }
    }
    (balances, issued, burned, undisclosed)
}

fn issue(tx: &Tx<'_>, height: u64, balances: &mut BTreeMap<String, i128>) -> i128 {
    assert_eq!((tx.amount, tx.fee), (0, 0));
    let Some(payload) = payload(tx) else { return 0 };
    let counts = payload["kind"] == "reward.mint" || (payload["kind"] == "genesis.allocate" && height == 0);
    if !counts {
        return 0;
    }
    let amount = payload["amount"].as_u64().unwrap_or_else(|| {
        let digits = payload["amount"].as_str().expect("a number or a text");
        digits.parse().expect("digits")
    });
    let address = payload["address"].as_str().expect("text").to_owned();
    *balances.entry(address).or_insert(0) += i128::from(amount);
    i128::from(amount)
}

fn assert_ledger(chain: &Chain) {
    let (balances, issued, burned, undisclosed) = replayed(chain);
    let ledger = chain.ledger();
    assert_eq!(ledger.total(), ledger.supply());
    assert_eq!(i128::from(ledger.allocated) + i128::from(ledger.minted), issued);
    assert_eq!((i128::from(ledger.burned), i128::from(ledger.undisclosed)), (burned, undisclosed));
    let positive = |(address, balance): (String, i128)| (balance > 0).then_some((address, balance));
    let ours: BTreeMap<_, _> = balances.into_iter().filter_map(positive).collect();
    let theirs: BTreeMap<_, _> =
        ledger.balances.into_iter().map(|(a, b)| (a, i128::from(b))).filter_map(positive).collect();
    assert_eq!(ours, theirs);
}

#[test]
fn money_is_conserved_on_every_branch() {
    let mut chain = chain(NetworkConfig { history_blocks: 10, stealth_per_mille: 30, ..small() });
    let mut switches = 0;
    for _ in 0..60 {
        let done = chain.advance().expect("a step");
        switches += u64::from(done.replaced > 0);
        if done.replaced > 0 {
            assert_ledger(&chain);
        }
    }
    assert!(switches >= 3, "only {switches} switches");
    chain.fork(9).expect("a switch");
    assert_ledger(&chain);
}

#[test]
fn money_is_conserved_among_mistakes() {
    assert_ledger(&chain(wild()));
}

#[test]
fn nonces_count_the_transactions_of_each_sender() {
    let chain = chain(small());
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for block in blocks(&chain) {
        for tx in transactions(&block) {
            let expected = next.entry(tx.sender.clone()).or_insert(0);
            assert_eq!(tx.nonce, *expected);
            *expected += 1;
        }
    }
    assert_eq!(chain.ledger().sent, next);
}

#[test]
fn a_switch_replaces_what_it_says_and_a_comeback_restores_the_old_branch() {
    let mut chain = chain(NetworkConfig { history_blocks: 5, txs_per_block: 2, fork_every_blocks: 4, ..small() });
    let mut seen = BTreeMap::new();
    let mut returned = 0;
    for _ in 0..600 {
        let before = chain.head();
        let done = chain.advance().expect("a step");
        assert!(done.replaced <= chain.config().fork_depth_max);
        assert_eq!(done.head.height, before.height - done.replaced + done.added);
        assert!(done.head.height >= before.height, "the head never sinks");
        let base = before.height - done.replaced;
        for height in base + 1..=done.head.height {
            let hash = block(&chain, height).hash();
            if seen.insert(hash, height).is_some() {
                returned += 1;
            }
        }
        if done.replaced > 0 {
            assert_ne!(block(&chain, before.height).hash(), before.hash);
        }
    }
    assert!(returned > 0, "no branch ever came back");
}

#[test]
fn the_tally_counts_what_is_there() {
    let chain = chain(small());
    let all: usize = blocks(&chain).iter().map(|block| transactions(block).len()).sum();
    let tally = chain.tally();
    assert_eq!(tally.blocks, chain.head().height + 1);
    assert_eq!(tally.transactions, u64::try_from(all).expect("a count"));
    assert_eq!(tally.kinds.values().sum::<u64>(), tally.transactions);
    let (plain, work) = (tally.kind(Kind::Transfer), tally.kind(Kind::SubmitWork));
    assert!(plain + work > tally.transactions / 2, "{plain} transfers and {work} submissions are most of it");
}
