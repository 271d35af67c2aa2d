//! The arithmetic of followers: counts follow the connections that came and went, and are compared with them twice, with
//! the changes of each unit and with the rows of each batch.

use std::collections::{BTreeMap, BTreeSet};

use schema::store::StoreError;
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::{ConnectionsTable, Count, CountKey, CountsTable};

/// Identities of a batch whose counts are compared with the connections.
const COMPARED_MAX: usize = 64;
/// Connections counted of each of them at most, so that no batch waits for a popular identity: who has more must have these.
const COUNTED_MAX: i64 = 1_024;

const NOTHING: Count = Count { followers: 0, following: 0 };

/// Brings the counts up to the connections that the unit made and removed.
pub(super) fn count(connections: &Rows<ConnectionsTable>, counts: &mut Rows<CountsTable>) {
    let mut deltas: BTreeMap<&[u8], Count> = BTreeMap::new();
    for (edge, before, now) in connections.changes() {
        let delta = i64::from(now.is_some()) - i64::from(before.is_some());
        deltas.entry(edge.following_id.as_slice()).or_insert(NOTHING).followers += delta;
        deltas.entry(edge.follower_id.as_slice()).or_insert(NOTHING).following += delta;
    }
    for (identity_id, delta) in deltas.into_iter().filter(|(_, delta)| *delta != NOTHING) {
        let key = CountKey { identity_id: identity_id.to_vec() };
        let before = counts.get(&key).cloned().unwrap_or(NOTHING);
        let now =
            Count { followers: before.followers + delta.followers, following: before.following + delta.following };
        counts.set(key, now);
    }
}

/// Every connection that came or went is one follower and one followed, and nobody has fewer than none.
pub(super) fn check(connections: &Rows<ConnectionsTable>, counts: &Rows<CountsTable>) -> Result<(), String> {
    let edges: i64 =
        connections.changes().map(|(_, before, now)| i64::from(now.is_some()) - i64::from(before.is_some())).sum();
    let (mut followers, mut following) = (0, 0);
    for (key, before, now) in counts.changes() {
        let (before, now) = (before.unwrap_or(&NOTHING), now.unwrap_or(&NOTHING));
        if now.followers < 0 || now.following < 0 {
            let id = hex::encode(&key.identity_id);
            return Err(format!("{id} has {} followers and follows {}", now.followers, now.following));
        }
        followers += now.followers - before.followers;
        following += now.following - before.following;
    }
    if followers == edges && following == edges {
        Ok(())
    } else {
        Err(format!("{edges} more connections, but {followers} more followers and {following} more followed"))
    }
}

/// Remembers some of the identities whose counts the unit changed.
pub(super) fn note(counts: &Rows<CountsTable>, noted: &mut BTreeSet<Vec<u8>>) {
    let room = COMPARED_MAX.saturating_sub(noted.len());
    noted.extend(counts.changes().take(room).map(|(key, _, _)| key.identity_id.clone()));
}

/// Compares the counts of some identities with their connections, as both stand in the database.
pub(super) async fn compare(
    db: &mut PgConnection,
    identities: BTreeSet<Vec<u8>>,
) -> Result<Result<(), String>, StoreError> {
    if identities.is_empty() {
        return Ok(Ok(()));
    }
    let ids: Vec<Vec<u8>> = identities.into_iter().collect();
    let wrong = sqlx::query!(
        r#"
        select
            encode(k.identity_id, 'hex') as "identity_id!",
            coalesce(c.followers, 0) as "followers!",
            coalesce(c.following, 0) as "following!",
            f.followers as "counted_followers!",
            g.following as "counted_following!"
        from unnest($1::bytea[]) as k (identity_id)
        left join social_counts c on c.identity_id = k.identity_id
        cross join lateral (
            select count(*) as followers
            from (select from social_connections s where s.following_id = k.identity_id limit $2::bigint + 1) found
        ) f
        cross join lateral (
            select count(*) as following
            from (select from social_connections s where s.follower_id = k.identity_id limit $2::bigint + 1) found
        ) g
        where f.followers <> least(coalesce(c.followers, 0), $2::bigint + 1)
            or g.following <> least(coalesce(c.following, 0), $2::bigint + 1)
        order by k.identity_id
        limit 1
        "#,
        &ids,
        COUNTED_MAX
    )
    .fetch_optional(db)
    .await?;
    Ok(match wrong {
        None => Ok(()),
        Some(row) => Err(format!(
            "{} is said to have {} followers and to follow {}, but has {} and follows {} (at most {} are counted)",
            row.identity_id,
            row.followers,
            row.following,
            row.counted_followers,
            row.counted_following,
            COUNTED_MAX + 1
        )),
    })
}
