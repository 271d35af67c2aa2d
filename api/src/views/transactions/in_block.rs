//! The transactions of one block.

use schema::event::rfc3339_micros;
use sqlx::PgConnection;

use super::{RETRACTED, Transaction, VIEWS, page_of};
use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};
use crate::views::blocks::BlockId;
use crate::views::checks::verdict_name;

/// The transactions of one block in their order; sort key is the position. None when there is no such block.
#[derive(Debug, Clone)]
pub struct BlockTransactions {
    /// Which block; the newest standing one, else the newest that stood once.
    pub id: BlockId,
    /// Only transactions behind this position.
    pub after: Option<i64>,
    /// Items on a page.
    pub limit: i64,
    /// Whether to say how many there are.
    pub count: bool,
}

impl Query for BlockTransactions {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Option<Rows<Transaction>>;

    fn key(&self) -> String {
        format!("block txs:{}:{:?}:{}:{}", self.id.key(), self.after, self.limit, self.count)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (source_id, height, hash) = self.id.arguments();
        let (at, counted, found) = transactions_of!(
            db,
            at,
            VIEWS,
            r#"
                select
                    b.source_id, t.position, b.stands, b.tx_count as counted, null::bytea as body,
                    null::bigint as end_position
                from (
                    select found.source_id, found.position, found.end_position, found.tx_count, not exists (
                        select 1
                        from log.retractions x
                        where x.source_id = found.source_id
                            and x.first_position <= found.position
                            and x.at_position > found.position
                            and x.at_position <= s.position
                    ) as stands
                    from (
                        select o.source_id, o.position, o.end_position, o.tx_count
                        from blocks o
                        where o.source_id = $3
                            and o.height = $4
                            and o.position <= s.position
                        union all
                        select o.source_id, o.position, o.end_position, o.tx_count
                        from blocks o
                        where o.hash = $5
                            and o.position <= s.position
                    ) found
                    order by stands desc, found.position desc
                    limit 1
                ) b
                left join lateral (
                    select o.position
                    from transactions o
                    where o.source_id = b.source_id
                        and o.position > greatest(b.position, coalesce($6::bigint, 0))
                        and o.position <= b.end_position
                    order by o.position
                    limit $7::bigint + 1
                ) t on true
            "#,
            "order by r.position",
            source_id,
            height,
            hash,
            self.after,
            self.limit,
        );
        let value = counted.map(|counted| {
            let mut page = page_of(found, self.limit);
            page.count = self.count.then_some(counted);
            page
        });
        Ok(Stamped { at, value })
    }
}
