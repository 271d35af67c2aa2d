//! Who takes part in random histories, and how they say what they do.

use std::sync::LazyLock;

use ed25519_dalek::{Signer, SigningKey};
use indexer::source::scripted::CHAIN_ID;
use indexer::verify::chert::account_address;

/// Those who control identities: the nth the nth identity, unless somebody else came first.
pub const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];
/// Oracles by id; the last never registers.
pub const ORACLES: [&str; 3] = ["o0", "o1", "o2"];
/// When every oracle decides, unix seconds.
const VALIDATED_S: i64 = 1_767_225_600;

/// How a wallet link is proved.
#[derive(Debug, Clone, Copy)]
pub enum Proved {
    /// By the wallet's key; an address that has none can only be said to be one's own.
    Well,
    /// By an algorithm that nobody verifies.
    Unverifiably,
    /// By another key.
    Badly,
}

/// A wallet, with its key where its address derives from one.
#[derive(Debug)]
pub struct Wallet {
    /// As the chain spells it.
    pub address: String,
    key: Option<SigningKey>,
}

/// Wallets that mine and stake, and that identities claim.
pub fn wallet(n: usize) -> &'static Wallet {
    static WALLETS: LazyLock<[Wallet; 4]> = LazyLock::new(|| {
        let keyed = |n: u8| {
            let key = SigningKey::from_bytes(&[n; 32]);
            Wallet { address: account_address(key.verifying_key().as_bytes()), key: Some(key) }
        };
        [keyed(1), keyed(2), keyed(3), Wallet { address: "rig".to_owned(), key: None }]
    });
    &WALLETS[n]
}

/// Id of the nth identity.
pub fn identity(n: usize) -> String {
    (n + 1).to_string().repeat(64)
}

fn oracle_key(oracle: usize) -> SigningKey {
    SigningKey::from_bytes(&[u8::try_from(oracle).expect("few oracles") + 101; 32])
}

fn public_key(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().as_bytes())
}

fn sign(key: &SigningKey, message: &str) -> String {
    hex::encode(key.sign(message.as_bytes()).to_bytes())
}

/// Keys that identities may have.
fn identity_key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[77 + n; 32])
}

/// `by` registers an identity under their own name, with its first key.
pub fn register(by: &str, who: usize, visibility: &str) -> String {
    register_with(by, who, 0, visibility)
}

/// `by` registers an identity under their own name, with some key; nobody asks whose.
pub fn register_with(by: &str, who: usize, key: u8, visibility: &str) -> String {
    let (id, public_key) = (identity(who), public_key(&identity_key(key)));
    format!(
        r#"{by} !identity.register {{"identity_id":"{id}","key":{{"alg":"ed25519","public_key":"{public_key}"}},"display_name":"{by}","stats_visibility":"{visibility}"}}"#
    )
}

