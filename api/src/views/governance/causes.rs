//! The events that what an identity is in governance is made of: those about it, and the stakes of its addresses.

use schema::chain::IdentityId;
use schema::event::{Kind, Position, Role, rfc3339_micros};
use sqlx::PgConnection;

use crate::view::{At, stamped};
use crate::views::feed;
use crate::views::provenance::{COUNTED, Cause, LOG, Provenance, SHOWN, Sources, about_subject, causes};

/// What voting power is made of: links, delegations and stakes.
pub const POWER: &[Kind] =
    &[Kind::WalletLinked, Kind::WalletUnlinked, Kind::Delegated, Kind::Undelegated, Kind::Staked, Kind::Unstaked];

/// What statistics are made of: proposals, votes, and power.
pub const STATS: &[Kind] = &[
    Kind::Proposed,
    Kind::Voted,
    Kind::WalletLinked,
    Kind::WalletUnlinked,
    Kind::Delegated,
    Kind::Undelegated,
    Kind::Staked,
    Kind::Unstaked,
];

/// Whose part on which chain, and the subjects in `log.subjects` that its events are about.
pub struct Part<'a> {
    /// The chain.
    pub source_id: i32,
    /// The identity.
    pub identity_id: &'a IdentityId,
    /// Its number.
    pub identity: Option<i64>,
    /// The numbers of its wallets on the chain.
    pub wallets: &'a [i64],
    /// The kinds of its events, [`POWER`] or [`STATS`].
    pub kinds: &'static [Kind],
}

/// The standing events behind a part in governance, as of the position that the answer named, without those that changed
/// nothing.
pub async fn of_part(db: &mut PgConnection, at: i64, of: Part<'_>, link: String) -> sqlx::Result<Provenance> {
    let sources = Sources { identity_id: Some(of.identity_id), source_id: Some(of.source_id), only_there: of.kinds };
    // What else an identity does is passed over in the index, as are the transfers of its addresses.
    let of_identity_as = feed::roles_of(of.kinds);
    about_subject!(
        db,
        at,
        link,
        of.identity,
        of.kinds,
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
