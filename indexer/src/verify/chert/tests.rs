use ed25519_dalek::{Signer, SigningKey};
use schema::chain::Spelled;
use schema::event::{Checks, Proof, RewardUnit, Verdict};

use super::*;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn public_key(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().as_bytes())
}

fn sign(key: &SigningKey, message: &str) -> String {
    hex::encode(key.sign(message.as_bytes()).to_bytes())
}

fn tx(key: &SigningKey) -> TransactionApplied {
    TransactionApplied {
        amount: Spelled::parse("2").expect("amount"),
        checks: Checks::new(),
        data: Some(r#"{"v":1}"#.into()),
        fee: Spelled::parse("1").expect("amount"),
        memo_digest: None,
        nonce: Some(Spelled::parse("3").expect("amount")),
        outputs: vec![],
        public_key: Some(public_key(key)),
        recipient: Some("0xbb".into()),
        sender: account_address(key.verifying_key().as_bytes()),
        signature: None,
        stealth_commitments: vec![],
        status: None,
        time: Spelled::parse("2026-01-18T21:02:05Z").expect("time"),
        tx_id: "67e55044-10b1-426f-9247-bb680e5fe0c8".into(),
        tx_type: "transfer".into(),
        undisclosed: None,
    }
}

#[test]
fn a_transaction_is_signed_over_the_lines_that_the_project_states() {
    let key = key();
    let mut tx = tx(&key);
    let expected = format!(
        "chert:tx:v1\nchert-main\n67e55044-10b1-426f-9247-bb680e5fe0c8\n{}\n0xbb\n2\n1\n3\n2026-01-18T21:02:05Z\n{}",
        tx.sender,
        sha256_hex(br#"{"v":1}"#)
    );
    assert_eq!(transaction_message("chert-main", &tx), expected);
    let rules = Signatures { chain_id: Some("chert-main"), is_rule_public: true };
    assert_eq!(transaction(rules, &tx), None);
    tx.signature = Some(sign(&key, &expected));
    assert_eq!(transaction(rules, &tx), Some(Check::verified()));

    let verdict = |rules, tx: &TransactionApplied| transaction(rules, tx).expect("claimed").verdict;
    assert_eq!(verdict(Signatures { is_rule_public: false, ..rules }, &tx), Verdict::Unverifiable);
    assert_eq!(verdict(Signatures { chain_id: None, ..rules }, &tx), Verdict::Unverifiable);
    assert_eq!(verdict(Signatures { chain_id: Some("other"), ..rules }, &tx), Verdict::Refuted);
    let other = TransactionApplied { amount: Spelled::parse("20").expect("amount"), ..tx.clone() };
    assert_eq!(verdict(rules, &other), Verdict::Refuted);
    let stolen = TransactionApplied { sender: format!("0x{}", "11".repeat(20)), ..tx.clone() };
    assert_eq!(verdict(rules, &stolen), Verdict::Refuted);
    assert_eq!(verdict(rules, &TransactionApplied { public_key: None, ..tx }), Verdict::Unverifiable);
}

#[test]
fn a_wallet_link_needs_the_signature_and_the_derivation() {
    let key = key();
    let mut link = WalletLinked {
        checks: Checks::new(),
        identity_id: Spelled::parse("aa".repeat(32)).expect("id"),
        link_type: "main".into(),
        proof: Proof { alg: "ed25519".into(), public_key: public_key(&key), signature: String::new() },
        sender: "0xcc".into(),
        wallet_address: account_address(key.verifying_key().as_bytes()),
    };
    link.proof.signature = sign(&key, &wallet_link_message("chert-main", &link));
    assert_eq!(wallet_link(Some("chert-main"), &link), Check::verified());
    assert_eq!(wallet_link(Some("other"), &link).verdict, Verdict::Refuted);
    assert_eq!(wallet_link(None, &link).verdict, Verdict::Unverifiable);
    let mut other = link.clone();
    other.wallet_address = format!("0x{}", "11".repeat(20));
    other.proof.signature = sign(&key, &wallet_link_message("chert-main", &other));
    assert_eq!(wallet_link(Some("chert-main"), &other).verdict, Verdict::Refuted);
    other.wallet_address = "chert_name".into();
    assert_eq!(wallet_link(Some("chert-main"), &other).verdict, Verdict::Unverifiable);
    link.proof.alg = "ml-dsa-44".into();
    assert_eq!(wallet_link(Some("chert-main"), &link).verdict, Verdict::Unverifiable);
}

#[test]
fn a_key_rotation_is_proved_by_the_new_key() {
    let key = key();
    let public_key = public_key(&key);
    let mut rotation = KeyRotated {
        checks: Checks::new(),
        identity_id: Spelled::parse("aa".repeat(32)).expect("id"),
        key: PublicKey { alg: "ed25519".into(), public_key: public_key.clone() },
        proof: Proof { alg: "ed25519".into(), public_key, signature: String::new() },
        sender: "0xcc".into(),
    };
    rotation.proof.signature = sign(&key, &key_rotation_message("c", &rotation));
    assert_eq!(key_rotation(Some("c"), &rotation), Check::verified());
    rotation.proof.public_key = "22".repeat(32);
    assert_eq!(key_rotation(Some("c"), &rotation).verdict, Verdict::Refuted);
}

#[test]
fn work_is_signed_with_numbers_as_the_payload_spells_them() {
    let key = key();
    let mut work = WorkSubmitted {
        bytes: None,
        checks: Checks::new(),
        credit: None,
        difficulty: Some(Spelled::parse("1.50").expect("decimal")),
        miner_address: "0xaa".into(),
        oracle_id: Some("oracle-1".into()),
        oracle_signature: None,
        project: None,
        reward: Some(Spelled::parse("007").expect("amount")),
        reward_unit: RewardUnit::Points,
        sender: "0xaa".into(),
        submission_id: "s-1".into(),
        submitted_at: None,
        task_id: None,
        validated_at: Some(Spelled::parse("2026-01-18T21:02:05.9Z").expect("time")),
        work_type: "boinc".into(),
    };
    let message = work_message("c", &work).expect("complete");
    assert_eq!(message, "chert:pouw:v1\nc\ns-1\n0xaa\noracle-1\nboinc\n1.50\n\n007\n1768770125");
    let key_of_oracle = PublicKey { alg: "ed25519".into(), public_key: public_key(&key) };
    assert_eq!(oracle_work(Some("c"), &work, &key_of_oracle), None);
    assert_eq!(oracle_work_without_key(&work), None);
    work.oracle_signature = Some(sign(&key, &message));
    assert_eq!(oracle_work(Some("c"), &work, &key_of_oracle), Some(Check::verified()));
    assert_eq!(oracle_work(Some("d"), &work, &key_of_oracle).map(|check| check.verdict), Some(Verdict::Refuted));
    assert_eq!(oracle_work_without_key(&work).map(|check| check.verdict), Some(Verdict::Unverifiable));
}

#[test]
fn a_synthetic_hash_covers_canonical_json() {
    let json =
        r#"{"block_number":7,"previous_block_hash":"00","timestamp":"t\"","tx_ids":["a","b"],"validator_address":"v"}"#;
    let expected: [u8; 32] = Sha256::digest(format!("CHERT_BLOCK_V1{json}")).into();
    let height = "7".parse().expect("height");
    assert_eq!(synthetic_block_hash(height, "00", "t\"", "v", &["a", "b"]), expected);
}
