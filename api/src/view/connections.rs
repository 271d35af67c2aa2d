//! Connections to the database: so many at most, each made when it is first needed and kept while it answers.
//!
//! A pool of our own, because a general one asks every connection that comes back whether it still lives: one more round
//! trip for each answer. Here a connection comes back only after an answer, and one that has died since is found out by
//! the next statement, which is then run once more on a new one.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::Semaphore;

use super::Unanswered;
use crate::limits::{ACQUIRE_TIMEOUT, CONNECTION_LIFETIME};
use crate::metrics;

/// Something to ask the database, as often as it takes.
pub trait Statement: Sync {
    /// What comes back.
    type Rows: Send;

    /// Asks on one connection.
    fn run(&self, db: &mut PgConnection) -> impl Future<Output = sqlx::Result<Self::Rows>> + Send;
}

/// The connections that requests use.
#[derive(Debug)]
pub struct Connections {
    connect: PgConnectOptions,
    max: usize,
    places: Semaphore,
    free: Mutex<Vec<Live>>,
    deadline: Duration,
}

/// A connection that has answered, and since when it is connected.
#[derive(Debug)]
struct Live {
    db: PgConnection,
    since: Instant,
}

impl Connections {
    /// At most `max` connections, on which no statement takes longer than `deadline`, waiting for one included.
    pub fn new(connect: PgConnectOptions, max: u32, deadline: Duration) -> Self {
        let max = usize::try_from(max).unwrap_or(1).clamp(1, Semaphore::MAX_PERMITS);
        Self { connect, max, places: Semaphore::new(max), free: Mutex::default(), deadline }
    }

    /// Runs a statement; once more on a new connection when the first try met a dead one, or a conflict that passes.
    ///
    /// # Errors
    ///
    /// There is no answer before the deadline, or the database refuses the second try too.
    pub async fn run<S: Statement>(&self, statement: &S) -> Result<S::Rows, Unanswered> {
        let started = Instant::now();
        // When time is up the connection is dropped with the future: nobody may use it in the middle of an answer.
        let result = match tokio::time::timeout(self.deadline, self.answer(statement)).await {
            Ok(result) => result,
            Err(_) => {
                self.forget();
                Err(Unanswered::Away(format!("no answer within {:?}", self.deadline)))
            }
        };
        metrics::statement(started.elapsed(), result.is_ok());
        result
    }

    async fn answer<S: Statement>(&self, statement: &S) -> Result<S::Rows, Unanswered> {
        let Ok(Ok(_place)) = tokio::time::timeout(ACQUIRE_TIMEOUT, self.places.acquire()).await else {
            return Err(Unanswered::Away("no connection was free in time".to_owned()));
        };
        let mut live = match self.take() {
            Some(live) => live,
            None => self.open().await?,
        };
        let mut result = statement.run(&mut live.db).await;
        if let Err(error) = &result
            && (is_stale(error) || passes(error))
        {
            if is_stale(error) {
                // After a restart of the server the others are as dead as this one.
                self.forget();
            }
            live = self.open().await?;
            result = statement.run(&mut live.db).await;
        }
        let rows = result?;
        self.give_back(live);
        Ok(rows)
    }

    /// Makes connections before they are needed; a database that is away is no error.
    pub async fn warm(&self, count: u32) {
        for _ in 0..count {
            let Ok(_place) = self.places.acquire().await else { return };
            match self.open().await {
                Ok(live) => self.give_back(live),
                Err(_) => return,
            }
        }
    }

    /// Closes every connection and gives out no more.
    pub async fn close(&self) {
        self.places.close();
        while let Some(live) = self.take() {
            // The server notices either way; this only spares it a line in its log.
            let _ = live.db.close().await;
        }
    }

    async fn open(&self) -> sqlx::Result<Live> {
        Ok(Live { db: self.connect.connect().await?, since: Instant::now() })
    }

    fn take(&self) -> Option<Live> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn give_back(&self, live: Live) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if live.since.elapsed() < CONNECTION_LIFETIME && free.len() < self.max && !self.places.is_closed() {
            free.push(live);
        }
    }

    fn forget(&self) {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Whether a connection was dead before it was used, so that another one may do.
fn is_stale(error: &sqlx::Error) -> bool {
    const ADMIN_SHUTDOWN: &str = "57P01";
    match error.as_database_error().and_then(|error| error.code()) {
        Some(code) => code == ADMIN_SHUTDOWN,
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)),
    }
}

/// Whether a statement fell victim to others, as on a replica to what it replays.
fn passes(error: &sqlx::Error) -> bool {
    const TRANSACTION_ROLLBACK: &str = "40";
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code.starts_with(TRANSACTION_ROLLBACK))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Never;

    impl Statement for Never {
        type Rows = ();

        async fn run(&self, _: &mut PgConnection) -> sqlx::Result<()> {
            std::future::pending().await
        }
    }

    #[tokio::test]
    async fn a_database_that_takes_the_connection_and_says_nothing_is_away() {
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = silent.local_addr().expect("bound").port();
        let connect = PgConnectOptions::new_without_pgpass().host("127.0.0.1").port(port);
        let connections = Connections::new(connect, 1, Duration::from_millis(50));
        for _ in 0..2 {
            let unanswered = connections.run(&Never).await.expect_err("nobody answers");
            assert!(matches!(unanswered, Unanswered::Away(_)), "{unanswered}");
        }
        connections.close().await;
        assert!(matches!(connections.run(&Never).await, Err(Unanswered::Away(_))), "closed");
    }
}
