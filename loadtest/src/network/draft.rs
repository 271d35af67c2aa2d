//! A block in the making: the one place where transactions are added and money moves.
//!
//! It must not know what payloads mean; the actions decide that.

use std::collections::BTreeSet;

use super::cast::{Actor, Cast, FURNACE, ORIGIN, REGISTRY};
use super::config::NetworkConfig;
use super::dice::{Dice, TxIds, TxPlace, derive_bytes, mix, to_u64};
use super::tally::{Defect, Kind, Oddity};
use super::wire::{
    EncodedBlock, Header, Transaction, encode_block, json_string, rfc3339_ms, rfc3339_s, write_transaction,
};
use super::world::World;

/// Who sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// An account by index.
    Account(usize),
    /// The origin account, which pays no fee and has no key.
    Origin,
}

/// Who receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// An account by index.
    Account(usize),
    /// Several accounts, each with its amount; replaces the order's amount by their sum.
    Several(Vec<(usize, u64)>),
    /// A stealth output.
    Stealth,
    /// The registry account.
    Registry,
    /// Nobody: the money is burnt.
    Furnace,
}

/// A transaction to be made.
pub struct Order<'a> {
    /// What it is counted as.
    pub kind: Kind,
    /// Who pays.
    pub from: From,
    /// Who receives.
    pub to: To,
    /// Base units wished for; cut down to what the sender has.
    pub amount: u64,
    /// The JSON text of the payload.
    pub data: Option<&'a str>,
    /// Whether the transaction's signature is right.
    pub genuine: bool,
}

/// A block in the making.
pub struct Draft<'a> {
    /// What the chain is a function of.
    pub config: &'a NetworkConfig,
    /// Everybody.
    pub cast: &'a Cast,
    /// The state, updated with every transaction.
    pub world: &'a mut World,
    /// The choices of this block.
    pub dice: Dice,
    /// Its height.
    pub height: u64,
    /// Its time in unix milliseconds.
    pub time_ms: u64,
    /// Identities whose stake has changed in this block. They do not delegate in it: readers may judge a delegation by the
    /// stake at that moment or at the end of the block.
    pub restaked: BTreeSet<usize>,
    /// Identities that have delegated in this block. Their stake does not change in it, for the same reason.
    pub delegated: BTreeSet<usize>,
    ids: &'a TxIds,
    branch: u32,
    tx_ids: Vec<String>,
    transactions: String,
}

impl<'a> Draft<'a> {
    /// Starts the block after `world` on a branch.
    pub fn new(config: &'a NetworkConfig, cast: &'a Cast, ids: &'a TxIds, world: &'a mut World, branch: u32) -> Self {
        let height = world.height.map_or(0, |height| height + 1);
        let parent = u64::from_le_bytes(world.hash[..8].try_into().expect("8 of 32 bytes"));
        let dice = Dice::new(config.seed, "block", &[u64::from(branch), height, parent]);
        // Branches differ in time as well, by less than the distance of two slots.
        let shortest_ms = config.history_block_time_ms.min(config.interval_ms(config.history_blocks + 1));
        let jitter_ms = if height == 0 { 0 } else { mix(u64::from(branch)) % (shortest_ms / 4) };
        let time_ms = config.slot_ms(height) + jitter_ms;
        Self {
            config,
            cast,
            world,
            dice,
            height,
            time_ms,
            restaked: BTreeSet::new(),
            delegated: BTreeSet::new(),
            ids,
            branch,
            tx_ids: Vec::new(),
            transactions: String::new(),
        }
    }

    /// Transactions so far.
    pub fn len(&self) -> u64 {
        to_u64(self.tx_ids.len())
    }

    /// Unix seconds of the block.
    pub fn time_s(&self) -> u64 {
        self.time_ms / 1_000
    }

    /// A short text that no other action on any branch has.
    pub fn unique(&self, prefix: &str) -> String {
        format!("{prefix}-{}-{}-{}", self.height, self.branch, self.tx_ids.len())
    }

    /// A whole number as a JSON number or as a decimal string.
    pub fn spell(&mut self, value: u64) -> String {
        if self.dice.one_in(2) { value.to_string() } else { format!("\"{value}\"") }
    }

    /// A time as RFC 3339 or as unix seconds.
    pub fn spell_time(&mut self, time_s: u64) -> String {
        if self.dice.one_in(2) { time_s.to_string() } else { format!("\"{}\"", rfc3339_s(time_s)) }
    }

    /// Counts a deliberate mistake.
    pub fn defect(&mut self, defect: Defect) {
        self.world.tally.count_defect(defect);
    }

    /// Counts a deliberate oddity.
    pub fn oddity(&mut self, oddity: Oddity) {
        self.world.tally.count_oddity(oddity);
    }

    /// Adds a transaction that exists for its payload, sometimes moving money to the registry too, and sometimes
    /// spelling the payload as a string or as hex.
    pub fn act(&mut self, kind: Kind, from: From, data: &str) {
        let amount = if from != From::Origin && self.dice.one_in(16) { 1 + self.dice.below(5_000) } else { 0 };
        let wrapped = if self.dice.per_mille(self.config.oddity_per_mille) {
            let as_hex = self.dice.one_in(2);
            self.oddity(if as_hex { Oddity::DataAsHex } else { Oddity::DataAsString });
            Some(if as_hex { format!("\"{}\"", hex::encode(data)) } else { json_string(data) })
        } else {
            None
        };
        let data = Some(wrapped.as_deref().unwrap_or(data));
        self.send(Order { kind, from, to: To::Registry, amount, data, genuine: true });
    }

