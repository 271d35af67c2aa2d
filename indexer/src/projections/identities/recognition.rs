//! Whose word about an identity counts beyond its own chain. Several sources may have registered it; one of them is shown, the
//! earliest. Another is *recognised* while it has the key of the one that is shown and is by the same person; what any other
//! says counts on its own chain alone, since anybody can register anybody's id where it is still free.
//!
//! The rows of `contested_identities` are the registrations that are not recognised. Other projections know it by them.

use std::collections::{BTreeMap, BTreeSet};

use schema::chain::strip_0x;
use schema::event::{Event, Position, SourceId, Verdict};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::{Claim, Contested, ContestedTable};
use crate::projections::World;

/// An identity as one source has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// The source.
    pub source_id: i32,
    /// The identity.
    pub identity_id: Vec<u8>,
}

/// What a unit changed about whose word counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecognitionChange {
    /// Whose word.
    pub registration: Registration,
    /// Whether it counts after the unit.
    pub recognised: bool,
}

/// Whether a later registration means the identity that is shown: it has the same key, and is by the same account or proven
/// by that key. To name a key proves nothing, because keys are public.
pub(super) fn recognises(shown: &Claim, later: &Claim) -> bool {
    is_same_key(key(shown), key(later)) && (later.key_proven || later.controller == shown.controller)
}

/// Algorithm and key.
type Key<'a> = (&'a str, &'a str);

fn key(claim: &Claim) -> Key<'_> {
    (&claim.key_alg, &claim.public_key)
}

fn is_same_key(one: Key<'_>, other: Key<'_>) -> bool {
    one.0 == other.0 && strip_0x(one.1).eq_ignore_ascii_case(strip_0x(other.1))
}

/// What the current unit changes.
pub(super) fn changes(contested: &Rows<ContestedTable>) -> Vec<RecognitionChange> {
    let of = |row: &Contested, recognised: bool| RecognitionChange {
        registration: Registration { source_id: row.event_source_id, identity_id: row.identity_id.clone() },
        recognised,
    };
    let changes = contested.changes().filter_map(|(_, before, now)| match (before, now) {
        (Some(row), None) => Some(of(row, true)),
        (None, Some(row)) => Some(of(row, false)),
        (Some(_), Some(_)) | (None, None) => None,
    });
    changes.collect()
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

    /// Takes in what a unit changed.
    pub(in crate::projections) fn follow(&mut self, changes: &[RecognitionChange]) {
        for change in changes {
            if change.recognised {
                self.unrecognised.remove(&change.registration);
            } else {
                self.unrecognised.insert(change.registration.clone());
            }
        }
    }

    /// Whether what a source says of an identity counts beyond its own chain.
    pub(in crate::projections) fn holds(&self, source_id: i32, identity_id: &[u8]) -> bool {
        // Nearly always there is nobody to look for.
        self.unrecognised.is_empty()
            || !self.unrecognised.contains(&Registration { source_id, identity_id: identity_id.to_vec() })
    }
}

/// Registrations with a past whose recognition a batch may change: new keys do that, at the source itself or at the one
/// whose registration is shown. What a new registration says is all in the batch.
pub(in crate::projections) async fn at_stake(
    db: &mut PgConnection,
    batch: &[LoggedUnit],
    world: &World,
) -> Result<BTreeSet<Registration>, StoreError> {
    let rotations = if world.sources.len() < 2 { BTreeMap::new() } else { rotations(batch) };
    if rotations.is_empty() {
        return Ok(BTreeSet::new());
    }
    let ids: BTreeSet<Vec<u8>> = rotations.keys().map(|registration| registration.identity_id.clone()).collect();
    let ids: Vec<Vec<u8>> = ids.into_iter().collect();
    let rows = sqlx::query!(
        r#"
        select
            c.source_id, c.identity_id, c.controller, c.key_alg, c.public_key, coalesce(c.key_proven, false) as "key_proven!",
            n.event_position is null as "is_recognised!"
        from identity_claims c
        left join contested_identities n on n.event_position = c.claim_position
        where c.identity_id = any($1)
        order by c.claim_position
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let mut known: BTreeMap<Registration, Known> = BTreeMap::new();
    let mut shown: BTreeMap<Vec<u8>, Registration> = BTreeMap::new();
    for row in rows {
        let registration = Registration { source_id: row.source_id, identity_id: row.identity_id };
        let earliest = shown.entry(registration.identity_id.clone()).or_insert_with(|| registration.clone());
        let is_shown = *earliest == registration;
        let of = rotations.get(&registration).into_iter().flatten();
        let own = of.filter(|rotation| {
            // Anybody may send a rotation, and only the controller's counts.
            let sender = world.address(SourceId(registration.source_id), rotation.sender);
            sender.is_ok_and(|sender| sender.as_str() == row.controller)
        });
        let own: Vec<&Rotation<'_>> = own.collect();
        let keys = own.iter().map(|rotation| (rotation.key.0.to_owned(), rotation.key.1.to_owned()));
        let keys = std::iter::once((row.key_alg, row.public_key)).chain(keys).collect();
        let is_proven = row.key_proven || own.iter().any(|rotation| rotation.is_proven);
        let controller = row.controller;
        known.insert(registration, Known { is_shown, is_recognised: row.is_recognised, is_proven, controller, keys });
    }
    let others = known.iter().filter(|(_, other)| !other.is_shown);
    let changing = others.filter(|(registration, other)| {
        shown
            .get(&registration.identity_id)
            .and_then(|shown| known.get(shown))
            .is_some_and(|shown| may_change(shown, other))
    });
    Ok(changing.map(|(registration, _)| registration.clone()).collect())
}

/// A registration that stands, with all the keys that it has at some moment of a batch, the one before it first.
struct Known {
    is_shown: bool,
    is_recognised: bool,
    /// Whether the key is proven before the batch, or some key in it.
    is_proven: bool,
    controller: String,
    keys: Vec<(String, String)>,
}

/// Whether the keys that a batch gives to two registrations may make one recognise the other, or no longer. Who has another
/// key throughout stays a stranger, and may rotate as often as they like.
fn may_change(shown: &Known, other: &Known) -> bool {
    let is_new = shown.keys.len() > 1 || other.keys.len() > 1;
    let is_by_holder = other.is_proven || other.controller == shown.controller;
    let key = |known: &(String, String)| -> bool {
        shown.keys.iter().any(|shown| is_same_key((&shown.0, &shown.1), (&known.0, &known.1)))
    };
    is_new && (other.is_recognised || (is_by_holder && other.keys.iter().any(key)))
}

/// A new key that somebody gives to a registration.
struct Rotation<'a> {
    sender: &'a str,
    key: Key<'a>,
    is_proven: bool,
}

/// The new keys in a batch that may count.
fn rotations(batch: &[LoggedUnit]) -> BTreeMap<Registration, Vec<Rotation<'_>>> {
    let mut rotations: BTreeMap<Registration, Vec<Rotation<'_>>> = BTreeMap::new();
    for event in batch.iter().flat_map(|unit| &unit.events) {
        let Event::KeyRotated(body) = &event.event else { continue };
        if event.verdict == Some(Verdict::Refuted) {
            continue;
        }
        let identity_id = body.identity_id.get().as_bytes().to_vec();
        let registration = Registration { source_id: event.source_id.0, identity_id };
        rotations.entry(registration).or_default().push(Rotation {
            sender: &body.sender,
            key: (&body.key.alg, &body.key.public_key),
            is_proven: event.verdict == Some(Verdict::Verified),
        });
    }
    rotations
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
