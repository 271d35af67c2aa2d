//! Somebody registers somebody else's id at another source: what is said there counts there alone, until it is recognised.

use config::postgres::Role;
use indexer::projector::Projector;
use indexer::projector::rebuild::rebuild;

use super::Sources;
use crate::histories::cast::{self, Piece, Proved};
use crate::support::{assert_same, connect, texts};

/// The identity that is registered twice.
const CONTESTED: usize = 0;
/// One that is the same person at both sources.
const FRIEND: usize = 1;

fn blocks(blocks: &[&[String]]) -> String {
    let told = blocks.iter().enumerate().map(|(below, block)| format!("{}: {}", below + 1, block.join(", ")));
    told.collect::<Vec<_>>().join(" | ")
}

fn oracle() -> String {
    cast::register_oracle("origin", 0)
}

/// Work of a wallet that the oracle accepts.
fn work(id: &str, miner: usize, credit: &'static str) -> String {
    let piece = Piece { id: id.to_owned(), miner, oracle: 0, work_type: "boinc", credit, bytes: None, latency_s: None };
    piece.submitted(&cast::oracle_account(0), None)
}

fn bob_registers() -> String {
    cast::register("bob", FRIEND, "public")
}

/// Alice, who is shown, has a wallet that worked for 1.
fn of_alice() -> [Vec<String>; 2] {
    [
        vec![oracle(), cast::register("alice", CONTESTED, "public"), bob_registers()],
        vec![cast::link("alice", CONTESTED, 0, Proved::Well), work("a", 0, "1")],
    ]
}

/// Mallory registers her id elsewhere with some key, has a wallet that worked for 2 and stakes 5, follows and is followed.
fn of_mallory(key: u8) -> [Vec<String>; 2] {
    [
        vec![oracle(), cast::register_with("mallory", CONTESTED, key, "public"), bob_registers()],
        vec![
            cast::link("mallory", CONTESTED, 1, Proved::Well),
            cast::stake("stake", 1, 5),
            work("b", 1, "2"),
            cast::follow("follow", "mallory", CONTESTED, FRIEND),
            cast::follow("follow", "bob", FRIEND, CONTESTED),
        ],
    ]
}

impl Sources {
    /// What counts beyond a chain of its own: owners of wallets, connections, counts, work; identities by their first digit.
    async fn counting(&mut self) -> Vec<String> {
        let query = "
            select 'wallet of ' || left(encode(o.identity_id, 'hex'), 1) || ' at ' || s.name as line
            from wallet_owners o join log.sources s using (source_id)
            union all
            select left(encode(follower_id, 'hex'), 1) || ' follows ' || left(encode(following_id, 'hex'), 1) || ' at ' || s.name
            from social_connections join log.sources s using (source_id)
            union all
            select left(encode(identity_id, 'hex'), 1) || ' has ' || followers || ' and follows ' || following
            from social_counts where followers + following > 0
            union all
            select left(encode(identity_id, 'hex'), 1) || ' worked for ' || trim_scale(score / 1e9)
            from identity_work where work_type = 'boinc' and score > 0
            order by line";
        texts(&mut connect(&self.world.database).await, query).await
    }

    /// What one chain holds to be so, whatever the others say.
    async fn at(&mut self, source: &str) -> Vec<String> {
        let query = format!(
            "select 'wallet of ' || left(encode(h.identity_id, 'hex'), 1) as line
            from wallet_holders h join log.sources s using (source_id) where s.name = '{source}'
            union all
            select left(encode(p.identity_id, 'hex'), 1) || ' has power ' || own_stake
            from powers p join log.sources s using (source_id) where s.name = '{source}'
            union all
            select left(encode(follower_id, 'hex'), 1) || ' follows ' || left(encode(following_id, 'hex'), 1)
            from follow_claims join log.sources s using (source_id) where s.name = '{source}'
            order by line"
        );
        texts(&mut connect(&self.world.database).await, &query).await
    }

    /// Opens the projector again, which then remembers nothing.
    async fn restart(&mut self) {
        self.world.projector = Projector::open(connect(&self.world.database).await, 1).await.expect("opens");
    }

    /// The rows are those of any batching, and of every position what was shown there.
    async fn assert_lawful(&mut self) {
        self.assert_history().await;
        let (rows, current) = (self.world.rows().await, self.world.current().await);
        let url = self.world.database.url(Role::Indexer).to_owned();
        for batch_events in [100_000, 3] {
            rebuild(&url, batch_events, true).await.expect("rebuilds and swaps");
            self.restart().await;
            assert_same(&self.world.rows().await, &rows, &format!("in batches of {batch_events}"));
            assert_eq!(self.world.current().await, current, "in batches of {batch_events}");
            self.assert_history().await;
        }
    }
}

