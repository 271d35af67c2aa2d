//! Checking the log and the views, and building the views anew.

use std::time::Instant;

use ::schema::db::{REBUILD_SCHEMA, Session};
use ::schema::store::verify_log;
use anyhow::Context as _;
use clap::Args;
use indexer::checksum::view_rows;
use indexer::projector::rebuild::{discard, rebuild};

use super::database::Target;
use super::say;

/// Events folded in one database transaction of a rebuild.
const BATCH_EVENTS: i64 = 50_000;

/// Arguments of `chert verify`.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    target: Target,
}

/// Arguments of `chert rebuild`.
#[derive(Debug, Args)]
pub struct Rebuild {
    #[command(flatten)]
    target: Target,
}

impl Verify {
    /// Recomputes the log's hashes, folds it into a second set of views, and compares these with the live ones.
    pub async fn run(self) -> anyhow::Result<()> {
        let database = self.target.open().await?;
        let mut live = Session::indexer().connect(&database.indexer).await?;
        let check = verify_log(&mut live).await.context("the log does not verify")?;
        say(format!("log: {} events in {} units, every digest and running hash agrees", check.events, check.units))?;
        let rebuilt = rebuild(&database.indexer, BATCH_EVENTS, false).await?;
        let session = Session { view_schema: REBUILD_SCHEMA, ..Session::indexer() };
        let anew = view_rows(&mut session.connect(&database.indexer).await?).await?;
        let served = view_rows(&mut live).await?;
        discard(&database.indexer).await?;
        let mut wrong = Vec::new();
        for (served, anew) in served.iter().zip(&anew) {
            let same = served.checksum() == anew.checksum();
            let verdict = if same { "agrees" } else { "DIFFERS" };
            say(format!("{}: {} rows, {} {verdict}", served.view, served.lines.len(), served.checksum()))?;
            if !same {
                wrong.push(served.view);
            }
        }
        if wrong.is_empty() {
            say(format!("the views agree with the log at position {}", rebuilt.position))
        } else {
            anyhow::bail!(
                "views that differ from what the log gives: {}; if the indexer is running, stop it first, as a moving view differs",
                wrong.join(", ")
            )
        }
    }
}

impl Rebuild {
    /// Fills new views from the log and swaps them in.
    pub async fn run(self) -> anyhow::Result<()> {
        let database = self.target.open().await?;
        let started = Instant::now();
        let rebuilt = rebuild(&database.indexer, BATCH_EVENTS, true).await?;
        let rate = rebuilt.events.checked_div(u64::try_from(rebuilt.folding.as_millis())?.max(1)).unwrap_or_default();
        say(format!(
            "{} events folded in {} ms ({rate} events/ms), swapped in at position {} after {} ms",
            rebuilt.events,
            rebuilt.folding.as_millis(),
            rebuilt.position,
            started.elapsed().as_millis()
        ))
    }
}
