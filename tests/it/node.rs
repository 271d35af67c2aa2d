//! A Chert node written down by hand: blocks that a test mines one by one, served over JSON-RPC, with people whose keys and
//! signatures are genuine.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, SecondsFormat, Utc};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sha3::Sha3_256;
use tokio::net::TcpListener;

/// Chain id of these chains, inside everything that is signed.
pub const CHAIN_ID: &str = "chert-by-hand";
/// The account that acts for the chain.
pub const ORIGIN: &str = "0x0000000000000000000000000000000000000002";
/// Where transactions go that exist for their payload.
const REGISTRY: &str = "0x0000000000000000000000000000000000000005";

/// Somebody with a key, the address that derives from it, and an identity id.
#[derive(Debug, Clone)]
pub struct Person {
    key: SigningKey,
    /// Public key, hex.
    pub public_key: String,
    /// `0x` and 40 hex digits.
    pub address: String,
    /// Id that this person registers, if any.
    pub id: String,
}

impl Person {
    /// The person of a name, the same in every test.
    pub fn named(name: &str) -> Self {
        let seed: [u8; 32] = Sha256::digest(format!("key of {name}")).into();
        let key = SigningKey::from_bytes(&seed);
        let public = key.verifying_key().to_bytes();
        let digest = Sha3_256::new().chain_update("CHERT_ADDRESS_ACCOUNT_V2").chain_update(public).finalize();
        Self {
            key,
            public_key: hex::encode(public),
            address: format!("0x{}", hex::encode(&digest[..20])),
            id: hex::encode(Sha256::digest(format!("identity of {name}"))),
        }
    }

    fn sign(&self, lines: &[&str]) -> String {
        hex::encode(self.key.sign(lines.join("\n").as_bytes()).to_bytes())
    }

    /// A transaction of this person that carries a payload.
    pub fn act(&self, kind: &str, fields: Value) -> Value {
        transaction(&self.address, REGISTRY, 0, Some(payload(kind, fields)))
    }

    /// A payment.
    pub fn pay(&self, to: &Self, amount: u64) -> Value {
        transaction(&self.address, &to.address, amount, None)
    }

    /// Registers the person's identity.
    pub fn register(&self, name: &str, visibility: &str) -> Value {
        let key = json!({"alg": "ed25519", "public_key": self.public_key});
        let fields = json!({"identity_id": self.id, "key": key, "display_name": name, "stats_visibility": visibility});
        self.act("identity.register", fields)
    }

    /// Says who may see the person's statistics.
    pub fn show_to(&self, visibility: &str) -> Value {
        self.act("identity.update", json!({"identity_id": self.id, "stats_visibility": visibility}))
    }

    /// Links a wallet to the person's identity, with a proof by the wallet's key.
    pub fn link(&self, wallet: &Self, link_type: &str) -> Value {
        let signature = wallet.sign(&["chert:wallet-link:v1", CHAIN_ID, &self.id, &wallet.address, link_type]);
        let proof = json!({"alg": "ed25519", "public_key": wallet.public_key, "signature": signature});
        let fields = json!({
            "identity_id": self.id, "wallet_address": wallet.address, "link_type": link_type, "proof": proof
        });
        self.act("identity.link_wallet", fields)
    }

    /// Takes a wallet from the person's identity.
    pub fn unlink(&self, wallet: &Self) -> Value {
        self.act("identity.unlink_wallet", json!({"identity_id": self.id, "wallet_address": wallet.address}))
    }

    /// Follows somebody.
    pub fn follow(&self, whom: &Self) -> Value {
        self.act("social.follow", json!({"follower": self.id, "following": whom.id}))
    }

    /// Follows somebody no longer.
    pub fn unfollow(&self, whom: &Self) -> Value {
        self.act("social.unfollow", json!({"follower": self.id, "following": whom.id}))
    }

    /// Stakes money.
    pub fn stake(&self, amount: u64) -> Value {
        self.act("staking.stake", json!({"account": self.address, "validator": validator(), "amount": amount}))
    }

    /// Gives power to somebody.
    pub fn delegate(&self, to: &Self, amount: u64) -> Value {
        self.act("governance.delegate", json!({"delegator": self.id, "delegatee": to.id, "amount": amount}))
    }

    /// Votes, claiming some power.
    pub fn vote(&self, proposal: u64, choice: &str, power: u64) -> Value {
        let fields = json!({"proposal_id": proposal, "voter": self.id, "choice": choice, "power": power});
        self.act("governance.vote", fields)
    }

    /// Accepts, as an oracle, work of a miner.
    pub fn accept(&self, oracle_id: &str, work: &Work<'_>) -> Value {
        self.act("pouw.submit", work.fields(oracle_id))
    }

    /// Rejects, as an oracle, work of a miner.
    pub fn reject(&self, oracle_id: &str, work: &Work<'_>, reason: &str) -> Value {
        let fields = json!({
            "submission_id": work.id, "miner_address": work.miner.address, "oracle_id": oracle_id,
            "work_type": work.work_type, "reason": reason, "validated_at": work.validated_at
        });
        self.act("pouw.reject", fields)
    }

    /// Hands in work oneself, with an oracle's signature over it, or with one that is broken.
    pub fn hand_in(&self, oracle: &Self, oracle_id: &str, work: &Work<'_>, genuine: bool) -> Value {
        let validated_at = work.validated_at.to_string();
        let signature = oracle.sign(&[
            "chert:pouw:v1",
            if genuine { CHAIN_ID } else { "another-chain" },
            work.id,
            &work.miner.address,
            oracle_id,
            work.work_type,
            "1.5",
            work.credit,
            "7",
            &validated_at,
        ]);
        let mut fields = work.fields(oracle_id);
        fields["oracle_signature"] = signature.into();
        self.act("pouw.submit", fields)
    }
}