/// `by` changes who may see an identity's statistics.
pub fn update(by: &str, who: usize, visibility: &str) -> String {
    let id = identity(who);
    format!(r#"{by} !identity.update {{"identity_id":"{id}","stats_visibility":"{visibility}","bio":"{visibility}"}}"#)
}

/// `by` gives an identity another key.
pub fn rotate_key(by: &str, who: usize, key: u8, is_proved: bool) -> String {
    let (id, key) = (identity(who), identity_key(key));
    let public_key = public_key(&key);
    let message = format!("chert:rotate-key:v1\n{CHAIN_ID}\n{id}\ned25519\n{public_key}");
    let signature = sign(&key, if is_proved { &message } else { "something else" });
    format!(
        r#"{by} !identity.rotate_key {{"identity_id":"{id}","key":{{"alg":"ed25519","public_key":"{public_key}"}},"proof":"{signature}"}}"#
    )
}

/// `by` links a wallet to an identity.
pub fn link(by: &str, who: usize, n: usize, proved: Proved) -> String {
    let (id, address) = (identity(who), &wallet(n).address);
    let message = format!("chert:wallet-link:v1\n{CHAIN_ID}\n{id}\n{address}\nmain");
    let proof = match (proved, &wallet(n).key) {
        (Proved::Well, Some(key)) => (key.clone(), "ed25519"),
        (Proved::Badly, Some(_)) => (SigningKey::from_bytes(&[78; 32]), "ed25519"),
        (Proved::Unverifiably, _) | (_, None) => (SigningKey::from_bytes(&[78; 32]), "ml-dsa-44"),
    };
    let (public_key, signature) = (public_key(&proof.0), sign(&proof.0, &message));
    format!(
        r#"{by} !identity.link_wallet {{"identity_id":"{id}","wallet_address":"{address}","link_type":"main","proof":{{"alg":"{}","public_key":"{public_key}","signature":"{signature}"}}}}"#,
        proof.1
    )
}

/// `by` takes a link back.
pub fn unlink(by: &str, who: usize, n: usize) -> String {
    let (id, address) = (identity(who), &wallet(n).address);
    format!(r#"{by} !identity.unlink_wallet {{"identity_id":"{id}","wallet_address":"{address}"}}"#)
}

/// A wallet stakes or unstakes.
pub fn stake(verb: &str, n: usize, amount: u64) -> String {
    let account = &wallet(n).address;
    format!(r#"{account} !staking.{verb} {{"account":"{account}","validator":"VAL","amount":{amount}}}"#)
}

/// `by` delegates, or takes back, an identity's power.
pub fn delegate(verb: &str, by: &str, from: usize, to: usize, amount: u64) -> String {
    let (from, to) = (identity(from), identity(to));
    format!(r#"{by} !governance.{verb} {{"delegator":"{from}","delegatee":"{to}","amount":{amount}}}"#)
}

/// `by` lets an identity follow another, or no longer.
pub fn follow(verb: &str, by: &str, from: usize, to: usize) -> String {
    let (from, to) = (identity(from), identity(to));
    format!(r#"{by} !social.{verb} {{"follower":"{from}","following":"{to}"}}"#)
}

/// `by` proposes; voting starts so many seconds after the block.
pub fn propose(by: &str, number: u64, who: usize, starts_in_s: i64, lasts_s: i64, quorum: u64) -> String {
    let (id, ends_in_s) = (identity(who), starts_in_s + lasts_s);
    format!(
        r#"{by} !governance.propose {{"proposal_id":{number},"proposer":"{id}","proposal_type":"text","title":"P{number}","voting_starts_at":<{starts_in_s:+}>,"voting_ends_at":<{ends_in_s:+}>,"quorum":{quorum}}}"#
    )
}

/// `by` votes for an identity.
pub fn vote(by: &str, number: u64, who: usize, choice: &str, power: u64) -> String {
    let id = identity(who);
    format!(
        r#"{by} !governance.vote {{"proposal_id":{number},"voter":"{id}","choice":"{choice}","power":{power},"reason":"because"}}"#
    )
}

/// `by` says what a proposal came to.
pub fn finalize(by: &str, number: u64, outcome: &str, votes_for: Option<u64>) -> String {
    let claimed = votes_for.map(|votes| format!(r#","votes_for":{votes}"#)).unwrap_or_default();
    format!(r#"{by} !governance.finalize {{"proposal_id":{number},"outcome":"{outcome}"{claimed}}}"#)
}

/// `by` executes or cancels a proposal.
pub fn decide(verb: &str, by: &str, number: u64) -> String {
    format!(r#"{by} !governance.{verb} {{"proposal_id":{number}}}"#)
}

/// The account that an oracle speaks from.
pub fn oracle_account(oracle: usize) -> String {
    format!("oracle{oracle}")
}

/// `by` registers an oracle.
pub fn register_oracle(by: &str, oracle: usize) -> String {
    let (id, account, key) = (ORACLES[oracle], oracle_account(oracle), public_key(&oracle_key(oracle)));
    format!(
        r#"{by} !oracle.register {{"oracle_id":"{id}","address":"{account}","key":{{"alg":"ed25519","public_key":"{key}"}},"name":"Oracle {oracle}"}}"#
    )
}

/// The origin account slashes an oracle.
pub fn slash(oracle: usize, amount: u64) -> String {
    format!(r#"origin !oracle.slash {{"oracle_id":"{}","amount":{amount},"reason":"because"}}"#, ORACLES[oracle])
}

/// Work as it is handed in, before it is said who sends it.
#[derive(Debug, Clone)]
pub struct Piece {
    /// Id of the submission.
    pub id: String,
    /// Whose work it is.
    pub miner: usize,
    /// Who validates it.
    pub oracle: usize,
    /// As the record spells it.
    pub work_type: &'static str,
    /// As the record spells it; empty when it has none.
    pub credit: &'static str,
    /// Bytes moved, if stated.
    pub bytes: Option<u64>,
    /// Seconds from hand-in to validation, if the first is stated.
    pub latency_s: Option<i64>,
}

impl Piece {
    /// The submission of it by somebody, with an oracle's signature that holds or not.
    pub fn submitted(&self, by: &str, signed: Option<bool>) -> String {
        let Self { id, work_type, credit, .. } = self;
        let (miner, oracle) = (&wallet(self.miner).address, ORACLES[self.oracle]);
        let mut text = format!(
            r#"{by} !pouw.submit {{"submission_id":"{id}","miner_address":"{miner}","oracle_id":"{oracle}","work_type":"{work_type}","difficulty":1.5,"reward":3,"validated_at":{VALIDATED_S}"#
        );
        if !credit.is_empty() {
            text += &format!(r#","credit":{credit}"#);
        }
        if let Some(bytes) = self.bytes {
            text += &format!(r#","bytes":{bytes}"#);
        }
        if let Some(latency_s) = self.latency_s {
            text += &format!(r#","submitted_at":{}"#, VALIDATED_S - latency_s);
        }
        if let Some(holds) = signed {
            let message = format!(
                "chert:pouw:v1\n{CHAIN_ID}\n{id}\n{miner}\n{oracle}\n{work_type}\n1.5\n{credit}\n3\n{VALIDATED_S}"
            );
            let signature = sign(&oracle_key(self.oracle), if holds { &message } else { "something else" });
            text += &format!(r#","oracle_signature":"{signature}""#);
        }
        text + "}"
    }
}

/// `by` rejects work in the name of an oracle.
pub fn reject(by: &str, id: &str, miner: usize, oracle: usize) -> String {
    let (miner, oracle) = (&wallet(miner).address, ORACLES[oracle]);
    format!(
        r#"{by} !pouw.reject {{"submission_id":"{id}","miner_address":"{miner}","oracle_id":"{oracle}","work_type":"boinc","reason":"wrong","validated_at":{VALIDATED_S}}}"#
    )
}
