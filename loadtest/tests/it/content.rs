//! Signatures are genuine except where they are not meant to be, and every kind, mistake and oddity occurs.

use std::collections::BTreeMap;

use chrono::DateTime;
use loadtest::network::{Chain, Defect, Kind, NetworkConfig, Oddity};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::{blocks, chain, derived_address, payload, signed_text, small, transactions, verifies, wild};

#[test]
fn transaction_signatures_verify_except_the_deliberately_bad_ones() {
    let chain = chain(wild());
    let (mut good, mut bad, mut badly_followed, mut unsigned) = (0, 0, 0, 0);
    for block in blocks(&chain) {
        for tx in transactions(&block) {
            let Some(key) = &tx.public_key else {
                assert!(tx.signature.is_empty() && tx.sender == "0x0000000000000000000000000000000000000002");
                unsigned += 1;
                continue;
            };
            assert_eq!(derived_address(key), tx.sender);
            if verifies(key, &tx.signature, &signed_text(&chain.config().chain_id, &tx)) {
                good += 1;
            } else {
                let follows = payload(&tx).is_some_and(|payload| payload["kind"] == "social.follow");
                assert!(tx.data.is_none() || follows, "only plain transfers and some follows are badly signed");
                if follows { badly_followed += 1 } else { bad += 1 }
            }
        }
    }
    let tally = chain.tally();
    assert_eq!(bad, tally.defect(Defect::BadTransactionSignature));
    assert_eq!(badly_followed, tally.defect(Defect::FollowBadlySigned));
    assert_eq!(good + bad + badly_followed + unsigned, tally.transactions);
    // 50 in 1,000 of the plain transfers were asked for.
    let plain = tally.kind(Kind::Transfer);
    assert!((plain * 25 / 1_000..=plain * 75 / 1_000).contains(&bad), "{bad} of {plain}");
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}"))
}

/// A number exactly as the payload spells it, without the quotes of a string.
fn spelled(raw: &BTreeMap<String, Box<RawValue>>, name: &str) -> String {
    raw.get(name).map_or(String::new(), |value| value.get().trim_matches('"').to_owned())
}

fn unix_s(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| {
        let text = value.as_str().expect("a time is a number or a text");
        DateTime::parse_from_rfc3339(text).expect("RFC 3339").timestamp()
    })
}

/// Bad proofs by payload kind, judged by the rules of the wire.
fn refuted_proofs(chain: &Chain) -> BTreeMap<&'static str, u64> {
    let id = chain.config().chain_id.as_str();
    let mut keys = BTreeMap::new();
    let mut refuted = BTreeMap::from([("link", 0), ("rotation", 0), ("work", 0)]);
    for block in blocks(chain) {
        for tx in transactions(&block) {
            let Some(p) = payload(&tx) else { continue };
            match p["kind"].as_str() {
                Some("oracle.register") => {
                    keys.insert(text(&p, "oracle_id").to_owned(), text(&p["key"], "public_key").to_owned());
                }
                Some("identity.link_wallet") if p["proof"]["alg"] == "ed25519" => {
                    let (identity, wallet, link) =
                        (text(&p, "identity_id"), text(&p, "wallet_address"), text(&p, "link_type"));
                    let signed = format!("chert:wallet-link:v1\n{id}\n{identity}\n{wallet}\n{link}");
                    let key = text(&p["proof"], "public_key");
                    let holds =
                        verifies(key, text(&p["proof"], "signature"), &signed) && derived_address(key) == wallet;
                    *refuted.get_mut("link").expect("listed") += u64::from(!holds);
                }
                Some("identity.rotate_key") => {
                    let key = text(&p["key"], "public_key");
                    let signed = format!("chert:rotate-key:v1\n{id}\n{}\ned25519\n{key}", text(&p, "identity_id"));
                    *refuted.get_mut("rotation").expect("listed") +=
                        u64::from(!verifies(key, text(&p, "proof"), &signed));
                }
                Some("pouw.submit") if p.get("oracle_signature").is_some() => {
                    let Some(key) = keys.get(text(&p, "oracle_id")) else { continue };
                    let inner = tx.data.expect("it has a payload").get();
                    let Ok(raw) = serde_json::from_str(inner) else { continue };
                    let signed = format!(
                        "chert:pouw:v1\n{id}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}",
                        text(&p, "submission_id"),
                        text(&p, "miner_address"),
                        text(&p, "oracle_id"),
                        text(&p, "work_type"),
                        spelled(&raw, "difficulty"),
                        spelled(&raw, "credit"),
                        spelled(&raw, "reward"),
                        unix_s(&p["validated_at"])
                    );
                    let holds = verifies(key, text(&p, "oracle_signature"), &signed);
                    *refuted.get_mut("work").expect("listed") += u64::from(!holds);
                }
                _ => {}
            }
        }
    }
    refuted
}

#[test]
fn proofs_verify_except_the_deliberately_bad_ones() {
    // Without oddities every payload is a plain object, whose numbers can be read as they are spelled.
    let chain = chain(NetworkConfig { oddity_per_mille: 0, ..wild() });
    let refuted = refuted_proofs(&chain);
    let tally = chain.tally();
    let links = tally.defect(Defect::BadLinkProof) + tally.defect(Defect::LinkProofOfAnotherKey);
    assert_eq!(refuted["link"], links);
    assert_eq!(refuted["rotation"], tally.defect(Defect::BadRotationProof));
    assert_eq!(refuted["work"], tally.defect(Defect::BadOracleSignature));
    assert!(links > 0 && refuted["work"] > 0);
}

#[test]
fn every_kind_mistake_and_oddity_occurs() {
    let mut chain = chain(NetworkConfig { history_blocks: 1_500, ..wild() });
    // Rare ones need time; the bound is far above what any seed needs.
    for _ in 0..1_500 {
        let tally = chain.tally();
        let kinds = Kind::ALL.iter().all(|kind| tally.kind(*kind) > 0);
        let defects = Defect::ALL.iter().all(|defect| tally.defect(*defect) > 0);
        if kinds && defects && Oddity::ALL.iter().all(|oddity| tally.oddity(*oddity) > 0) {
            return;
        }
        chain.advance().expect("a step");
    }
    panic!("something never occurs: {:#?}", chain.tally());
}

#[test]
fn payload_kinds_are_counted_as_they_stand_in_the_blocks() {
    let chain = chain(NetworkConfig { defect_per_mille: 0, oddity_per_mille: 0, ..small() });
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for block in blocks(&chain) {
        for tx in transactions(&block) {
            let kind = payload(&tx).map_or("transfer".to_owned(), |payload| text(&payload, "kind").to_owned());
            *kinds.entry(kind).or_default() += 1;
        }
    }
    let counted: BTreeMap<String, u64> =
        chain.tally().kinds.iter().map(|(kind, count)| (kind.name().to_owned(), *count)).collect();
    assert_eq!(kinds, counted);
}
