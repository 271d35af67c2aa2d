//! One submission: what became of it, whose it is, and every record that bears its id.

use schema::event::{Namespace, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::submissions::{ACCEPTED, Found, REJECTED, kind_name, submissions_at, unit};
use super::{Rejected, Submission, causes, decimal};
use crate::view::{At, Keep, Query, Stamped};
use crate::views::checks::verdict_name;
use crate::views::provenance::{self, Provenance};

/// A submission, and every standing record with its id.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkSubmission {
    /// The newest one that was accepted; else the newest record with the id.
    #[serde(flatten)]
    pub submission: Submission,
    /// Identity that the miner's address belongs to, hex; null when it belongs to none, or to one that does not show its
    /// statistics to everybody.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: Option<String>,
    /// Who may see the statistics of the identity that the address belongs to; what holds now, also in answers about the
    /// past. Null when it belongs to none that is registered.
    #[schema(example = "public")]
    pub stats_visibility: Option<String>,
    /// Every standing record with this id, rejections too, newest first; at most 50, accepted ones before others.
    pub records: Vec<Submission>,
    /// The events behind the answer: the submission, its rejection, the registration of its oracle, and the wallet link that
    /// attributes it; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// The submission with an id.
#[derive(Debug, Clone)]
pub struct OneSubmission {
    /// Its id.
    pub submission_id: String,
    /// Only of this source.
    pub source_id: Option<i32>,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneSubmission {
    const VIEWS: &'static [&'static str] = &["work", "oracles", "wallets", "identities"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Option<WorkSubmission>;

    fn key(&self) -> String {
        format!("submission:{:?}:{}:{}", self.source_id, self.explain, self.submission_id)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, _, found) = submissions_at!(
            db,
            at,
            Self::VIEWS,
            r#"
                select null::boolean as known, null::boolean as shown, k.source_id, k.position
                from (
                    select a.source_id, a.position, true as accepted
                    from log.sources src
                    cross join lateral (
                        -- A source accepts an id once, and whatever repeats it comes later: none of that is read.
                        select b.source_id, b.position
                        from work_submissions b
                        where b.submission_id = $3
                            and b.source_id = src.source_id
                            and b.outcome = 'accepted'
                            and b.position <= s.position
                            and not exists (
                                select 1
                                from log.retractions t
                                where t.source_id = b.source_id
                                    and t.first_position <= b.position
                                    and t.at_position > b.position
                                    and t.at_position <= s.position
                            )
                        order by b.position
                        limit 1
                    ) a
                    where src.source_id = coalesce($4, src.source_id)
                    union all
                    (
                        select b.source_id, b.position, false
                        from work_submissions b
                        where b.submission_id = $3
                            and b.source_id = coalesce($4, b.source_id)
                            and b.outcome <> 'accepted'
                            and b.position <= s.position
                            and not exists (
                                select 1
                                from log.retractions t
                                where t.source_id = b.source_id
                                    and t.first_position <= b.position
                                    and t.at_position > b.position
                                    and t.at_position <= s.position
                            )
                        order by b.position desc
                        limit 50
                    )
                ) k
                order by k.accepted desc, k.position desc
                limit 50
            "#,
            self.submission_id,
            self.source_id,
        );
        let records = found.iter().map(|found| found.submission.clone()).collect();
        let Some(chosen) = found.iter().find(|found| found.was_accepted).or(found.first()) else {
            return Ok(Stamped { at, value: None });
        };
        let mut answer = WorkSubmission {
            submission: chosen.submission.clone(),
            identity_id: chosen.owner.clone().filter(|_| chosen.owner_shown),
            stats_visibility: chosen.owner_visibility.clone(),
            records,
            provenance: None,
        };
        if self.explain {
            answer.provenance = Some(explained(db, at.position, chosen).await?);
        }
        Ok(Stamped { at, value: Some(answer) })
    }
}

async fn explained(db: &mut PgConnection, at: i64, found: &Found) -> sqlx::Result<Provenance> {
    let submission = &found.submission;
    let rejected = submission.rejected.as_ref().map(|rejected| rejected.position);
    // Whose address it is remains unsaid of those who do not show their statistics.
    let owner = found.owner_position.filter(|_| found.owner_shown);
    let made_by = [Some(submission.position), rejected, found.oracle_position, owner];
    let made_by: Vec<i64> = made_by.into_iter().flatten().collect();
    let link = provenance::events_link(Namespace::Submission, &submission.submission_id, Some(&submission.chain));
    causes::of_positions(db, at, &made_by, link).await
}
