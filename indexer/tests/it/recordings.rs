//! A real AITBC chain that nobody here wrote, found through `CHERT_RECORDINGS`; without it these tests skip, and say so.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use indexer::decode::aitbc::{Rules, blocks};
use indexer::source::aitbc::{AitbcSource, Options};
use indexer::source::{BlockUnit, Source, SourceError};
use indexer::verify::aitbc::{SignedTransaction, block_preimage, recover};
use indexer::verify::state_root::{Account, state_root};
use schema::chain::{AddressRule, Height};
use schema::event::{Event, Kind, Verdict};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::loopback::{Reply, Request, serve};

/// The folder of the AITBC recording. A relative path is one from the workspace, whatever directory tests run in.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn recording() -> Option<PathBuf> {
    let Some(path) = std::env::var_os("CHERT_RECORDINGS") else {
        eprintln!("skipped: CHERT_RECORDINGS is not set");
        return None;
    };
    Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path).join("aitbc"))
}

fn read(folder: &std::path::Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn rules() -> Rules {
    Rules { chain_id: Some("ait-devnet".into()) }
}

fn checks(unit: &BlockUnit) -> &BTreeMap<String, schema::event::Check> {
    let Event::BlockApplied(block) = &unit.unit.entries[0].event else { panic!("another event") };
    &block.checks
}

#[test]
fn every_recorded_block_is_decoded_and_verified() {
    let Some(folder) = recording() else { return };
    let units = blocks(&rules(), &read(&folder, "head/blocks_range_0_head.json")).expect("well-formed");
    assert_eq!(units.len(), 65);
    let verified = |name: &str| units.iter().filter(|unit| checks(unit)[name].verdict == Verdict::Verified).count();
    assert_eq!((verified("hash"), verified("signature"), verified("count")), (65, 64, 65));

    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for entry in units.iter().flat_map(|unit| &unit.unit.entries) {
        *kinds.entry(entry.event.kind()).or_default() += 1;
        if let Event::TransactionApplied(tx) = &entry.event {
            assert_eq!(tx.checks["membership"].verdict, Verdict::Verified, "{}", tx.tx_id);
            ids.insert(tx.tx_id.clone());
        }
    }
    assert_eq!(ids.len(), 41);
    let expected =
        [(Kind::BlockApplied, 65), (Kind::TransactionApplied, 41), (Kind::Allocated, 1), (Kind::WorkSubmitted, 4)];
    assert_eq!(kinds, BTreeMap::from(expected));
}

#[test]
fn balances_are_the_nodes_own_but_for_the_three_claimants() {
    let Some(folder) = recording() else { return };
    let units = blocks(&rules(), &read(&folder, "head/blocks_range_0_head.json")).expect("well-formed");
    let mut balances: BTreeMap<String, i128> = BTreeMap::new();
    let key = |text: &str| AddressRule::Aitbc.canonical(text).expect("an address").as_str().to_owned();
    for entry in units.iter().flat_map(|unit| &unit.unit.entries) {
        if let Event::Allocated(body) = &entry.event {
            *balances.entry(key(&body.address)).or_default() += i128::from(body.amount.get().get());
        }
        if let Event::TransactionApplied(tx) = &entry.event {
            let (amount, fee) = (i128::from(tx.amount.get().get()), i128::from(tx.fee.get().get()));
            *balances.entry(key(&tx.sender)).or_default() -= amount + fee;
            *balances.entry(key(tx.recipient.as_deref().expect("received"))).or_default() += amount;
        }
    }
    let mut differences = BTreeMap::new();
    for name in ["dave", "miner", "miner2", "alice", "bob", "carol", "client", "genesis"] {
        let account: Value =
            serde_json::from_str(&read(&folder, &format!("head/accounts/{name}_0x.json"))).expect("JSON");
        let reported = i128::from(account["balance"].as_i64().expect("a number"));
        let derived = balances[&key(account["address"].as_str().expect("text"))];
        if derived != reported {
            differences.insert(name, derived - reported);
        }
    }
    // The node pays receipts from stale rows and charges the claimant nothing, and no block says what it paid.
    assert_eq!(differences, BTreeMap::from([("dave", -7_650_036), ("miner", -361_306), ("miner2", -180_036)]));
}

#[test]
fn every_vector_is_reproduced() {
    let Some(folder) = recording() else { return };
    let vectors: Value = serde_json::from_str(&read(&folder, "vectors.json")).expect("JSON");
    let list = |name: &str| vectors[name].as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    for vector in list("block_hash") {
        let preimage = text(&vector["preimage_utf8"]);
        let parts: Vec<&str> = preimage.split('|').collect();
        let [chain_id, height, parent, time, hashes @ ..] = parts.as_slice() else { panic!("{preimage}") };
        let mut reversed: Vec<&str> = hashes.iter().rev().filter(|hash| !hash.is_empty()).copied().collect();
        reversed.dedup();
        let naive = time.strip_suffix("+00:00").expect("zoned");
        assert_eq!(block_preimage(chain_id, height.parse().expect("height"), parent, naive, &reversed), preimage);
        let hash: [u8; 32] = Sha256::digest(&preimage).into();
        assert_eq!(format!("0x{}", hex::encode(hash)), text(&vector["sha256"]));
        assert_eq!(recover(&hash, &text(&vector["signature_rsv"])), Some(text(&vector["recovered"])));
    }
    for vector in list("tx") {
        let tx = SignedTransaction::read(&vector["ws_object"].to_string()).expect("well-formed");
        if vector["signed_message_utf8"].is_string() {
            assert_eq!(tx.signed_text, text(&vector["signed_message_utf8"]));
            assert_eq!(format!("0x{}", hex::encode(tx.prehash())), text(&vector["keccak256"]));
        }
        let is_signed = vector["recovered"].is_string();
        assert_eq!(tx.check().verdict == Verdict::Verified, is_signed, "{}", vector["type"]);
        assert_eq!(tx.hashed_text, text(&vector["tx_hash_preimage_utf8"]));
        assert_eq!(tx.hash(), text(&vector["tx_hash"]));
    }
    for vector in list("state_root") {
        let accounts = vector["accounts"].as_object().expect("accounts").iter().map(|(address, account)| {
            let number = |index: usize| account[index].as_u64().expect("a number");
            (address.clone(), Account { balance: number(0), nonce: number(1) })
        });
        let root = format!("0x{}", hex::encode(state_root(&accounts.collect())));
        assert_eq!(root, text(&vector["root"]), "{}", vector["note"]);
    }
}

/// The recorded node with a head that stands at a height.
fn node(folder: PathBuf, head: u64) -> impl Fn(Request) -> Reply + Send + Sync + 'static {
    move |request| {
        let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
        let number = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<u64>().ok());
        let all = || -> Value { serde_json::from_str(&read(&folder, "head/blocks_range_0_head.json")).expect("JSON") };
        match path {
            "/openapi.json" => Reply::ok(read(&folder, "head/openapi.json")),
            "/rpc/info" => Reply::ok(read(&folder, "head/info.json")),
            "/rpc/account/ait1ea0a973af4ebee8528af4792590752bca91d9d81" => {
                Reply::ok(read(&folder, "head/accounts/alice_ait1.json"))
            }
            "/rpc/head" => {
                let blocks = all();
                let at = usize::try_from(head).expect("small");
                Reply::ok(blocks["blocks"][at].to_string())
            }
            "/rpc/blocks-range" => {
                let (start, end) = (number("start=").expect("start"), number("end=").expect("end").min(head));
                let mut answer = all();
                let blocks = answer["blocks"].as_array_mut().expect("blocks");
                blocks.retain(|block| (start..=end).contains(&block["height"].as_u64().expect("height")));
                answer["count"] = blocks.len().into();
                Reply::ok(answer.to_string())
            }
            _ => Reply::status(404),
        }
    }
}

