//! When the node is on another branch: a second look, and a retraction when it confirms the first.

use schema::chain::Height;
use schema::clock;
use schema::event::{Entry, Event, Retracted, Unit};
use schema::store::{Batch, Cursor, CursorMove, SourceProgress};

use super::rules::spelled;
use super::{Follower, Round};
use crate::ingest::FollowError;
use crate::ingest::fork::{self, Branch};
use crate::source::{Source, SourceError, Tip};

/// Blocks compared with the node's below the tip at each quiet poll: a rewrite there need not change the newest hash we know.
const TRAILING: u32 = 16;

impl<S: Source> Follower<S> {
    /// Whether the node's branch differs from ours at or below the tip. A lower tip alone is not a difference.
    pub(super) async fn is_rewritten(&self, cursor: &Cursor, tip: &Tip) -> Result<bool, FollowError> {
        if tip.height == cursor.height && tip.hash.as_ref().is_some_and(|hash| *hash != cursor.hash) {
            return Ok(true);
        }
        let top = cursor.height.min(tip.height);
        let from = top.saturating_sub(TRAILING - 1).max(self.facts.start_height);
        if from > top {
            return Ok(false);
        }
        let theirs = self.source.hashes(from..=top).await?;
        let ours = self.log.hashes(self.facts.source_id, from, top).await?;
        Ok(theirs.iter().any(|(height, hash)| ours.iter().any(|(known, ours)| known == height && ours != hash)))
    }

    /// A second look, and a retraction when it confirms the first.
    pub(super) async fn check_fork(
        &mut self,
        progress: &SourceProgress,
        cursor: &Cursor,
        tip: &Tip,
    ) -> Result<Round, FollowError> {
        let shared = match fork::compare(&*self.source, &self.log, &self.facts, cursor, tip.height).await? {
            Branch::Ours => return Ok(Round::Quiet),
            Branch::Foreign => {
                let why = format!("the node of {} shares no block with the log, not even the first", self.facts.name);
                return Err(FollowError::Halted(why));
            }
            Branch::Parted(shared) => Some(shared),
            Branch::PartedBeforeStart => None,
        };
        let parted = shared.as_ref().map_or(self.facts.start_height.saturating_sub(1), |shared| shared.height);
        let accepted = progress.accepted_fork.is_some_and(|height| parted >= height);
        let is_final = progress.finalized.is_some_and(|finalized| parted < finalized);
        if is_final && !accepted {
            let name = &self.facts.name;
            let why = format!(
                "the node of {name} has replaced finalized blocks: the branches part after height {height}; if that is right, run `chert source accept-fork {name} --height {height}`",
                height = parted
            );
            return Err(FollowError::Halted(why));
        }
        self.retract(cursor, shared, parted, is_final).await?;
        Ok(Round::Moved)
    }

    async fn retract(
        &mut self,
        cursor: &Cursor,
        shared: Option<Cursor>,
        parted: Height,
        uses_accepted_fork: bool,
    ) -> Result<(), FollowError> {
        let id = self.facts.source_id;
        let replaced = shared.as_ref().map_or(Some(self.facts.start_height), |shared| shared.height.next());
        let replaced = replaced.ok_or_else(|| FollowError::Halted("the height range is exhausted".into()))?;
        let Some(first) = self.log.first_position(id, replaced).await? else {
            return Err(
                SourceError::Malformed(format!("block {replaced}, said to be replaced, was never indexed")).into()
            );
        };
        let retracted = Retracted {
            first_position: spelled(Height::from_db(first.0).unwrap_or_default()),
            fork_height: spelled(parted),
            old_head_hash: cursor.hash.to_string(),
            old_head_height: spelled(cursor.height),
            reason: format!("the node has another block at height {replaced}"),
        };
        tracing::info!(source = self.facts.name, fork_height = %parted, old_head = %cursor.height, "the node is on another branch: retracting");
        metrics::counter!("chert_source_reorganisations_total", "source" => self.facts.name.clone()).increment(1);
        let entry = Entry { event: Event::Retracted(retracted), tx: None, verdict: None, subjects: Vec::new() };
        let batch = Batch {
            units: vec![Unit { block: None, occurred_at: clock::now(), entries: vec![entry] }],
            expected: Some(cursor.clone()),
            cursor: shared.clone().map_or(CursorMove::Clear, CursorMove::To),
            finalized: None,
            uses_accepted_fork,
        };
        self.log.append(id, &batch).await?;
        if let Some(progress) = &mut self.progress {
            progress.cursor = shared;
        }
        Ok(())
    }
}
