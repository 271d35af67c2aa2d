//! Every submission and rejection as a row, and which ids are taken by an accepted one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schema::bulk::ColumnType::{Bool, Int2, Int4, Int8, Numeric, Text, Time};
use schema::bulk::{RowBatch, Target};
use schema::chain::{Address, Height};
use schema::event::{Position, RewardUnit, Verdict, WorkRejected, WorkSubmitted};
use schema::store::StoreError;
use sqlx::PgConnection;

use super::judge::Judged;
use crate::projections::Moment;
use crate::projections::balances::exact;

const ROWS: Target = Target {
    table: "work_submissions",
    columns: "source_id, position, submission_id, is_rejection, outcome, accepted_position, address_id, miner_address, \
              oracle_id, work_type, difficulty, credit, score, reward, reward_unit, oracle_verdict, project, task_id, reason, \
              submitted_at, validated_at, block_height, tx_id, occurred_at",
    types: &[
        Int4, Int8, Text, Bool, Text, Int8, Int8, Text, Text, Text, Text, Text, Numeric, Numeric, Text, Int2, Text,
        Text, Text, Time, Time, Int8, Text, Time,
    ],
};

/// An id of a source.
pub(super) type SubmissionKey = (i32, String);

/// An accepted submission that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Accepted {
    /// Position of its event.
    pub position: i64,
    /// The miner in `log.subjects`.
    pub address_id: i64,
    /// The miner, canonical.
    pub miner_address: String,
    /// Type as the record spells it.
    pub work_type: String,
    /// Who validated; none when the chain itself did.
    pub oracle_id: Option<String>,
    /// What it adds to the score of its type, in billionths.
    pub score: i128,
    /// The moment from which it counts.
    pub occurred_at: DateTime<Utc>,
    /// Whether a rejection has taken it out.
    pub is_rejected: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Submissions {
    accepted: BTreeMap<SubmissionKey, Accepted>,
    rows: RowBatch,
    last: Option<Position>,
}

impl Default for Submissions {
    fn default() -> Self {
        Self { accepted: BTreeMap::new(), rows: RowBatch::new(&ROWS), last: None }
    }
}

/// Who did the work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Miner<'a> {
    /// In `log.subjects`.
    pub address_id: i64,
    /// Canonical.
    pub address: &'a Address,
}

impl Submissions {
    /// Reads which of the ids an accepted submission has taken that stands. Ids hardly ever come twice, so none is kept for
    /// the batch after.
    pub(super) async fn load(
        &mut self,
        db: &mut PgConnection,
        ids: &BTreeSet<SubmissionKey>,
    ) -> Result<(), StoreError> {
        self.accepted.clear();
        if ids.is_empty() {
            return Ok(());
        }
        let sources: Vec<i32> = ids.iter().map(|(source_id, _)| *source_id).collect();
        let names: Vec<String> = ids.iter().map(|(_, id)| id.clone()).collect();
        let rows = sqlx::query!(
            r#"
            select
                wanted.source_id as "source_id!",
                wanted.submission_id as "submission_id!",
                s.position,
                s.address_id,
                s.miner_address,
                s.work_type,
                s.oracle_id,
                s.score::text as "score!",
                s.occurred_at,
                exists (
                    select 1
                    from work_submissions r
                    where r.accepted_position = s.position
                        and log.stands(r.source_id, r.position, (select position from watermark))
                ) as "is_rejected!"
            from unnest($1::integer[], $2::text[]) as wanted (source_id, submission_id)
            cross join lateral (
                -- One at most; the limit keeps it a look-up by id, also while nothing is known of the table's size.
                select s.*
                from work_submissions s
                where s.submission_id = wanted.submission_id
                    and s.source_id = wanted.source_id
                    and s.outcome = 'accepted'
                    and log.stands(s.source_id, s.position, (select position from watermark))
                limit 1
            ) s
            "#,
            &sources,
            &names
        )
        .fetch_all(db)
        .await?;
        for row in rows {
            let accepted = Accepted {
                position: row.position,
                address_id: row.address_id,
                miner_address: row.miner_address,
                work_type: row.work_type,
                oracle_id: row.oracle_id,
                score: exact(&row.score)?,
                occurred_at: row.occurred_at,
                is_rejected: row.is_rejected,
            };
            self.accepted.insert((row.source_id, row.submission_id), accepted);
        }
        Ok(())
    }

