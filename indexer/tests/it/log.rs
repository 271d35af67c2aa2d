//! The log refuses change, has one writer, and keeps what it was given byte for byte.

use std::time::Duration;

use config::postgres::Role;
use schema::db::Session;
use schema::event::{Entry, Event, Finalized, Unit};
use schema::store::{AppendError, Appender, Batch, Lease, declare_source};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::support::{World, connect, database, texts};

async fn refused(db: &mut PgConnection, statement: &str) -> String {
    let outcome = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(db).await;
    match outcome {
        Err(sqlx::Error::Database(error)) => error.message().to_owned(),
        Err(error) => panic!("{statement}: {error}"),
        Ok(_) => panic!("{statement} was allowed"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_the_log_not_even_its_owner() {
    let mut world = World::new().await;
    world.play("chain", "1: mint alice 64 | 2: alice -> bob 2").await;
    world.project().await;
    let mut owner = PgConnection::connect(world.database.url(Role::Owner)).await.expect("connects");
    let mut indexer = connect(&world.database).await;
    let mut reader = PgConnection::connect(world.database.url(Role::Reader)).await.expect("connects");
    for table in ["events", "events_000000", "event_subjects", "subjects", "log_units", "retractions", "sources"] {
        for statement in [
            format!("delete from log.{table}"),
            format!("truncate log.{table}"),
            format!("update log.{table} set {} = null", if table == "sources" { "chain_id" } else { "position" }),
        ] {
            if statement.starts_with("update") && !matches!(table, "events" | "events_000000" | "sources") {
                continue;
            }
            let why = refused(&mut owner, &statement).await;
            assert!(why.contains("append-only") || why.contains("foreign key"), "{statement} by the owner: {why}");
            for db in [&mut indexer, &mut reader] {
                let why = refused(db, &statement).await;
                assert!(why.contains("permission denied") || why.contains("append-only"), "{statement}: {why}");
            }
        }
    }
    for statement in [
        "insert into log.log_head (position, chain_hash, next_subject_id, epoch, holder, lease_until) values (9, '', 1, 1, '', now())",
        "drop table log.events",
        "alter table log.events disable trigger all",
    ] {
        refused(&mut indexer, statement).await;
    }
    for statement in [
        "update views.watermark set position = 0",
        "delete from views.balances",
        "create table views.mine (a int)",
        "update log.log_head set position = 0",
    ] {
        let why = refused(&mut reader, statement).await;
        assert!(why.contains("permission denied"), "{statement} by the reader: {why}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_former_appender_is_fenced() {
    let world = World::new().await;
    let url = world.database.url(Role::Indexer);
    let declared = schema::store::Declared {
        name: "chain".to_owned(),
        kind: schema::source::SourceKind::Scripted,
        chain_id: None,
        trusted: false,
        off_block_state: false,
        start_height: schema::chain::Height::GENESIS,
        symbol: String::new(),
        decimals: 0,
        required: true,
    };
    let take = async |holder: &str, length| {
        let db = Session::indexer().connect(url).await.expect("connects");
        Appender::take(db, Lease { holder: holder.to_owned(), length }).await
    };
    let mut first = take("first", Duration::from_secs(60)).await.expect("nobody appends yet");
    let facts = declare_source(first.db(), &declared).await.expect("declared");
    let held = take("second", Duration::from_secs(60)).await.expect_err("the first's lease holds");
    assert!(matches!(held, AppendError::Held { ref holder, .. } if holder == "first"), "{held}");

    // The first pauses for longer than its lease; the second takes over; the first wakes up.
    let mut owner = PgConnection::connect(world.database.url(Role::Owner)).await.expect("connects");
    sqlx::query!("update log.log_head set lease_until = clock_timestamp() - interval '1 second'")
        .execute(&mut owner)
        .await
        .expect("expired");
    let mut second = take("second", Duration::from_secs(60)).await.expect("the lease has run out");
    let event =
        Finalized { rule: "depth".to_owned(), through_height: schema::chain::Spelled::parse("1").expect("a height") };
    let entry = Entry { event: Event::Finalized(event), tx: None, verdict: None, subjects: Vec::new() };
    let unit = Unit { block: None, occurred_at: chrono::DateTime::UNIX_EPOCH, entries: vec![entry] };
    let batch = Batch { units: vec![unit], ..Batch::default() };
    let appended = second.append(facts.source_id, &batch).await.expect("the second appends");
    assert_eq!(appended.head.position.0, 1);
    let fenced = first.append(facts.source_id, &batch).await.expect_err("the first is fenced");
    assert!(matches!(fenced, AppendError::Fenced { .. }), "{fenced}");
    assert!(matches!(first.renew().await, Err(AppendError::Fenced { .. })));
    let count = texts(&mut connect(&world.database).await, "select count(*)::text from log.events").await;
    assert_eq!(count, ["1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_keeps_what_was_fixed_about_it() {
    let database = database().await;
    let mut db = connect(&database).await;
    let declared = schema::store::Declared {
        name: "chain".to_owned(),
        kind: schema::source::SourceKind::Chert,
        chain_id: Some("one".to_owned()),
        trusted: false,
        off_block_state: false,
        start_height: schema::chain::Height::GENESIS,
        symbol: String::new(),
        decimals: 0,
        required: true,
    };
    declare_source(&mut db, &declared).await.expect("declared");
    for changed in [
        schema::store::Declared { trusted: true, ..declared.clone() },
        schema::store::Declared { chain_id: Some("two".to_owned()), ..declared.clone() },
        schema::store::Declared { kind: schema::source::SourceKind::Aitbc, ..declared.clone() },
    ] {
        let error = declare_source(&mut db, &changed).await.expect_err("refused");
        assert!(error.to_string().contains("already in this database"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_text_passes_through_the_log_byte_for_byte() {
    let long = "x".repeat(10_000);
    let payloads = [
        r#"{"v":1,"kind":"identity.update","bio":"a\u0000b"}"#.to_owned(),
        r#"{"v":1,"kind":"identity.update","bio":"\ud800 alone"}"#.to_owned(),
        r#"{"v":1,"kind":"pouw.submit","reward":18446744073709551617,"credit":1e400}"#.to_owned(),
        r#"{"v":1,"kind":"x","kind":"y","a":1,"a":2}"#.to_owned(),
        "{\"v\":1,\"kind\":\"\u{202e}desrever\",\"bio\":\"\u{1f600}\"}".to_owned(),
        format!("{{\"v\":2,\"kind\":\"{long}\"}}"),
    ];
    for payload in &payloads {
        let mut world = World::new().await;
        world.play("chain", &format!("1: mint alice 64 | 2: alice !{payload}")).await;
        world.project().await;
        let mut db = connect(&world.database).await;
        let units = schema::store::read_units(&mut db, schema::event::Position::START, 1_000)
            .await
            .expect("the log reads back");
        let data: Vec<String> = units
            .iter()
            .flat_map(|unit| &unit.events)
            .filter_map(|event| {
                let Event::TransactionApplied(tx) = &event.event else { return None };
                tx.data.clone().filter(|_| tx.sender == "alice")
            })
            .collect();
        assert_eq!(data, [payload.as_str()]);
        let check = schema::store::verify_log(&mut db).await.expect("every hash agrees");
        assert!(check.events >= 4);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_whose_arithmetic_breaks_is_set_aside_at_its_last_good_position_and_the_others_go_on() {
    let mut world = World::new().await;
    world.play("chain", "0: allocate alice 4 | 1: alice -> bob 2 | 2: alice -> bob 8 | 3: bob -> alice 1").await;
    let end = world.project().await;
    let states = texts(
        &mut connect(&world.database).await,
        "select concat_ws(' ', view, state, position, error) from view_state order by view",
    )
    .await;
    let balances = states.iter().find(|line| line.starts_with("balances ")).expect("a state");
    assert!(balances.contains("set_aside") && balances.contains("negative balance"), "{balances}");
    assert!(states.iter().any(|line| line.starts_with(&format!("blocks live {end}"))), "{states:?}");
    assert_eq!(
        world.balances("chain").await,
        [("alice".to_owned(), 2), ("bob".to_owned(), 2), ("origin".to_owned(), 0)].into(),
        "last good rows"
    );
}
