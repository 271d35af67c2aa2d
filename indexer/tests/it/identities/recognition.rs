//! An id is registered at several sources: what is said there counts beyond them if it is by the same account as what is shown.

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

/// Somebody registers her id elsewhere with some key, has a wallet that worked for 2 and stakes 5, follows and is followed.
fn elsewhere(by: &str, key: u8) -> [Vec<String>; 2] {
    [
        vec![oracle(), cast::register_with(by, CONTESTED, key, "public"), bob_registers()],
        vec![
            cast::link(by, CONTESTED, 1, Proved::Well),
            cast::stake("stake", 1, 5),
            work("b", 1, "2"),
            cast::follow("follow", by, CONTESTED, FRIEND),
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
/// What counts when only who is elsewhere is meant.
const OF_THE_OTHER: [&str; 6] = [
    "1 follows 2 at two",
    "1 has 1 and follows 1",
    "1 worked for 2",
    "2 follows 1 at two",
    "2 has 1 and follows 1",
    "wallet of 1 at two",
];
/// What counts of nobody.
const OF_NOBODY: [&str; 0] = [];
/// What chain two holds to be so, all the time.
const AT_TWO: [&str; 4] = ["1 follows 2", "1 has power 5", "2 follows 1", "wallet of 1"];

#[tokio::test(flavor = "multi_thread")]
async fn an_impostor_follows_nobody_and_works_for_nobody() {
    // With a key of her own, and with the key that everybody can read; she also repeats Alice's proof of it.
    for key in [1, 0] {
        let ([one_1, one_2], [two_1, two_2]) = (of_alice(), elsewhere("mallory", key));
        let alice_proves = [cast::rotate_key("alice", CONTESTED, 0, true)];
        let friend = [cast::link("bob", FRIEND, 2, Proved::Well), work("c", 2, "4")];
        let mallory_repeats = [cast::rotate_key("mallory", CONTESTED, 0, true)];
        let one = blocks(&[&one_1, &one_2, &alice_proves]);
        let mut sources =
            Sources::new(&[("one", &one), ("two", &blocks(&[&two_1, &two_2, &friend, &mallory_repeats]))]).await;
        sources.to("one", 4).await;
        sources.to("two", 3).await;
        assert_eq!(sources.counting().await, OF_ALICE);
        assert_eq!(sources.at("two").await, AT_TWO, "on its own chain it counts");
        for steps in [4, 5] {
            sources.to("two", steps).await;
            let expected = ["1 worked for 1", "2 worked for 4", "wallet of 1 at one", "wallet of 2 at two"];
            assert_eq!(sources.counting().await, expected, "who is the same person counts at both");
        }
        sources.assert_lawful().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_account_is_the_same_person_whatever_its_keys() {
    let ([one_1, one_2], [two_1, two_2]) = (of_alice(), elsewhere("alice", 1));
    let one = blocks(&[&one_1, &one_2, &[cast::rotate_key("alice", CONTESTED, 2, true)]]);
    let two = blocks(&[&two_1, &two_2, &[cast::rotate_key("alice", CONTESTED, 3, true)]]);
    let two = format!("{two} | ~1 | 2': {}", two_2.join(", "));
    for restarts in [false, true] {
        let mut sources = Sources::new(&[("one", &one), ("two", &two)]).await;
        for (source, steps, expected, why) in [
            ("one", 3, &OF_ALICE[..], "nobody else is there"),
            ("two", 2, &OF_ALICE, "she has done nothing there"),
            ("two", 3, &OF_BOTH, "she has another key, and is the same person"),
            ("one", 4, &OF_BOTH, "so she is with a new key"),
            ("two", 4, &OF_BOTH, "at either chain"),
            ("two", 6, &OF_BOTH, "what was undone was said again"),
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
    let ([one_1, one_2], [two_1, two_2]) = (of_alice(), elsewhere("mallory", 1));
    let one =
        format!("{} | ~0 | 1': {} | 2: {}", blocks(&[&one_1, &one_2]), one_1[..1].join(", "), one_1[1..].join(", "));
    let one = format!("{one} | 3: {}", one_2.join(", "));
    let two = format!("{} | ~0 | 1': {} | 2: ", blocks(&[&two_1, &two_2]), oracle());
    for restarts in [false, true] {
        let mut sources = Sources::new(&[("one", &one), ("two", &two)]).await;
        for (source, steps, expected, why) in [
            ("one", 3, &OF_ALICE[..], "nobody else is there"),
            ("two", 3, &OF_ALICE, "the other account is not meant"),
            ("one", 5, &OF_THE_OTHER, "nobody else is registered"),
            ("one", 7, &OF_THE_OTHER, "whoever comes later is not recognised"),
            ("two", 6, &OF_ALICE, "nobody else is registered"),
        ] {
            if restarts {
                sources.restart().await;
            }
            sources.to(source, steps).await;
            assert_eq!(sources.counting().await, expected, "{why}");
        }
        assert_eq!(sources.at("one").await, ["wallet of 1"]);
        assert_eq!(sources.at("two").await, Vec::<String>::new());
        sources.assert_lawful().await;
    }
}

/// Whom the third means is decided by the account of the second, once that is the earliest.
#[tokio::test(flavor = "multi_thread")]
async fn when_the_winner_is_retracted_the_next_decides_who_is_recognised() {
    let [one_1, one_2] = of_alice();
    let one = format!("{} | ~0 | 1': {} | 2: ", blocks(&[&one_1, &one_2]), oracle());
    let zoo = [cast::register("mallory", CONTESTED, "public"), bob_registers()];
    let zoo = format!("{} | ~0 | 1': {} | 2: ", blocks(&[&zoo]), bob_registers());
    for (by, with_alice, with_mallory) in
        [("alice", &OF_BOTH[..], &OF_NOBODY[..]), ("mallory", &OF_ALICE, &OF_THE_OTHER)]
    {
        let [two_1, two_2] = elsewhere(by, 0);
        let mut sources = Sources::new(&[("one", &one), ("zoo", &zoo), ("two", &blocks(&[&two_1, &two_2]))]).await;
        for (source, steps, expected, why) in [
            ("one", 3, &OF_ALICE[..], "nobody else is there"),
            ("zoo", 2, &OF_ALICE, "another account has done nothing"),
            ("two", 3, with_alice, "Alice is shown"),
            ("one", 5, with_mallory, "Mallory is shown"),
            ("zoo", 4, &OF_THE_OTHER, "who is left is shown"),
        ] {
            sources.restart().await;
            sources.to(source, steps).await;
            assert_eq!(sources.counting().await, expected, "{why}");
        }
        assert_eq!(sources.at("two").await, AT_TWO);
        sources.assert_lawful().await;
    }
}
