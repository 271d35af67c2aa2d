use schema::chain::Spelled;
use schema::event::Kind;
use schema::source::{ORIGIN, SourceKind};
use serde_json::{Value, json};

use super::*;

const ALICE: &str = "0x00000000000000000000000000000000000000aa";

fn rules() -> Rules {
    Rules { kind: SourceKind::Chert, chain_id: Some("chert-test".into()), hash_rule: None }
}

fn tx(sender: &str, amount: &str) -> TransactionApplied {
    TransactionApplied {
        amount: Spelled::parse(amount).expect("amount"),
        checks: Checks::new(),
        data: None,
        fee: Spelled::parse("0").expect("amount"),
        memo_digest: None,
        nonce: None,
        outputs: vec![],
        public_key: None,
        recipient: Some(sender.to_owned()),
        sender: sender.to_owned(),
        signature: None,
        stealth_commitments: vec![],
        status: None,
        time: Spelled::parse("2026-01-18T21:02:05Z").expect("time"),
        tx_id: "t".into(),
        tx_type: "transfer".into(),
        undisclosed: None,
    }
}

fn read_as(sender: &str, amount: &str, height: &str, data: &str) -> Result<Option<Read>, Misfit> {
    let (rules, tx) = (rules(), tx(sender, amount));
    read(&Carrier { rules: &rules, height: height.parse().expect("height"), tx: &tx }, data)
}

fn id(byte: &str) -> String {
    byte.repeat(32)
}

fn key() -> Value {
    json!({"alg": "ed25519", "public_key": id("77")})
}

fn proof() -> Value {
    json!({"alg": "ed25519", "public_key": id("77"), "signature": "88".repeat(64)})
}

