//! A small history and a client for it.
//!
//! Source `main`: blocks 0 to 5, a fork back to height 3, then blocks 4 to 6 of the other branch, and block 7 that is in
//! the log but not in the views. The node is at height 8. Every block has two events, so height h ends at 2h + 2 on the
//! first branch; the retraction is at 13, and the second branch ends at 15 (4), 17 (5) and 19 (6).

use std::sync::Arc;
use std::time::Duration;

use api::{ApiOptions, AppState, router};
use axum::Router;
use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use schema::canonical::{self, Hash};
use schema::chain::{BlockHash, Height};
use schema::event::{Covered, Kind, Position, SourceId, Verdict};
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::database::{fresh_database, run};

/// The router over the history, and what stops its poller.
pub struct Server {
    router: Router,
    state: Arc<AppState>,
    /// The database's URL.
    pub url: String,
    stop: CancellationToken,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What came back.
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

impl Server {
    /// A server over the history of this module's doc.
    pub async fn with_history() -> Self {
        let url = fresh_database().await;
        let mut db = PgConnection::connect(&url).await.expect("the database answers");
        write_history(&mut db).await;
        let server = Self::over(&url).await;
        let mut snapshots = server.1.watch();
        snapshots.wait_for(|fresh| fresh.position == 19).await.expect("the poller runs");
        server.0
    }

    /// A server over any database, that of nobody included.
    pub async fn over(url: &str) -> (Self, Arc<AppState>) {
        let options = ApiOptions { min_wait_ms: 300, poll_interval_ms: 20, max_connections: 4, ..ApiOptions::new(url) };
        let (state, poller) = AppState::new(options).expect("options");
        let stop = CancellationToken::new();
        tokio::spawn(poller.run(stop.clone()));
        let router = router(Arc::clone(&state));
        (Self { router, state: Arc::clone(&state), url: url.to_owned(), stop }, state)
    }

    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.expect("infallible");
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Reply { status: parts.status, headers: parts.headers, text }
    }

    pub async fn get(&self, uri: &str) -> Reply {
        self.get_with(uri, &[]).await
    }

    pub async fn get_with(&self, uri: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::empty()).unwrap_or_else(|error| panic!("{error}: {uri}"));
        self.send(request).await
    }

    /// Gets an answer and insists on its status.
    pub async fn expect(&self, uri: &str, status: u16) -> Reply {
        let reply = self.get(uri).await;
        assert_eq!(reply.status.as_u16(), status, "{uri}: {}", reply.text);
        reply
    }
}

impl Server {
    /// Asks again after every look of the poller until the answer is as wanted.
    pub async fn until(&self, uri: &str, wanted: impl Fn(&Reply) -> bool) -> Reply {
        let mut snapshots = self.state.watch();
        let asking = async {
            loop {
                let reply = self.get(uri).await;
                if wanted(&reply) {
                    return reply;
                }
                snapshots.changed().await.expect("the poller runs");
            }
        };
        tokio::time::timeout(SOON, asking).await.unwrap_or_else(|_| panic!("{uri} did not change in time"))
    }
}

/// Hash of the block at a height of a branch.
pub fn block_hash(branch: u8, height: i64) -> String {
    format!("{branch:02x}{height:062x}")
}

fn time(height: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000 + height, 123_456_000).expect("in range")
}

struct Log {
    position: i64,
    chain_hash: Hash,
    sql: String,
}

impl Log {
    fn unit(&mut self, block: Option<(i64, String)>, events: &[(Kind, Option<&str>, Value)]) {
        let first = self.position + 1;
        let height = block.as_ref().map(|(height, _)| *height);
        let at = time(height.unwrap_or(100));
        let hash: Option<BlockHash> = block.as_ref().map(|(_, hash)| hash.parse().expect("hex"));
        let hash_sql = hash.as_ref().map_or("null".to_owned(), |hash| format!("'\\x{hash}'"));
        let height_sql = height.map_or("null".to_owned(), |height| height.to_string());
        let mut digests = Vec::new();
        for (index, (kind, tx_id, body)) in (0_u32..).zip(events) {
            self.position += 1;
            let body = canonical::bytes(body).expect("canonical");
            let verdict = hash.as_ref().map(|_| Verdict::Verified);
            let covered = Covered {
                position: Position(self.position),
                source_id: SourceId(1),
                height: height.map(|height| Height::from_db(height).expect("a height")),
                block_hash: hash.as_ref(),
                tx_id: *tx_id,
                tx_index: tx_id.map(|_| 0),
                event_index: index,
                kind: *kind,
                body: &body,
                verdict,
                occurred_at: at,
            };
            let digest = covered.digest();
            digests.push(digest);
            let tx_sql = tx_id.map_or("null, null".to_owned(), |id| format!("'{id}', 0"));
            self.sql += &format!(
                "insert into log.events values ({}, 1, {height_sql}, {hash_sql}, {tx_sql}, {index}, {}, '\\x{}', {}, '{}', clock_timestamp(), '\\x{}');\n",
                self.position,
                kind.code(),
                hex::encode(&body),
                verdict.map_or("null".to_owned(), |verdict| verdict.code().to_string()),
                at.to_rfc3339(),
                hex::encode(digest),
            );
        }
        self.chain_hash = canonical::chain_hash(&self.chain_hash, &digests);
        self.sql += &format!(
            "insert into log.log_units values ({}, {first}, 1, {height_sql}, {hash_sql}, '{}', '\\x{}');\n",
            self.position,
            at.to_rfc3339(),
            hex::encode(self.chain_hash),
        );
    }

