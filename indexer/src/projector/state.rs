//! The engine's own rows: which view is where, and whether the log behind the watermark is still the one they saw.

use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::ProjectorError;

/// Notes where the live views are and where each changed last, and wakes readers.
pub(super) async fn publish_states(
    db: &mut PgConnection,
    batch: &[LoggedUnit],
    position: Position,
    changed: &[(&'static str, Option<Position>)],
) -> Result<(), StoreError> {
    let hash_at =
        |wanted: Position| batch.iter().find(|unit| unit.end_position == wanted).map(|unit| unit.chain_hash.to_vec());
    let live: Vec<String> = changed.iter().map(|(name, _)| (*name).to_owned()).collect();
    sqlx::query!(r#"update view_state set position = $1 where view = any($2)"#, position.0, &live)
        .execute(&mut *db)
        .await?;
    let (mut names, mut positions, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for (name, at) in changed {
        if let Some((at, hash)) = at.and_then(|at| Some((at, hash_at(at)?))) {
            names.push((*name).to_owned());
            positions.push(at.0);
            hashes.push(hash);
        }
    }
    sqlx::query!(
        r#"
        update view_state v
        set changed_position = c.changed_position,
            changed_hash = c.changed_hash
        from unnest($1::text[], $2::bigint[], $3::bytea[]) as c (view, changed_position, changed_hash)
        where v.view = c.view
        "#,
        &names,
        &positions,
        &hashes
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(r#"select pg_notify('chert_views', $1)"#, position.to_string()).fetch_one(db).await?;
    Ok(())
}

/// Notes a view that has no row yet.
pub(super) async fn insert_state(db: &mut PgConnection, view: &str, version: i32) -> sqlx::Result<()> {
    sqlx::query!(
        r#"
        insert into view_state (view, version, position, changed_position, changed_hash, state)
        select $1, $2, w.position, w.position, w.chain_hash, 'live'
        from watermark w
        "#,
        view,
        version
    )
    .execute(db)
    .await?;
    Ok(())
}

/// After a fail-over the log may have another history behind the same position: then the views are of no use.
pub(super) async fn check_history(
    db: &mut PgConnection,
    position: i64,
    chain_hash: &[u8],
) -> Result<(), ProjectorError> {
    if position == 0 {
        return Ok(());
    }
    let unit = sqlx::query!(r#"select chain_hash from log.log_units where end_position = $1"#, position)
        .fetch_optional(db)
        .await?;
    match unit {
        Some(unit) if unit.chain_hash == chain_hash => Ok(()),
        Some(_) | None => Err(ProjectorError::OtherLog(Position(position))),
    }
}
