//! Who follows whom, through mistakes, forks, and sources that say the same.

use std::collections::{BTreeMap, BTreeSet};

use indexer::projector::Projector;
use indexer::source::scripted::{Script, ScriptedSource};
use schema::event::Position;

use crate::support::{World, assert_same, connect};

fn id(n: u8) -> String {
    n.to_string().repeat(64)
}

/// `ada` controls identity 1, `bob` 2, `cyd` 3.
fn everybody() -> String {
    let register = |who: &str, n: u8| {
        format!(r#"{who} !identity.register {{"identity_id":"{}","key":{{"alg":"ed25519","public_key":"00"}}}}"#, id(n))
    };
    format!("1: {}, {}, {}", register("ada", 1), register("bob", 2), register("cyd", 3))
}

/// Replaces `ada follows 2` and the like, which say who sends, by the payloads; the follower is the sender's identity.
fn script(text: &str) -> String {
    let mut script = text.replace("EVERYBODY", &everybody());
    for (who, follower) in [("ada", 1), ("bob", 2), ("cyd", 3), ("eve", 1), ("dan", 9)] {
        for following in [1, 2, 3, 8] {
            for (word, kind) in [("unfollows", "social.unfollow"), ("follows", "social.follow")] {
                let payload =
                    format!(r#"{who} !{kind} {{"follower":"{}","following":"{}"}}"#, id(follower), id(following));
                script = script.replace(&format!("{who} {word} {following}"), &payload);
            }
        }
    }
    script
}

async fn lines(world: &mut World, view: &str) -> Vec<String> {
    world.rows().await.into_iter().find(|rows| rows.view == view).expect("the view is in the checksums").lines
}

/// Connections as `1>2 at chain`.
async fn connections(world: &mut World) -> Vec<String> {
    let short = |line: String| {
        let parts: Vec<&str> = line.split('|').collect();
        format!("{}>{} at {}", &parts[0][..1], &parts[1][..1], parts[2])
    };
    lines(world, "social").await.into_iter().map(short).collect()
}

/// Followers and followed by identity, where there are any.
async fn counts(world: &mut World) -> BTreeMap<String, (i64, i64)> {
    let number = |text: &str| text.parse::<i64>().expect("a count");
    let read = |line: String| {
        let parts: Vec<&str> = line.split('|').collect();
        (parts[0][..1].to_owned(), (number(parts[1]), number(parts[2])))
    };
    lines(world, "social_counts").await.into_iter().map(read).collect()
}

fn expected(counts: &[(&str, i64, i64)]) -> BTreeMap<String, (i64, i64)> {
    counts.iter().map(|(id, followers, following)| ((*id).to_owned(), (*followers, *following))).collect()
}

/// Codes of the findings, with whom they are about.
async fn findings(world: &mut World) -> Vec<String> {
    let short = |line: String| {
        let parts: Vec<&str> = line.split('|').collect();
        format!("{} {} {}", parts[1], parts[4], &parts[5][..1])
    };
    lines(world, "findings").await.into_iter().map(short).collect()
}

async fn played(text: &str) -> World {
    let mut world = World::new().await;
    world.play("chain", &script(text)).await;
    world.project().await;
    world
}

#[tokio::test(flavor = "multi_thread")]
async fn follows_are_counted_once_and_may_be_taken_back() {
    let mut world =
        played("EVERYBODY | 2: ada follows 2, cyd follows 2 | 3: ada follows 2, bob follows 1, ada follows 3").await;
    assert_eq!(connections(&mut world).await, ["1>2 at chain", "1>3 at chain", "2>1 at chain", "3>2 at chain"]);
    assert_eq!(counts(&mut world).await, expected(&[("1", 1, 2), ("2", 2, 1), ("3", 1, 1)]));
    let created = lines(&mut world, "social").await;
    assert!(created[0].ends_with("2026-01-01 00:00:20+00"), "following again is not later: {}", created[0]);

    let mut world =
        played("EVERYBODY | 2: ada follows 2 | 3: ada unfollows 2 | 4: ada follows 2, ada unfollows 2").await;
    assert_eq!(connections(&mut world).await, Vec::<String>::new());
    assert_eq!(counts(&mut world).await, expected(&[]));
    assert_eq!(findings(&mut world).await, Vec::<String>::new());
    let kept = &world.current().await["social_counts"];
    assert_eq!(kept.len(), 2, "a count that was made stays, as 0: {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_a_rule_counts_nothing_and_is_a_finding() {
    let mut world = played(
        "EVERYBODY | 2: eve follows 2 | 3: ada follows 8 | 4: dan follows 1 | 5: ada unfollows 2 | 6: ada unfollows 8 | \
         7: ada follows 2, eve unfollows 2 | 8: ada follows 1",
    )
    .await;
    assert_eq!(
        findings(&mut world).await,
        [
            "2 not-controller 1",
            "3 unknown-identity 8",
            "4 unknown-identity 9",
            "5 not-followed 1",
            "6 not-followed 1",
            "7 not-controller 1",
        ],
        "who follows themselves has said nothing that can be decoded, so that is no finding"
    );
    assert_eq!(connections(&mut world).await, ["1>2 at chain"]);
    assert_eq!(counts(&mut world).await, expected(&[("1", 0, 1), ("2", 1, 0)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_ends_in_the_rows_of_the_straight_chain() {
    let forks = [
        ("a follow undone", "EVERYBODY | 2: ada follows 2 | ~1 | 2': ", "EVERYBODY | 2': "),
        (
            "an unfollow undone",
            "EVERYBODY | 2: ada follows 2 | 3: ada unfollows 2 | ~2 | 3': ",
            "EVERYBODY | 2: ada follows 2 | 3': ",
        ),
        (
            "a follow moved to a later block",
            "EVERYBODY | 2: ada follows 2, cyd follows 2 | ~1 | 2': cyd follows 2 | 3: ada follows 2",
            "EVERYBODY | 2': cyd follows 2 | 3: ada follows 2",
        ),
        (
            "another follow in its place",
            "EVERYBODY | 2: ada follows 2 | 3: ada unfollows 2, ada follows 3 | ~1 | 2': bob follows 1 | 3: bob follows 3",
            "EVERYBODY | 2': bob follows 1 | 3: bob follows 3",
        ),
        ("everybody undone", "EVERYBODY | 2: ada follows 2 | ~0 | 1': | 2: ", "1': | 2: "),
    ];
    for (name, forked, straight) in forks {
        let (mut forked, mut straight) = (played(forked).await, played(straight).await);
        assert_same(&forked.rows().await, &straight.rows().await, name);
    }
}

/// Two sources that follow step by step, and everything that was shown on the way.
struct Two {
    world: World,
    sources: [(&'static str, ScriptedSource); 2],
    shown: BTreeMap<Position, BTreeMap<String, Vec<String>>>,
}

impl Two {
    async fn new(one: &str, two: &str) -> Self {
        let mut world = World::new().await;
        world.projector = Projector::open(connect(&world.database).await, 1).await.expect("opens");
        let parse = |text: &str| ScriptedSource::new(Script::parse(&script(text)).expect("a script"));
        let sources = [("one", parse(one)), ("two", parse(two))];
        for (name, source) in &sources {
            world.add_source(name, source.clone()).await;
        }
        Self { world, sources, shown: BTreeMap::new() }
    }

    /// Goes on to a step of a source's script, and folds unit by unit.
    async fn to(&mut self, name: &str, steps: usize) {
        let (_, source) = self.sources.iter().find(|(known, _)| *known == name).expect("one of the two");
        source.play_to(steps);
        self.world.follow(name).await;
        while self.world.projector.step().await.expect("folds").events > 0 {
            self.shown.insert(self.world.projector.position(), self.world.current().await);
        }
    }

    async fn assert_history(&mut self) {
        for (position, then) in &self.shown {
            assert_eq!(&self.world.as_of(*position).await, then, "as of {position}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sources_the_earliest_follow_that_stands_is_shown() {
    // Block 0 is a step too, and so is each fork.
    let one = "EVERYBODY | 2: ada follows 2 | ~1 | 2': bob follows 3 | 3: ada follows 2";
    let two = "EVERYBODY | 2: ada follows 2 | 3: ada unfollows 2";
    let mut two = Two::new(one, two).await;
    two.to("one", 3).await;
    assert_eq!(connections(&mut two.world).await, ["1>2 at one"]);
    two.to("two", 3).await;
    assert_eq!(connections(&mut two.world).await, ["1>2 at one"], "the later one is the same connection");
    assert_eq!(counts(&mut two.world).await, expected(&[("1", 0, 1), ("2", 1, 0)]));
    two.to("one", 5).await;
    assert_eq!(connections(&mut two.world).await, ["1>2 at two", "2>3 at one"], "the first was retracted");
    assert_eq!(counts(&mut two.world).await, expected(&[("1", 0, 1), ("2", 1, 1), ("3", 1, 0)]));
    two.to("one", 6).await;
    assert_eq!(connections(&mut two.world).await, ["1>2 at two", "2>3 at one"], "now it is the later one");
    two.to("two", 4).await;
    assert_eq!(connections(&mut two.world).await, ["1>2 at one", "2>3 at one"]);
    assert_eq!(counts(&mut two.world).await, expected(&[("1", 0, 1), ("2", 1, 1), ("3", 1, 0)]));
    assert_eq!(findings(&mut two.world).await, Vec::<String>::new());
    two.assert_history().await;

    let mut plain = World::new().await;
    plain.play("one", &script("EVERYBODY | 2': bob follows 3 | 3: ada follows 2")).await;
    plain.play("two", &script("EVERYBODY | 2: ada follows 2 | 3: ada unfollows 2")).await;
    plain.project().await;
    assert_same(&two.world.rows().await, &plain.rows().await, "two sources, one retracted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_source_to_retract_a_follow_ends_the_connection() {
    let mut two =
        Two::new("EVERYBODY | 2: ada follows 2 | ~1 | 2': ", "EVERYBODY | 2: ada follows 2 | ~1 | 2': ").await;
    two.to("one", 3).await;
    two.to("two", 3).await;
    two.to("two", 5).await;
    assert_eq!(connections(&mut two.world).await, ["1>2 at one"], "what two said did not matter");
    two.to("one", 5).await;
    assert_eq!(connections(&mut two.world).await, Vec::<String>::new());
    assert_eq!(counts(&mut two.world).await, expected(&[]));
    two.assert_history().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_are_not_the_connections_set_the_view_aside() {
    let text = script("EVERYBODY | 2: ada follows 2, cyd follows 2 | 3: bob follows 3 | 4: bob follows 1");
    let mut world = World::new().await;
    let source = world.add("chain", &text).await;
    source.play_to(4);
    world.follow("chain").await;
    world.project().await;
    let mut db = connect(&world.database).await;
    let lost = sqlx::query!(r#"delete from social_connections where encode(follower_id, 'hex') = $1"#, id(3))
        .execute(&mut db)
        .await
        .expect("the indexer owns the views");
    assert_eq!(lost.rows_affected(), 1);
    source.play_all();
    world.follow("chain").await;
    let mut aside = BTreeSet::new();
    for _ in 0..100 {
        let progress = world.projector.step().await.expect("folds");
        aside.extend(progress.set_aside.iter().map(|broken| (broken.view, broken.why.clone())));
        if progress.events == 0 {
            break;
        }
    }
    assert_eq!(aside.len(), 1, "{aside:?}");
    let (view, why) = aside.first().expect("just counted");
    assert_eq!(*view, "social");
    assert!(why.contains("2 followers") && why.contains(&id(2)), "{why}");
}
