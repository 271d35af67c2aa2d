//! The events that voting power is made of: those about the identity, and the stakes of its addresses.

use schema::chain::IdentityId;
use schema::event::{Kind, Position, Role, rfc3339_micros};
use sqlx::PgConnection;

use crate::view::{At, stamped};
use crate::views::provenance::{COUNTED, Cause, LOG, Provenance, SHOWN, Sources, about_subject, causes};

/// Links, delegations and stakes.
const CAUSES: &[Kind] =
    &[Kind::WalletLinked, Kind::WalletUnlinked, Kind::Delegated, Kind::Undelegated, Kind::Staked, Kind::Unstaked];

/// Whose power on which chain, and the subjects in `log.subjects` that its events are about.
pub struct OfPower<'a> {
    /// The chain.
    pub source_id: i32,
    /// The identity.
    pub identity_id: &'a IdentityId,
    /// Its number.
    pub identity: Option<i64>,
    /// The numbers of its wallets on the chain.
    pub wallets: &'a [i64],
}

/// The standing stakes, wallet links and delegations behind a voting power, as of the position that the answer named, without
/// those that changed nothing.
pub async fn of_power(db: &mut PgConnection, at: i64, of: OfPower<'_>, link: String) -> sqlx::Result<Provenance> {
    let sources = Sources { identity_id: Some(of.identity_id), source_id: Some(of.source_id), only_there: CAUSES };
    // What else an identity does, votes above all, is passed over in the index, as are the transfers of its addresses.
    let of_identity_as = [Role::Identity, Role::Delegator, Role::Delegatee].map(Role::code);
    about_subject!(
        db,
        at,
        link,
        of.identity,
        CAUSES,
        false,
        sources,
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
                from unnest($10::smallint[]) k (role)
                union all
                select array(
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = w.subject_id
                        and es.role = $12
                        and es.role in (3, 4, 6, 9, 10)
                        and es.position <= s.position
                    order by es.position desc
                    limit $5
                )
                from unnest($11::bigint[]) w (subject_id)
        "#,
        &of_identity_as,
        of.wallets,
        Role::Account.code(),
    )
}
