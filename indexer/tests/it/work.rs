//! What work counts, what it comes to for miners and identities, and how windows slide, on a real database.

use indexer::projector::Projector;

use crate::histories::cast::{self, Piece, Proved};
use crate::support::{World, assert_same, connect, texts};

mod oracles;
mod people;
mod windows;

/// Oracle, type, accepted, rejected, refuted and unproven.
const ORACLE_TYPES: &str =
    "select concat_ws(' ', oracle_id, work_type, accepted, rejected, refuted, unproven) from oracle_types order by 1";
/// The same by hour since that of the first block.
const ORACLE_HOURS: &str = "select concat_ws(' ', oracle_id, hour - 490896, accepted, rejected, refuted, unproven) from oracle_hours order by 1";

/// A submission whose signature is not asked for.
fn piece(id: &str, miner: usize, credit: &'static str) -> Piece {
    Piece { id: id.to_owned(), miner, oracle: 0, work_type: "boinc", credit, bytes: None, latency_s: None }
}

/// A boinc submission that oracle 0 sends itself.
fn boinc(id: &str, miner: usize, credit: &'static str) -> String {
    piece(id, miner, credit).submitted(&cast::oracle_account(0), None)
}

/// A submission of another type that oracle 0 sends itself.
fn work(id: &str, miner: usize, work_type: &'static str) -> String {
    Piece { work_type, credit: "", ..piece(id, miner, "") }.submitted(&cast::oracle_account(0), None)
}

/// Oracle 0 rejects.
fn reject(id: &str, miner: usize) -> String {
    cast::reject(&cast::oracle_account(0), id, miner, 0)
}

fn oracle() -> String {
    cast::register_oracle("origin", 0)
}

/// Blocks from height 1 on.
fn script(blocks: &[Vec<String>]) -> String {
    let blocks = blocks.iter().enumerate().map(|(below, block)| format!("{}: {}", below + 1, block.join(", ")));
    blocks.collect::<Vec<_>>().join(" | ")
}

async fn told(script: &str) -> World {
    let mut world = World::new().await;
    world.play("chain", script).await;
    world.project().await;
    world
}

async fn lines(world: &World, query: &str) -> Vec<String> {
    texts(&mut connect(&world.database).await, query).await
}

/// Type, accepted, rejected, and the scores of all time, month, week and day, of a miner.
async fn totals(world: &World, miner: usize) -> Vec<String> {
    let query = format!(
        "select concat_ws(' ', work_type, accepted, rejected, trim_scale(score / 1e9), trim_scale(score_month / 1e9), \
         trim_scale(score_week / 1e9), trim_scale(score_day / 1e9)) from address_work where miner_address = '{}' order by 1",
        cast::wallet(miner).address
    );
    lines(world, &query).await
}

/// The same of an identity, behind whether it is ranked.
async fn sums(world: &World, who: usize) -> Vec<String> {
    let query = format!(
        "select concat_ws(' ', ranked, work_type, accepted, rejected, trim_scale(score / 1e9), trim_scale(score_month / 1e9), \
         trim_scale(score_week / 1e9), trim_scale(score_day / 1e9)) from identity_work where identity_id = '\\x{}' order by 1",
        cast::identity(who)
    );
    lines(world, &query).await
}

async fn findings(world: &World) -> Vec<String> {
    lines(world, "select concat_ws(' ', height, code, counts) from findings order by event_position, code").await
}

/// All-time score of an identity by height: the newest version at the end of each standing block.
async fn scores_by_height(world: &World, who: usize) -> Vec<String> {
    let query = format!(
        "select coalesce((select trim_scale(v.score / 1e9) from identity_work_versions v where v.identity_id = '\\x{}' \
         and v.work_type = 'boinc' and v.from_position <= u.end_position order by v.from_position desc limit 1), 0)::text \
         from log.log_units u where u.height is not null order by u.height",
        cast::identity(who)
    );
    lines(world, &query).await
}