/// A piece of work.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who did it.
    pub miner: &'a Person,
    /// Its type.
    pub work_type: &'a str,
    /// Credit, a decimal number; bytes for bandwidth; empty for none.
    pub credit: &'a str,
    /// Unix seconds.
    pub validated_at: i64,
}

impl Work<'_> {
    fn fields(&self, oracle_id: &str) -> Value {
        let mut fields = json!({
            "submission_id": self.id, "miner_address": self.miner.address, "oracle_id": oracle_id,
            "work_type": self.work_type, "difficulty": "1.5", "reward": 7,
            "submitted_at": self.validated_at - 30, "validated_at": self.validated_at
        });
        if !self.credit.is_empty() {
            fields["credit"] = self.credit.into();
        }
        fields
    }
}

/// A transaction of the account that acts for the chain.
pub fn origin(kind: &str, fields: Value) -> Value {
    transaction(ORIGIN, REGISTRY, 0, Some(payload(kind, fields)))
}

fn payload(kind: &str, mut fields: Value) -> Value {
    fields["v"] = 1.into();
    fields["kind"] = kind.into();
    fields
}

fn validator() -> String {
    format!("VAL{}", "1".repeat(40))
}

fn transaction(sender: &str, recipient: &str, amount: u64, data: Option<Value>) -> Value {
    let mut tx = json!({
        "sender": sender, "recipient": recipient, "amount": amount, "fee": 0, "nonce": 0, "signature": ""
    });
    if let Some(data) = data {
        tx["data"] = data;
    }
    tx
}

/// A time as nodes write it.
fn rfc3339(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0).expect("a time").to_rfc3339_opts(SecondsFormat::Secs, true)
}

type Blocks = Arc<Mutex<Vec<Value>>>;

/// The node.
#[derive(Debug)]
pub struct Node {
    url: String,
    blocks: Blocks,
    branch: u32,
}

impl Node {
    /// Serves an empty chain.
    pub async fn start() -> Self {
        let blocks = Blocks::default();
        let router = Router::new()
            .route("/health", get(async || Json(json!({}))))
            .route("/jsonrpc", post(answer))
            .with_state(Arc::clone(&blocks));
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, blocks, branch: 0 }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Height of the newest block.
    pub fn height(&self) -> u64 {
        let blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner).len();
        u64::try_from(blocks.saturating_sub(1)).expect("a height")
    }

    /// Mines a block at a time in unix seconds; returns its height.
    pub fn mine(&self, time: i64, transactions: Vec<Value>) -> u64 {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        let height = blocks.len();
        let hash = |text: String| hex::encode(Sha256::digest(text));
        let parent =
            blocks.last().map_or_else(String::new, |block| block["block_hash"].as_str().unwrap_or("").to_owned());
        let transactions: Vec<Value> =
            (0..).zip(transactions).map(|(index, tx)| self.numbered(tx, height, index, time)).collect();
        let block_hash = hash(format!("{parent} {height} {} {time} {transactions:?}", self.branch));
        blocks.push(json!({
            "block_number": height, "block_hash": block_hash, "previous_block_hash": parent, "timestamp": rfc3339(time),
            "validator_address": validator(), "gas_used": 0, "gas_limit": 0, "transactions": transactions
        }));
        u64::try_from(height).expect("a height")
    }

    fn numbered(&self, mut tx: Value, height: usize, index: usize, time: i64) -> Value {
        tx["tx_id"] = format!("{:08x}-0000-4000-8000-{height:06x}{index:06x}", self.branch).into();
        tx["timestamp"] = rfc3339(time).into();
        tx["nonce"] = (height * 1_000 + index).into();
        tx
    }

    /// Forgets every block above a height: what is mined next is another branch.
    pub fn fork(&mut self, height: u64) {
        self.branch += 1;
        let keep = usize::try_from(height).expect("a height") + 1;
        self.blocks.lock().unwrap_or_else(PoisonError::into_inner).truncate(keep);
    }
}

async fn answer(State(blocks): State<Blocks>, Json(request): Json<Value>) -> Json<Value> {
    let blocks = blocks.lock().unwrap_or_else(PoisonError::into_inner);
    let params = &request["params"];
    let shown = |block: &Value| {
        let mut block = block.clone();
        if params["include_txs"] == false
            && let Some(block) = block.as_object_mut()
        {
            block.remove("transactions");
        }
        block
    };
    let found = match request["method"].as_str().unwrap_or_default() {
        "eth_blockNumber" => Some(json!({"block_number": blocks.len().saturating_sub(1)})),
        "get_blocks" => {
            let newest = blocks.len().saturating_sub(1);
            let top =
                params["from_height"].as_u64().map_or(newest, |top| newest.min(usize::try_from(top).unwrap_or(newest)));
            let limit = params["limit"].as_u64().map_or(50, |limit| usize::try_from(limit).unwrap_or(50));
            let page: Vec<Value> = blocks.iter().take(top + 1).rev().take(limit).map(shown).collect();
            Some(json!({"blocks": page}))
        }
        "eth_getBlockByNumber" => {
            let height = params["block_number"].as_u64().and_then(|height| usize::try_from(height).ok());
            height.and_then(|height| blocks.get(height)).map(shown)
        }
        "get_block_by_hash" => blocks.iter().find(|block| block["block_hash"] == params["block_hash"]).map(shown),
        _ => None,
    };
    Json(match found {
        Some(result) => json!({"jsonrpc": "2.0", "id": request["id"], "result": result}),
        None => json!({"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32001, "message": "not found"}}),
    })
}
