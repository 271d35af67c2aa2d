//! Who acts on the chain: accounts, identities, oracles and validators, all derived from the seed.
//!
//! It must not know what any of them does.

use ed25519_dalek::{Signer, SigningKey};
use sha3::{Digest, Sha3_256};

use super::config::NetworkConfig;
use super::dice::{derive_bytes, to_u64};

/// Mints rewards and runs the oracle register; no key derives to it.
pub const ORIGIN: &str = "0x0000000000000000000000000000000000000002";
/// What is sent here is burnt.
pub const FURNACE: &str = "0x0000000000000000000000000000000000000001";
/// Takes the fees.
pub const LEVY: &str = "0x0000000000000000000000000000000000000003";
/// Recipient of transactions that exist for their payload.
pub const REGISTRY: &str = "0x0000000000000000000000000000000000000005";

/// A key pair with the account address that derives from it.
#[derive(Debug)]
pub struct Actor {
    key: SigningKey,
    /// The public key in hex.
    pub public_key: String,
    /// `0x` and 40 hex digits.
    pub address: String,
}

impl Actor {
    /// The actor whose secret key is derived from these arguments.
    pub fn derive(seed: u64, label: &str, numbers: &[u64]) -> Self {
        let key = SigningKey::from_bytes(&derive_bytes(seed, label, numbers));
        let public = key.verifying_key().to_bytes();
        Self { key, public_key: hex::encode(public), address: format!("0x{}", derived_digits("ACCOUNT", &public)) }
    }

    /// The hex signature over `message`; `genuine: false` flips one bit of it.
    pub fn sign(&self, message: &[u8], genuine: bool) -> String {
        let mut signature = self.key.sign(message).to_bytes();
        if !genuine {
            signature[7] ^= 0x10;
        }
        hex::encode(signature)
    }
}

fn derived_digits(kind: &str, public_key: &[u8]) -> String {
    let digest = Sha3_256::new().chain_update(format!("CHERT_ADDRESS_{kind}_V2")).chain_update(public_key).finalize();
    hex::encode(&digest[..20])
}

/// An oracle and how good it is.
#[derive(Debug)]
pub struct Oracle {
    /// Its id on the chain.
    pub id: String,
    /// Its display name.
    pub name: String,
    /// Index of its account.
    pub account: usize,
    /// Multiplies the configured rate of bad signatures.
    pub bad_signature_factor: u32,
    /// Rejections per thousand of what it judges.
    pub rejects_per_mille: u32,
    /// Typical seconds from submission to validation.
    pub latency_s: u64,
    /// Share of the work, relative to the other oracles.
    pub weight: u64,
    /// Whether it ever registers.
    pub registers: bool,
}

/// Everybody.
#[derive(Debug)]
pub struct Cast {
    /// Plain accounts, followed by one account per oracle.
    pub accounts: Vec<Actor>,
    /// Identity ids in the order in which they register.
    pub identity_ids: Vec<String>,
    /// The oracles.
    pub oracles: Vec<Oracle>,
    /// Validator addresses in turn.
    pub validators: Vec<String>,
    seed: u64,
    plain_accounts: usize,
}

impl Cast {
    /// Derives everybody; about 15 µs per account.
    pub fn new(config: &NetworkConfig) -> Self {
        let seed = config.seed;
        let total = to_u64(config.accounts + config.oracles);
        let accounts = (0..total).map(|n| Actor::derive(seed, "account", &[n])).collect();
        let identity_ids =
            (0..to_u64(config.identities)).map(|n| hex::encode(derive_bytes(seed, "identity", &[n]))).collect();
        let validators = (0..to_u64(config.validators))
            .map(|n| format!("VAL{}", derived_digits("NODE", &derive_bytes(seed, "validator", &[n]))))
            .collect();
        let oracles = (0..config.oracles).map(|n| oracle(n, config)).collect();
        Self { accounts, identity_ids, oracles, validators, seed, plain_accounts: config.accounts }
    }

    /// Accounts without those of the oracles.
    pub fn plain_accounts(&self) -> usize {
        self.plain_accounts
    }

    /// The accounts an identity may link: its controller's, and up to two wallets that are nobody else's.
    pub fn pool(&self, identity: usize) -> impl Iterator<Item = (u32, usize)> + use<> {
        let wallets = self.identity_ids.len() + 2 * identity;
        let plain = self.plain_accounts;
        (0..).zip([identity, wallets, wallets + 1]).filter(move |(_, account)| *account < plain)
    }

    /// The key an identity rotates to the `rotation`-th time.
    pub fn rotated(&self, identity: usize, rotation: u64) -> Actor {
        Actor::derive(self.seed, "rotated", &[to_u64(identity), rotation])
    }
}

fn oracle(n: usize, config: &NetworkConfig) -> Oracle {
    const QUALITY: [(u32, u32, u64, u64); 4] = [(0, 5, 20, 50), (1, 20, 90, 30), (3, 60, 600, 14), (8, 200, 3_600, 6)];
    const NAMES: [&str; 4] = ["Basalt Verifier", "Prism Works", "Quarry Gate", "Obsidian Relay"];
    let (bad_signature_factor, rejects_per_mille, latency_s, weight) = QUALITY[n % QUALITY.len()];
    let registers = n < 2 || n + 1 < config.oracles;
    Oracle {
        id: format!("oracle-{}", n + 1),
        name: format!("{} {}", NAMES[n % NAMES.len()], n + 1),
        account: config.accounts + n,
        // Nobody can refute a signature for which no key is registered.
        bad_signature_factor: if registers { bad_signature_factor } else { 0 },
        rejects_per_mille,
        latency_s,
        weight: if registers { weight } else { 2 },
        registers,
    }
}
