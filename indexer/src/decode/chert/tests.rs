use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use schema::event::{Part, Role, Subject, Unrecognized, Verdict};
use serde_json::{Value, json};

use super::*;
use crate::verify::chert::account_address;

const ALICE: &str = "0x00000000000000000000000000000000000000aa";
const BOB: &str = "0x00000000000000000000000000000000000000bB";

fn rules() -> Rules {
    Rules { kind: SourceKind::Chert, chain_id: None, hash_rule: None }
}

fn tx_json(number: u32) -> Value {
    json!({"tx_id": format!("67e55044-10b1-426f-9247-{number:012}"), "sender": ALICE, "recipient": BOB, "amount": 2,
        "fee": 1, "nonce": 3, "timestamp": "2026-01-18T21:02:05.408028988Z", "signature": "ab", "stealth_outputs": []})
}

/// A block with every field that a node is known to send.
fn block_json(transactions: &[Value]) -> Value {
    json!({"block_number": 7, "block_hash": "0A".repeat(32), "previous_block_hash": "0b".repeat(32),
        "timestamp": "2026-01-18T21:02:05Z", "validator_address": "VAL00000000000000000000000000000000000000cc",
        "gas_used": 1, "gas_limit": 2, "state_root": vec![1; 32], "state_leaf_count": 5, "shard_commitments": null,
        "transactions": transactions})
}

fn decode(transactions: &[Value]) -> BlockUnit {
    block(&rules(), &block_json(transactions).to_string()).expect("well-formed")
}

fn applied(entry: &Entry) -> &TransactionApplied {
    let Event::TransactionApplied(applied) = &entry.event else { panic!("another event") };
    applied
}

fn unrecognized(entry: &Entry) -> &Unrecognized {
    let Event::Unrecognized(unrecognized) = &entry.event else { panic!("another event") };
    unrecognized
}

#[test]
fn a_block_as_nodes_send_it_becomes_a_unit() {
    let unit = decode(&[tx_json(1)]);
    assert_eq!(unit.height.to_string(), "7");
    assert_eq!(unit.unit.block, Some((unit.height, unit.hash.clone())));
    assert_eq!(unit.unit.occurred_at.to_rfc3339(), "2026-01-18T21:02:05+00:00");
    let [first, second] = unit.unit.entries.as_slice() else { panic!("{unit:?}") };
    let Event::BlockApplied(block) = &first.event else { panic!("another event") };
    assert_eq!(block.hash, "0A".repeat(32));
    assert_eq!(block.state_root.as_deref().map(str::len), Some(65));
    assert_eq!(block.tx_count.text(), "1");
    assert_eq!(block.checks.keys().collect::<Vec<_>>(), ["hash"]);
    assert_eq!(first.verdict, Some(Verdict::Unverifiable));
    let tx = applied(second);
    assert_eq!((tx.amount.text(), tx.fee.text(), tx.time.text()), ("2", "1", "2026-01-18T21:02:05.408028988Z"));
    assert_eq!(second.verdict, Some(Verdict::Unverifiable));
    let canonical = |text: &str| Subject { namespace: schema::event::Namespace::Address, name: text.to_owned() };
    assert_eq!(second.subjects, [(Role::Sender, canonical(ALICE)), (Role::Recipient, canonical(BOB))]);
}

#[test]
fn whatever_is_wrong_with_the_envelope_refuses_the_block() {
    for (name, value) in [
        ("block_number", json!("7")),
        ("block_number", json!(-1)),
        ("block_hash", json!("")),
        ("block_hash", json!("xyz")),
        ("previous_block_hash", json!("")),
        ("timestamp", json!(5)),
        ("timestamp", json!("yesterday")),
        ("validator_address", json!(null)),
        ("validator_address", json!("a\u{0}")),
        ("gas_used", json!("one")),
        ("transactions", json!(null)),
        ("transactions", json!({})),
        ("transactions", json!([5])),
        ("transactions", json!([{"sender": ALICE}])),
        ("transactions", json!([tx_json(1), tx_json(1)])),
        ("transactions", json!(vec![json!({}); 100_001])),
        ("signature", json!("a".repeat(300_000))),
        ("state_root", json!(vec![1; 3_000])),
        ("tx_count", json!(2)),
    ] {
        let mut block_json = block_json(&[tx_json(1)]);
        block_json[name] = value.clone();
        let refused = block(&rules(), &block_json.to_string());
        assert!(matches!(refused, Err(SourceError::Malformed(_))), "{name} = {value}: {refused:?}");
    }
    let twice = block_json(&[]).to_string().replacen('{', "{\"block_number\":8,", 1);
    assert!(block(&rules(), &twice).is_err());
}

