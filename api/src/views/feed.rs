//! The feed of an identity: what it did, or what those it follows did, newest first.
//!
//! A feed is made of the log itself: the standing events about an identity that changed something, and the useful work of
//! its wallets. Work is shown only of identities that show their statistics; everything else are public facts.

use schema::chain::IdentityId;
use schema::event::{Kind, Role};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Keep, LOG, Query, Stamped};

mod read;
mod statement;

/// What may be in a feed, and which parts in it an identity may have.
const ROLES: &[(Kind, &[Role])] = &[
    (Kind::IdentityRegistered, &[Role::Identity]),
    (Kind::IdentityUpdated, &[Role::Identity]),
    (Kind::KeyRotated, &[Role::Identity]),
    (Kind::WalletLinked, &[Role::Identity]),
    (Kind::WalletUnlinked, &[Role::Identity]),
    (Kind::Followed, &[Role::Follower, Role::Following]),
    (Kind::Unfollowed, &[Role::Follower]),
    (Kind::Proposed, &[Role::Proposer]),
    (Kind::Voted, &[Role::Voter]),
    (Kind::Delegated, &[Role::Delegator, Role::Delegatee]),
    (Kind::Undelegated, &[Role::Delegator, Role::Delegatee]),
    (Kind::WorkSubmitted, &[Role::Miner]),
];

/// The kinds of events that may be in a feed.
pub fn kinds() -> impl Iterator<Item = Kind> {
    ROLES.iter().map(|(kind, _)| *kind)
}

/// The roles that events of some kinds may give to an identity.
pub(crate) fn roles_of(kinds: &[Kind]) -> Vec<i16> {
    let asked = ROLES.iter().filter(|(kind, _)| kinds.contains(kind));
    let mut roles: Vec<i16> = asked.flat_map(|(_, roles)| roles.iter().map(|role| role.code())).collect();
    roles.sort_unstable();
    roles.dedup();
    roles
}

/// Something that an identity did, or that was done to it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FeedItem {
    /// Position in the log; `/v1/events/{position}` has the whole event.
    pub position: i64,
    /// Kind of the event.
    #[schema(example = "social.followed")]
    pub kind: &'static str,
    /// Name of the chain or source that it comes from.
    #[schema(example = "chert")]
    pub chain: String,
    /// Height of the block; null for what no block carried.
    pub height: Option<i64>,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Time of the block or record, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub occurred_at: String,
    /// Whose activity it is, hex: the identity asked about, or one that it follows.
    pub identity_id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// Its part in the event: `identity`, `follower`, `following`, `proposer`, `voter`, `delegator`, `delegatee` or `miner`.
    #[schema(example = "follower")]
    pub role: &'static str,
    /// The other identity of a follow or a delegation, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_identity_id: Option<String>,
    /// Its name, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_display_name: Option<String>,
    /// The wallet that was linked or unlinked, or that the work was done for; canonical.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wallet_address: Option<String>,
    /// The proposal that was made or voted on; a decimal number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal_id: Option<String>,
    /// Its title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// `for`, `against` or `abstain`, when this is a vote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vote_choice: Option<&'static str>,
    /// Power that was delegated or taken back, as the event states it; a decimal number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<String>,
    /// Id of the submission, when this is work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submission_id: Option<String>,
    /// Type of the work.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "boinc")]
    pub work_type: Option<String>,
    /// What the work adds to the score of its type; a decimal number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
}

/// Whose activity a feed shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// The identity's own.
    Own,
    /// That of the identities it follows.
    Following,
    /// Both.
    All,
}

/// The feed of an identity, newest first; sort key is the position. None when the identity is not registered.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The identity.
    pub identity_id: IdentityId,
    /// Whose activity.
    pub of: Of,
    /// Only these kinds; empty means all that may be in a feed.
    pub kinds: Vec<Kind>,
    /// Only activity before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

impl Query for Feed {
    /// The log too: it says what happened.
    const VIEWS: &'static [&'static str] = &["identities", "wallets", "work", "proposals", "social", "findings", LOG];
    const KEEP: Keep = Keep::Visible;
    type Answer = Option<Rows<FeedItem>>;

    fn key(&self) -> String {
        let Self { identity_id, of, kinds, before, limit } = self;
        format!("feed:{identity_id}:{of:?}:{kinds:?}:{before:?}:{limit}")
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        self.read(db, at).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_fits_into_five_bits_beside_a_position() {
        // What the statement's arithmetic with 32 depends on.
        for (kind, roles) in ROLES {
            assert!(!roles.is_empty() && roles.iter().all(|role| (0..32).contains(&role.code())), "{}", kind.name());
        }
    }
}