    /// Adds a transaction and moves its money. Nobody ever spends more than they have.
    pub fn send(&mut self, mut order: Order<'_>) {
        let fee = self.take_payment(&mut order);
        let cast = self.cast;
        let (sender, signer, nonce) = self.take_nonce(order.from);
        let stealth = (order.to == To::Stealth).then(|| self.stealth_output(order.amount));
        let mut outputs = Vec::new();
        let recipient = match &order.to {
            To::Account(index) => cast.accounts[*index].address.as_str(),
            To::Several(parts) => {
                outputs.extend(parts.iter().map(|(index, part)| (cast.accounts[*index].address.as_str(), *part)));
                outputs[0].0
            }
            To::Stealth => sender,
            To::Registry => REGISTRY,
            To::Furnace => FURNACE,
        };
        let index = u16::try_from(self.tx_ids.len()).expect("the configuration bounds the transactions of a block");
        let tx_id = self.ids.id(TxPlace { height: self.height, branch: self.branch, index }).to_string();
        let lead_ms = if self.height == 0 { 0 } else { self.dice.below(self.config.interval_ms(self.height)) };
        let timestamp = rfc3339_ms(self.time_ms - lead_ms);
        if !self.tx_ids.is_empty() {
            self.transactions.push(',');
        }
        let transaction = Transaction {
            tx_id: &tx_id,
            sender,
            recipient,
            amount: order.amount,
            fee,
            nonce,
            timestamp: &timestamp,
            outputs: &outputs,
            stealth_outputs: stealth.as_deref(),
            data: order.data,
        };
        write_transaction(&mut self.transactions, &self.config.chain_id, &transaction, signer, order.genuine);
        self.tx_ids.push(tx_id);
        self.world.tally.count_kind(order.kind);
    }

    /// Cuts the order down to what its sender has, moves the money, and gives the fee.
    fn take_payment(&mut self, order: &mut Order<'_>) -> u64 {
        let From::Account(sender) = order.from else {
            assert_eq!(order.amount, 0, "the origin account has no money of its own");
            return 0;
        };
        let wished_fee = 100 + 10 * self.dice.below(90);
        let account = self.world.accounts.change(sender);
        let fee = wished_fee.min(account.balance);
        let affordable = account.balance - fee;
        if let To::Several(parts) = &mut order.to {
            let share = affordable / to_u64(parts.len());
            parts.iter_mut().for_each(|(_, part)| *part = (*part).min(share));
            order.amount = parts.iter().map(|(_, part)| part).sum();
        }
        order.amount = order.amount.min(affordable);
        account.balance -= fee + order.amount;
        self.world.levy += fee;
        match &order.to {
            To::Account(index) => self.world.accounts.change(*index).balance += order.amount,
            To::Several(parts) => {
                for (index, part) in parts {
                    self.world.accounts.change(*index).balance += part;
                }
            }
            To::Stealth => self.world.undisclosed += order.amount,
            To::Registry => self.world.registry += order.amount,
            To::Furnace => self.world.burned += order.amount,
        }
        fee
    }

    fn take_nonce(&mut self, from: From) -> (&'a str, Option<&'a Actor>, u64) {
        let (sender, signer, nonce) = match from {
            From::Account(index) => {
                let actor = &self.cast.accounts[index];
                (actor.address.as_str(), Some(actor), &mut self.world.accounts.change(index).nonce)
            }
            From::Origin => (ORIGIN, None, &mut self.world.origin_nonce),
        };
        *nonce += 1;
        (sender, signer, *nonce - 1)
    }

    /// An encrypted output. Nobody can open it: its bytes are noise of the right lengths.
    fn stealth_output(&mut self, amount: u64) -> String {
        let numbers = |bytes: &[u8]| serde_json::to_string(bytes).expect("numbers are JSON");
        let salt = derive_bytes(self.config.seed, "stealth", &[self.height, self.len(), amount]);
        format!(
            r#"[{{"tx_id":"{}","index":0,"commitment":{},"address":{{"public_key":{},"tx_public_key":{}}},"amount":null,"memo_plaintext":null,"memo_encrypted":{{"ciphertext":{},"nonce":{},"message_number":0}},"created_at":"{}"}}]"#,
            uuid::Builder::from_random_bytes(self.dice.bytes()).into_uuid(),
            numbers(&salt),
            numbers(&self.dice.bytes::<32>()),
            numbers(&self.dice.bytes::<32>()),
            numbers(&self.dice.bytes::<48>()),
            numbers(&self.dice.bytes::<12>()),
            rfc3339_ms(self.time_ms),
        )
    }

    /// Finishes the block and leaves the world in the state after it.
    pub fn finish(self) -> EncodedBlock {
        let validators = &self.cast.validators;
        let turn = mix(self.height ^ (u64::from(self.branch) << 40)) % to_u64(validators.len());
        let timestamp = rfc3339_ms(self.time_ms);
        let header = Header {
            height: self.height,
            branch: self.branch,
            previous: self.world.hash,
            timestamp: &timestamp,
            validator: &validators[super::dice::to_usize(turn)],
            state_leaves: self.cast.accounts.len(),
        };
        let block = encode_block(&header, &self.tx_ids, &self.transactions);
        self.world.height = Some(self.height);
        self.world.hash = block.hash;
        self.world.branch = self.branch;
        self.world.time_ms = self.time_ms;
        self.world.tally.blocks += 1;
        if self.tx_ids.is_empty() {
            self.world.tally.count_oddity(Oddity::EmptyBlock);
        }
        block
    }
}