#[test]
fn a_malformed_transaction_moves_nothing_and_the_others_stand() {
    for (name, value) in [
        ("sender", json!(null)),
        ("sender", json!("")),
        ("sender", json!("a\nb")),
        ("amount", json!(-1)),
        ("amount", json!(1.5)),
        ("amount", json!(null)),
        ("fee", json!(null)),
        ("recipient", json!(null)),
        ("timestamp", json!(5)),
        ("outputs", json!([{"recipient": BOB, "amount": 1}])),
        ("stealth_outputs", json!([{"commitment": [1, 2], "amount": 1}])),
        ("status", json!("x".repeat(65))),
        ("status", json!("a\u{0}")),
        ("signature", json!("ab".repeat(9_000))),
        ("public_key", json!("ab".repeat(9_000))),
        ("outputs", json!(vec![json!({"amount": 0}); 10_001])),
        ("stealth_outputs", json!(vec![json!({}); 10_001])),
        ("timestamp", json!(format!("2026-01-18T21:02:05.{}Z", "0".repeat(200)))),
    ] {
        let mut bad = tx_json(1);
        bad[name] = value.clone();
        let unit = decode(&[bad, tx_json(2)]);
        let [_, bad, good] = unit.unit.entries.as_slice() else { panic!("{name} = {value}: {unit:?}") };
        assert_eq!(unrecognized(bad).part, Part::Transaction, "{name} = {value}");
        assert_eq!(applied(good).amount.text(), "2");
        assert_eq!(good.tx.as_ref().map(|(_, index)| *index), Some(1));
    }
    let text = block_json(&[tx_json(1)]).to_string();
    for (from, to) in [
        ("\"amount\":2", "\"amount\":18446744073709551616"),
        (BOB, "\\ud800"),
        ("\"nonce\":3", "\"nonce\":3,\"nonce\":3"),
    ] {
        let unit = block(&rules(), &text.replacen(from, to, 1)).expect("a well-formed block");
        assert_eq!(unrecognized(&unit.unit.entries[1]).part, Part::Transaction, "{to}");
        let raw = hex::decode(&unrecognized(&unit.unit.entries[1]).raw).expect("hex");
        assert!(String::from_utf8(raw).expect("text").contains(to), "{to}");
    }
}

#[test]
fn data_passes_byte_for_byte() {
    let raw = "{\"n\":  123456789012345678901234567890.10,\"a\":1,\"a\":2,\"t\":\"\\u0000\\ud800\u{202e}\"}";
    let mut tx = tx_json(1);
    tx["data"] = json!("HERE");
    let text = block_json(&[tx]).to_string().replacen("\"HERE\"", raw, 1);
    let unit = block(&rules(), &text).expect("well-formed");
    let [_, transfer, payload] = unit.unit.entries.as_slice() else { panic!("{unit:?}") };
    assert_eq!(applied(transfer).data.as_deref(), Some(raw));
    assert_eq!(applied(transfer).tx_type, "transfer");
    assert_eq!(unrecognized(payload).part, Part::Payload);
    assert_eq!(unrecognized(payload).raw, hex::encode(raw));
    let body = transfer.event.body().expect("canonical");
    assert_eq!(Event::parse(transfer.event.kind(), &body).expect("parses"), transfer.event);
}

#[test]
fn a_payload_follows_its_transaction_and_names_its_type() {
    let mut tx = tx_json(1);
    tx["data"] = json!({"v": 1, "kind": "governance.cancel", "proposal_id": 5});
    let unit = decode(&[tx, tx_json(2)]);
    let names: Vec<_> = unit.unit.entries.iter().map(|entry| entry.event.kind().name()).collect();
    assert_eq!(
        names,
        ["chain.block_applied", "chain.transaction_applied", "governance.cancelled", "chain.transaction_applied"]
    );
    assert_eq!(applied(&unit.unit.entries[1]).tx_type, "governance.cancel");
    assert_eq!(unit.unit.entries[1].tx, unit.unit.entries[2].tx);
}

