//! The few statements about positions and heights that are not a view's.

use sqlx::PgConnection;

use super::Head;
use crate::view::{HashPrefix, Statement, prefix};

/// The newest standing block of a source as of a position.
#[derive(Debug, Clone, Copy)]
pub struct HeadAt {
    /// The source.
    pub source_id: i32,
    /// The position.
    pub position: i64,
}

impl Statement for HeadAt {
    type Rows = Option<Head>;

    async fn run(&self, db: &mut PgConnection) -> sqlx::Result<Self::Rows> {
        let row = sqlx::query!(
            r#"
        select
            h.height as "height!",
            h.block_hash as "block_hash!",
            h.block_time as "block_time!",
            h.present,
            (
                select f.finalized_height
                from finality_versions f
                where f.source_id = $1 and f.from_position <= $2
                order by f.from_position desc
                limit 1
            ) as finalized_height
        from heads_versions h
        where h.source_id = $1 and h.from_position <= $2
        order by h.from_position desc
        limit 1
        "#,
            self.source_id,
            self.position
        )
        .fetch_optional(db)
        .await?;
        Ok(row.filter(|row| row.present).map(|row| Head {
            height: row.height,
            block_hash: row.block_hash,
            block_time: row.block_time,
            finalized_height: row.finalized_height,
        }))
    }
}

/// End and running hash of the newest unit that was complete at a position; 0 and zeros before the first.
#[derive(Debug, Clone, Copy)]
pub struct UnitAt {
    /// The position.
    pub position: i64,
}

impl Statement for UnitAt {
    type Rows = (i64, HashPrefix);

    async fn run(&self, db: &mut PgConnection) -> sqlx::Result<Self::Rows> {
        let row = sqlx::query!(
            r#"
        select u.end_position, u.chain_hash
        from log.log_units u
        where u.end_position <= $1
        order by u.end_position desc
        limit 1
        "#,
            self.position
        )
        .fetch_optional(db)
        .await?;
        Ok(row.map_or((0, HashPrefix::default()), |row| (row.end_position, prefix(&row.chain_hash))))
    }
}

/// End of the unit of the block that stands at a height, seen from a position.
#[derive(Debug, Clone, Copy)]
pub struct UnitOfHeight {
    /// The source.
    pub source_id: i32,
    /// The height.
    pub height: i64,
    /// The position that it is seen from.
    pub position: i64,
}

impl Statement for UnitOfHeight {
    type Rows = Option<i64>;

    async fn run(&self, db: &mut PgConnection) -> sqlx::Result<Self::Rows> {
        sqlx::query_scalar!(
            r#"
        select u.end_position
        from log.log_units u
        where u.source_id = $1
            and u.height = $2
            and u.end_position <= $3
            and not exists (
                select 1
                from log.retractions r
                where r.source_id = u.source_id
                    and r.first_position <= u.first_position
                    and r.at_position > u.first_position
                    and r.at_position <= $3
            )
        order by u.end_position desc
        limit 1
        "#,
            self.source_id,
            self.height,
            self.position
        )
        .fetch_optional(db)
        .await
    }
}
