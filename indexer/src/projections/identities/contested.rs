//! An identity that several sources have registered: which registrations stand behind the earliest and are by another
//! account. Somebody claims at one source what is somebody else's at another: that is worth knowing of, and counts there alone.

use std::collections::{BTreeMap, BTreeSet};

use schema::event::Event;
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::recognition::recognises;
use super::{Claim, ClaimKey, Contested, ContestedKey, ContestedTable, Identities};
use crate::projections::World;

const DETAIL: &str = "another source had registered the identity before, for another account; what is said here counts on \
                      this chain alone";

impl Identities {
    /// The claims of all sources to an identity that stand, the earliest first.
    pub(super) fn by_age(&self, identity_id: &[u8], world: &World) -> Vec<(i32, &Claim)> {
        let claims = world.sources.keys().filter_map(|source| {
            let key = ClaimKey { source_id: source.0, identity_id: identity_id.to_vec() };
            Some((source.0, self.claims.get(&key)?))
        });
        let mut claims: Vec<_> = claims.collect();
        claims.sort_by_key(|(_, claim)| claim.claim_position);
        claims
    }

    /// The identities that a source has registered in this unit.
    pub(super) fn newly_registered(&self) -> BTreeSet<Vec<u8>> {
        let new = self.claims.changes().filter(|(_, before, _)| before.is_none());
        new.map(|(claim, _, _)| claim.identity_id.clone()).collect()
    }

    /// Level two: of all sources' claims to each identity, those behind the earliest that are not recognised by it. What was
    /// contested before must be loaded.
    pub(super) fn contest(&mut self, identities: &BTreeSet<Vec<u8>>, world: &World) {
        if identities.is_empty() {
            return;
        }
        let mut now = BTreeMap::new();
        for identity_id in identities {
            let claims = self.by_age(identity_id, world);
            let Some(((winner, shown), behind)) = claims.split_first() else { continue };
            for (source_id, claim) in behind.iter().filter(|(_, claim)| !recognises(shown, claim)) {
                let row = Contested {
                    event_source_id: *source_id,
                    identity_id: identity_id.clone(),
                    winner_source_id: *winner,
                    detail: DETAIL.to_owned(),
                };
                now.insert(ContestedKey { event_position: claim.claim_position }, row);
            }
        }
        let gone = self.contested.range(..).filter(|(key, row)| {
            // A claim that was retracted, or that is the earliest or recognised now.
            identities.contains(&row.identity_id) && !now.contains_key(key)
        });
        let gone: Vec<ContestedKey> = gone.map(|(key, _)| key.clone()).collect();
        for key in gone {
            self.contested.remove(key);
        }
        for (key, row) in now {
            self.contested.set(key, row);
        }
    }
}

/// The identities that a batch registers.
pub(super) fn registered(batch: &[LoggedUnit]) -> BTreeSet<Vec<u8>> {
    let events = batch.iter().flat_map(|unit| &unit.events);
    let ids = events.filter_map(|event| {
        if let Event::IdentityRegistered(body) = &event.event {
            Some(body.identity_id.get().as_bytes().to_vec())
        } else {
            None
        }
    });
    ids.collect()
}

/// Reads what is contested about some identities. A batch is about few of them, so that is simply read each time.
pub(super) async fn load(
    contested: &mut Rows<ContestedTable>,
    db: &mut PgConnection,
    identities: &BTreeSet<Vec<u8>>,
    world: &World,
) -> Result<(), StoreError> {
    contested.forget();
    // With one source nothing is contested.
    if identities.is_empty() || world.sources.len() < 2 {
        return Ok(());
    }
    let ids: Vec<Vec<u8>> = identities.iter().cloned().collect();
    let rows = sqlx::query!(
        r#"
        select event_position, event_source_id, identity_id, winner_source_id, detail
        from contested_identities
        where identity_id = any($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let contested = Contested {
            event_source_id: row.event_source_id,
            identity_id: row.identity_id,
            winner_source_id: row.winner_source_id,
            detail: row.detail,
        };
        (ContestedKey { event_position: row.event_position }, contested)
    });
    contested.loaded(Vec::new(), found);
    Ok(())
}
