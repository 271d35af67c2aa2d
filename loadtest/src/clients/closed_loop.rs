//! The loop that measures: so many connections, each asking its next question when the last one is answered.
//!
//! A closed loop finds out how much a server can do and how long an answer takes meanwhile. It hides how long a client
//! would have waited in a queue: for that, requests must come at a fixed rate.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::http::{Answer, Connection, HttpError};
use super::questions::Questions;
use super::target::Target;

/// The most questions of one measurement.
const MAX_QUESTIONS: u64 = 50_000_000;
/// How long after its end a measurement waits for answers that are still under way.
const GRACE: Duration = Duration::from_secs(10);
/// Failures in a row after which a connection is given up.
const MAX_FAILURES_IN_A_ROW: u32 = 50;
/// Pause after a failure, so that a server that is gone is not asked in a spin.
const FAILURE_PAUSE: Duration = Duration::from_millis(20);
/// The shortest latency that is told apart, in nanoseconds.
const SHORTEST_NANOS: u64 = 1_000;
/// The longest latency that is told apart, in nanoseconds.
const LONGEST_NANOS: u64 = 60_000_000_000;
/// Decimal digits of a latency that are kept.
const LATENCY_DIGITS: u8 = 3;

/// That something is not shown, or is not there.
pub const REFUSALS: [u16; 2] = [403, 404];

/// What one measurement has seen.
#[derive(Debug, Clone)]
pub struct Tally {
    /// Answers with a 2xx status.
    pub answers: u64,
    /// Answers with another status; they are in no rate and no percentile.
    pub not_2xx: u64,
    /// Questions without a whole answer.
    pub errors: u64,
    /// Bytes of the 2xx answers, headers included.
    pub wire_bytes: u64,
    /// From the start to the last answer.
    pub elapsed: Duration,
    /// Nanoseconds from the first byte of a question to the last of its 2xx answer.
    pub latency: Histogram<u64>,
    /// How many whole answers had which status.
    pub statuses: BTreeMap<u16, u64>,
    /// Nanoseconds, in the same way, to answers of 403 and 404: to say that it may not show a thing, or that there is
    /// none, the server has to look, too.
    pub refusal_latency: Histogram<u64>,
    /// The first answer of 403 or 404.
    pub refusal: Option<String>,
    /// The first thing that went wrong otherwise.
    pub trouble: Option<String>,
    /// Whether every question had been asked before the time was over.
    pub exhausted: bool,
}

impl Tally {
    fn new() -> Self {
        let latency = Histogram::new_with_bounds(SHORTEST_NANOS, LONGEST_NANOS, LATENCY_DIGITS)
            .expect("the bounds are in order and the digits are at most five");
        Self {
            answers: 0,
            not_2xx: 0,
            errors: 0,
            wire_bytes: 0,
            elapsed: Duration::ZERO,
            refusal_latency: latency.clone(),
            latency,
            statuses: BTreeMap::new(),
            refusal: None,
            trouble: None,
            exhausted: false,
        }
    }

    /// The first thing that went wrong; that something was refused, only if there is nothing worse.
    pub fn worst(&self) -> Option<&str> {
        self.trouble.as_deref().or(self.refusal.as_deref())
    }

    fn answered(&mut self, answer: Answer, path: &str, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        *self.statuses.entry(answer.status).or_default() += 1;
        if (200..300).contains(&answer.status) {
            self.answers += 1;
            self.wire_bytes += u64::try_from(answer.wire_bytes).unwrap_or(u64::MAX);
            self.latency.saturating_record(nanos);
            return;
        }
        self.not_2xx += 1;
        let answered = || format!("{path} answered {}", answer.status);
        if REFUSALS.contains(&answer.status) {
            self.refusal_latency.saturating_record(nanos);
            self.refusal.get_or_insert_with(answered);
        } else {
            self.trouble.get_or_insert_with(answered);
        }
    }

    fn failed(&mut self, error: &HttpError, path: &str) {
        self.errors += 1;
        self.trouble.get_or_insert_with(|| format!("{path}: {error}"));
    }

    fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.not_2xx += other.not_2xx;
        self.errors += other.errors;
        self.wire_bytes += other.wire_bytes;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latency.add(&other.latency).expect("all histograms have the same bounds");
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.refusal_latency.add(&other.refusal_latency).expect("all histograms have the same bounds");
        self.refusal = self.refusal.take().or(other.refusal);
        self.trouble = self.trouble.take().or(other.trouble);
        self.exhausted |= other.exhausted;
    }
}

/// What the connections of one measurement share.
#[derive(Debug)]
struct Job {
    target: Target,
    questions: Questions,
    next: AtomicU64,
    started: Instant,
    deadline: Instant,
}

/// Asks for `duration` over so many connections. The first question is left out: it has been tried before.
pub async fn measure(target: &Target, questions: Questions, duration: Duration, connections: usize) -> Tally {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        // One that cannot be opened now is tried again, and counted, in its worker.
        open.push(Connection::open(target.address()).await.ok());
    }
    let started = Instant::now();
    let deadline = started + duration;
    let job = Arc::new(Job { target: target.clone(), questions, next: AtomicU64::new(1), started, deadline });
    let mut workers = JoinSet::new();
    for connection in open {
        let job = Arc::clone(&job);
        workers.spawn(async move {
            let mut tally = Tally::new();
            let worked = timeout_at(job.deadline + GRACE, work(&job, connection, &mut tally)).await;
            if worked.is_err() {
                tally.failed(&HttpError::Late, "at the end of the measurement");
            }
            tally
        });
    }
    let mut all = Tally::new();
    for tally in workers.join_all().await {
        all.add(tally);
    }
    all
}

async fn work(job: &Job, mut kept: Option<Connection>, tally: &mut Tally) {
    let mut failures_in_a_row = 0;
    while failures_in_a_row < MAX_FAILURES_IN_A_ROW && Instant::now() < job.deadline {
        let number = job.next.fetch_add(1, Ordering::Relaxed);
        let path = match job.questions.path(number) {
            Some(path) if number < MAX_QUESTIONS => path,
            Some(_) | None => {
                tally.exhausted = true;
                return;
            }
        };
        match ask(job, &mut kept, &path).await {
            Ok((answer, took)) => {
                failures_in_a_row = 0;
                tally.answered(answer, &path, took);
            }
            Err(error) => {
                failures_in_a_row += 1;
                tally.failed(&error, &path);
                sleep(FAILURE_PAUSE).await;
            }
        }
        tally.elapsed = job.started.elapsed();
    }
}

/// Asks one question, over the kept connection if there is one, and keeps it if it can carry another.
async fn ask(job: &Job, kept: &mut Option<Connection>, path: &str) -> Result<(Answer, Duration), HttpError> {
    let request = job.target.request(path);
    let mut connection = match kept.take() {
        Some(connection) => connection,
        None => Connection::open(job.target.address()).await?,
    };
    let started = Instant::now();
    let answer = connection.ask(&request, None).await?;
    let took = started.elapsed();
    if answer.reusable {
        *kept = Some(connection);
    }
    Ok((answer, took))
}
