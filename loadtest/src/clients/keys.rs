//! Real keys to ask for, asked of the API itself.

use std::collections::BTreeSet;

use serde_json::Value;

use super::ClientsError;
use super::questions::encoded;
use super::reader::Reader;

/// Items of one page; the most that the API gives.
const PAGE_ITEMS: usize = 100;
/// Pages that are read of one list.
const MAX_PAGES: usize = 30;
/// Names that are searched for, to find identities.
const NAMES: &[&str] = &["a", "e", "i", "m", "o", "s"];

/// Kinds of events that give things their names.
const REGISTERING: &[&str] =
    &["identity.registered", "identity.wallet_linked", "oracle.registered", "governance.proposed", "work.submitted"];

/// A block and the position of its event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockKey {
    /// Height on its chain.
    pub height: u64,
    /// Position in the log.
    pub position: u64,
}

/// A transaction and the position of its event in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionKey {
    /// Its id, as the API spells it.
    pub tx_id: String,
    /// Position in the log.
    pub position: u64,
}

/// What there is to ask for, newest first where there is an order.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    /// The newest position that is known.
    pub position: u64,
    /// Names of the sources.
    pub sources: Vec<String>,
    /// Blocks of the first chain.
    pub blocks: Vec<BlockKey>,
    /// Hashes of those blocks.
    pub block_hashes: Vec<String>,
    /// Transactions of the first chain.
    pub transactions: Vec<TransactionKey>,
    /// Addresses that sent, received or worked.
    pub addresses: Vec<String>,
    /// Addresses that an identity claims.
    pub wallets: Vec<String>,
    /// Identities.
    pub identities: Vec<String>,
    /// Those among them that show their statistics to everybody.
    pub public_identities: Vec<String>,
    /// Names that identities show.
    pub names: Vec<String>,
    /// Oracles.
    pub oracles: Vec<String>,
    /// Proposals.
    pub proposals: Vec<String>,
    /// Submissions of work.
    pub submissions: Vec<String>,
    /// What could not be had, in sentences.
    pub notes: Vec<String>,
}

impl Keys {
    /// Asks the API for keys. A route that refuses is noted and left out.
    pub async fn collect(reader: &mut Reader) -> Result<Self, ClientsError> {
        let mut keys = Self::default();
        let (mut addresses, mut identities) = (BTreeSet::new(), BTreeSet::new());
        keys.add_chain(reader, &mut addresses).await?;
        keys.add_names(reader, &mut identities).await?;
        keys.add_ranked(reader, &mut addresses, &mut identities).await?;
        keys.add_events(reader, &mut addresses, &mut identities).await?;
        keys.addresses = addresses.into_iter().collect();
        keys.identities = identities.into_iter().collect();
        keys.add_public(reader).await?;
        keys.add_status(reader).await?;
        Ok(keys)
    }

    async fn add_chain(&mut self, reader: &mut Reader, addresses: &mut BTreeSet<String>) -> Result<(), ClientsError> {
        for item in self.list(reader, &format!("/v1/explorer/blocks?limit={PAGE_ITEMS}")).await? {
            if let (Some(height), Some(position)) = (item["height"].as_u64(), item["position"].as_u64()) {
                self.blocks.push(BlockKey { height, position });
                self.block_hashes.extend(item["hash"].as_str().map(str::to_owned));
            }
        }
        for item in self.list(reader, &format!("/v1/explorer/transactions?limit={PAGE_ITEMS}")).await? {
            if let (Some(tx_id), Some(position)) = (item["tx_id"].as_str(), item["position"].as_u64()) {
                self.transactions.push(TransactionKey { tx_id: tx_id.to_owned(), position });
            }
            addresses.extend(texts(&item, &["sender", "recipient"]));
        }
        Ok(())
    }

    async fn add_names(&mut self, reader: &mut Reader, identities: &mut BTreeSet<String>) -> Result<(), ClientsError> {
        let path = |name: &&str| format!("/v1/identity/search?name={name}&limit={PAGE_ITEMS}");
        for item in self.lists(reader, NAMES.iter().map(path)).await? {
            identities.extend(texts(&item, &["identity_id"]));
        }
        Ok(())
    }

    async fn add_ranked(
        &mut self,
        reader: &mut Reader,
        addresses: &mut BTreeSet<String>,
        identities: &mut BTreeSet<String>,
    ) -> Result<(), ClientsError> {
        let path = |by| format!("/v1/pouw/leaderboard?type=all&timeframe=all&by={by}&limit={PAGE_ITEMS}");
        for item in self.lists(reader, ["identity", "address"].into_iter().map(path)).await? {
            addresses.extend(texts(&item, &["miner_address", "address"]));
            identities.extend(texts(&item, &["identity_id"]));
        }
        Ok(())
    }

