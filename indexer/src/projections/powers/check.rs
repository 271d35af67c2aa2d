//! The arithmetic of power: what is given is received, stake covers what counts, and the rows agree with the stakes,
//! wallets and delegations that they are made of.

use std::collections::BTreeSet;

use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::{Delegation, NONE, Power, PowerKey, Powers};
use crate::projections::sample::some_of;
use crate::projections::{Broken, Projection};

/// Identities of a batch whose rows are summed up again from what they are made of.
const SUMMED: usize = 64;
/// Delegations of an identity that is summed up again, at most, in each direction: one that many trust would cost as much
/// with every change.
const DELEGATIONS_MAX: i64 = 2_000;

impl Powers {
    /// Σ Δ delegated_in = Σ Δ delegated_out = Σ Δ counted; nobody gives away more than the own stake; nothing is negative.
    pub(super) fn check_sums(&self, unit: &LoggedUnit) -> Result<(), Broken> {
        let broken = |why: String| Broken { view: Self::NAME, position: unit.end_position, why };
        let (mut received, mut given, mut counted) = (0, 0, 0);
        for (key, before, now) in self.powers.changes() {
            let (before, now) = (before.unwrap_or(&NONE), now.unwrap_or(&NONE));
            received += now.delegated_in - before.delegated_in;
            given += now.delegated_out - before.delegated_out;
            if !is_sound(now) {
                let who = hex::encode(&key.identity_id);
                return Err(broken(format!("identity {who} has impossible power: {now:?}")));
            }
        }
        for (key, before, now) in self.delegations.changes() {
            let of = |delegation: Option<&Delegation>| delegation.map_or(0, |delegation| delegation.counted);
            counted += of(now) - of(before);
            if now.is_some_and(|now| now.counted < 0 || now.counted > now.amount) {
                let who = hex::encode(&key.delegator_id);
                return Err(broken(format!("a delegation of identity {who} counts for what it is not: {now:?}")));
            }
        }
        if received != counted || given != counted {
            let why = format!("delegations count {counted} more, but {given} more were given and {received} received");
            return Err(broken(why));
        }
        Ok(())
    }
}

fn is_sound(power: &Power) -> bool {
    power.delegated_in >= 0 && power.delegated_out >= 0 && power.delegated_out <= power.own_stake
}

/// Sums some rows up again from the stakes and delegations that the database holds.
pub(super) async fn against_rows(
    db: &mut PgConnection,
    changed: BTreeSet<PowerKey>,
    end: Position,
) -> Result<Result<(), String>, StoreError> {
    if changed.is_empty() {
        return Ok(Ok(()));
    }
    let (sources, identities): (Vec<i32>, Vec<Vec<u8>>) =
        some_of(changed, SUMMED, end).into_iter().map(|key| (key.source_id, key.identity_id)).unzip();
    let wrong = sqlx::query!(
        r#"
        select
            encode(p.identity_id, 'hex') as "identity!",
            format('%s staked, %s received, %s given', s.total, i.total, o.total) as "summed!"
        from unnest($1::integer[], $2::bytea[]) as w (source_id, identity_id)
        join powers p using (source_id, identity_id)
        cross join lateral (
            select coalesce(sum(b.staked), 0) as total
            from wallet_holders wh
            join balances b
                on b.source_id = w.source_id
                and b.address_id = wh.address_id
            where wh.identity_id = w.identity_id
        ) s
        cross join lateral (
            select coalesce(sum(d.counted), 0) as total, count(*) as number
            from (
                select counted
                from delegations
                where delegatee_id = w.identity_id
                    and source_id = w.source_id
                limit $3::bigint + 1
            ) d
        ) i
        cross join lateral (
            select coalesce(sum(d.counted), 0) as total, count(*) as number
            from (
                select counted
                from delegations
                where source_id = w.source_id
                    and delegator_id = w.identity_id
                limit $3::bigint + 1
            ) d
        ) o
        where p.own_stake <> s.total
            or (i.number <= $3::bigint and p.delegated_in <> i.total)
            or (o.number <= $3::bigint and p.delegated_out <> o.total)
        order by p.source_id, p.identity_id
        limit 1
        "#,
        &sources,
        &identities,
        DELEGATIONS_MAX
    )
    .fetch_optional(db)
    .await?;
    Ok(match wrong {
        Some(row) => {
            Err(format!("the power of identity {} is not what its rows come to: {}", row.identity, row.summed))
        }
        None => Ok(()),
    })
}