    /// The accepted submission that stands under an id, rejected since or not.
    pub(super) fn accepted(&self, key: &SubmissionKey) -> Option<&Accepted> {
        self.accepted.get(key)
    }

    /// Notes that a submission was accepted and its id is taken.
    pub(super) fn accept(&mut self, key: SubmissionKey, accepted: Accepted) {
        self.accepted.insert(key, accepted);
    }

    /// Notes that a rejection took the submission out; its id stays taken.
    pub(super) fn take_out(&mut self, key: &SubmissionKey) -> Option<Accepted> {
        let accepted = self.accepted.get_mut(key)?;
        accepted.is_rejected = true;
        Some(accepted.clone())
    }

    /// Adds the row of a submission.
    pub(super) fn submitted(
        &mut self,
        moment: &Moment<'_>,
        work: &WorkSubmitted,
        miner: Miner<'_>,
        judged: &Judged,
        score: i128,
    ) {
        let unit = match work.reward_unit {
            RewardUnit::Points => "points",
            RewardUnit::BaseUnits => "base_units",
        };
        self.begin(moment, &work.submission_id, false, judged, miner)
            .text_opt(work.oracle_id.as_deref())
            .text(&work.work_type)
            .text_opt(work.difficulty.as_ref().map(|difficulty| difficulty.text()))
            .text_opt(work.credit.as_ref().map(|credit| credit.text()))
            .numeric(score)
            .numeric_opt(work.reward.as_ref().map(|reward| i128::from(reward.get().get())))
            .text_opt(work.reward.is_some().then_some(unit))
            .int2_opt(judged.oracle_verdict.map(Verdict::code))
            .text_opt(work.project.as_deref())
            .text_opt(work.task_id.as_deref())
            .text_opt(judged.reason.as_deref())
            .time_opt(work.submitted_at.as_ref().map(|time| time.get().micros()))
            .time_opt(work.validated_at.as_ref().map(|time| time.get().micros()));
        self.end(moment);
    }

    /// Adds the row of a rejection. Why it does not count says more than why it rejects.
    pub(super) fn rejected(&mut self, moment: &Moment<'_>, rejected: &WorkRejected, miner: Miner<'_>, judged: &Judged) {
        self.begin(moment, &rejected.submission_id, true, judged, miner)
            .text(&rejected.oracle_id)
            .text(&rejected.work_type)
            .null()
            .null()
            .numeric(0)
            .null()
            .null()
            .null()
            .null()
            .null()
            .text(judged.reason.as_deref().unwrap_or(&rejected.reason))
            .null()
            .time(rejected.validated_at.get().micros());
        self.end(moment);
    }

    fn begin(
        &mut self,
        moment: &Moment<'_>,
        submission_id: &str,
        is_rejection: bool,
        judged: &Judged,
        miner: Miner<'_>,
    ) -> &mut RowBatch {
        self.rows
            .row()
            .int4(moment.event.source_id.0)
            .int8(moment.event.position.0)
            .text(submission_id)
            .bool(is_rejection)
            .text(judged.outcome.name())
            .int8_opt(judged.takes_out)
            .int8(miner.address_id)
            .text(miner.address.as_str())
    }

    fn end(&mut self, moment: &Moment<'_>) {
        self.rows
            .int8_opt(moment.event.height.map(Height::to_db))
            .text_opt(moment.event.tx_id.as_ref().map(|id| id.as_str()))
            .time(moment.event.occurred_at);
        self.last = Some(moment.unit.end_position);
    }

    /// Writes the rows of the batch; returns the end of the last unit that had one.
    pub(super) async fn write(&mut self, db: &mut PgConnection) -> Result<Option<Position>, StoreError> {
        let Self { rows, last, .. } = std::mem::take(self);
        rows.send(db).await?;
        Ok(last)
    }
}
