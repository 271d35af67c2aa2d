//! A server over the hand-written network of `network.sql`, asked without a socket.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::{ApiOptions, AppState, router};
use axum::Router;
use axum::body::Body;
use config::Role;
use config::postgres::testing::{TestDatabase, TestServer};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio_util::sync::{CancellationToken, DropGuard};
use tower::ServiceExt;

/// Zoë's id.
pub const ZOE: &str = "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";
/// Zoltan's id.
pub const ZOLTAN: &str = "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2";
/// The transaction that the first fork took back.
pub const RETRACTED_TX: &str = "00000000-0000-4000-8000-000000000002";

/// An answer, whatever it is.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

/// The network and a server over it.
pub struct Network {
    database: TestDatabase,
    state: Arc<AppState>,
    router: Router,
    _poller: DropGuard,
}

impl Network {
    /// A new database with the network in it, and a server that has seen it.
    pub async fn start() -> Self {
        let server = TestServer::shared().await.expect("a PostgreSQL server");
        let migrate = async |urls: config::postgres::testing::DatabaseUrls| {
            schema::db::migrate(&urls.owner, Role::Indexer.name(), Role::Reader.name()).await
        };
        let key: String = schema::db::MIGRATOR.iter().map(|step| hex::encode(&step.checksum)).collect();
        let database = server.database(&key, migrate).await.expect("a database");
        run(&database, include_str!("network.sql").to_owned()).await;
        let mut options = ApiOptions::new(database.url(Role::Reader));
        options.poll_interval_ms = 20;
        let (state, poller) = AppState::new(options).expect("options");
        let stop = CancellationToken::new();
        tokio::spawn(poller.run(stop.clone()));
        let network = Self { database, router: router(Arc::clone(&state)), state, _poller: stop.drop_guard() };
        network.seen(31).await;
        network
    }

    /// Runs SQL as the superuser.
    pub async fn run(&self, sql: &str) {
        run(&self.database, sql.to_owned()).await;
    }

    /// Waits until the server knows that the views have come to a position.
    pub async fn seen(&self, position: i64) {
        let mut snapshots = self.state.watch();
        let seen = snapshots.wait_for(|fresh| fresh.database_up && fresh.position >= position);
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("in time").expect("the poller runs");
    }

    /// Moves the watermark, as the projector does after a batch.
    pub async fn advance(&self, position: i64) {
        self.run(&format!(
            "insert into log.log_units (end_position, first_position, source_id, occurred_at, chain_hash)
            values ({position}, {position}, 1, '2026-01-18T21:30:00Z', sha256('{position}'::bytea)) on conflict do nothing;
            update log.log_head set position = {position}, chain_hash = sha256('{position}'::bytea);
            update views.watermark set position = {position}, chain_hash = sha256('{position}'::bytea);
            update views.view_state set position = {position}, changed_position = {position}, changed_hash = sha256('{position}'::bytea)"
        ))
        .await;
        self.seen(position).await;
    }

    /// Asks for a path.
    pub async fn ask(&self, path: &str) -> Answer {
        let request = Request::get(path).body(Body::empty()).expect("a request");
        let response = self.router.clone().oneshot(request).await.expect("a response");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("in memory").to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// Asks again after every look of the poller until the answer is as wanted.
    pub async fn until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let mut snapshots = self.state.watch();
        let asking = async {
            loop {
                let answer = self.ask(path).await;
                if wanted(&answer) {
                    return answer;
                }
                snapshots.changed().await.expect("the poller runs");
            }
        };
        tokio::time::timeout(Duration::from_secs(10), asking).await.unwrap_or_else(|_| panic!("{path} did not change"))
    }

    /// The body of an answer that must be 200.
    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    /// The items of a list that must be 200.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        self.get(path).await["items"].as_array().expect("items").clone()
    }

    /// All items of a list, page by page; fails when a page repeats an item.
    pub async fn all(&self, path: &str, limit: i64, key: &str) -> Vec<Value> {
        let join = if path.contains('?') { '&' } else { '?' };
        let mut next = format!("{path}{join}limit={limit}");
        let (mut items, mut seen) = (Vec::new(), BTreeSet::new());
        for _ in 0..1_000 {
            let page = self.get(&next).await;
            for item in page["items"].as_array().expect("items") {
                assert!(seen.insert(item.pointer(key).expect(key).to_string()), "{next} repeats {item}");
                items.push(item.clone());
            }
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{path}{join}limit={limit}&cursor={cursor}"),
                None => return items,
            }
        }
        panic!("{path} has no end")
    }

    /// Expects a 400 that names a parameter.
    pub async fn refused(&self, path: &str, parameter: &str) {
        let answer = self.ask(path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.body);
        assert_eq!(answer.body["parameter"], parameter, "{path}");
    }
}

async fn run(database: &TestDatabase, sql: String) {
    let mut db = PgConnection::connect(&database.urls().superuser).await.expect("a connection");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut db).await.expect("good SQL");
    db.close().await.expect("closed");
}
