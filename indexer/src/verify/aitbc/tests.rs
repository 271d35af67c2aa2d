use super::*;

const PROPOSER: &str = "0x433Fa50fcA28991275692724dcF5A6A736D8405c";
const HASH: &str = "0x6aba43f1b9289b9225fc40203d1621fca1c03bca3bced19571917824b3f106ad";
const SIGNATURE: &str = "0x55845fdeb484a855cd4bedb40c4f706fc132523c1ff28be28068994a7f3f01091419287f687ad83b784631eb6cda5dd2250e51989a84a22fd06e78a7aede975600";

/// Block 1 of the recorded chain.
fn block() -> BlockApplied {
    BlockApplied {
        checks: Checks::new(),
        gas_limit: None,
        gas_used: None,
        hash: HASH.into(),
        height: schema::chain::Spelled::parse("1").expect("height"),
        metadata: None,
        parent_hash: "e5936893c0ef3d2270c4bd1822b198b9fa9dea9dced1fe7deeec1590c9fe4e92".into(),
        signature: Some(SIGNATURE.into()),
        state_root: None,
        time: schema::chain::Spelled::parse("2026-11-20T04:54:13.309487").expect("time"),
        tx_count: schema::chain::Spelled::parse("0").expect("count"),
        validator: PROPOSER.into(),
    }
}

#[test]
fn a_recorded_block_holds_and_a_changed_one_does_not() {
    assert_eq!(block_hash_check(Some("ait-devnet"), &block(), &[]), Check::verified());
    assert_eq!(block_hash_check(Some("ait-other"), &block(), &[]).verdict, Verdict::Refuted);
    assert_eq!(block_hash_check(Some("ait-devnet"), &block(), &["0xaa"]).verdict, Verdict::Refuted);
    assert_eq!(block_hash_check(None, &block(), &[]).verdict, Verdict::Unverifiable);
    assert_eq!(proposer_signature_check(&block()), Check::verified());
    let impostor = BlockApplied { validator: "0xEA0a973AF4EBee8528AF4792590752BcA91d9d81".into(), ..block() };
    assert_eq!(proposer_signature_check(&impostor).verdict, Verdict::Refuted);
    assert_eq!(proposer_signature_check(&BlockApplied { signature: None, ..block() }).verdict, Verdict::Unverifiable);
    let broken = BlockApplied { signature: Some("0x00".into()), ..block() };
    assert_eq!(proposer_signature_check(&broken).verdict, Verdict::Refuted);
}

#[test]
fn both_forms_of_a_signature_name_the_same_signer() {
    let mut hash = [0; 32];
    hex::decode_to_slice(strip_0x(HASH), &mut hash).expect("hex");
    let signer = recover(&hash, SIGNATURE).expect("recovers");
    assert_eq!(signer, PROPOSER.to_lowercase());

    let bytes = hex::decode(strip_0x(SIGNATURE)).expect("hex");
    let signature = Signature::from_slice(&bytes[..64]).expect("a signature");
    let (r, s) = signature.split_scalars();
    let high = Signature::from_scalars(r, -s).expect("a signature");
    let mut other = high.to_bytes().to_vec();
    other.push(1 - bytes[64] + 27);
    assert_eq!(recover(&hash, &hex::encode(other)), Some(signer));
}

#[test]
fn nothing_is_recovered_from_what_is_no_signature() {
    for signature in ["", "0x", "zz", &"00".repeat(65), &"ff".repeat(65), &format!("{}05", "11".repeat(64))] {
        assert_eq!(recover(&[1; 32], signature), None, "{signature}");
    }
}
