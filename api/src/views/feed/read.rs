//! From the rows of a feed to its items.

use schema::event::{Event, Kind, Role, VoteChoice, rfc3339_micros};
use sqlx::PgConnection;

use super::statement::feed_at;
use super::{Feed, FeedItem, Of, kinds, roles_of};
use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};
use crate::views::work::decimal;

/// Makes a page of rows whose columns may all be null; none when the identity is not known.
macro_rules! page_from {
    ($rows:expr, $limit:expr) => {{
        let known = $rows.first().and_then(|row| row.known).unwrap_or_default();
        let floor = $rows.first().and_then(|row| row.floor).unwrap_or_default();
        let items = $rows.into_iter().filter_map(|row| {
            let kind = Kind::from_code(row.kind?)?;
            let said = row.body.as_deref().map(|body| said_in_body(kind, body)).unwrap_or_default();
            let partner = Partner::of(row.partner_role.and_then(Role::from_code), row.partner);
            Some(FeedItem {
                position: row.position?,
                kind: kind.name(),
                chain: row.chain?,
                height: row.height,
                tx_id: row.tx_id,
                occurred_at: rfc3339_micros(row.occurred_at?),
                identity_id: hex::encode(row.identity_id?),
                display_name: row.display_name,
                role: Role::from_code(row.role?)?.name(),
                other_identity_id: partner.identity_id,
                other_display_name: row.partner_name,
                wallet_address: partner.wallet_address.or(row.miner_address),
                proposal_id: partner.proposal_id,
                title: row.title,
                vote_choice: said.vote_choice,
                amount: said.amount,
                submission_id: row.submission_id,
                work_type: row.work_type,
                score: row.score.as_deref().map(decimal),
            })
        });
        let mut page = Rows::page(items.collect(), $limit, |item: &FeedItem| item.position.to_string());
        if page.next.is_none() && floor > 0 {
            // There is more than was looked at.
            page.next = Some(floor.to_string());
        }
        known.then_some(page)
    }};
}

impl Feed {
    pub(super) async fn read(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Option<Rows<FeedItem>>>> {
        let id = self.identity_id.as_bytes().as_slice();
        let (own, followed) = (self.of != Of::Following, self.of != Of::Own);
        let before = self.before.unwrap_or(i64::MAX);
        if self.kinds.is_empty() {
            let kinds: Vec<i16> = kinds().map(Kind::code).collect();
            let (at, rows) = feed_at!(
                db,
                at,
                Self::VIEWS,
                r#"
                    select n.identity_id, array(
                        select es.position * 32 + 31 - es.role
                        from log.event_subjects es
                        where es.subject_id = n.subject_id
                            and es.position <= s.position
                            and es.position < $6
                        order by es.position desc
                        limit d.depth
                    ) as places
                    from whose n
                    cross join depth d
                "#,
                id,
                own,
                followed,
                before,
                self.limit,
                true,
                &kinds,
            )?;
            return Ok(Stamped { at, value: page_from!(rows, self.limit) });
        }
        let kinds: Vec<i16> = self.kinds.iter().map(|kind| kind.code()).collect();
        // By the index of what identities take part in: kinds that are asked for may be rare among the others.
        let (at, rows) = feed_at!(
            db,
            at,
            Self::VIEWS,
            r#"
                    select n.identity_id, array(
                        select es.position * 32 + 31 - es.role
                        from log.event_subjects es
                        where es.subject_id = n.subject_id
                            and es.role = k.role
                            and es.role in (5, 7, 8, 12, 13, 14, 15)
                            and es.position <= s.position
                            and es.position < $6
                        order by es.position desc
                        limit d.depth
                    ) as places
                    from whose n
                    cross join depth d
                    cross join unnest($10::smallint[]) k (role)
            "#,
            id,
            own,
            followed,
            before,
            self.limit,
            self.kinds.contains(&Kind::WorkSubmitted),
            &kinds,
            &roles_of(&self.kinds),
        )?;
        Ok(Stamped { at, value: page_from!(rows, self.limit) })
    }
}

/// Whom or what else an event is about.
#[derive(Debug, Default)]
struct Partner {
    identity_id: Option<String>,
    wallet_address: Option<String>,
    proposal_id: Option<String>,
}

impl Partner {
    fn of(role: Option<Role>, name: Option<String>) -> Self {
        match role {
            Some(Role::Wallet) => Self { wallet_address: name, ..Self::default() },
            Some(Role::Proposal) => Self { proposal_id: name, ..Self::default() },
            Some(_) => Self { identity_id: name, ..Self::default() },
            None => Self::default(),
        }
    }
}

/// What a feed shows out of the bodies of votes and delegations.
#[derive(Debug, Default)]
struct Said {
    vote_choice: Option<&'static str>,
    amount: Option<String>,
}

fn said_in_body(kind: Kind, body: &[u8]) -> Said {
    let Ok(event) = Event::parse(kind, body) else { return Said::default() };
    if let Event::Voted(voted) = event {
        let choice = match voted.choice {
            VoteChoice::For => "for",
            VoteChoice::Against => "against",
            VoteChoice::Abstain => "abstain",
        };
        Said { vote_choice: Some(choice), amount: None }
    } else if let Event::Delegated(delegated) = event {
        Said { vote_choice: None, amount: Some(delegated.amount.get().to_string()) }
    } else if let Event::Undelegated(undelegated) = event {
        Said { vote_choice: None, amount: Some(undelegated.amount.get().to_string()) }
    } else {
        Said::default()
    }
}