#[test]
fn outputs_replace_the_recipient_and_stealth_outputs_hide_their_part() {
    let mut tx = tx_json(1);
    tx["outputs"] = json!([{"recipient": BOB, "amount": 4}, {"recipient": ALICE, "amount": 8}, {"amount": 16}]);
    tx["amount"] = json!(null);
    let unit = decode(std::slice::from_ref(&tx));
    let entry = &unit.unit.entries[1];
    assert_eq!((applied(entry).amount.text(), applied(entry).outputs.len(), entry.subjects.len()), ("28", 3, 3));

    let mut secret = tx_json(1);
    let keys = json!({"public_key": vec![9; 32], "tx_public_key": vec![8; 32]});
    secret["stealth_outputs"] = json!([{"commitment": vec![1; 32], "address": keys, "amount": null,
        "memo_encrypted": {"ciphertext": [7, 7]}}]);
    let unit = decode(std::slice::from_ref(&secret));
    let hidden = applied(&unit.unit.entries[1]);
    assert_eq!(hidden.undisclosed.as_ref().map(Spelled::text), Some("2"));
    assert_eq!(hidden.stealth_commitments, ["01".repeat(32)]);
    secret["stealth_outputs"][0]["amount"] = json!(1);
    let unit = decode(&[secret]);
    assert_eq!(applied(&unit.unit.entries[1]).undisclosed.as_ref().map(Spelled::text), Some("1"));
}

#[test]
fn memos_and_stealth_keys_never_reach_a_body() {
    let secrets = ["the memo", "the plain memo", "[201,202]", "[203,204]"];
    let mut tx = tx_json(1);
    tx["memo"] = json!(secrets[0]);
    tx["stealth_outputs"] = json!([{"commitment": vec![1; 32], "amount": 1, "memo_plaintext": secrets[1],
        "memo_encrypted": {"ciphertext": [201, 202]}, "address": {"public_key": [203, 204]}}]);
    let mut broken = tx.clone();
    broken["sender"] = json!(null);
    broken["tx_id"] = json!("other");
    let unit = decode(&[tx.clone(), broken]);
    assert!(applied(&unit.unit.entries[1]).memo_digest.is_some());
    for entry in &unit.unit.entries {
        let body = String::from_utf8(entry.event.body().expect("canonical")).expect("text");
        for secret in secrets {
            assert!(!body.contains(secret) && !body.contains(&hex::encode(secret)), "{secret} in {body}");
        }
    }
    tx["stealth_outputs"] = json!([]);
    let unit = decode(&[tx]);
    let digest = crate::decode::sha256_hex(b"the memo");
    assert_eq!(applied(&unit.unit.entries[1]).memo_digest, Some(digest));
}

#[test]
fn blocks_of_one_answer_follow_each_other() {
    let first = decode(&[]);
    let mut next = block_json(&[]);
    next["block_number"] = json!(8);
    next["block_hash"] = json!("0c".repeat(32));
    next["previous_block_hash"] = json!("0a".repeat(32));
    let second = block(&rules(), &next.to_string()).expect("well-formed");
    assert_eq!(contiguous(&[first.clone(), second.clone()]), Ok(()));
    assert!(contiguous(&[second.clone(), first.clone()]).is_err());
    let stranger = BlockUnit { parent_hash: Some("ff".parse().expect("hash")), ..second };
    assert!(contiguous(&[first, stranger]).is_err());
}

#[test]
fn ids_are_told_apart_as_they_are_spelled_and_an_impossible_one_is_its_transactions_trouble() {
    let mut upper = tx_json(10);
    upper["tx_id"] = json!("67E55044-10B1-426F-9247-000000000010");
    let mut long = tx_json(11);
    long["tx_id"] = json!("x".repeat(129));
    let mut control = tx_json(12);
    control["tx_id"] = json!("a\nb");
    let unit = decode(&[tx_json(10), upper, long.clone(), long, control, tx_json(13)]);
    let [_, lower, upper, long, again, control, good] = unit.unit.entries.as_slice() else { panic!("{unit:?}") };
    assert_ne!(applied(lower).tx_id, applied(upper).tx_id);
    let id = |entry: &Entry| entry.tx.clone().map(|(id, index)| (id.to_string(), index));
    assert_eq!(id(lower).map(|(id, _)| id), id(upper).map(|(id, _)| id));
    for entry in [long, again, control] {
        assert_eq!((unrecognized(entry).part, id(entry)), (Part::Transaction, None));
        assert!(unrecognized(entry).reason.contains("tx_id"), "{}", unrecognized(entry).reason);
    }
    assert_eq!(id(good).map(|(_, index)| index), Some(5));
}

