//! What decides a synthetic chain. Nothing here depends on the machine or the moment.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Branch switches deeper than this cannot be played: so many earlier states are kept.
pub const WINDOW_BLOCKS: u64 = 64;
/// Spacing of block times when the chain does not grow by itself.
const STILL_BLOCK_TIME_MS: u64 = 1_000;
/// Above this the generator's tables would no longer fit its compact indices comfortably.
const MAX_ACCOUNTS: usize = 1_000_000;
/// Transaction indices inside a block have 16 bits in a transaction id.
const MAX_TXS_PER_BLOCK: u64 = 20_000;

/// Everything that the chain is a function of: equal configurations give byte-identical chains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkConfig {
    /// Seeds every key and every choice.
    pub seed: u64,
    /// The chain id inside signed bytes and answers.
    pub chain_id: String,
    /// Time of block 0.
    pub genesis_time: DateTime<Utc>,
    /// Distance between blocks above the history, and the pace of growth; 0: the chain does not grow by itself and its
    /// block times are one second apart.
    pub block_time_ms: u64,
    /// Distance between the blocks of the history, so that a short history can span weeks.
    pub history_block_time_ms: u64,
    /// Mean number of transactions per block; single blocks vary from none to twice as many.
    pub txs_per_block: u64,
    /// Height of the head when the network starts for the first time.
    pub history_blocks: u64,
    /// Mean distance in blocks between branch switches; 0: none.
    pub fork_every_blocks: u64,
    /// A switch replaces 1 to this many blocks; stay below the finality depth of the reader.
    pub fork_depth_max: u64,
    /// Deliberately bad signatures per thousand: of plain transfers, wallet-link proofs, key rotations, and (times the
    /// oracle's own factor 0, 1, 3 or 8) of signed work.
    pub bad_signature_per_mille: u32,
    /// Deliberately wrong actions other than signatures, per thousand transactions.
    pub defect_per_mille: u32,
    /// Correct but odd spellings and texts, per thousand transactions.
    pub oddity_per_mille: u32,
    /// Transfers into stealth outputs, per thousand transactions.
    pub stealth_per_mille: u32,
    /// Accounts with keys. The first `identities` of them control identities, the others are wallets.
    pub accounts: usize,
    /// Identities that register in the course of the chain.
    pub identities: usize,
    /// Oracles; the last one never registers when there are at least three.
    pub oracles: usize,
    /// Validators that take turns.
    pub validators: usize,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            chain_id: "chert-synthetic-1".to_owned(),
            genesis_time: DateTime::UNIX_EPOCH + chrono::TimeDelta::seconds(1_767_225_600),
            block_time_ms: 2_000,
            // Six weeks in 500 blocks, so that the day, the week and the month before the head differ.
            history_block_time_ms: 7_200_000,
            txs_per_block: 20,
            history_blocks: 500,
            fork_every_blocks: 50,
            fork_depth_max: 6,
            bad_signature_per_mille: 10,
            defect_per_mille: 10,
            oddity_per_mille: 10,
            stealth_per_mille: 2,
            accounts: 9_000,
            identities: 3_000,
            oracles: 5,
            validators: 4,
        }
    }
}

/// A configuration that no chain can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct ConfigError {
    /// The field at fault.
    pub field: &'static str,
    /// The rule it breaks.
    pub why: String,
}

impl NetworkConfig {
    /// Refuses impossible configurations.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let rule = |holds: bool, field: &'static str, why: &str| {
            if holds { Ok(()) } else { Err(ConfigError { field, why: why.to_owned() }) }
        };
        rule(!self.chain_id.is_empty() && !self.chain_id.contains('\n'), "chain_id", "must be one non-empty line")?;
        rule(self.genesis_time.timestamp() > 0, "genesis_time", "must be after 1970: a shorter history begins later")?;
        rule(self.history_block_time_ms >= 4, "history_block_time_ms", "must be at least 4")?;
        rule(self.block_time_ms == 0 || self.block_time_ms >= 4, "block_time_ms", "must be 0 or at least 4")?;
        rule((1..=MAX_TXS_PER_BLOCK).contains(&self.txs_per_block), "txs_per_block", "must be 1 to 20000")?;
        rule(self.history_blocks < 1 << 39, "history_blocks", "must be below 2^39")?;
        rule(
            (1..WINDOW_BLOCKS).contains(&self.fork_depth_max),
            "fork_depth_max",
            "must be 1 to 63, because 64 earlier states are kept",
        )?;
        rule((4..=MAX_ACCOUNTS).contains(&self.accounts), "accounts", "must be 4 to 1000000")?;
        rule((2..=self.accounts).contains(&self.identities), "identities", "must be 2 to the number of accounts")?;
        rule((1..=32).contains(&self.oracles), "oracles", "must be 1 to 32")?;
        rule((1..=256).contains(&self.validators), "validators", "must be 1 to 256")?;
        let rates =
            [self.bad_signature_per_mille, self.defect_per_mille, self.oddity_per_mille, self.stealth_per_mille];
        rule(rates.iter().all(|rate| *rate <= 1_000), "bad_signature_per_mille", "rates must be at most 1000")
    }

    /// Distance in milliseconds between the block at `height` and the one before it.
    pub(crate) fn interval_ms(&self, height: u64) -> u64 {
        if height <= self.history_blocks {
            self.history_block_time_ms
        } else if self.block_time_ms == 0 {
            STILL_BLOCK_TIME_MS
        } else {
            self.block_time_ms
        }
    }

    /// Unix milliseconds of the slot at `height`, before the jitter of a branch.
    pub(crate) fn slot_ms(&self, height: u64) -> u64 {
        let genesis = u64::try_from(self.genesis_time.timestamp_millis()).expect("validated: after 1970");
        let past = height.min(self.history_blocks);
        let live = height - past;
        genesis + past * self.history_block_time_ms + live * self.interval_ms(self.history_blocks + 1)
    }
}
