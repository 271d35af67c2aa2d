//! Do the sums of identities come out? Some of those that a batch changed are added up again by the database, from the
//! hours and totals of their wallets, and must be what was written.

use schema::store::StoreError;
use sqlx::PgConnection;

use super::score::Windows;

/// Identities that are added up again after a batch, at most. Each may have an hour's row for every hour of a month and
/// every type of work of each of its wallets.
pub(super) const CHECKED: usize = 16;

/// Compares identities with their wallets; returns what does not come out, in a plain sentence.
pub(super) async fn against_hours(
    db: &mut PgConnection,
    identities: &[Vec<u8>],
    windows: Windows,
) -> Result<Result<(), String>, StoreError> {
    if identities.is_empty() {
        return Ok(Ok(()));
    }
    let wrong = sqlx::query!(
        r#"
        with owned as (
            select identity_id, source_id, address_id
            from wallet_owners
            where identity_id = any($1)
        ),
        totals as (
            select o.identity_id, w.work_type, sum(w.accepted) as accepted, sum(w.rejected) as rejected, sum(w.score) as score
            from owned o
            join address_work w
                on w.source_id = o.source_id
                and w.address_id = o.address_id
            group by o.identity_id, w.work_type
        ),
        hours as (
            select
                o.identity_id,
                h.work_type,
                coalesce(sum(h.accepted) filter (where h.hour >= $2), 0) * 1000000000 as number_day,
                coalesce(sum(h.accepted) filter (where h.hour >= $3), 0) * 1000000000 as number_week,
                coalesce(sum(h.accepted) filter (where h.hour >= $4), 0) * 1000000000 as number_month,
                coalesce(sum(h.score) filter (where h.hour >= $2), 0) as score_day,
                coalesce(sum(h.score) filter (where h.hour >= $3), 0) as score_week,
                coalesce(sum(h.score) filter (where h.hour >= $4), 0) as score_month
            from owned o
            join address_work w
                on w.source_id = o.source_id
                and w.address_id = o.address_id
            join work_hours h
                on h.source_id = w.source_id
                and h.address_id = w.address_id
                and h.work_type = w.work_type
                and h.hour >= least($2::integer, $3::integer, $4::integer)
            group by o.identity_id, h.work_type
        ),
        recent as (
            select
                h.identity_id,
                t.work_type,
                sum(case when t.work_type = h.work_type then h.score_day else h.number_day end) as score_day,
                sum(case when t.work_type = h.work_type then h.score_week else h.number_week end) as score_week,
                sum(case when t.work_type = h.work_type then h.score_month else h.number_month end) as score_month
            from hours h
            cross join lateral unnest(
                case when h.work_type like 'nuw\_%' then array[h.work_type, 'nuw', 'all'] else array[h.work_type, 'all'] end
            ) as t (work_type)
            group by h.identity_id, t.work_type
        ),
        written as (
            select identity_id, work_type, accepted, rejected, score, score_day, score_week, score_month
            from identity_work
            where identity_id = any($1)
        )
        select encode(identity_id, 'hex') as "identity!", work_type as "work_type!"
        from written i
        full join totals t using (identity_id, work_type)
        left join recent r using (identity_id, work_type)
        where (i.accepted, i.rejected, i.score, i.score_day, i.score_week, i.score_month) is distinct from (
            coalesce(t.accepted, 0)::bigint,
            coalesce(t.rejected, 0)::bigint,
            coalesce(t.score, 0),
            coalesce(r.score_day, 0),
            coalesce(r.score_week, 0),
            coalesce(r.score_month, 0)
        )
        order by 1, 2
        limit 1
        "#,
        identities,
        windows.day,
        windows.week,
        windows.month
    )
    .fetch_optional(db)
    .await?;
    Ok(match wrong {
        None => Ok(()),
        Some(row) => {
            let (identity, work_type) = (row.identity, row.work_type);
            Err(format!("what {identity} has of {work_type} is not the sum of what its wallets have"))
        }
    })
}