#[test]
fn a_payload_too_long_to_keep_leaves_its_digest_and_the_transfer() {
    let data = json!({"v": 1, "kind": "governance.cancel", "proposal_id": 5, "x": "x".repeat(1 << 20)}).to_string();
    let digest = crate::decode::sha256_hex(data.as_bytes());
    let key = SigningKey::from_bytes(&[7; 32]);
    let mut tx = tx_json(1);
    tx["sender"] = json!(account_address(key.verifying_key().as_bytes()));
    tx["public_key"] = json!(hex::encode(key.verifying_key().as_bytes()));
    let word = |name: &str| tx[name].as_str().expect("text").to_owned();
    let (id, sender, time) = (word("tx_id"), word("sender"), word("timestamp"));
    let message = format!("chert:tx:v1\nchert-test\n{id}\n{sender}\n{BOB}\n2\n1\n3\n{time}\n{digest}");
    tx["signature"] = json!(hex::encode(key.sign(message.as_bytes()).to_bytes()));
    let text = block_json(&[tx]).to_string().replacen("\"nonce\":3", &format!("\"nonce\":3,\"data\":{data}"), 1);
    let rules = Rules { chain_id: Some("chert-test".into()), hash_rule: Some(HashRule::ChertSynthetic1), ..rules() };
    let unit = block(&rules, &text).expect("well-formed");
    let [_, transfer, payload] = unit.unit.entries.as_slice() else { panic!("{unit:?}") };
    let moved = applied(transfer);
    assert_eq!((moved.amount.text(), &moved.data, moved.tx_type.as_str()), ("2", &None, "transfer"));
    assert_eq!(transfer.verdict, Some(Verdict::Verified));
    let payload = unrecognized(payload);
    assert_eq!((payload.part, payload.raw.as_str()), (Part::Payload, ""));
    assert_eq!(payload.data_digest, Some(digest));
}

#[test]
fn a_malformed_transaction_too_long_to_keep_leaves_its_digest() {
    for (length, is_kept) in [(200_000, true), (300_000, false)] {
        let mut tx = tx_json(1);
        tx["sender"] = json!(null);
        tx["extra"] = json!("x".repeat(length));
        let unit = decode(&[tx]);
        let kept = unrecognized(&unit.unit.entries[1]);
        assert_eq!(
            (kept.part, !kept.raw.is_empty(), kept.data_digest.is_none()),
            (Part::Transaction, is_kept, is_kept)
        );
    }
}

#[test]
fn the_largest_transaction_fits_the_log() {
    let recipient = "\"".repeat(128);
    let mut tx = tx_json(1);
    tx["recipient"] = json!(recipient);
    tx["amount"] = json!(null);
    tx["outputs"] = json!(vec![json!({"amount": 1}); 10_000]);
    tx["stealth_outputs"] = json!(vec![json!({"commitment": "01".repeat(32), "amount": 0}); 10_000]);
    tx["data"] = json!("\"".repeat((1 << 19) - 1));
    tx["signature"] = json!("\u{0}".repeat(16 << 10));
    let unit = decode(&[tx]);
    assert!(applied(&unit.unit.entries[1]).data.is_some());
    for entry in &unit.unit.entries {
        assert!(entry.event.body().expect("canonical").len() < 8 << 20);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(text in ".{0,200}") {
        let _refused_or_not = block(&rules(), &text);
    }

    #[test]
    fn no_mutation_makes_the_decoder_panic(at in 0_usize..4096, with in "[-0-9a-f\"\\\\{}\\[\\],:u]{0,4}", cut in 0_usize..6) {
        let mut tx = tx_json(1);
        tx["data"] = json!({"v": 1, "kind": "pouw.submit", "submission_id": "s", "miner_address": ALICE, "oracle_id": "o",
            "work_type": "boinc", "difficulty": 1, "reward": 2, "validated_at": 5});
        tx["stealth_outputs"] = json!([{"commitment": vec![1; 32], "amount": 1, "memo_plaintext": "m"}]);
        let mut text = block_json(&[tx, tx_json(2)]).to_string();
        let start = at % text.len();
        let end = (start + cut).min(text.len());
        text.replace_range(start..end, &with);
        if let Ok(unit) = block(&rules(), &text) {
            for entry in unit.unit.entries {
                prop_assert!(entry.event.body().is_ok());
            }
        }
    }
}