    fn block(&mut self, branch: u8, height: i64) {
        let hash = block_hash(branch, height);
        let tx = format!("tx-{branch}-{height}");
        let block =
            json!({"hash": hash, "height": height.to_string(), "note": "\u{0} \u{202e} \u{20ac} \"quoted\" \n"});
        let transfer = json!({"tx_id": tx, "amount": "18446744073709551616", "fee": "0.10"});
        let events = [(Kind::BlockApplied, None, block), (Kind::TransactionApplied, Some(tx.as_str()), transfer)];
        self.unit(Some((height, hash.clone())), &events);
        let (end, at) = (self.position, time(height).to_rfc3339());
        if height == 7 {
            return;
        }
        self.sql += &format!(
            "insert into views.heads_versions (source_id, height, block_hash, block_time, first_height, genesis_hash, \
             tx_total, links_verified, hashes_verified, signatures_verified, checks_refuted, unrecognized, complete, \
             from_position, present) values (1, {height}, '\\x{hash}', '{at}', 0, '\\x{}', {}, {height}, {}, 0, 0, 0, \
             true, {end}, true);\n",
            block_hash(0, 0),
            height + 1,
            height + 1,
        );
    }
}

async fn write_history(db: &mut PgConnection) {
    let mut log = Log { position: 0, chain_hash: [0; 32], sql: String::new() };
    log.sql += "insert into log.sources (source_id, name, kind, chain_id, trusted, off_block_state, start_height, symbol, decimals) \
                values (1, 'main', 'scripted', 'test-1', false, false, 0, 'T', 9);\n";
    for height in 0..=5 {
        log.block(0, height);
    }
    log.sql += "insert into views.finality_versions (source_id, finalized_height, rule, from_position, present) \
                values (1, 2, 'depth', 12, true);\n";
    log.sql += "insert into views.supply_versions (source_id, allocated, minted, burned, undisclosed, balances_total, \
                closed, from_position, present) values (1, 340282366920938463463374607431768211455, 5, 1, 0, \
                340282366920938463463374607431768211459, true, 2, true);\n";
    let body = json!({"fork_height": "3", "first_position": "9"});
    log.unit(None, &[(Kind::Retracted, None, body)]);
    log.sql +=
        "insert into log.retractions (at_position, source_id, first_position, fork_height) values (13, 1, 9, 3);\n";
    for height in 4..=6 {
        log.block(1, height);
    }
    let (position, chain_hash) = (log.position, hex::encode(log.chain_hash));
    log.block(1, 7);
    log.sql += &format!(
        "update views.watermark set position = {position}, chain_hash = '\\x{chain_hash}', moved_at = clock_timestamp();\n\
         update log.log_head set position = {}, chain_hash = '\\x{}';\n\
         insert into views.view_state (view, version, position, changed_position, changed_hash, state) \
         select v, 1, {position}, {position}, '\\x{chain_hash}', 'live' from unnest(array['blocks', 'transactions', \
         'heads', 'balances', 'reports', 'identities', 'wallets', 'findings']) v;\n\
         insert into log.source_state (source_id, cursor_height, finalized_height, tip_height, tip_seen_at, state, progress_at, \
         ahead_since, configured_order) values (1, 7, 2, 8, clock_timestamp(), 'following', clock_timestamp(), \
         clock_timestamp() - interval '30 seconds', 0);\n\
         insert into log.subjects (subject_id, source_id, namespace, subject) values (1, 1, 1, 'alice');\n\
         insert into log.event_subjects (subject_id, position, role) values (1, 2, 1), (1, 4, 1), (1, 4, 2), (1, 14, 1);\n",
        log.position,
        hex::encode(log.chain_hash),
    );
    run(db, log.sql).await;
}

/// How long tests wait for what must happen soon.
const SOON: Duration = Duration::from_secs(10);
