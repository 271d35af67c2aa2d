use proptest::prelude::*;
use schema::event::{Part, Verdict};
use serde_json::{Value, json};

use super::*;

const ALICE: &str = "0xEA0a973AF4EBee8528AF4792590752BcA91d9d81";

fn rules() -> Rules {
    Rules { chain_id: Some("ait-devnet".into()) }
}

fn row(number: u32) -> Value {
    json!({"chain_id": "ait-devnet", "tx_hash": format!("0x{number:064x}"), "block_height": 1, "sender": ALICE,
        "recipient": "ait1ea0a973af4ebee8528af4792590752bca91d9d81", "payload": {"amount": 5}, "nonce": 0, "fee": 36,
        "value": 5, "type": "TRANSFER", "status": "confirmed", "timestamp": null, "id": 9, "created_at": "x"})
}

fn block_json(height: u32, rows: &[Value]) -> Value {
    json!({"height": height, "hash": format!("0x{:064x}", height + 1), "parent_hash": format!("0x{height:064x}"),
        "proposer": ALICE, "timestamp": "2026-11-20T04:56:21", "tx_count": rows.len(), "state_root": null,
        "block_metadata": null, "signature": "", "transactions": rows})
}

fn answer(blocks: &[Value]) -> String {
    json!({"success": true, "count": blocks.len(), "blocks": blocks}).to_string()
}

#[test]
fn one_account_is_one_subject_however_it_is_spelled() {
    let units = blocks(&rules(), &answer(&[block_json(1, &[row(1)])])).expect("well-formed");
    let entry = &units[0].unit.entries[1];
    let names: Vec<_> = entry.subjects.iter().map(|(_, subject)| subject.name.as_str()).collect();
    assert_eq!(names, ["0xea0a973af4ebee8528af4792590752bca91d9d81"; 2]);
    assert_eq!(entry.verdict, Some(Verdict::Unverifiable));
    let Event::BlockApplied(block) = &units[0].unit.entries[0].event else { panic!("another event") };
    assert_eq!(block.checks["hash"].verdict, Verdict::Refuted);
    assert_eq!(block.checks["signature"].verdict, Verdict::Unverifiable);
    assert_eq!(block.signature, None);
}