/// A kind with all that it needs, the event it becomes, and changes that break a rule each.
type Case = (&'static str, Kind, Value, Vec<Value>);

fn long(length: usize) -> String {
    "x".repeat(length)
}

fn too_much() -> Value {
    json!({"amount": "18446744073709551616"})
}

fn kinds() -> Vec<Case> {
    [kinds_of_money_and_people(), kinds_of_governance(), kinds_of_work()].concat()
}

fn kinds_of_money_and_people() -> Vec<Case> {
    let (a, b) = (id("aa"), id("bb"));
    let stake = json!({"account": ALICE, "validator": "VAL1", "amount": "5"});
    let money = json!({"address": ALICE, "amount": 64});
    let follow = json!({"follower": a, "following": b});
    vec![
        ("genesis.allocate", Kind::Allocated, money.clone(), vec![json!({"address": ""}), json!({"amount": -1})]),
        (
            "reward.mint",
            Kind::Minted,
            money,
            vec![json!({"amount": null}), json!({"reason": 5}), json!({"reason": long(65_537)}), too_much()],
        ),
        (
            "identity.register",
            Kind::IdentityRegistered,
            json!({"identity_id": a, "key": key(), "display_name": "A", "avatar_hash": b, "bio": "b", "stats_visibility": "public"}),
            vec![
                json!({"identity_id": "aa"}),
                json!({"key": {"alg": "rsa", "public_key": "00"}}),
                json!({"key": {"alg": "ed25519", "public_key": "0"}}),
                json!({"key": {"alg": "ed25519", "public_key": "00".repeat(9_000)}}),
                json!({"display_name": long(65)}),
                json!({"bio": long(281)}),
                json!({"avatar_hash": "aa"}),
                json!({"stats_visibility": "all"}),
            ],
        ),
        (
            "identity.update",
            Kind::IdentityUpdated,
            json!({"identity_id": a, "bio": null, "display_name": "B"}),
            vec![json!({"display_name": 5}), json!({"bio": long(281)})],
        ),
        (
            "identity.rotate_key",
            Kind::KeyRotated,
            json!({"identity_id": a, "key": key(), "proof": "88".repeat(64)}),
            vec![json!({"proof": "xyz"}), json!({"proof": null}), json!({"key": "77"})],
        ),
        (
            "identity.link_wallet",
            Kind::WalletLinked,
            json!({"identity_id": a, "wallet_address": ALICE, "link_type": "main", "proof": proof()}),
            vec![
                json!({"link_type": long(33)}),
                json!({"proof": {"alg": "ed25519"}}),
                json!({"proof": {"alg": long(65), "public_key": "00", "signature": "00"}}),
                json!({"proof": {"alg": "ed25519", "public_key": "00", "signature": "00".repeat(9_000)}}),
                json!({"wallet_address": long(129)}),
            ],
        ),
        (
            "identity.unlink_wallet",
            Kind::WalletUnlinked,
            json!({"identity_id": a, "wallet_address": ALICE}),
            vec![json!({"wallet_address": "a\u{0}"})],
        ),
        ("social.follow", Kind::Followed, follow.clone(), vec![json!({"following": id("AA")})]),
        ("social.unfollow", Kind::Unfollowed, follow, vec![json!({"follower": null})]),
        ("staking.stake", Kind::Staked, stake.clone(), vec![too_much(), json!({"validator": ""})]),
        ("staking.unstake", Kind::Unstaked, stake, vec![json!({"amount": "1.5"})]),
    ]
}

fn kinds_of_governance() -> Vec<Case> {
    let (a, b) = (id("aa"), id("bb"));
    let delegate = json!({"delegator": a, "delegatee": b, "amount": 3});
    let propose = json!({"proposal_id": 1, "proposer": a, "proposal_type": "text", "title": "t",
        "voting_starts_at": "2026-01-18T21:02:05Z", "voting_ends_at": "2026-01-19T21:02:05Z",
        "targets": [ALICE], "values": [1], "calldatas": ["0x"]});
    vec![
        (
            "governance.propose",
            Kind::Proposed,
            propose,
            vec![
                json!({"proposal_id": 9_223_372_036_854_775_808_u64}),
                json!({"title": long(257)}),
                json!({"description": long(10_001)}),
                json!({"voting_ends_at": "2026-01-18T21:02:05Z"}),
                json!({"values": [1, 2]}),
                json!({"targets": vec![ALICE; 1_025], "values": vec![1; 1_025], "calldatas": vec!["0x"; 1_025]}),
                json!({"proposal_type": long(65)}),
                json!({"proposal_type": "a\u{0}"}),
                json!({"proposal_id": format!("{}1", "0".repeat(200))}),
                json!({"targets": null}),
                json!({"calldatas": ["0xz"]}),
            ],
        ),
        (
            "governance.vote",
            Kind::Voted,
            json!({"proposal_id": 1, "voter": a, "choice": "for", "power": 5, "reason": "r"}),
            vec![json!({"choice": "yes"}), json!({"reason": long(1_025)}), json!({"power": -1})],
        ),
        (
            "governance.finalize",
            Kind::ProposalFinalized,
            json!({"proposal_id": 1, "outcome": "passed", "votes_for": 5}),
            vec![json!({"outcome": "tied"}), json!({"votes_for": "many"})],
        ),
        ("governance.execute", Kind::ProposalExecuted, json!({"proposal_id": 1}), vec![json!({"proposal_id": -1})]),
        ("governance.cancel", Kind::ProposalCancelled, json!({"proposal_id": "1"}), vec![json!({"proposal_id": ""})]),
        ("governance.delegate", Kind::Delegated, delegate.clone(), vec![json!({"delegatee": 5})]),
        ("governance.undelegate", Kind::Undelegated, delegate, vec![too_much()]),
    ]
}

fn kinds_of_work() -> Vec<Case> {
    let work = json!({"submission_id": "s", "miner_address": ALICE, "oracle_id": "o", "work_type": "boinc",
        "difficulty": 1.5, "credit": "10.25", "reward": 7, "validated_at": 1_768_770_125});
    vec![
        (
            "oracle.register",
            Kind::OracleRegistered,
            json!({"oracle_id": "o", "address": ALICE, "key": key(), "name": "O"}),
            vec![
                json!({"oracle_id": long(65)}),
                json!({"oracle_id": "a\u{0}b"}),
                json!({"oracle_id": ""}),
                json!({"name": long(65_537)}),
            ],
        ),
        (
            "pouw.submit",
            Kind::WorkSubmitted,
            work,
            vec![
                json!({"submission_id": long(65)}),
                json!({"work_type": "mining"}),
                json!({"work_type": "nuw_"}),
                json!({"difficulty": "NaN"}),
                json!({"credit": "1.0000000001"}),
                json!({"reward_unit": "coins"}),
                json!({"validated_at": "yesterday"}),
                json!({"oracle_signature": "zz"}),
                json!({"oracle_signature": "00".repeat(9_000)}),
                json!({"project": long(65_537)}),
                json!({"task_id": long(65_537)}),
            ],
        ),
        (
            "pouw.reject",
            Kind::WorkRejected,
            json!({"submission_id": "s", "miner_address": ALICE, "oracle_id": "o", "work_type": "nuw_dag", "reason": "r", "validated_at": 5}),
            vec![json!({"reason": null}), json!({"reason": long(65_537)})],
        ),
        (
            "oracle.slash",
            Kind::OracleSlashed,
            json!({"oracle_id": "o", "amount": 1, "reason": "r"}),
            vec![json!({"amount": []}), json!({"reason": long(65_537)})],
        ),
    ]
}

fn with(kind: &str, fields: &Value, change: &Value) -> String {
    let mut payload = json!({"v": 1, "kind": kind});
    for object in [fields, change] {
        for (name, value) in object.as_object().expect("an object") {
            payload[name] = value.clone();
        }
    }
    payload.to_string()
}

#[test]
fn every_kind_is_read_and_every_broken_rule_refused() {
    let kinds = kinds();
    assert_eq!(kinds.len(), 22);
    for (kind, becomes, fields, broken) in &kinds {
        let whole = with(kind, fields, &json!({}));
        let read = read_as(ORIGIN, "0", "0", &whole).unwrap_or_else(|misfit| panic!("{kind}: {misfit}"));
        let read = read.expect("a payload");
        assert_eq!((read.kind.as_str(), read.event.kind()), (*kind, *becomes));
        assert!(!read.subjects.is_empty(), "{kind}");
        let body = read.event.body().expect("canonical");
        assert_eq!(Event::parse(*becomes, &body).expect("parses"), read.event, "{kind}");
        for change in broken {
            let refused = read_as(ORIGIN, "0", "0", &with(kind, fields, change));
            assert!(refused.is_err(), "{kind} with {change}");
        }
    }
}

#[test]
fn every_form_of_data_says_the_same() {
    let object = r#"{"v":1,"kind":"governance.execute","proposal_id":"007"}"#;
    let expected = read_as(ALICE, "0", "1", object).expect("fits").expect("a payload");
    let string = Value::from(object).to_string();
    let hex = format!("\"{}\"", hex::encode(object));
    let prefixed = format!("\"0x{}\"", hex::encode(object).to_uppercase());
    for form in [string, hex, prefixed] {
        assert_eq!(read_as(ALICE, "0", "1", &form).expect("fits").expect("a payload"), expected, "{form}");
    }
    assert_eq!(expected.subjects, [(Role::Proposal, Subject::named(Namespace::Proposal, "7"))]);
    assert_eq!(read_as(ALICE, "0", "1", "\"\"").expect("says nothing"), None);
}

#[test]
fn what_is_no_payload_of_this_version_is_refused() {
    for data in [
        "[1]",
        "5",
        "\"\\ud800\"",
        "\"zz\"",
        "\"ff\"",
        r#"{"kind":"governance.execute","proposal_id":1}"#,
        r#"{"v":2,"kind":"governance.execute","proposal_id":1}"#,
        r#"{"v":"1","kind":"governance.execute","proposal_id":1}"#,
        r#"{"v":1,"kind":"governance.dance","proposal_id":1}"#,
        r#"{"v":1,"kind":"governance.execute","proposal_id":1,"proposal_id":2}"#,
        &format!(r#"{{"v":1,"kind":"identity.update","identity_id":"{}","bio":"\udc00"}}"#, id("aa")),
    ] {
        assert!(read_as(ALICE, "0", "1", data).is_err(), "{data}");
    }
}

#[test]
fn money_is_made_by_the_origin_alone_and_in_its_place() {
    let allocate = with("genesis.allocate", &json!({"address": ALICE, "amount": 1}), &json!({}));
    assert!(read_as(ORIGIN, "0", "0", &allocate).is_ok());
    assert!(read_as(ORIGIN, "0", "1", &allocate).is_err());
    assert!(read_as(ORIGIN, "1", "0", &allocate).is_err());
    assert!(read_as(ALICE, "0", "0", &allocate).is_err());
    let mint = with("reward.mint", &json!({"address": ALICE, "amount": 1}), &json!({}));
    assert!(read_as(ORIGIN, "0", "9", &mint).is_ok());
    assert!(read_as(ORIGIN, "1", "9", &mint).is_err());
    assert!(read_as(ALICE, "0", "9", &mint).is_err());
}

#[test]
fn null_clears_and_absence_keeps() {
    use schema::event::Change;
    let data =
        with("identity.update", &json!({"identity_id": id("aa"), "bio": null, "display_name": "N\u{0}"}), &json!({}));
    let Event::IdentityUpdated(update) = read_as(ALICE, "0", "1", &data).expect("fits").expect("a payload").event
    else {
        panic!("another event")
    };
    assert_eq!(update.bio, Change::Clear);
    assert_eq!(update.avatar_hash, Change::Keep);
    assert_eq!(update.display_name, Change::Set("N\u{0}".to_owned()));
}
