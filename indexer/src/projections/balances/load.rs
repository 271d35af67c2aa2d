//! Reading back the newest balances and supplies before a fold.

use std::collections::BTreeSet;

use schema::chain::Malformed;
use schema::store::StoreError;
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::{Balance, BalanceKey, BalancesTable, Supply, SupplyKey, SupplyTable};

/// A `numeric(39, 0)` column as a number.
pub(crate) fn exact(text: &str) -> Result<i128, StoreError> {
    let number =
        text.parse().map_err(|_| Malformed::new("amount", format!("{text} is not a whole number of base units")))?;
    Ok(number)
}

pub(super) async fn balances(
    rows: &mut Rows<BalancesTable>,
    db: &mut PgConnection,
    wanted: BTreeSet<BalanceKey>,
) -> Result<(), StoreError> {
    let asked = rows.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let addresses: Vec<i64> = asked.iter().map(|key| key.address_id).collect();
    let found = sqlx::query!(
        r#"
        select
            b.source_id,
            b.address_id,
            b.address,
            b.balance::text as "balance!",
            b.received::text as "received!",
            b.sent::text as "sent!",
            b.fees_paid::text as "fees_paid!",
            b.minted::text as "minted!",
            b.staked::text as "staked!",
            b.nonce::text as nonce,
            b.tx_count,
            b.first_height,
            b.last_height
        from unnest($1::integer[], $2::bigint[]) as wanted (source_id, address_id)
        join balances b
            on b.source_id = wanted.source_id
            and b.address_id = wanted.address_id
        "#,
        &sources,
        &addresses
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let balance = Balance {
            address: row.address,
            balance: exact(&row.balance)?,
            received: exact(&row.received)?,
            sent: exact(&row.sent)?,
            fees_paid: exact(&row.fees_paid)?,
            minted: exact(&row.minted)?,
            staked: exact(&row.staked)?,
            nonce: row.nonce.as_deref().map(exact).transpose()?,
            tx_count: row.tx_count,
            first_height: row.first_height,
            last_height: row.last_height,
        };
        Ok((BalanceKey { source_id: row.source_id, address_id: row.address_id }, balance))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    rows.loaded(asked, found);
    Ok(())
}

pub(super) async fn supply(
    rows: &mut Rows<SupplyTable>,
    db: &mut PgConnection,
    wanted: BTreeSet<SupplyKey>,
) -> Result<(), StoreError> {
    let asked = rows.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let found = sqlx::query!(
        r#"
        select
            source_id,
            allocated::text as "allocated!",
            minted::text as "minted!",
            burned::text as "burned!",
            undisclosed::text as "undisclosed!",
            balances_total::text as "balances_total!",
            closed
        from supply
        where source_id = any($1)
        "#,
        &sources
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let supply = Supply {
            allocated: exact(&row.allocated)?,
            minted: exact(&row.minted)?,
            burned: exact(&row.burned)?,
            undisclosed: exact(&row.undisclosed)?,
            balances_total: exact(&row.balances_total)?,
            closed: row.closed,
        };
        Ok((SupplyKey { source_id: row.source_id }, supply))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    rows.loaded(asked, found);
    Ok(())
}
