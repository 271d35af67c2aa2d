//! What the views say of people, power, proposals, oracles and work is what the synthetic network has in its own books,
//! through its mistakes and its forks.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use indexer::checksum::ViewRows;
use loadtest::network::{Ledger, MinerBook, NetworkConfig, ProposalState, ServeOptions, Visibility, serve};
use schema::source::SourceKind;

use crate::stack::{Stack, source};

/// A history in which enough is staked, voted on and taken back, with many mistakes.
fn busy() -> NetworkConfig {
    NetworkConfig {
        seed: 5,
        history_blocks: 400,
        txs_per_block: 25,
        accounts: 120,
        identities: 40,
        fork_every_blocks: 8,
        bad_signature_per_mille: 40,
        defect_per_mille: 60,
        oddity_per_mille: 30,
        ..NetworkConfig::default()
    }
}

/// The rows of a view, cut at the bars; texts of the synthetic network hold none.
fn cells(rows: &[ViewRows], view: &str) -> Vec<Vec<String>> {
    let rows = rows.iter().find(|rows| rows.view == view).unwrap_or_else(|| panic!("no rows of {view}"));
    rows.lines.iter().map(|line| line.split('|').map(ToOwned::to_owned).collect()).collect()
}

/// Chosen columns of a view's rows as one text each, without those that say nothing but 0 after the first few.
fn lines(rows: &[ViewRows], view: &str, columns: &[usize], names: usize) -> BTreeSet<String> {
    let chosen = |row: Vec<String>| columns.iter().map(|column| row[*column].clone()).collect::<Vec<_>>();
    let says = |row: &Vec<String>| names == columns.len() || row[names..].iter().any(|cell| cell != "0");
    cells(rows, view).into_iter().map(chosen).filter(says).map(|row| row.join(" ")).collect()
}

fn people(ledger: &Ledger) -> [BTreeSet<String>; 3] {
    let visibility = |visibility| match visibility {
        Visibility::Public => "public",
        Visibility::FriendsOnly => "friends_only",
        Visibility::Private => "private",
    };
    let each = |line: &dyn Fn(&String, &loadtest::network::IdentityBook) -> Option<String>| {
        ledger.identities.iter().filter_map(|(id, book)| line(id, book)).collect::<BTreeSet<String>>()
    };
    [
        each(&|id, book| Some(format!("{id} {}", visibility(book.visibility)))),
        each(&|id, book| {
            let says = book.followers + book.following > 0;
            says.then(|| format!("{id} {} {}", book.followers, book.following))
        }),
        each(&|id, book| {
            let says = book.own_stake + book.delegated_in + book.delegated_out > 0;
            says.then(|| format!("{id} {} {} {}", book.own_stake, book.delegated_in, book.delegated_out))
        }),
    ]
}

fn proposals(ledger: &Ledger) -> BTreeSet<String> {
    let outcome = |passed: Option<bool>| passed.map_or("-", |passed| if passed { "passed" } else { "rejected" });
    let line = |(id, book): (&u64, &loadtest::network::ProposalBook)| {
        let status = match book.state {
            ProposalState::Pending => "pending",
            ProposalState::Active => "active",
            ProposalState::Ended => "ended",
            ProposalState::Passed => "passed",
            ProposalState::Rejected => "rejected",
            ProposalState::Executed => "executed",
            ProposalState::Cancelled => "cancelled",
        };
        let (computed, decided) = (outcome(book.computed_passed), outcome(book.final_passed));
        format!(
            "{id} {} {status} {computed} {decided} {} {} {} {}",
            book.quorum, book.votes_for, book.votes_against, book.votes_abstain, book.voters
        )
    };
    ledger.proposals.iter().map(line).collect()
}

