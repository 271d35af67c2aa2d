//! Power, delegation, proposals and votes: the rules of MEANING §6, one by one and undone by forks.

use crate::support::{World, connect, texts};

mod broken;
mod decisions;
mod power;
mod undone;
mod votes;

/// Unix seconds of block 0; a block is ten seconds after its parent.
const GENESIS: u64 = 1_767_225_600;

const ALICE: usize = 1;
const BOB: usize = 2;
const CAROL: usize = 3;

/// Scripts with these words in place of payloads.
fn expand(script: &str) -> String {
    let mut words = words();
    words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    words.iter().fold(script.to_owned(), |script, (word, action)| script.replace(word, action))
}

fn words() -> Vec<(&'static str, String)> {
    vec![
        ("EVERYBODY", [register("alice", ALICE), register("bob", BOB), register("carol", CAROL)].join(", ")),
        ("WALLETS", [link("alice", ALICE, "alice"), link("bob", BOB, "bob"), link("carol", CAROL, "carol")].join(", ")),
        ("STAKES", [stake("alice", 30), stake("bob", 20), stake("carol", 5)].join(", ")),
        ("PROPOSE", propose("alice", ALICE, 7, 40, 80)),
        ("FINALIZE", decide("finalize", r#","outcome":"passed""#)),
        ("REFUSE", decide("finalize", r#","outcome":"rejected""#)),
        ("EXECUTE", decide("execute", "")),
        ("CANCEL", decide("cancel", "")),
        ("ALICE_FOR", vote("alice", ALICE, "for", 30)),
        ("ALICE_AGAINST", vote("alice", ALICE, "against", 30)),
        ("ALICE_ABSTAINS", vote("alice", ALICE, "abstain", 30)),
        ("BOB_AGAINST", vote("bob", BOB, "against", 20)),
        ("BOB_CLAIMS_40", vote("bob", BOB, "against", 40)),
        ("CAROL_ABSTAINS", vote("carol", CAROL, "abstain", 5)),
        ("UNLINK_ALICE", unlink("alice", ALICE, "alice")),
        ("LINK_ALICE", link("alice", ALICE, "alice")),
        ("BOB_TAKES_ALICE", link("bob", BOB, "alice")),
        ("UNSTAKE_16", unstake("alice", 16)),
        ("STAKE_64", stake("alice", 64)),
        ("TO_BOB_8", delegate("delegate", "alice", ALICE, BOB, 8)),
        ("TO_BOB_64", delegate("delegate", "alice", ALICE, BOB, 64)),
        ("TO_CAROL_16", delegate("delegate", "alice", ALICE, CAROL, 16)),
        ("FROM_BOB_4", delegate("undelegate", "alice", ALICE, BOB, 4)),
        ("FROM_BOB_8", delegate("undelegate", "alice", ALICE, BOB, 8)),
    ]
}

fn id(n: usize) -> String {
    n.to_string().repeat(64)
}

fn register(who: &str, n: usize) -> String {
    let id = id(n);
    format!(r#"{who} !identity.register {{"identity_id":"{id}","key":{{"alg":"ed25519","public_key":"00"}}}}"#)
}

/// The source is trusted, so a proof that nothing can check counts.
fn link(who: &str, n: usize, wallet: &str) -> String {
    let id = id(n);
    format!(
        r#"{who} !identity.link_wallet {{"identity_id":"{id}","wallet_address":"{wallet}","link_type":"staking","proof":{{"alg":"ml-dsa-44","public_key":"00","signature":"00"}}}}"#
    )
}

fn unlink(who: &str, n: usize, wallet: &str) -> String {
    let id = id(n);
    format!(r#"{who} !identity.unlink_wallet {{"identity_id":"{id}","wallet_address":"{wallet}"}}"#)
}

fn stake(who: &str, amount: u64) -> String {
    format!(r#"{who} !staking.stake {{"account":"{who}","validator":"v","amount":{amount}}}"#)
}

fn unstake(who: &str, amount: u64) -> String {
    format!(r#"{who} !staking.unstake {{"account":"{who}","validator":"v","amount":{amount}}}"#)
}

/// A proposal with a quorum of 50; the window is in seconds after block 0.
fn propose(who: &str, n: usize, proposal: u64, starts: u64, ends: u64) -> String {
    let (id, starts, ends) = (id(n), GENESIS + starts, GENESIS + ends);
    format!(
        r#"{who} !governance.propose {{"proposal_id":{proposal},"proposer":"{id}","proposal_type":"text","title":"Title","quorum":50,"voting_starts_at":{starts},"voting_ends_at":{ends},"targets":["bob"],"values":["8"],"calldatas":["00ff"]}}"#
    )
}

fn vote(who: &str, n: usize, choice: &str, power: u64) -> String {
    vote_on(7, who, n, choice, power)
}

fn vote_on(proposal: u64, who: &str, n: usize, choice: &str, power: u64) -> String {
    let id = id(n);
    format!(
        r#"{who} !governance.vote {{"proposal_id":{proposal},"voter":"{id}","choice":"{choice}","power":{power},"reason":"because"}}"#
    )
}

fn decide(kind: &str, more: &str) -> String {
    format!(r#"origin !governance.{kind} {{"proposal_id":7{more}}}"#)
}

fn delegate(kind: &str, who: &str, from: usize, to: usize, amount: u64) -> String {
    let (from, to) = (id(from), id(to));
    format!(r#"{who} !governance.{kind} {{"delegator":"{from}","delegatee":"{to}","amount":{amount}}}"#)
}

/// Everybody has a wallet and a stake; block 3 proposes; voting is open from block 4 to block 8.
const START: &str = "1: EVERYBODY, WALLETS | 2: STAKES | 3: PROPOSE";

async fn played(script: &str) -> World {
    let mut world = World::new().await;
    world.play("chain", &expand(script)).await;
    world.project().await;
    world
}

async fn ask(world: &World, query: &str) -> Vec<String> {
    texts(&mut connect(&world.database).await, query).await
}

/// `own stake + received − given` of each identity that has or had power, by the digit that its id repeats.
async fn powers(world: &World) -> Vec<String> {
    let query = "select concat(left(encode(identity_id, 'hex'), 1), ': ', own_stake, ' + ', delegated_in, ' - ', delegated_out) from powers order by 1";
    ask(world, query).await
}

/// `status computed final: for/against/abstain by voters` of each proposal.
async fn proposals(world: &World) -> Vec<String> {
    let query = "select concat(status, ' ', coalesce(computed_outcome, '-'), ' ', coalesce(final_outcome, '-'), ': ', votes_for, '/', votes_against, '/', votes_abstain, ' by ', voters) from proposals order by proposal_id";
    ask(world, query).await
}

/// `code subject`, with `, counts` where the event counts in spite of it; identities by the digit that their id repeats.
async fn findings(world: &World) -> Vec<String> {
    let query = "select concat(code, ' ', case when length(subject) = 64 then left(subject, 1) else subject end, case when counts then ', counts' end) from findings order by event_position, code";
    ask(world, query).await
}

/// `choice claimed: counted power, or why it does not count` of each vote.
async fn votes(world: &World) -> Vec<String> {
    let query = "select concat(vote_choice, ' ', claimed_power, ': ', case when counts then vote_power::text else why end) from votes order by position";
    ask(world, query).await
}
