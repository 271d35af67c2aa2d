//! A whole indexer on a real database: a scripted chain, a follower, a projector, and looks at the rows.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use config::postgres::Role;
use config::postgres::testing::{TestDatabase, test_database};
use indexer::checksum::{ViewRows, view_rows};
use indexer::ingest::{FollowOptions, Follower, Log, Round};
use indexer::projector::Projector;
use indexer::source::scripted::{CHAIN_ID, Script, ScriptedSource};
use schema::chain::Height;
use schema::clock;
use schema::db::{Session, migrate};
use schema::event::Position;
use schema::source::SourceKind;
use schema::store::Declared;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// A migrated database of its own, dropped at the end of the test.
pub async fn database() -> TestDatabase {
    let key = schema::db::MIGRATOR.iter().fold(String::from("chert"), |key, migration| {
        format!("{key}{}", migration.checksum.iter().take(2).map(|byte| format!("{byte:02x}")).collect::<String>())
    });
    let database =
        test_database(&key, async |urls| migrate(&urls.owner, Role::Indexer.name(), Role::Reader.name()).await).await;
    // What a role may do with a database is not copied from the template.
    let mut owner = PgConnection::connect(database.url(Role::Owner)).await.expect("the owner connects");
    sqlx::query!(r#"select log.grant_roles($1, $2)"#, Role::Indexer.name(), Role::Reader.name())
        .fetch_one(&mut owner)
        .await
        .expect("granted");
    database
}

pub async fn connect(database: &TestDatabase) -> PgConnection {
    Session::indexer().connect(database.url(Role::Indexer)).await.expect("the test database answers")
}

/// A log with scripted sources, and what follows and folds them.
pub struct World {
    pub database: TestDatabase,
    pub log: Arc<Log>,
    pub projector: Projector,
    pub finality_depth: u32,
    /// Whether the word of sources that are added counts where nothing proves it.
    pub trusts: bool,
    /// How far ahead of the clock a block may be; none, because a script has the times that it names whatever the clock says.
    pub max_clock_skew: Option<Duration>,
    pub clock: fn() -> DateTime<Utc>,
    db: PgConnection,
    followers: BTreeMap<String, Follower<ScriptedSource>>,
}

impl World {
    pub async fn new() -> Self {
        let database = database().await;
        let log = Arc::new(Log::new(database.url(Role::Indexer), "test"));
        let projector = Projector::open(connect(&database).await, 1000).await.expect("the views open");
        let db = connect(&database).await;
        Self {
            database,
            log,
            projector,
            finality_depth: 100,
            trusts: true,
            max_clock_skew: None,
            clock: clock::now,
            db,
            followers: BTreeMap::new(),
        }
    }

    /// Follows a script under a name.
    pub async fn add(&mut self, name: &str, script: &str) -> ScriptedSource {
        let source = ScriptedSource::new(Script::parse(script).expect("a script"));
        self.add_source(name, source.clone()).await;
        source
    }

    pub async fn add_source(&mut self, name: &str, source: ScriptedSource) {
        let declared = Declared {
            name: name.to_owned(),
            kind: SourceKind::Scripted,
            chain_id: Some(CHAIN_ID.to_owned()),
            trusted: self.trusts,
            off_block_state: false,
            start_height: Height::GENESIS,
            symbol: String::new(),
            decimals: 0,
            required: true,
        };
        let facts = self.log.declare(&declared).await.expect("declared");
        let options = FollowOptions {
            poll_interval: Duration::from_millis(1),
            finality_depth: self.finality_depth,
            first_backoff: Duration::from_millis(1),
            max_clock_skew: self.max_clock_skew,
            clock: self.clock,
            ..FollowOptions::default()
        };
        let follower = Follower::new(Arc::new(source), Arc::clone(&self.log), facts, options);
        self.followers.insert(name.to_owned(), follower);
    }

    pub fn follower(&mut self, name: &str) -> &mut Follower<ScriptedSource> {
        self.followers.get_mut(name).expect("added")
    }

    /// Follows until nothing is new.
    pub async fn follow(&mut self, name: &str) {
        let follower = self.follower(name);
        for _ in 0..1000 {
            match follower.round().await {
                Ok(Round::Moved) => {}
                Ok(Round::Quiet | Round::Paused) => return,
                Err(error) => panic!("following {name}: {error}"),
            }
        }
        panic!("following {name} does not come to rest");
    }

    /// Plays a script step by step, so that every fork is seen.
    pub async fn play(&mut self, name: &str, script: &str) {
        let parsed = Script::parse(script).expect("a script");
        let source = ScriptedSource::new(parsed.clone());
        self.add_source(name, source.clone()).await;
        for steps in 1..=parsed.steps().len() {
            source.play_to(steps);
            if !parsed.chain_after(steps).is_empty() {
                self.follow(name).await;
            }
        }
    }

    pub async fn project(&mut self) -> Position {
        self.projector.catch_up(None).await.expect("the projector catches up")
    }

    pub async fn rows(&mut self) -> Vec<ViewRows> {
        view_rows(&mut self.db).await.expect("the views can be read")
    }

    /// Balances by address, of one source.
    pub async fn balances(&mut self, name: &str) -> BTreeMap<String, i64> {
        let db = &mut self.db;
        let rows = sqlx::query!(
            r#"
            select b.address, b.balance::bigint as "balance!"
            from balances b
            join log.sources s using (source_id)
            where s.name = $1
            order by b.address
            "#,
            name
        )
        .fetch_all(&mut *db)
        .await
        .expect("balances");
        rows.into_iter().map(|row| (row.address, row.balance)).collect()
    }

    /// The newest versions at or before a position, of every versioned view, as text.
    pub async fn as_of(&mut self, position: Position) -> BTreeMap<String, Vec<String>> {
        let newest = |view: &Versioned| {
            let Versioned { name, keys, .. } = view;
            format!(
                "(select distinct on ({keys}) * from {name}_versions where from_position <= {position} order by {keys}, from_position desc) v where present"
            )
        };
        rows_of(&mut self.db, newest).await
    }

    /// The current rows of every versioned view, as text.
    pub async fn current(&mut self) -> BTreeMap<String, Vec<String>> {
        rows_of(&mut self.db, |view| view.name.clone()).await
    }
}

/// A versioned view with its columns.
struct Versioned {
    name: String,
    keys: String,
    columns: String,
}

/// Rows of every versioned view, in one statement: a history is looked at very often.
async fn rows_of(db: &mut PgConnection, from: impl Fn(&Versioned) -> String) -> BTreeMap<String, Vec<String>> {
    let views = versioned_views(db).await;
    let parts = views
        .iter()
        .map(|view| format!("select '{}' as view, row({})::text as line from {}", view.name, view.columns, from(view)));
    let all = parts.collect::<Vec<_>>().join(" union all ");
    let lines = texts(db, &format!("select view || ': ' || line from ({all}) every order by view, line")).await;
    let mut rows: BTreeMap<String, Vec<String>> = views.into_iter().map(|view| (view.name, Vec::new())).collect();
    for line in lines {
        let (view, line) = line.split_once(": ").expect("the statement names the view");
        rows.get_mut(view).expect("a view").push(line.to_owned());
    }
    rows
}

async fn versioned_views(db: &mut PgConnection) -> Vec<Versioned> {
    let query = "select concat_ws('|', v.name, c.keys, c.columns) from (select replace(tablename, '_versions', '') as name from pg_tables where schemaname = 'views' and tablename like '%\\_versions') v cross join lateral log.view_columns(v.name) c order by v.name";
    let views = texts(db, query).await;
    let parse = |line: String| match line.split('|').collect::<Vec<_>>().as_slice() {
        [name, keys, columns] => {
            let [name, keys, columns] = [name, keys, columns].map(|text| (*text).to_owned());
            Versioned { name, keys, columns }
        }
        _ => panic!("{line} is not a view with its columns"),
    };
    views.into_iter().map(parse).collect()
}

pub async fn texts(db: &mut PgConnection, query: &str) -> Vec<String> {
    use sqlx::Executor;
    let rows = db.fetch_all(sqlx::raw_sql(AssertSqlSafe(query.to_owned()))).await.expect(query);
    rows.into_iter().map(|row| row.get::<String, _>(0)).collect()
}

/// Fails with the first differing line of the first differing view.
pub fn assert_same(actual: &[ViewRows], expected: &[ViewRows], what: &str) {
    for (actual, expected) in actual.iter().zip(expected) {
        assert_eq!(actual.view, expected.view);
        if actual.lines != expected.lines {
            let extra: Vec<_> = actual.lines.iter().filter(|line| !expected.lines.contains(line)).collect();
            let missing: Vec<_> = expected.lines.iter().filter(|line| !actual.lines.contains(line)).collect();
            panic!("{what}: {} differs\n  unexpected: {extra:#?}\n  missing: {missing:#?}", actual.view);
        }
    }
}