#[tokio::test]
async fn a_played_back_node_is_followed() {
    let Some(folder) = recording() else { return };
    let url = serve(node(folder.clone(), 40)).await;
    let source = AitbcSource::new(&url, Options { requests_per_minute: 1000, ..Options::default() }).expect("a source");
    let introduction = source.introduce().await.expect("introduced");
    assert_eq!(introduction.chain_id.as_deref(), Some("ait-devnet"));
    let genesis = "e5936893c0ef3d2270c4bd1822b198b9fa9dea9dced1fe7deeec1590c9fe4e92";
    assert_eq!(introduction.genesis_hash.map(|hash| hash.to_string()).as_deref(), Some(genesis));
    let tip = source.tip().await.expect("a tip");
    assert_eq!(tip.height.to_string(), "40");
    let height = |height: u64| Height::try_from(height).expect("a height");
    let units = source.blocks(height(30)..=height(64)).await.expect("blocks");
    assert_eq!(units.len(), 11);
    assert_eq!(source.hash_at(tip.height).await.expect("asked"), tip.hash);
    assert_eq!(source.hash_at(height(41)).await.expect("asked"), None);
    assert_eq!(source.hashes(height(0)..=height(40)).await.expect("asked").len(), 41);
    assert!(source.blocks(height(41)..=height(50)).await.expect("asked").is_empty());

    let address = AddressRule::Aitbc.canonical("ait1ea0a973af4ebee8528af4792590752bca91d9d81").expect("an address");
    let unit = source.report(&address).await.expect("asked").expect("reported");
    let Event::AccountReported(report) = &unit.entries[0].event else { panic!("another event") };
    assert_eq!(report.balance.text(), "495930976");
    let unknown = AddressRule::Aitbc.canonical("a b/c?d").expect("an address");
    assert_eq!(source.report(&unknown).await, Ok(None));

    let other = Options { chain_id: Some("ait-other".into()), ..Options::default() };
    let other = AitbcSource::new(&url, other).expect("a source");
    assert!(matches!(other.introduce().await, Err(SourceError::Unsuitable(why)) if why.contains("ait-devnet")));
}
