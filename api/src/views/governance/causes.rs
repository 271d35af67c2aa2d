//! The events that voting power is made of: those about the identity, and the stakes of its addresses.

use schema::event::{Kind, Position, Role, rfc3339_micros};
use sqlx::PgConnection;

use crate::view::{At, stamped};
use crate::views::provenance::{COUNTED, Cause, LOG, Provenance, SHOWN, about_subject, causes};

/// Links, delegations and stakes.
const CAUSES: &[Kind] =
    &[Kind::WalletLinked, Kind::WalletUnlinked, Kind::Delegated, Kind::Undelegated, Kind::Staked, Kind::Unstaked];

/// The standing stakes, wallet links and delegations behind a voting power, as of the position that the answer named, without
/// those that changed nothing.
pub async fn of_power(
    db: &mut PgConnection,
    at: i64,
    identity: Option<i64>,
    wallets: &[i64],
    link: String,
) -> sqlx::Result<Provenance> {
    let kinds: Vec<i16> = CAUSES.iter().map(|kind| kind.code()).collect();
    // What else an identity does, votes above all, is passed over in the index, as are the transfers of its addresses.
    let of_identity_as = [Role::Identity, Role::Delegator, Role::Delegatee].map(Role::code);
    about_subject!(
        db,
        at,
        link,
        r#"
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = $3
                        and es.role = k.role
                        and es.role in (5, 7, 8, 12, 13, 14, 15)
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                ) as places
                from unnest($7::smallint[]) k (role)
                union all
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = w.subject_id
                        and es.role = $9
                        and es.role in (3, 4, 6, 9, 10)
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                )
                from unnest($8::bigint[]) w (subject_id)
        "#,
        identity,
        &kinds,
        COUNTED + 1,
        false,
        &of_identity_as,
        wallets,
        Role::Account.code(),
    )
}
