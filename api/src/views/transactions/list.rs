//! The newest transactions of a chain.

use schema::event::rfc3339_micros;
use sqlx::PgConnection;

use super::{RETRACTED, Transaction, VIEWS, page_of};
use crate::page::Rows;
use crate::view::{At, Keep, Query, Stamped, stamped};
use crate::views::checks::verdict_name;

/// The statement of [`TransactionList`] with or without a test of the type `o.tx_type`: one for both would have one plan for
/// both, which reads the whole chain for a rare type. `$3` is the chain, `$4` the position before, `$5` the limit, `$6` whether
/// to count.
macro_rules! newest {
    ($db:expr, $at:expr, $test:literal $(, $argument:expr)* $(,)?) => {
        transactions_of!(
            $db,
            $at,
            VIEWS,
            (r#"
                select
                    src.source_id, t.position, true as stands, h.counted, null::bytea as body,
                    null::bigint as end_position
                from log.sources src
                left join lateral (
                    select case when v.present then v.tx_total else 0 end as counted
                    from heads_versions v
                    where $6
                        and v.source_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) h on true
                left join lateral (
                    select o.position
                    from transactions o
                    where o.source_id = $3
                        and o.position <= s.position
                        and o.position < coalesce($4, 9223372036854775807)
                        "# + $test + r#"
                        and not exists (
                            select 1
                            from log.retractions x
                            where x.source_id = $3
                                and x.first_position <= o.position
                                and x.at_position > o.position
                                and x.at_position <= s.position
                        )
                    order by o.position desc
                    limit $5::bigint + 1
                ) t on true
                where src.source_id = $3
            "#),
            "order by r.position desc"
            $(, $argument)*
        )
    };
}

/// The standing transactions of a chain, newest first; sort key is the position.
#[derive(Debug, Clone)]
pub struct TransactionList {
    /// The chain.
    pub source_id: i32,
    /// Only this type.
    pub tx_type: Option<String>,
    /// Only transactions before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
    /// Whether to say how many there are; only without a type.
    pub count: bool,
}

impl Query for TransactionList {
    const VIEWS: &'static [&'static str] = VIEWS;
    const KEEP: Keep = Keep::HotList;
    type Answer = Rows<Transaction>;

    fn key(&self) -> String {
        format!("txs:{}:{:?}:{}:{}:{:?}", self.source_id, self.before, self.limit, self.count, self.tx_type)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (source_id, before, limit) = (self.source_id, self.before, self.limit);
        let (at, counted, found) = match &self.tx_type {
            None => newest!(db, at, "", source_id, before, limit, self.count),
            Some(tx_type) => newest!(db, at, "and o.tx_type = $7", source_id, before, limit, self.count, tx_type),
        };
        let mut page = page_of(found, self.limit);
        page.count = counted.filter(|_| self.count);
        Ok(Stamped { at, value: page })
    }
}