    /// The log names everything that was ever registered, whichever views there are.
    async fn add_events(
        &mut self,
        reader: &mut Reader,
        addresses: &mut BTreeSet<String>,
        identities: &mut BTreeSet<String>,
    ) -> Result<(), ClientsError> {
        let (mut wallets, mut oracles) = (BTreeSet::new(), BTreeSet::new());
        let (mut proposals, mut submissions) = (BTreeSet::new(), BTreeSet::new());
        let path = |kind: &&str| format!("/v1/events?kind={kind}&limit={PAGE_ITEMS}");
        let events = self.lists(reader, REGISTERING.iter().map(path)).await?;
        for event in events.iter().filter(|event| event["stands"] == true) {
            let body = &event["body"];
            match event["kind"].as_str() {
                Some("identity.registered") => identities.extend(texts(body, &["identity_id"])),
                Some("identity.wallet_linked") => wallets.extend(texts(body, &["wallet_address"])),
                Some("oracle.registered") => oracles.extend(texts(body, &["oracle_id"])),
                Some("governance.proposed") => proposals.extend(texts(body, &["proposal_id"])),
                Some("work.submitted") => {
                    submissions.extend(texts(body, &["submission_id"]));
                    addresses.extend(texts(body, &["miner_address"]));
                }
                Some(_) | None => {}
            }
        }
        self.wallets = wallets.into_iter().collect();
        self.oracles = oracles.into_iter().collect();
        self.proposals = proposals.into_iter().collect();
        self.submissions = submissions.into_iter().collect();
        Ok(())
    }

    async fn add_public(&mut self, reader: &mut Reader) -> Result<(), ClientsError> {
        let ids: Vec<_> = self.identities.iter().map(|id| encoded(id)).collect();
        let path = |ids: &[String]| format!("/v1/identity?ids={}", ids.join(","));
        for item in self.lists(reader, ids.chunks(PAGE_ITEMS).map(path)).await? {
            self.names.extend(texts(&item, &["display_name"]));
            if item["stats_visibility"] == "public" {
                self.public_identities.extend(texts(&item, &["identity_id"]));
            }
        }
        Ok(())
    }

    async fn add_status(&mut self, reader: &mut Reader) -> Result<(), ClientsError> {
        let status = match reader.json("/v1/status").await? {
            Ok(status) => status,
            Err(why) => {
                self.notes.push(why);
                Value::Null
            }
        };
        let sources = status["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
        self.sources = sources.iter().flat_map(|source| texts(source, &["name"])).collect();
        let seen = self.blocks.iter().map(|block| block.position).max();
        self.position = status["position"].as_u64().or(seen).unwrap_or_default();
        Ok(())
    }

    /// Transactions that were there at every one of the positions beside them: some of the oldest ones known, and the
    /// blocks since.
    pub fn settled_transactions(&self) -> (Vec<&str>, Vec<u64>) {
        let mut oldest: Vec<_> = self.transactions.iter().collect();
        oldest.sort_unstable_by_key(|transaction| transaction.position);
        oldest.truncate(oldest.len().div_ceil(2));
        let Some(last) = oldest.last().map(|transaction| transaction.position) else { return Default::default() };
        let mut later: Vec<_> = self.blocks.iter().map(|block| block.position).filter(|at| *at > last).collect();
        later.sort_unstable();
        // The first one may belong to the block of the last transaction; a block counts from its end on.
        let later = later.into_iter().skip(1).collect();
        (oldest.into_iter().map(|transaction| transaction.tx_id.as_str()).collect(), later)
    }

    /// All items of lists that are alike: when one is refused, the others are not asked for.
    async fn lists(
        &mut self,
        reader: &mut Reader,
        paths: impl Iterator<Item = String>,
    ) -> Result<Vec<Value>, ClientsError> {
        let (mut items, notes) = (Vec::new(), self.notes.len());
        for path in paths {
            items.append(&mut self.list(reader, &path).await?);
            if self.notes.len() > notes {
                break;
            }
        }
        Ok(items)
    }

    async fn list(&mut self, reader: &mut Reader, path: &str) -> Result<Vec<Value>, ClientsError> {
        let mut items = Vec::new();
        let mut page_path = path.to_owned();
        for _ in 0..MAX_PAGES {
            let mut page = match reader.json(&page_path).await? {
                Ok(page) => page,
                Err(why) => {
                    self.notes.push(why);
                    break;
                }
            };
            if let Some(found) = page["items"].as_array_mut() {
                items.append(found);
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => page_path = format!("{path}&cursor={}", encoded(cursor)),
                None => break,
            }
        }
        Ok(items)
    }
}

/// The texts under some names, without those that are missing or empty.
fn texts(item: &Value, names: &[&str]) -> Vec<String> {
    let found = names.iter().filter_map(|name| item[*name].as_str());
    found.filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settled_transactions_are_older_than_every_position_they_are_asked_at() {
        let transaction = |position: u64| TransactionKey { tx_id: format!("t{position}"), position };
        let block = |height: u64| BlockKey { height, position: height * 10 };
        let keys = Keys {
            transactions: [48, 47, 33, 21].map(transaction).to_vec(),
            blocks: [6, 5, 4, 3, 2].map(block).to_vec(),
            ..Keys::default()
        };
        assert_eq!(keys.settled_transactions(), (vec!["t21", "t33"], vec![50, 60]));
        assert_eq!(Keys::default().settled_transactions(), (Vec::new(), Vec::new()));
    }
}
