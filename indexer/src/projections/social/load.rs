//! Reading back the follows of pairs, and the counts of those that they join, before a fold.

use std::collections::BTreeSet;

use schema::store::StoreError;
use sqlx::PgConnection;

use super::{Claim, ClaimKey, Connection, Count, CountKey, EdgeKey, Recognition, Social, at_source};
use crate::projections::World;
use crate::projections::identities::recognition::Registration;

/// Every source's follows of some pairs, what level two made of them, and the counts of both ends.
pub(super) async fn edges(
    social: &mut Social,
    db: &mut PgConnection,
    edges: BTreeSet<EdgeKey>,
    world: &World,
) -> Result<(), StoreError> {
    if edges.is_empty() {
        return Ok(());
    }
    let ends = edges.iter().flat_map(|edge| [&edge.follower_id, &edge.following_id]);
    let ends = ends.map(|identity_id| CountKey { identity_id: identity_id.clone() }).collect();
    let identities = edges.iter().flat_map(|edge| [edge.follower_id.clone(), edge.following_id.clone()]).collect();
    social.recognition = Recognition::load(db, identities, world).await?;
    let keys = edges.iter().flat_map(|edge| world.sources.keys().map(|source| at_source(edge, source.0)));
    claims(social, db, keys.collect()).await?;
    connections(social, db, edges).await?;
    counts(social, db, ends).await
}

/// The pairs that follow each other where some registrations are, with somebody so registered at either end.
pub(super) async fn with(
    db: &mut PgConnection,
    registrations: &BTreeSet<Registration>,
) -> Result<BTreeSet<EdgeKey>, StoreError> {
    if registrations.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sources: Vec<i32> = registrations.iter().map(|of| of.source_id).collect();
    let identities: Vec<Vec<u8>> = registrations.iter().map(|of| of.identity_id.clone()).collect();
    let rows = sqlx::query!(
        r#"
        select c.follower_id as "follower_id!", c.following_id as "following_id!"
        from unnest($1::integer[], $2::bytea[]) as k (source_id, identity_id)
        join follow_claims c on c.source_id = k.source_id and c.follower_id = k.identity_id
        union
        select c.follower_id, c.following_id
        from unnest($1::integer[], $2::bytea[]) as k (source_id, identity_id)
        join follow_claims c on c.source_id = k.source_id and c.following_id = k.identity_id
        "#,
        &sources,
        &identities
    )
    .fetch_all(db)
    .await?;
    let edges = rows.into_iter().map(|row| EdgeKey { follower_id: row.follower_id, following_id: row.following_id });
    Ok(edges.collect())
}

async fn claims(social: &mut Social, db: &mut PgConnection, wanted: BTreeSet<ClaimKey>) -> Result<(), StoreError> {
    let asked = social.claims.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let pairs: BTreeSet<(Vec<u8>, Vec<u8>)> =
        asked.iter().map(|key| (key.follower_id.clone(), key.following_id.clone())).collect();
    let (followers, followings): (Vec<Vec<u8>>, Vec<Vec<u8>>) = pairs.into_iter().unzip();
    let rows = sqlx::query!(
        r#"
        select c.source_id, c.follower_id, c.following_id, c.created_at, c.claim_position
        from unnest($1::bytea[], $2::bytea[]) as k (follower_id, following_id)
        join follow_claims c on c.follower_id = k.follower_id and c.following_id = k.following_id
        "#,
        &followers,
        &followings
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let key = ClaimKey { source_id: row.source_id, follower_id: row.follower_id, following_id: row.following_id };
        (key, Claim { created_at: row.created_at, claim_position: row.claim_position })
    });
    social.claims.loaded(asked, found);
    Ok(())
}

async fn connections(social: &mut Social, db: &mut PgConnection, wanted: BTreeSet<EdgeKey>) -> Result<(), StoreError> {
    let asked = social.connections.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let followers: Vec<Vec<u8>> = asked.iter().map(|key| key.follower_id.clone()).collect();
    let followings: Vec<Vec<u8>> = asked.iter().map(|key| key.following_id.clone()).collect();
    let rows = sqlx::query!(
        r#"
        select c.follower_id, c.following_id, c.source_id, c.created_at, c.claim_position
        from unnest($1::bytea[], $2::bytea[]) as k (follower_id, following_id)
        join social_connections c on c.follower_id = k.follower_id and c.following_id = k.following_id
        "#,
        &followers,
        &followings
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let connection =
            Connection { source_id: row.source_id, created_at: row.created_at, claim_position: row.claim_position };
        (EdgeKey { follower_id: row.follower_id, following_id: row.following_id }, connection)
    });
    social.connections.loaded(asked, found);
    Ok(())
}

async fn counts(social: &mut Social, db: &mut PgConnection, wanted: BTreeSet<CountKey>) -> Result<(), StoreError> {
    let asked = social.counts.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let ids: Vec<Vec<u8>> = asked.iter().map(|key| key.identity_id.clone()).collect();
    let rows = sqlx::query!(
        r#"select identity_id, followers, following from social_counts where identity_id = any($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        (CountKey { identity_id: row.identity_id }, Count { followers: row.followers, following: row.following })
    });
    social.counts.loaded(asked, found);
    Ok(())
}
