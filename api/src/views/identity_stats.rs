//! The statistics of an identity in one answer: what it contributed, how it takes part, and who follows whom.

use schema::chain::IdentityId;
use schema::event::Position;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::view::{At, Keep, Query, Stamp, Stamped, stamped};
use crate::views::governance::{GovernanceStats, OneGovernanceStats};
use crate::views::visibility::Shown;
use crate::views::work::{WorkStats, read_stats};

/// The statistics of an identity.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IdentityStats {
    /// The identity, hex.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: String,
    /// Who may see this: `public`, or there would be no answer.
    #[schema(example = "public")]
    pub stats_visibility: String,
    /// Useful work, as `/v1/pouw/stats/{identity_id}` has it.
    pub pouw: WorkStats,
    /// Votes, proposals and power on `chain`, as `/v1/governance/stats/{identity_id}` has it.
    pub governance: GovernanceStats,
    /// Followers.
    pub social: SocialStats,
}

/// How many follow an identity, and how many it follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct SocialStats {
    /// Identities that follow it.
    #[schema(example = 12)]
    pub followers: i64,
    /// Identities that it follows.
    #[schema(example = 7)]
    pub following: i64,
}

/// The statistics of one identity.
#[derive(Debug, Clone)]
pub struct OneIdentityStats {
    /// The chain of the governance.
    pub source_id: i32,
    /// The identity.
    pub identity_id: IdentityId,
    /// Whether a source stands still, as the server last saw it: a kept answer ends when that changes.
    pub stalled: bool,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

/// Who may see the statistics, and the followers.
type Social = Shown<(String, SocialStats)>;

impl OneIdentityStats {
    async fn social(&self, db: &mut PgConnection, at: At) -> sqlx::Result<(Stamp, Social)> {
        let (at, rows) = stamped!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.known as "known?", r.shown as "shown?", r.stats_visibility as "stats_visibility?",
            r.followers as "followers?", r.following as "following?"
            "#,
            r#"
                select
                    i.present as known, log.shows_stats($3) as shown, c.stats_visibility, f.followers, f.following
                from (
                    select v.present
                    from identities_versions v
                    where v.identity_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) i
                left join identities c on c.identity_id = $3
                left join lateral (
                    select v.followers, v.following
                    from social_counts_versions v
                    where v.identity_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) f on true
            "#,
            "",
            self.identity_id.as_bytes().as_slice(),
        )?;
        let row = rows.into_iter().next().ok_or(sqlx::Error::RowNotFound)?;
        let social =
            SocialStats { followers: row.followers.unwrap_or_default(), following: row.following.unwrap_or_default() };
        Ok((at, Shown::when(row.known, row.shown, || (row.stats_visibility.unwrap_or_default(), social))))
    }
}

impl Query for OneIdentityStats {
    const VIEWS: &'static [&'static str] =
        &["identities", "wallets", "social", "work", "proposals", "powers", "heads", "blocks"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Shown<IdentityStats>;

    fn key(&self) -> String {
        format!("identity stats:{}:{}:{}:{}", self.source_id, self.identity_id, self.stalled, self.explain)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain {
            &["identities", "wallets", "social", "work", "proposals", "powers", "heads", "blocks", "findings"]
        } else {
            Self::VIEWS
        }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let Self { source_id, identity_id, stalled: _, explain } = *self;
        // First what must know whether the question names a moment, about all views.
        let (at, work) = read_stats(db, at, self.views(), &identity_id, explain).await?;
        // As of the position just read, so that all statements speak of the same moment.
        let moment = At::Position(Position(at.position));
        let (_, social) = self.social(db, moment).await?;
        let (stats_visibility, social) = match social {
            Shown::Seen(seen) => seen,
            Shown::Hidden => return Ok(Stamped { at, value: Shown::Hidden }),
            Shown::Unknown => return Ok(Stamped { at, value: Shown::Unknown }),
        };
        let governance = OneGovernanceStats { source_id, identity_id, explain }.run(db, moment).await?;
        let value = match (work, governance.value) {
            (Shown::Seen(pouw), Some(governance)) => Shown::Seen(IdentityStats {
                identity_id: identity_id.to_string(),
                stats_visibility,
                pouw,
                governance,
                social,
            }),
            // Visibility is read anew by each statement: who hides in between is hidden.
            (Shown::Hidden, _) => Shown::Hidden,
            (Shown::Unknown | Shown::Seen(_), _) => Shown::Unknown,
        };
        Ok(Stamped { at, value })
    }
}
