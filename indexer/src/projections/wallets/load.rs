//! Reading back links, claims, holders and owners before a fold.

use std::collections::BTreeSet;

use schema::store::StoreError;
use sqlx::PgConnection;

use super::{
    Claim, ClaimKey, Contested, ContestedKey, Holder, HolderKey, Link, LinkKey, Owner, OwnerKey, Recognition, Wallets,
};
use crate::projections::World;
use crate::projections::identities::recognition::Registration;

/// The keys that a batch is about.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    /// Links made or removed; all links of the same identities are read with them, to count them.
    pub links: BTreeSet<LinkKey>,
    /// Claims made or removed; all claims to the same wallets are read with them, to choose among them.
    pub claims: BTreeSet<ClaimKey>,
    /// Wallets that may gain or lose their owner because a retraction decided whether the word of a source counts.
    pub held: BTreeSet<i64>,
}

/// The wallets that are somebody's on the chains of some registrations.
pub(super) async fn held(
    db: &mut PgConnection,
    registrations: &BTreeSet<Registration>,
) -> Result<BTreeSet<i64>, StoreError> {
    if registrations.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sources: Vec<i32> = registrations.iter().map(|of| of.source_id).collect();
    let identities: Vec<Vec<u8>> = registrations.iter().map(|of| of.identity_id.clone()).collect();
    let rows = sqlx::query!(
        r#"
        select h.address_id
        from unnest($1::integer[], $2::bytea[]) as k (source_id, identity_id)
        join wallet_holders h on h.identity_id = k.identity_id and h.source_id = k.source_id
        "#,
        &sources,
        &identities
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.address_id).collect())
}

pub(super) async fn all(
    wallets: &mut Wallets,
    db: &mut PgConnection,
    mut wanted: Wanted,
    world: &World,
) -> Result<(), StoreError> {
    if wanted.links.is_empty() && wanted.claims.is_empty() && wanted.held.is_empty() {
        return Ok(());
    }
    // Few wallets change hands in a batch, so what is needed is simply read each time.
    wallets.links.forget();
    wallets.claims.forget();
    wallets.holders.forget();
    wallets.owners.forget();
    wallets.contested.forget();
    links(wallets, db, &wanted).await?;
    // A link may have no claim beside it, and that must be known when it is removed or replaced.
    for key in &wanted.links {
        if let Some(link) = wallets.links.get(key) {
            let (address_id, source_id, claim_position) = (key.address_id, key.source_id, link.claim_position);
            wanted.claims.insert(ClaimKey { address_id, source_id, claim_position });
        }
    }
    let mut addresses: BTreeSet<i64> = wanted.claims.iter().map(|key| key.address_id).collect();
    addresses.extend(wanted.links.iter().map(|key| key.address_id));
    addresses.extend(wanted.held);
    let addresses: Vec<i64> = addresses.into_iter().collect();
    let linking: Vec<Vec<u8>> = wanted.links.iter().map(|key| key.identity_id.clone()).collect();
    let mut positions = claims(wallets, db, &addresses, wanted.claims).await?;
    holders(wallets, db, &addresses).await?;
    owners(wallets, db, &addresses).await?;
    let claiming = wallets.claims.range(..).map(|(_, claim)| claim.identity_id.clone());
    wallets.recognition = Recognition::load(db, claiming.chain(linking).collect(), world).await?;
    positions.sort_unstable();
    contested(wallets, db, &positions).await
}

async fn links(wallets: &mut Wallets, db: &mut PgConnection, wanted: &Wanted) -> Result<(), StoreError> {
    let identities: BTreeSet<Vec<u8>> = wanted.links.iter().map(|key| key.identity_id.clone()).collect();
    let identities: Vec<Vec<u8>> = identities.into_iter().collect();
    let rows = sqlx::query!(
        r#"
        select
            source_id, identity_id, address_id, wallet_address, link_type, proof_alg, proof_public_key, proof_signature,
            verdict, verdict_reason, trusted, created_at, claim_position
        from wallet_links
        where identity_id = any($1)
        "#,
        &identities
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let link = Link {
            wallet_address: row.wallet_address,
            link_type: row.link_type,
            proof_alg: row.proof_alg,
            proof_public_key: row.proof_public_key,
            proof_signature: row.proof_signature,
            verdict: row.verdict,
            verdict_reason: row.verdict_reason,
            trusted: row.trusted,
            created_at: row.created_at,
            claim_position: row.claim_position,
        };
        (LinkKey { source_id: row.source_id, identity_id: row.identity_id, address_id: row.address_id }, link)
    });
    wallets.links.loaded(wanted.links.iter().cloned().collect(), found);
    Ok(())
}

async fn claims(
    wallets: &mut Wallets,
    db: &mut PgConnection,
    addresses: &[i64],
    wanted: BTreeSet<ClaimKey>,
) -> Result<Vec<i64>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select address_id, source_id, claim_position, identity_id, verdict, trusted, removed_position
        from wallet_claims
        where address_id = any($1)
        "#,
        addresses
    )
    .fetch_all(db)
    .await?;
    let mut positions: Vec<i64> = wanted.iter().map(|key| key.claim_position).collect();
    positions.extend(rows.iter().map(|row| row.claim_position));
    let found = rows.into_iter().map(|row| {
        let claim = Claim {
            identity_id: row.identity_id,
            verdict: row.verdict,
            trusted: row.trusted,
            removed_position: row.removed_position,
        };
        (ClaimKey { address_id: row.address_id, source_id: row.source_id, claim_position: row.claim_position }, claim)
    });
    wallets.claims.loaded(wanted.into_iter().collect(), found);
    Ok(positions)
}

async fn holders(wallets: &mut Wallets, db: &mut PgConnection, addresses: &[i64]) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"select address_id, identity_id, source_id, claim_position from wallet_holders where address_id = any($1)"#,
        addresses
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let holder =
            Holder { identity_id: row.identity_id, source_id: row.source_id, claim_position: row.claim_position };
        (HolderKey { address_id: row.address_id }, holder)
    });
    wallets.holders.loaded(addresses.iter().map(|&address_id| HolderKey { address_id }).collect(), found);
    Ok(())
}

async fn owners(wallets: &mut Wallets, db: &mut PgConnection, addresses: &[i64]) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"select address_id, identity_id, source_id, claim_position from wallet_owners where address_id = any($1)"#,
        addresses
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let owner =
            Owner { identity_id: row.identity_id, source_id: row.source_id, claim_position: row.claim_position };
        (OwnerKey { address_id: row.address_id }, owner)
    });
    wallets.owners.loaded(addresses.iter().map(|&address_id| OwnerKey { address_id }).collect(), found);
    Ok(())
}

async fn contested(wallets: &mut Wallets, db: &mut PgConnection, positions: &[i64]) -> Result<(), StoreError> {
    let rows = sqlx::query!(
        r#"
        select event_source_id, event_position, address_id, identity_id, owner_identity_id, detail
        from contested_wallets
        where event_position = any($1)
        "#,
        positions
    )
    .fetch_all(db)
    .await?;
    let found = rows.into_iter().map(|row| {
        let contested = Contested {
            event_source_id: row.event_source_id,
            address_id: row.address_id,
            identity_id: row.identity_id,
            owner_identity_id: row.owner_identity_id,
            detail: row.detail,
        };
        (ContestedKey { event_position: row.event_position }, contested)
    });
    wallets.contested.loaded(positions.iter().map(|&event_position| ContestedKey { event_position }).collect(), found);
    Ok(())
}