#[test]
fn a_claim_is_work_and_a_claim_without_a_receipt_is_kept() {
    let mut claim = row(1);
    claim["type"] = json!("RECEIPT_CLAIM");
    claim["payload"] = json!({"receipt_id": "abc", "amount": 5});
    let mut empty = row(2);
    empty["type"] = json!("RECEIPT_CLAIM");
    let units = blocks(&rules(), &answer(&[block_json(1, &[claim, empty])])).expect("well-formed");
    let [_, transfer, work, _, unread] = units[0].unit.entries.as_slice() else { panic!("{units:?}") };
    assert_eq!(transfer.tx, work.tx);
    match (&work.event, &unread.event) {
        (Event::WorkSubmitted(work), Event::Unrecognized(unread)) => {
            assert_eq!(
                (work.work_type.as_str(), work.submission_id.as_str(), &work.oracle_id),
                ("compute", "abc", &None)
            );
            assert_eq!(unread.part, Part::Payload);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(work.verdict, Some(Verdict::Unverifiable));
}

#[test]
fn allocations_of_block_0_are_money_and_bad_ones_are_kept() {
    let mut genesis = block_json(0, &[]);
    let metadata =
        r#"{"allocations": [{"address": "0xaa", "balance": 7, "nonce": 0}, {"address": "0xbb", "balance": -7}]}"#;
    genesis["block_metadata"] = json!(metadata);
    let units = blocks(&rules(), &answer(&[genesis])).expect("well-formed");
    let [_, good, bad] = units[0].unit.entries.as_slice() else { panic!("{units:?}") };
    assert!(matches!(&good.event, Event::Allocated(body) if body.amount.text() == "7"));
    assert!(matches!(&bad.event, Event::Unrecognized(body) if body.part == Part::Transaction));
}

#[test]
fn whatever_is_wrong_with_an_envelope_refuses_the_answer() {
    for (name, value) in [
        ("height", json!("1")),
        ("hash", json!("zz")),
        ("parent_hash", json!(null)),
        ("proposer", json!(null)),
        ("timestamp", json!(5)),
        ("tx_count", json!(2)),
        ("transactions", json!(null)),
        ("transactions", json!([{}])),
        ("transactions", json!([row(1), row(1)])),
        ("transactions", json!(vec![json!({}); 100_001])),
        ("state_root", json!("a\u{0}")),
        ("signature", json!("a".repeat(300_000))),
    ] {
        let mut block = block_json(1, &[row(1)]);
        block[name] = value.clone();
        assert!(blocks(&rules(), &answer(&[block])).is_err(), "{name} = {value}");
    }
    let other_chain = json!({"chain_id": "ait-other"});
    let other_block = json!({"block_height": 2});
    for change in [other_chain, other_block] {
        let mut row = row(1);
        for (name, value) in change.as_object().expect("an object") {
            row[name] = value.clone();
        }
        assert!(blocks(&rules(), &answer(&[block_json(1, &[row])])).is_err(), "{change}");
    }
    assert!(blocks(&rules(), &answer(&[block_json(1, &[]), block_json(3, &[])])).is_err());
    assert!(blocks(&rules(), &answer(&[block_json(2, &[]), block_json(1, &[])])).is_ok());
    assert!(blocks(&rules(), "{\"detail\": \"not found\"}").is_err());
}

#[test]
fn a_malformed_row_moves_nothing() {
    for (name, value) in [
        ("sender", json!(null)),
        ("value", json!(-1)),
        ("fee", json!("x")),
        ("type", json!(null)),
        ("type", json!("x".repeat(3_000))),
        ("type", json!("a\u{0}")),
        ("status", json!("x".repeat(65))),
        ("status", json!("a\u{7}")),
        ("tx_hash", json!("x".repeat(129))),
        ("tx_hash", json!("a\nb")),
    ] {
        let mut bad = row(1);
        bad[name] = value;
        let units = blocks(&rules(), &answer(&[block_json(1, &[bad, row(2)])])).expect("a well-formed block");
        assert!(matches!(&units[0].unit.entries[1].event, Event::Unrecognized(body) if body.part == Part::Transaction));
        assert!(matches!(&units[0].unit.entries[2].event, Event::TransactionApplied(_)));
    }
}

#[test]
fn hashes_are_told_apart_as_they_are_spelled() {
    let hash = |digit: &str| format!("0x{}", digit.repeat(64));
    let (mut lower, mut upper) = (row(1), row(2));
    lower["tx_hash"] = json!(hash("a"));
    upper["tx_hash"] = json!(hash("A"));
    let units = blocks(&rules(), &answer(&[block_json(1, &[lower, upper])])).expect("well-formed");
    let applied = units[0].unit.entries.iter().filter(|entry| matches!(entry.event, Event::TransactionApplied(_)));
    assert_eq!(applied.count(), 2);
}

#[test]
fn what_is_too_long_to_keep_leaves_its_digest() {
    let mut claim = row(1);
    claim["type"] = json!("RECEIPT_CLAIM");
    claim["payload"] = json!({"receipt_id": "abc", "x": "x".repeat(1 << 20)});
    let units = blocks(&rules(), &answer(&[block_json(1, &[claim])])).expect("well-formed");
    let [_, transfer, payload] = units[0].unit.entries.as_slice() else { panic!("{units:?}") };
    assert!(matches!(&transfer.event, Event::TransactionApplied(tx) if tx.data.is_none() && tx.amount.text() == "5"));
    let is_digest = |body: &schema::event::Unrecognized| body.raw.is_empty() && body.data_digest.is_some();
    assert!(matches!(&payload.event, Event::Unrecognized(body) if body.part == Part::Payload && is_digest(body)));

    let mut genesis = block_json(0, &[]);
    let metadata =
        json!({"allocations": [{"address": "0xaa", "balance": 7}], "x": "\u{0}".repeat(1 << 18)}).to_string();
    genesis["block_metadata"] = json!(metadata);
    let units = blocks(&rules(), &answer(&[genesis])).expect("well-formed");
    let [block, metadata, allocation] = units[0].unit.entries.as_slice() else { panic!("{units:?}") };
    assert!(matches!(&block.event, Event::BlockApplied(block) if block.metadata.is_none()));
    assert!(matches!(&metadata.event, Event::Unrecognized(body) if body.part == Part::Payload && is_digest(body)));
    assert!(matches!(&allocation.event, Event::Allocated(body) if body.amount.text() == "7"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(text in ".{0,200}") {
        let _refused_or_not = blocks(&rules(), &text);
    }

    #[test]
    fn no_mutation_makes_the_decoder_panic(at in 0_usize..4096, with in "[-0-9a-f\"\\\\{}\\[\\],:u]{0,4}", cut in 0_usize..6) {
        let mut genesis = block_json(0, &[]);
        genesis["block_metadata"] = json!(r#"{"allocations": [{"address": "0xaa", "balance": 7, "nonce": 0}]}"#);
        let mut text = answer(&[genesis, block_json(1, &[row(1)])]);
        let start = at % text.len();
        text.replace_range(start..(start + cut).min(text.len()), &with);
        for unit in blocks(&rules(), &text).unwrap_or_default() {
            for entry in unit.unit.entries {
                prop_assert!(entry.event.body().is_ok());
            }
        }
    }
}