/// A miner's total of one type, or nothing when no submission of the type ever counted.
fn work(rows: &[ViewRows]) -> BTreeMap<String, MinerBook> {
    let mut miners: BTreeMap<String, MinerBook> = BTreeMap::new();
    for row in cells(rows, "address_work") {
        let whole = |column: usize, unit: u128| {
            let number: u128 = row[column].parse().expect("a count or a score");
            u64::try_from(number / unit).expect("far below 2^64")
        };
        let book = miners.entry(row[1].clone()).or_default();
        match row[2].as_str() {
            "all" => (book.accepted, book.rejected) = (whole(3, 1), whole(4, 1)),
            "boinc" => book.credit_nanos = whole(5, 1),
            "bandwidth" => book.bytes = whole(5, 1_000_000_000),
            _ => {}
        }
    }
    miners.retain(|_, book| *book != MinerBook::default());
    miners
}

fn assert_books(rows: &[ViewRows], ledger: &Ledger) {
    let [visibilities, counts, powers] = people(ledger);
    assert_eq!(lines(rows, "identities", &[0, 9], 2), visibilities);
    assert_eq!(lines(rows, "social_counts", &[0, 1, 2], 1), counts);
    let follows: BTreeSet<String> = ledger.follows.iter().map(|(from, to)| format!("{from} {to}")).collect();
    assert_eq!(lines(rows, "social", &[0, 1], 2), follows);
    assert_eq!(lines(rows, "powers", &[1, 2, 3, 4], 1), powers);
    let given: BTreeSet<String> = ledger
        .delegations
        .iter()
        .map(|book| format!("{} {} {} {}", book.delegator, book.delegatee, book.amount, book.counted))
        .collect();
    assert_eq!(lines(rows, "delegations", &[1, 2, 3, 4], 4), given);
    assert_eq!(lines(rows, "proposals", &[1, 5, 8, 9, 10, 11, 12, 13, 14], 9), proposals(ledger));
    let slashed = ledger.oracles.iter().filter(|(_, book)| book.registered);
    let slashed: BTreeSet<String> =
        slashed.map(|(id, book)| format!("{id} {} {}", book.slashed, book.slash_count)).collect();
    assert_eq!(lines(rows, "oracles", &[1, 7, 8], 3), slashed);
    let activity = ledger.oracles.iter().filter(|(_, book)| book.accepted + book.rejected + book.refuted > 0);
    let activity: BTreeSet<String> = activity
        .map(|(id, book)| format!("{id} {} {} {} {}", book.accepted, book.rejected, book.overturned, book.refuted))
        .collect();
    assert_eq!(lines(rows, "oracle_activity", &[1, 2, 3, 4, 5], 1), activity);
    assert_eq!(work(rows), ledger.miners);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_views_are_the_networks_own_books_through_its_forks() {
    let options = ServeOptions { pace_ms: Some(0), ..ServeOptions::default() };
    let network = serve(busy(), SocketAddr::from(([127, 0, 0, 1], 0)), options).await.expect("the network starts");
    let chain_id = NetworkConfig::default().chain_id;
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, &chain_id, network.url())]).await;
    for step in 0..8 {
        if step > 0 {
            network.advance(12).await.expect("grows");
        }
        if step % 3 == 2 {
            network.fork(5).await.expect("forks");
        }
        let head = network.head();
        stack
            .until("the network's head", |status, source| {
                source["head_hash"].as_str() == Some(head.hash.as_str()) && status["position"] == status["log_position"]
            })
            .await;
        assert_books(&stack.rows().await, &network.ledger());
    }
    let coverage = stack.get("/v1/coverage").await;
    assert!(coverage["items"][0]["retractions_total"].as_u64() > Some(0), "the chain forked: {coverage}");
    let ledger = network.ledger();
    assert!(ledger.delegations.iter().any(|book| book.counted < book.amount), "a delegation lost its cover");
    assert!(ledger.proposals.values().any(|book| book.voters > 0) && ledger.proposals.len() > 10);
    stack.stop().await;
    network.stop().await.expect("the network ends");
}
