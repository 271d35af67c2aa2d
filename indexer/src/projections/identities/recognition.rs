//! Whose word about an identity counts beyond its own chain. Several sources may have registered it; one of them is shown, the
//! earliest. Another is *recognised* if it is by the same account as the one that is shown; what any other says counts on its
//! own chain alone, since anybody can register anybody's id where it is still free.
//!
//! Only registrations and their retraction change that. Keys play no part: they are public, and so are the proofs of them, so
//! that anybody can repeat these elsewhere.
//!
//! The rows of `contested_identities` are the registrations that are not recognised. Other projections know it by them.

use std::collections::BTreeSet;

use schema::event::Position;
use schema::store::StoreError;
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::{Claim, ContestedTable};
use crate::projections::World;

/// An identity as one source has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// The source.
    pub source_id: i32,
    /// The identity.
    pub identity_id: Vec<u8>,
}

/// Whether a later registration means the identity that is shown: the same account has made it.
pub(super) fn recognises(shown: &Claim, later: &Claim) -> bool {
    later.controller == shown.controller
}

/// The registrations of the current unit that are not recognised. Those of former units stay what they are until a
/// retraction, for no later one is earlier.
pub(super) fn unrecognised(contested: &Rows<ContestedTable>) -> Vec<Registration> {
    let new = contested.changes().filter_map(|(_, before, now)| now.filter(|_| before.is_none()));
    new.map(|row| Registration { source_id: row.event_source_id, identity_id: row.identity_id.clone() }).collect()
}

/// Whose word counts, of those that a batch speaks of.
#[derive(Debug, Default)]
pub(in crate::projections) struct Recognition {
    unrecognised: BTreeSet<Registration>,
}

impl Recognition {
    /// Reads what stands about some identities. With one source everybody is recognised.
    pub(in crate::projections) async fn load(
        db: &mut PgConnection,
        identities: BTreeSet<Vec<u8>>,
        world: &World,
    ) -> Result<Self, StoreError> {
        if identities.is_empty() || world.sources.len() < 2 {
            return Ok(Self::default());
        }
        let ids: Vec<Vec<u8>> = identities.into_iter().collect();
        let rows = sqlx::query!(
            r#"select event_source_id, identity_id from contested_identities where identity_id = any($1)"#,
            &ids
        )
        .fetch_all(db)
        .await?;
        let unrecognised =
            rows.into_iter().map(|row| Registration { source_id: row.event_source_id, identity_id: row.identity_id });
        Ok(Self { unrecognised: unrecognised.collect() })
    }

    /// Takes in the registrations of a unit that are not recognised.
    pub(in crate::projections) fn follow(&mut self, unrecognised: &[Registration]) {
        self.unrecognised.extend(unrecognised.iter().cloned());
    }

    /// Whether what a source says of an identity counts beyond its own chain.
    pub(in crate::projections) fn holds(&self, source_id: i32, identity_id: &[u8]) -> bool {
        // Nearly always there is nobody to look for.
        self.unrecognised.is_empty()
            || !self.unrecognised.contains(&Registration { source_id, identity_id: identity_id.to_vec() })
    }
}

/// Registrations whose recognition a retraction changed, when what it made of the identities is written.
pub(in crate::projections) async fn changed_at(
    db: &mut PgConnection,
    at: Position,
) -> Result<BTreeSet<Registration>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select
            coalesce(v.event_source_id, former.event_source_id) as "source_id!",
            coalesce(v.identity_id, former.identity_id) as "identity_id!"
        from contested_identities_versions v
        left join lateral (
            select f.event_source_id, f.identity_id, f.present
            from contested_identities_versions f
            where f.event_position = v.event_position
                and f.from_position < $1
            order by f.from_position desc
            limit 1
        ) former on true
        where v.from_position = $1
            and v.present is distinct from former.present
        "#,
        at.0
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| Registration { source_id: row.source_id, identity_id: row.identity_id }).collect())
}
