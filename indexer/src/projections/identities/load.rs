//! Reading back the newest claims and identities before a fold.

use std::collections::BTreeSet;

use schema::store::StoreError;
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::{Claim, ClaimKey, Identities, IdentitiesTable, Identity, IdentityKey};
use crate::projections::World;

/// Every source's claims to some identities, and what level two made of them.
pub(super) async fn by_identity(
    known: &mut Identities,
    db: &mut PgConnection,
    wanted: &BTreeSet<Vec<u8>>,
    world: &World,
) -> Result<(), StoreError> {
    let keys = wanted.iter().flat_map(|identity_id| {
        world.sources.keys().map(|source| ClaimKey { source_id: source.0, identity_id: identity_id.clone() })
    });
    let asked = known.claims.missing(keys.collect());
    if !asked.is_empty() {
        let ids: Vec<Vec<u8>> =
            asked.iter().map(|key| key.identity_id.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        let rows = sqlx::query!(
            r#"
            select
                source_id, identity_id, controller, key_alg, public_key, display_name, search_name, avatar_hash, bio,
                stats_visibility, created_at, updated_at, claim_position
            from identity_claims
            where identity_id = any($1)
            "#,
            &ids
        )
        .fetch_all(&mut *db)
        .await?;
        let found = rows.into_iter().map(|row| {
            let claim = Claim {
                controller: row.controller,
                key_alg: row.key_alg,
                public_key: row.public_key,
                display_name: row.display_name,
                search_name: row.search_name,
                avatar_hash: row.avatar_hash,
                bio: row.bio,
                stats_visibility: row.stats_visibility,
                created_at: row.created_at,
                updated_at: row.updated_at,
                claim_position: row.claim_position,
            };
            (ClaimKey { source_id: row.source_id, identity_id: row.identity_id }, claim)
        });
        known.claims.loaded(asked, found);
    }
    chosen(&mut known.identities, db, wanted).await
}

async fn chosen(
    identities: &mut Rows<IdentitiesTable>,
    db: &mut PgConnection,
    wanted: &BTreeSet<Vec<u8>>,
) -> Result<(), StoreError> {
    let asked = identities.missing(wanted.iter().map(|id| IdentityKey { identity_id: id.clone() }).collect());
    if asked.is_empty() {
        return Ok(());
    }
    let ids: Vec<Vec<u8>> = asked.iter().map(|key| key.identity_id.clone()).collect();
    let rows = sqlx::query!(
        r#"
        select
            identity_id, source_id, controller, key_alg, public_key, display_name, search_name, avatar_hash, bio,
            stats_visibility, created_at, updated_at, claim_position
        from identities
        where identity_id = any($1)
        "#,
        &ids
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let identity = Identity {
            source_id: row.source_id,
            controller: row.controller,
            key_alg: row.key_alg,
            public_key: row.public_key,
            display_name: row.display_name,
            search_name: row.search_name,
            avatar_hash: row.avatar_hash,
            bio: row.bio,
            stats_visibility: row.stats_visibility,
            created_at: row.created_at,
            updated_at: row.updated_at,
            claim_position: row.claim_position,
        };
        (IdentityKey { identity_id: row.identity_id }, identity)
    });
    identities.loaded(asked, found);
    Ok(())
}