/// The rows do not depend on how the log was cut into batches.
async fn assert_rebuilt_alike(world: &mut World, what: &str) {
    let rows = world.rows().await;
    let as_of = world.current().await;
    let url = world.database.url(config::postgres::Role::Indexer).to_owned();
    for batch_events in [100_000, 3] {
        indexer::projector::rebuild::rebuild(&url, batch_events, true).await.expect("rebuilds and swaps");
        world.projector = Projector::open(connect(&world.database).await, 1000).await.expect("opens");
        assert_same(&world.rows().await, &rows, what);
        assert_eq!(world.current().await, as_of, "{what}: in batches of {batch_events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worked_example_two() {
    let (bob, carol) = (1, 2);
    let blocks = [
        vec![oracle(), cast::register("bob", bob, "public"), cast::register("carol", carol, "public")],
        vec![boinc("a", 1, "10"), boinc("b", 1, "20"), boinc("c", 1, "30")],
        vec![cast::link("carol", carol, 1, Proved::Unverifiably)],
        vec![cast::link("bob", bob, 1, Proved::Well)],
        vec![cast::unlink("bob", bob, 1)],
    ];
    let mut world = World::new().await;
    world.trusts = false;
    world.play("chain", &script(&blocks)).await;
    world.project().await;
    assert_eq!(scores_by_height(&world, bob).await, ["0", "0", "0", "0", "60", "0"]);
    assert_eq!(sums(&world, carol).await, [""; 0]);
    let contested = "select concat_ws(' ', encode(v.identity_id, 'hex'), u.height, v.present) \
                     from contested_wallets_versions v join log.log_units u on u.end_position = v.from_position order by 1 desc";
    assert_eq!(lines(&world, contested).await, ["5 f".to_owned(), format!("{} 4 t", cast::identity(carol))]);
    assert_eq!(sums(&world, bob).await, ["t all 0 0 0 0 0 0", "t boinc 0 0 0 0 0 0"], "a row once made stays");

    // The word of a trusted source counts, until a proof displaces it.
    let trusted = told(&script(&blocks)).await;
    assert_eq!(scores_by_height(&trusted, carol).await, ["0", "0", "0", "60", "0", "0"]);
    assert_eq!(scores_by_height(&trusted, bob).await, ["0", "0", "0", "0", "60", "0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn worked_example_four() {
    let names = ["alice", "bob", "carol", "dave"];
    let mut first = vec![oracle()];
    for (who, name) in names.iter().enumerate() {
        first.push(cast::register(name, who, "public"));
        first.push(cast::link(name, who, who, Proved::Well));
    }
    // The fifth has a wallet of a trusted source's word, the sixth is private, the seventh has done nothing.
    first.push(cast::register("erin", 4, "public"));
    first.push(cast::link("erin", 4, 3, Proved::Unverifiably).replace(&cast::wallet(3).address, "rig2"));
    first.push(cast::register("frank", 5, "private"));
    first.push(cast::link("frank", 5, 3, Proved::Unverifiably).replace(&cast::wallet(3).address, "rig3"));
    first.push(cast::register("grace", 6, "public"));
    let of =
        |id: &str, miner: &str, credit: &'static str| boinc(id, 3, credit).replace(&cast::wallet(3).address, miner);
    let blocks = [
        first,
        vec![boinc("a", 0, "9"), boinc("b", 1, "7"), of("c", "rig2", "1"), of("d", "rig3", "100")],
        vec![boinc("e", 2, "7"), boinc("f", 3, "3")],
        vec!["@86400".to_owned(), boinc("g", 3, "0")],
    ];
    let mut world = told(&script(&blocks)).await;
    let places = "(select h.*, u.identity_id, u.score, u.rank from identity_boards h cross join lateral \
                  unnest(h.identities, h.scores) with ordinality u (identity_id, score, rank)) r";
    let ranks = &format!(
        "select concat_ws(' ', r.timeframe, r.rank, r.ranked, substr(encode(r.identity_id, 'hex'), 1, 1), \
                 trim_scale(r.score / 1e9), r.height) from {places} where r.work_type = 'boinc' and r.timeframe = 'all' \
                 order by r.rank"
    );
    let expected = ["all 1 5 1 9 4", "all 2 5 2 7 4", "all 3 5 3 7 4", "all 4 5 4 3 4", "all 5 5 5 1 4"];
    assert_eq!(lines(&world, ranks).await, expected);
    let percentiles = &format!(
        "select trim_scale(100.0 * (ranked - rank) / ranked)::text from {places} \
                       where work_type = 'boinc' and timeframe = 'all' order by rank"
    );
    assert_eq!(lines(&world, percentiles).await, ["80", "60", "40", "20", "0"]);
    let all = &format!(
        "select concat_ws(' ', timeframe, work_type, rank, substr(encode(identity_id, 'hex'), 1, 1)) from {places} \
               order by work_type, timeframe, rank"
    );
    let before = lines(&world, all).await;
    let of_all: Vec<&String> = before.iter().filter(|line| line.starts_with("all all")).collect();
    // The fourth has handed in twice, all others once; of those the earlier come first, and then those of the lower id.
    assert_eq!(of_all, ["all all 1 4", "all all 2 1", "all all 3 2", "all all 4 5", "all all 5 3"]);
    assert_rebuilt_alike(&mut world, "ranks").await;
    assert_eq!(lines(&world, all).await, before, "ranks do not depend on batches");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejection_takes_out_what_was_accepted_and_nothing_else() {
    let bob = 1;
    let other_oracle = cast::oracle_account(1);
    let blocks = [
        vec![
            oracle(),
            cast::register_oracle("origin", 1),
            cast::register("bob", bob, "public"),
            cast::link("bob", bob, 0, Proved::Well),
        ],
        vec![boinc("a", 0, "1"), boinc("b", 0, "2")],
        vec![boinc("c", 0, "4"), work("d", 0, "nuw_dag"), boinc("e", 0, "8")],
        // Not by this oracle, and not by just anybody.
        vec![cast::reject(&other_oracle, "a", 0, 1), cast::reject("mallory", "a", 0, 0), reject("nothing", 0)],
        vec![reject("a", 0), reject("e", 0), reject("d", 0), reject("a", 0)],
        // Its id stays taken.
        vec![boinc("a", 0, "16")],
    ];
    let told_so = script(&blocks);
    let mut world = told(&told_so).await;
    assert_eq!(
        totals(&world, 0).await,
        ["all 2 3 2 2 2 2", "boinc 2 2 6 6 6 6", "nuw 0 1 0 0 0 0", "nuw_dag 0 1 0 0 0 0"]
    );
    let times = "select concat_ws(' ', work_type, extract(epoch from first_at - timestamptz '2026-01-01Z')::int, \
                 extract(epoch from last_at - timestamptz '2026-01-01Z')::int) from address_work order by 1";
    assert_eq!(lines(&world, times).await, ["all 20 30", "boinc 20 30", "nuw", "nuw_dag"]);
    assert_eq!(
        sums(&world, bob).await,
        ["t all 2 3 2 2 2 2", "t boinc 2 2 6 6 6 6", "t nuw 0 1 0 0 0 0", "t nuw_dag 0 1 0 0 0 0"]
    );
    let codes = findings(&world).await;
    assert_eq!(
        codes,
        ["4 not-the-validating-oracle f", "4 not-the-oracle f", "5 rejected-twice f", "6 repeated-submission f"]
    );
    let oracles = "select concat_ws(' ', oracle_id, accepted, rejected, overturned, refuted, unproven, repeated) \
                   from oracle_activity order by 1";
    assert_eq!(lines(&world, oracles).await, ["o0 5 4 3 0 1 1", "o1 0 0 0 0 1 0"]);
    let outcomes = "select concat_ws(' ', submission_id, outcome, is_rejection, accepted_position is not null) \
                    from work_submissions where block_height >= 4 order by position";
    assert_eq!(
        lines(&world, outcomes).await,
        [
            "a unproven t f",
            "a unproven t f",
            "nothing rejected t f",
            "a rejected t t",
            "e rejected t t",
            "d rejected t t",
            "a repeated t f",
            "a repeated f f"
        ]
    );
    assert_rebuilt_alike(&mut world, "rejections").await;

    // A fork that undoes the rejections alone brings the work back, first and last times included.
    let mut undone = told(&format!("{told_so} | ~4 | 5': {}", reject("c", 0))).await;
    let mut straight = told(&format!("{} | 5': {}", script(&blocks[..4]), reject("c", 0))).await;
    assert_same(&undone.rows().await, &straight.rows().await, "rejections undone");
    assert_eq!(totals(&undone, 0).await[1], "boinc 3 1 11 11 11 11");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_and_last_that_are_taken_out_give_way_to_the_next_that_stand() {
    let undone: Vec<String> = (0..10).map(|n| boinc(&format!("undone{n}"), 0, "1")).collect();
    let straight = [
        vec![oracle()],
        vec![boinc("a", 0, "1")],
        vec![boinc("b", 0, "2")],
        vec![boinc("c", 0, "4"), boinc("d", 0, "8")],
        vec![reject("d", 0)],
        vec![reject("c", 0), reject("a", 0)],
        vec![reject("b", 0)],
    ];
    let (below, above) =
        (script(&straight[..3]), script(&straight).split_once(" | 4: ").expect("four blocks").1.to_owned());
    // Between the third block and what follows there is much that no longer stands.
    let told_so = format!("{below} | 4: {} | ~3 | 4': {above}", undone.join(", "));
    let times = "select concat_ws(' ', u.height, v.accepted, extract(epoch from v.first_at - timestamptz '2026-01-01Z')::int, \
                 extract(epoch from v.last_at - timestamptz '2026-01-01Z')::int) from log.log_units u \
                 join address_work_versions v on v.from_position = u.end_position and v.work_type = 'boinc' \
                 where u.height is not null order by u.end_position";
    let expected = ["2 1 20 20", "3 2 20 30", "4 12 20 40", "4 4 20 40", "5 3 20 40", "6 1 30 30", "7 0"];
    for batch_events in [1, 1_000] {
        let mut world = World::new().await;
        world.play("chain", &told_so).await;
        world.projector = Projector::open(connect(&world.database).await, batch_events).await.expect("opens");
        world.project().await;
        assert_eq!(lines(&world, times).await, expected, "in batches of {batch_events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_speak_for_an_oracle_proves_nothing_and_takes_no_id() {
    let unregistered = Piece { oracle: 2, ..piece("u", 0, "1") };
    let twice = cast::register_oracle("origin", 0);
    let blocks = [
        vec![boinc("early", 0, "1"), oracle(), cast::register_oracle("mallory", 1), twice],
        vec![
            unregistered.submitted(&cast::oracle_account(2), None),
            piece("x", 0, "2").submitted("mallory", None),
            piece("x", 0, "4").submitted("mallory", Some(false)),
            piece("own", 0, "8").submitted(&cast::oracle_account(0), Some(false)),
            // Anybody may bring what the oracle signed, and the id was not taken by what did not count.
            piece("x", 0, "16").submitted("mallory", Some(true)),
            piece("x", 0, "16").submitted("mallory", Some(true)),
        ],
        vec![cast::slash(0, 5), cast::slash(0, 6), cast::slash(2, 7), boinc("early", 0, "32")],
    ];
    let mut world = told(&script(&blocks)).await;
    assert_eq!(totals(&world, 0).await, ["all 2 0 2 2 2 2", "boinc 2 0 48 48 48 48"]);
    assert_eq!(
        findings(&world).await,
        [
            "1 unregistered-oracle f",
            "1 not-origin f",
            "1 oracle-registered-twice f",
            "2 unregistered-oracle f",
            "2 not-the-oracle f",
            "2 refuted-oracle-signature f",
            "2 refuted-oracle-signature f",
            "2 repeated-submission f",
            "3 unknown-oracle f",
        ]
    );
    let verdicts = "select concat_ws(' ', submission_id, outcome, oracle_verdict, trim_scale(score / 1e9)) \
                    from work_submissions order by position";
    assert_eq!(
        lines(&world, verdicts).await,
        [
            "early unproven 0",
            "u unproven 0",
            "x unproven 0",
            "x refuted 2 0",
            "own refuted 2 0",
            "x accepted 1 16",
            "x repeated 1 0",
            "early accepted 32"
        ]
    );
    let oracles = "select concat_ws(' ', a.oracle_id, a.accepted, a.refuted, a.unproven, a.repeated, o.slashed, o.slash_count) \
                   from oracle_activity a left join oracles o using (source_id, oracle_id) order by 1";
    assert_eq!(lines(&world, oracles).await, ["o0 2 2 2 1 11 2", "o2 0 0 1 0"]);
    assert_rebuilt_alike(&mut world, "what proves nothing").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_count_only_when_the_oracle_itself_sends_them() {
    let moved = |id: &str| Piece { work_type: "bandwidth", bytes: Some(u64::MAX), ..piece(id, 0, "7") };
    let oracles_account = cast::oracle_account(0);
    let said = vec![
        // The signature holds whatever is written beside what it covers.
        moved("replayed").submitted("mallory", Some(true)),
        Piece { credit: "", ..moved("no credit") }.submitted("mallory", Some(true)),
        Piece { bytes: Some(1 << 40), ..moved("sent") }.submitted(&oracles_account, None),
        Piece { bytes: Some(2), ..moved("sent and signed") }.submitted(&oracles_account, Some(true)),
        Piece { bytes: None, ..moved("no bytes") }.submitted(&oracles_account, None),
    ];
    let mut world = told(&script(&[vec![oracle()], said])).await;
    let scores =
        "select concat_ws(': ', submission_id, trim_scale(score / 1e9)) from work_submissions order by position";
    let expected = ["replayed: 7", "no credit: 0", "sent: 1099511627776", "sent and signed: 2", "no bytes: 7"];
    assert_eq!(lines(&world, scores).await, expected);
    assert_eq!(totals(&world, 0).await[1], format!("bandwidth 5 0{}", " 1099511627792".repeat(4)));
    assert_eq!(findings(&world).await, [""; 0]);
    assert_rebuilt_alike(&mut world, "bytes").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oracle_is_measured_by_what_it_claims_in_order() {
    let late = |id: &str, latency_s: i64| {
        Piece { latency_s: Some(latency_s), ..piece(id, 0, "1") }.submitted(&cast::oracle_account(0), None)
    };
    let blocks = [
        vec![oracle(), cast::register_oracle("origin", 1)],
        vec![late("a", 0), late("b", 63), late("c", 65), late("d", -1), boinc("e", 0, "1")],
        vec!["@3600".to_owned(), late("f", 64), work("g", 0, "compute"), reject("g", 0), late("f", 64)],
    ];
    let mut world = told(&script(&blocks)).await;
    let latencies = "select concat_ws(' ', log.latency_floor(bucket), accepted) from oracle_latencies order by bucket";
    assert_eq!(lines(&world, latencies).await, ["0 1", "63 1", "64 2"]);
    assert_eq!(findings(&world).await, ["2 validated-before-submitted t", "3 repeated-submission f"]);
    let activity = "select concat_ws(' ', oracle_id, accepted, rejected, overturned, repeated, latency_count, \
                    extract(epoch from last_at - first_at)::int) from oracle_activity order by 1";
    assert_eq!(lines(&world, activity).await, ["o0 7 1 1 1 4 3610", "o1 0 0 0 0 0"]);
    // A rejection is of the type that it names itself.
    assert_eq!(lines(&world, ORACLE_TYPES).await, ["o0 boinc 6 1 0 0", "o0 compute 1 0 0 0"]);
    assert_eq!(lines(&world, ORACLE_HOURS).await, ["o0 0 5 0 0 0", "o0 1 2 1 0 0"]);
    assert_rebuilt_alike(&mut world, "oracles").await;
}