/// What counts of Alice alone.
const OF_ALICE: [&str; 2] = ["1 worked for 1", "wallet of 1 at one"];
/// What counts when both mean the same.
const OF_BOTH: [&str; 7] = [
    "1 follows 2 at two",
    "1 has 1 and follows 1",
    "1 worked for 3",
    "2 follows 1 at two",
    "2 has 1 and follows 1",
    "wallet of 1 at one",
    "wallet of 1 at two",
];
/// What chain two holds to be so, all the time.
const AT_TWO: [&str; 4] = ["1 follows 2", "1 has power 5", "2 follows 1", "wallet of 1"];

#[tokio::test(flavor = "multi_thread")]
async fn an_impostor_follows_nobody_and_works_for_nobody() {
    // With a key of her own, and with the key that everybody can read.
    for key in [1, 0] {
        let ([one_1, one_2], [two_1, two_2]) = (of_alice(), of_mallory(key));
        let friend = [cast::link("bob", FRIEND, 2, Proved::Well), work("c", 2, "4")];
        let mut sources =
            Sources::new(&[("one", &blocks(&[&one_1, &one_2])), ("two", &blocks(&[&two_1, &two_2, &friend]))]).await;
        sources.to("one", 3).await;
        sources.to("two", 3).await;
        assert_eq!(sources.counting().await, OF_ALICE);
        assert_eq!(sources.at("two").await, AT_TWO, "on its own chain it counts");
        sources.to("two", 4).await;
        let expected = ["1 worked for 1", "2 worked for 4", "wallet of 1 at one", "wallet of 2 at two"];
        assert_eq!(sources.counting().await, expected, "who is the same person counts at both");
        sources.assert_lawful().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_make_a_registration_recognised_and_unrecognised() {
    let ([one_1, one_2], [two_1, two_2]) = (of_alice(), of_mallory(1));
    let rotate = |by: &str, key: u8, is_proved: bool| cast::rotate_key(by, CONTESTED, key, is_proved);
    let one = blocks(&[&one_1, &one_2, &[rotate("alice", 2, true)], &[]]);
    let two = blocks(&[
        &two_1,
        &two_2,
        &[rotate("mallory", 0, false), rotate("bob", 0, true)],
        &[rotate("mallory", 0, true)],
        &[rotate("mallory", 3, true), rotate("mallory", 0, true)],
        &[rotate("mallory", 2, true)],
    ]);
    let one = format!("{one} | ~2 | 3': | 4: ");
    let two = format!("{two} | ~3 | 4': ");
    for restarts in [false, true] {
        let mut sources = Sources::new(&[("one", &one), ("two", &two)]).await;
        for (source, steps, expected, why) in [
            ("one", 3, &OF_ALICE[..], "nobody else is there"),
            ("two", 4, &OF_ALICE, "neither an unproven key nor a stranger changes anything"),
            ("two", 5, &OF_BOTH, "who has the key is the same person"),
            ("two", 6, &OF_BOTH, "what counts is the key at the end of a block"),
            ("one", 4, &OF_ALICE, "the key that is shown is another now"),
            ("two", 7, &OF_BOTH, "and now the same again"),
            ("one", 7, &OF_ALICE, "the new key at one was retracted"),
            ("two", 9, &OF_ALICE, "so were all proven keys at two"),
        ] {
            if restarts {
                sources.restart().await;
            }
            sources.to(source, steps).await;
            assert_eq!(sources.counting().await, expected, "{why}");
        }
        assert_eq!(sources.at("two").await, AT_TWO);
        sources.assert_lawful().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_winner_is_retracted_another_is_shown_and_counts() {
    let ([one_1, one_2], [two_1, two_2]) = (of_alice(), of_mallory(1));
    let one =
        format!("{} | ~0 | 1': {} | 2: {}", blocks(&[&one_1, &one_2]), one_1[..1].join(", "), one_1[1..].join(", "));
    let one = format!("{one} | 3: {}", one_2.join(", "));
    let two = format!("{} | ~0 | 1': {} | 2: ", blocks(&[&two_1, &two_2]), oracle());
    let mut sources = Sources::new(&[("one", &one), ("two", &two)]).await;
    sources.to("one", 3).await;
    sources.to("two", 3).await;
    assert_eq!(sources.counting().await, OF_ALICE);
    sources.to("one", 5).await;
    let of_mallory = [
        "1 follows 2 at two",
        "1 has 1 and follows 1",
        "1 worked for 2",
        "2 follows 1 at two",
        "2 has 1 and follows 1",
        "wallet of 1 at two",
    ];
    assert_eq!(sources.counting().await, of_mallory, "nobody else is registered");
    sources.to("one", 7).await;
    assert_eq!(sources.counting().await, of_mallory, "whoever comes later is not recognised");
    assert_eq!(sources.at("one").await, ["wallet of 1"]);
    sources.to("two", 6).await;
    assert_eq!(sources.counting().await, OF_ALICE);
    assert_eq!(sources.at("two").await, Vec::<String>::new());
    sources.assert_lawful().await;
}
