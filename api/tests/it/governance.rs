//! Governance over the hand-written network and what `governance.sql` adds to it.

mod identities;
mod proposals;

use serde_json::Value;

use crate::network::Network;

/// Ada's id.
const ADA: &str = "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3";
/// Ben's id.
const BEN: &str = "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4";
/// Eve's id: she registered after most voting had ended.
const EVE: &str = "e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5";
/// The newest position.
const END: i64 = 101;

async fn start() -> Network {
    let network = Network::start().await;
    network.run(include_str!("governance.sql")).await;
    network.advance(END).await;
    network
}

fn pick(items: &[Value], field: &str) -> Vec<Value> {
    items.iter().map(|item| item[field].clone()).collect()
}

/// The numbers of the proposals that a path lists.
async fn ids(network: &Network, path: &str) -> Vec<u64> {
    let items = network.items(path).await;
    items.iter().map(|item| item["proposal_id"].as_str().expect("a number").parse().expect("a number")).collect()
}
