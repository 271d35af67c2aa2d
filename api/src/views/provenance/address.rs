//! The events behind what is said of an address.

use std::collections::BTreeSet;

use schema::event::{Kind, Position, Role, rfc3339_micros};
use sqlx::PgConnection;

use super::{COUNTED, Cause, LOG, Provenance, SHOWN, Sources, about_subject};
use crate::view::{At, stamped};

/// What [`super::of_subject`] gives for an address, by the roles that events of these kinds give to addresses: one that works or
/// is paid has a long history of only that, and what else made it what it is is rare.
pub async fn of_address(
    db: &mut PgConnection,
    at: i64,
    subject_id: i64,
    kinds: &[Kind],
    link: String,
) -> sqlx::Result<Provenance> {
    let asked = ADDRESS_ROLES.iter().filter(|(kind, _)| kinds.contains(kind));
    let roles: BTreeSet<i16> = asked.flat_map(|(_, roles)| roles.iter().map(|role| role.code())).collect();
    about_subject!(
        db,
        at,
        link,
        subject_id,
        kinds,
        false,
        Sources::default(),
        r#"
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = $3
                        and es.role = k.role
                        and es.role in (3, 4, 6, 9, 10)
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                ) as places
                from unnest($10::smallint[]) k (role)
                union all
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = $3
                        and es.role in (1, 2)
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                )
                where $11
        "#,
        &Vec::from_iter(roles),
        kinds.contains(&Kind::TransactionApplied),
    )
}

/// Which part an address may have in events that are neither transfers nor work.
const ADDRESS_ROLES: &[(Kind, &[Role])] = &[
    (Kind::Allocated, &[Role::Owner]),
    (Kind::Minted, &[Role::Owner]),
    (Kind::AccountReported, &[Role::Reported]),
    (Kind::Staked, &[Role::Account, Role::Validator]),
    (Kind::Unstaked, &[Role::Account, Role::Validator]),
    (Kind::WalletLinked, &[Role::Wallet]),
    (Kind::WalletUnlinked, &[Role::Wallet]),
];
