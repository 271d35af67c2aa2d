//! The indexer and the API in this process, on a database of their own.

use std::time::Duration;

use config::postgres::Role;
use config::postgres::testing::{TestDatabase, test_database};
use indexer::checksum::{ViewRows, view_rows};
use indexer::ingest::FollowOptions;
use indexer::run::{IndexerOptions, SourceOptions};
use schema::chain::Height;
use schema::db::{Session, migrate};
use schema::source::SourceKind;
use schema::store::Declared;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Longest that anything is waited for, far above what it takes: a hang becomes a failure.
const PATIENCE: Duration = Duration::from_secs(120);

/// A migrated database, dropped at the end of the test.
pub async fn database() -> TestDatabase {
    let key: String = schema::db::MIGRATOR
        .iter()
        .flat_map(|migration| migration.checksum.iter().take(2))
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let key = format!("chert{key}");
    test_database(&key, async |urls| migrate(&urls.owner, Role::Indexer.name(), Role::Reader.name()).await).await
}

/// A source of a kind at a URL.
pub fn source(name: &str, kind: SourceKind, chain_id: &str, url: &str) -> SourceOptions {
    SourceOptions {
        declared: Declared {
            name: name.to_owned(),
            kind,
            chain_id: Some(chain_id.to_owned()),
            trusted: false,
            off_block_state: kind.has_off_block_state(),
            start_height: Height::GENESIS,
            symbol: String::new(),
            decimals: 0,
            required: true,
        },
        url: url.to_owned(),
        page: 50,
        timeout: Duration::from_secs(2),
        requests_per_minute: Some(1_000_000),
        follow: FollowOptions {
            poll_interval: Duration::from_millis(20),
            first_backoff: Duration::from_millis(20),
            // Recorded and synthetic chains have the times of their making, whatever this machine's clock says.
            max_clock_skew: None,
            ..FollowOptions::default()
        },
    }
}

/// A running indexer and API.
pub struct Stack {
    /// The database.
    pub database: TestDatabase,
    /// Base URL of the API.
    pub api: String,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Stack {
    /// Starts both.
    pub async fn start(sources: Vec<SourceOptions>) -> Self {
        Self::over(database().await, sources).await
    }

    /// Starts both over a database that is there.
    pub async fn over(database: TestDatabase, sources: Vec<SourceOptions>) -> Self {
        let _already = rustls::crypto::ring::default_provider().install_default();
        let stop = CancellationToken::new();
        let options = IndexerOptions {
            database_url: database.url(Role::Indexer).to_owned(),
            holder: "test".to_owned(),
            sources,
            batch_events: 10_000,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let api = format!("http://{}", listener.local_addr().expect("bound"));
        let (indexing, serving) = (stop.clone(), stop.clone());
        let api_options = api::ApiOptions::new(database.url(Role::Reader));
        let tasks = vec![
            tokio::spawn(async move { indexer::run::run(options, indexing).await.expect("the indexer ends well") }),
            tokio::spawn(async move { api::serve(api_options, listener, serving).await.expect("the API ends well") }),
        ];
        Self { database, api, stop, tasks }
    }

    /// What a route answers.
    pub async fn get(&self, route: &str) -> Value {
        let url = format!("{}{route}", self.api);
        let answer = reqwest::get(&url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
        let status = answer.status();
        let text = answer.text().await.expect("a body");
        assert!(status.is_success(), "{url}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error} in {text}"))
    }

    /// Waits until `/v1/status` of the only source satisfies a condition; returns it.
    pub async fn until(&self, what: &str, condition: impl Fn(&Value, &Value) -> bool) -> Value {
        let waiting = async {
            loop {
                if let Ok(answer) = reqwest::get(format!("{}/v1/status", self.api)).await
                    && answer.status().is_success()
                    && let Ok(status) = answer.json::<Value>().await
                    && condition(&status, &status["sources"][0])
                {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(status) => status,
            Err(_) => panic!("{what} did not come about: {}", self.get("/v1/status").await),
        }
    }

    /// Waits until the views show a height and nothing of the log is left to fold.
    pub async fn until_height(&self, height: u64) -> Value {
        self.until(&format!("height {height}"), |status, source| {
            source["head"].as_u64() >= Some(height) && status["position"] == status["log_position"]
        })
        .await
    }

    /// The natural rows of the views.
    pub async fn rows(&self) -> Vec<ViewRows> {
        rows(&self.database).await
    }

    /// Stops both and waits for them.
    pub async fn stop(self) -> TestDatabase {
        self.stop.cancel();
        for task in self.tasks {
            task.await.expect("nothing panicked");
        }
        self.database
    }
}

/// The natural rows of a database's views.
pub async fn rows(database: &TestDatabase) -> Vec<ViewRows> {
    let mut db = Session::indexer().connect(database.url(Role::Indexer)).await.expect("the database answers");
    view_rows(&mut db).await.expect("the views can be read")
}

/// Fails with the first differing lines of the first differing view.
pub fn assert_same(actual: &[ViewRows], expected: &[ViewRows], what: &str) {
    for (actual, expected) in actual.iter().zip(expected) {
        if actual.lines != expected.lines {
            let extra: Vec<_> = actual.lines.iter().filter(|line| !expected.lines.contains(line)).take(5).collect();
            let missing: Vec<_> = expected.lines.iter().filter(|line| !actual.lines.contains(line)).take(5).collect();
            panic!("{what}: {} differs\n  unexpected: {extra:#?}\n  missing: {missing:#?}", actual.view);
        }
    }
}
