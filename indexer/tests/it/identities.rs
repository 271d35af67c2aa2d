//! One identity at several sources: the earliest registration that stands is shown, and those that do not mean it are known.

use std::collections::BTreeMap;

use indexer::projector::Projector;
use indexer::source::scripted::{Script, ScriptedSource};
use schema::event::Position;

use crate::histories::cast::{self, Proved};
use crate::support::{World, assert_same, connect, texts};

mod recognition;

/// `… registers` and `… renames` are about the same identity, whoever says it.
fn script(text: &str) -> String {
    let id = "1".repeat(64);
    let mut script = text.to_owned();
    for who in ["ada", "bob", "cyd"] {
        let register = format!(
            r#"{who} !identity.register {{"identity_id":"{id}","key":{{"alg":"ed25519","public_key":"00"}},"display_name":"{who}"}}"#
        );
        let rename = format!(r#"{who} !identity.update {{"identity_id":"{id}","bio":"by {who}"}}"#);
        script = script.replace(&format!("{who} registers"), &register).replace(&format!("{who} renames"), &rename);
    }
    script
}

/// Several sources, folded unit by unit, and everything that was shown on the way.
struct Sources {
    world: World,
    sources: BTreeMap<&'static str, ScriptedSource>,
    shown: BTreeMap<Position, BTreeMap<String, Vec<String>>>,
}

impl Sources {
    async fn new(scripts: &[(&'static str, &str)]) -> Self {
        let mut world = World::new().await;
        world.projector = Projector::open(connect(&world.database).await, 1).await.expect("opens");
        let mut sources = BTreeMap::new();
        for (name, text) in scripts {
            let source = ScriptedSource::new(Script::parse(&script(text)).expect("a script"));
            world.add_source(name, source.clone()).await;
            sources.insert(*name, source);
        }
        Self { world, sources, shown: BTreeMap::new() }
    }

    async fn to(&mut self, name: &str, steps: usize) {
        self.sources[name].play_to(steps);
        self.world.follow(name).await;
        while self.world.projector.step().await.expect("folds").events > 0 {
            self.shown.insert(self.world.projector.position(), self.world.current().await);
        }
    }

    /// Who is shown, and who stands behind whom: `ada; two behind one`.
    async fn state(&mut self) -> String {
        let rows = self.world.rows().await;
        let lines = |view: &str| rows.iter().find(|rows| rows.view == view).expect("in the checksums").lines.clone();
        let name = |line: &String| line.split('|').nth(5).expect("a name").to_owned();
        let behind = |line: &String| {
            let parts: Vec<&str> = line.split('|').collect();
            assert!(parts[6].contains("another source had registered"), "{line}");
            format!("; {} behind {}", parts[0], parts[5])
        };
        let shown: Vec<String> = lines("identities").iter().map(name).collect();
        let contested: Vec<String> = lines("contested_identities").iter().map(behind).collect();
        format!("{}{}", shown.join(" "), contested.concat())
    }

    async fn assert_history(&mut self) {
        for (position, then) in &self.shown {
            assert_eq!(&self.world.as_of(*position).await, then, "as of {position}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_elsewhere_is_contested_until_it_is_the_earliest() {
    let mut sources = Sources::new(&[
        ("one", "1: ada registers | ~0 | 1': | 2: ada registers"),
        ("two", "1: bob registers | 2: bob renames | ~0 | 1': | 2: bob registers"),
    ])
    .await;
    sources.to("one", 2).await;
    assert_eq!(sources.state().await, "ada");
    sources.to("two", 2).await;
    assert_eq!(sources.state().await, "ada; two behind one");
    sources.to("two", 3).await;
    assert_eq!(sources.state().await, "ada; two behind one");
    sources.to("one", 4).await;
    assert_eq!(sources.state().await, "bob", "the earliest was retracted");
    sources.to("one", 5).await;
    assert_eq!(sources.state().await, "bob; one behind two", "and came too late the second time");
    sources.to("two", 5).await;
    assert_eq!(sources.state().await, "ada");
    sources.to("two", 6).await;
    assert_eq!(sources.state().await, "ada; two behind one");
    sources.assert_history().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_stand_behind_name_the_winner_of_the_day() {
    let mut sources = Sources::new(&[
        ("one", "1: ada registers | ~0 | 1': "),
        ("two", "1: bob registers, cyd registers"),
        ("zoo", "1: cyd registers"),
    ])
    .await;
    sources.to("one", 2).await;
    sources.to("two", 2).await;
    sources.to("zoo", 2).await;
    let state = sources.state().await;
    assert_eq!(state, "ada; two behind one; zoo behind one", "a second one at the same source is another finding");
    sources.to("one", 4).await;
    assert_eq!(sources.state().await, "bob; zoo behind two");
    sources.assert_history().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_gets_no_new_version() {
    let mut sources = Sources::new(&[
        ("one", "1: ada registers | 2: ada renames"),
        ("two", "1: bob registers | 2: bob renames | ~1 | 2': bob registers"),
    ])
    .await;
    sources.to("one", 2).await;
    sources.to("two", 3).await;
    sources.to("one", 3).await;
    sources.to("two", 5).await;
    assert_eq!(sources.state().await, "ada; two behind one");
    let mut db = connect(&sources.world.database).await;
    let versions = sqlx::query!(r#"select count(*) as "count!" from contested_identities_versions"#)
        .fetch_one(&mut db)
        .await
        .expect("a count");
    assert_eq!(versions.count, 1);
    sources.assert_history().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_never_counted_leaves_nothing_behind() {
    let (alice, bob, carol) = (0, 1, 2);
    let blocks = [
        [
            cast::register("alice", alice, "public"),
            cast::register("bob", bob, "public"),
            cast::register("carol", carol, "public"),
        ]
        .join(", "),
        [
            cast::link("carol", carol, 0, Proved::Unverifiably),
            cast::link("alice", alice, 1, Proved::Badly),
            cast::link("alice", alice, 2, Proved::Badly),
        ]
        .join(", "),
        cast::link("bob", bob, 0, Proved::Well),
        [cast::unlink("carol", carol, 0), cast::link("alice", alice, 1, Proved::Well), cast::unlink("alice", alice, 2)]
            .join(", "),
    ];
    let told = |blocks: &[String], more: &str| {
        let blocks = blocks.iter().enumerate().map(|(below, block)| format!("{}: {block}", below + 1));
        blocks.collect::<Vec<_>>().join(" | ") + more
    };
    // Verdict of each claim, and whether it is contested.
    let claims = "select concat_ws(' ', c.verdict, n.event_position is not null) from wallet_claims c \
                  left join contested_wallets n on n.event_position = c.claim_position order by c.claim_position";
    // Links and contested claims.
    let counted =
        "select concat_ws(' ', (select count(*) from wallet_links), (select count(*) from contested_wallets))";
    for (script, expected, rows) in [
        (told(&blocks[..3], ""), ["3 t", "1 f"], "4 1"),
        (told(&blocks, ""), ["1 f", "1 f"], "2 0"),
        (told(&blocks, " | ~3 | 4': "), ["3 t", "1 f"], "4 1"),
    ] {
        let mut world = World::new().await;
        world.trusts = false;
        world.play("chain", &script).await;
        world.project().await;
        let mut db = connect(&world.database).await;
        assert_eq!(texts(&mut db, claims).await, expected);
        assert_eq!(texts(&mut db, counted).await, [rows]);
    }
    let mut forked = World::new().await;
    let mut straight = World::new().await;
    for (world, script) in
        [(&mut forked, told(&blocks, " | ~3 | 4': ")), (&mut straight, told(&blocks[..3], " | 4': "))]
    {
        world.trusts = false;
        world.play("chain", &script).await;
        world.project().await;
    }
    assert_same(&forked.rows().await, &straight.rows().await, "unlinks undone");
}

/// A refuted link is shown and claims nothing, so nothing else tells caches that it was undone.
#[tokio::test(flavor = "multi_thread")]
async fn a_fork_that_undoes_only_a_refuted_link_changes_the_view() {
    let script = format!(
        "1: {} | 2: {} | ~1 | 2': ",
        cast::register("alice", 0, "public"),
        cast::link("alice", 0, 0, Proved::Badly)
    );
    let mut world = World::new().await;
    world.play("chain", &script).await;
    world.project().await;
    let mut db = connect(&world.database).await;
    let changed = "select concat(s.changed_position = r.at_position) from view_state s, log.retractions r where s.view = 'wallets'";
    assert_eq!(texts(&mut db, changed).await, ["t"]);
    let links =
        "select concat_ws(' ', (select count(*) from wallet_links), (select count(*) from wallet_links_versions))";
    assert_eq!(texts(&mut db, links).await, ["0 2"]);
}
