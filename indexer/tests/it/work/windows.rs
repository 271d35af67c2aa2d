//! Windows slide with the clock of one source, forwards and back.

use indexer::projections::work::BoardsEvery;
use indexer::projector::Projector;
use indexer::source::scripted::{Script, ScriptedSource};

use super::{assert_rebuilt_alike, boinc, lines, oracle, reject, script, sums, told, totals, work};
use crate::histories::cast::{self, Proved};
use crate::support::{World, assert_same, connect};

/// A miner's work in several hours, and a clock that moves on.
fn sliding() -> Vec<Vec<String>> {
    let bob = 1;
    let later = |seconds: i64| format!("@{seconds}");
    vec![
        vec![oracle(), cast::register("bob", bob, "public"), cast::link("bob", bob, 0, Proved::Well)],
        vec![boinc("a", 0, "1"), work("x", 0, "nuw_dag")],
        // Hour 1.
        vec![later(3_600), boinc("b", 0, "2")],
        // Hour 24: everything is still in the day's window, whose first hour is 0.
        vec![later(23 * 3_600), boinc("c", 0, "4")],
        // Hour 25: what was done in hour 0 is not.
        vec![later(3_600), boinc("d", 0, "8")],
        // Day 8: the first day has left the week.
        vec![later(7 * 86_400), boinc("e", 0, "16")],
        // Day 31: it has left the month too.
        vec![later(23 * 86_400), boinc("f", 0, "32")],
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn windows_slide_with_the_clock() {
    let blocks = sliding();
    let expected = [
        (2, "boinc 1 0 1 1 1 1"),
        (4, "boinc 3 0 7 7 7 7"),
        (5, "boinc 4 0 15 15 15 14"),
        (6, "boinc 5 0 31 31 28 16"),
        (7, "boinc 6 0 63 60 32 32"),
    ];
    for (height, boinc) in expected {
        let world = told(&script(&blocks[..height])).await;
        assert_eq!(totals(&world, 0).await[1], boinc, "at {height}");
        assert_eq!(sums(&world, 1).await[1], format!("t {boinc}"), "at {height}");
    }
    let mut world = told(&script(&blocks)).await;
    let nuw = ["nuw 1 0 1 0 0 0", "nuw_dag 1 0 1 0 0 0"];
    assert_eq!(totals(&world, 0).await[2..], nuw);
    assert_eq!(totals(&world, 0).await[0], "all 7 0 7 4 1 1");
    assert_rebuilt_alike(&mut world, "windows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_across_a_boundary_turns_the_clock_back() {
    let blocks = sliding();
    // The newest standing height, and what comes instead.
    let forks = [
        (6, format!("7': {}", boinc("g", 0, "64"))),
        (5, format!("6': @3600, {}", boinc("g", 0, "64"))),
        (4, format!("5': {} | 6': @3599", reject("a", 0))),
        (3, "4': ".to_owned()),
        (1, format!("2': @90000, {} | 3': @3600, {}", boinc("b", 0, "2"), reject("b", 0))),
    ];
    for (height, instead) in forks {
        let whole = script(&blocks);
        let mut forked = told(&format!("{whole} | ~{height} | {instead}")).await;
        let mut straight = told(&format!("{} | {instead}", script(&blocks[..height]))).await;
        let what = format!("back to {height}");
        assert_same(&forked.rows().await, &straight.rows().await, &what);
        assert_rebuilt_alike(&mut forked, &what).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_clock_slides_the_windows_of_every_source() {
    let clock = "1: | 2: @90000 | ~1 | 2': @3600 | 3: @90000 | ~2 | 3': ";
    let blocks = [
        vec![oracle(), cast::register("bob", 1, "public"), cast::link("bob", 1, 0, Proved::Well)],
        vec![boinc("a", 0, "1")],
        vec!["@7200".to_owned(), boinc("b", 0, "2")],
        vec![reject("b", 0)],
    ];
    let mine = format!("{} | ~3 | 4': {} | 5: {}", script(&blocks), boinc("c", 0, "4"), reject("a", 0));
    let (clock, mine) = (Script::parse(clock).expect("a script"), Script::parse(&mine).expect("a script"));
    let mut shown = Vec::new();
    let mut world = World::new().await;
    let (first, second) = (ScriptedSource::new(clock.clone()), ScriptedSource::new(mine.clone()));
    world.add_source("clock", first.clone()).await;
    world.add_source("mine", second.clone()).await;
    // The second source is played to a step, then the first, and so on.
    let turns = [
        ("mine", 4),
        ("clock", 2),
        ("clock", 3),
        ("mine", 5),
        ("clock", 5),
        ("clock", 6),
        ("mine", 6),
        ("mine", 9),
        ("clock", 8),
    ];
    for (name, steps) in turns {
        if name == "clock" {
            first.play_to(steps)
        } else {
            second.play_to(steps)
        }
        world.follow(name).await;
        world.project().await;
        let rows = totals(&world, 0).await;
        shown.push(rows.get(1).cloned().unwrap_or_default());
        assert_eq!(sums(&world, 1).await.get(1).cloned(), rows.get(1).map(|row| format!("t {row}")), "{name} {steps}");
    }
    assert_eq!(
        shown,
        [
            "boinc 2 0 3 3 3 3",
            "boinc 2 0 3 3 3 3",
            // The clock is in hour 25; hour 0 is no longer of the day, hour 2 is.
            "boinc 2 0 3 3 3 2",
            "boinc 1 1 1 1 1 0",
            // It was turned back.
            "boinc 1 1 1 1 1 1",
            "boinc 1 1 1 1 1 0",
            "boinc 1 1 1 1 1 0",
            "boinc 2 1 6 6 6 6",
            "boinc 2 1 6 6 6 6",
        ]
    );
    let mut plain = World::new().await;
    plain.play("clock", "1: | 2': @3600 | 3': ").await;
    let straight = format!("{} | 4': {} | 5: {}", script(&blocks[..3]), boinc("c", 0, "4"), reject("a", 0));
    plain.play("mine", &straight).await;
    plain.project().await;
    assert_same(&world.rows().await, &plain.rows().await, "two sources");
    assert_rebuilt_alike(&mut world, "two sources").await;
}

/// Boards are kept within a day too, and say what the views say as of their positions.
#[tokio::test(flavor = "multi_thread")]
async fn boards_are_kept_however_long_a_day_is() {
    let (bob, carol) = (1, 2);
    let mut blocks = vec![vec![
        oracle(),
        cast::register("bob", bob, "public"),
        cast::link("bob", bob, 0, Proved::Well),
        cast::register("carol", carol, "public"),
        cast::link("carol", carol, 1, Proved::Well),
    ]];
    for number in 0..12 {
        let miner = usize::from(number % 3 == 0);
        blocks.push(vec![boinc(&format!("w{number}"), miner, "1"), work(&format!("n{number}"), 1 - miner, "nuw_dag")]);
    }
    let kept = "select concat_ws(' ', b.position, b.work_type, b.timeframe, b.ranked, array(select encode(i, 'hex') from \
                unnest(b.identities) i)::text, b.scores::text) from identity_boards b where b.height is null order by 1";
    let then = "select concat_ws(' ', b.position, b.work_type, b.timeframe, count(x.score), array(select encode(i, 'hex') from \
                unnest(coalesce(array_agg(x.identity_id order by x.score desc, x.last_at, x.identity_id) filter (where x.score > 0), '{}')) \
                i)::text, coalesce(array_agg(x.score order by x.score desc, x.last_at, x.identity_id) filter (where x.score > 0), '{}')::text) \
                from identity_boards b left join lateral (select v.* from (select distinct on (i.identity_id) i.identity_id, i.last_at, \
                i.ranked, case b.timeframe when 'day' then i.score_day when 'week' then i.score_week when 'month' then i.score_month else \
                i.score end as score from identity_work_versions i where i.work_type = b.work_type and i.from_position <= b.position \
                order by i.identity_id, i.from_position desc) v where v.ranked and v.score > 0) x on true where b.height is null \
                group by b.position, b.work_type, b.timeframe order by 1";
    for batch_events in [1, 7, 1_000] {
        let mut world = World::new().await;
        world.play("chain", &script(&blocks)).await;
        let projector = Projector::open(connect(&world.database).await, batch_events).await.expect("opens");
        world.projector = projector.keeping_boards_every(BoardsEvery(20));
        world.project().await;
        let boards = lines(&world, kept).await;
        let ends = lines(&world, "select distinct position::text from identity_boards where height is null").await;
        assert!(ends.len() >= 3, "kept at {ends:?}");
        assert_eq!(boards.len(), 24 * ends.len(), "every board, empty ones too");
        assert!(boards.iter().any(|board| board.contains(" all day 2 ")), "{boards:?}");
        assert_eq!(boards, lines(&world, then).await, "in batches of {batch_events}");
    }
}
