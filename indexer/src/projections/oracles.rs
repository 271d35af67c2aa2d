//! Which oracles are registered, with which key, and how often were they slashed?
//!
//! Only the origin account registers and slashes, and the first registration of an id wins. What an oracle does is a
//! matter of `work` and `performance`.

use std::collections::BTreeSet;

use schema::event::{Event, OracleRegistered, OracleSlashed, Position, PublicKey, SourceId};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::balances::exact;
use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

versioned_table! {
    /// Registered oracles.
    OraclesTable = "oracles" {
        key OracleKey { source_id: int4(i32), oracle_id: text(String) }
        value Oracle {
            name: text(String),
            oracle_address: text(String),
            key_alg: text(String),
            public_key: text(String),
            registered_at: time(chrono::DateTime<chrono::Utc>),
            slashed: numeric(i128),
            slash_count: int8(i64),
            claim_position: int8(i64),
        }
    }
}

impl Oracle {
    /// The key that it signs with.
    pub fn key(&self) -> PublicKey {
        PublicKey { alg: self.key_alg.clone(), public_key: self.public_key.clone() }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Oracles {
    rows: Rows<OraclesTable>,
}

impl Oracles {
    /// An oracle as it is registered at this moment of the fold. The batch must name it.
    pub fn get(&self, source: SourceId, oracle_id: &str) -> Option<&Oracle> {
        self.rows.get(&OracleKey { source_id: source.0, oracle_id: oracle_id.to_owned() })
    }

    fn register(&mut self, moment: &Moment<'_>, registered: &OracleRegistered, findings: &mut Findings) {
        if !is_by_origin(moment, &registered.oracle_id, &registered.sender, findings) {
            return;
        }
        let source = moment.event.source_id;
        if self.get(source, &registered.oracle_id).is_some() {
            let subject = Some(registered.oracle_id.clone());
            let detail = "the oracle is registered already; the first registration wins";
            findings.report(moment, "oracle-registered-twice", subject, detail);
            return;
        }
        let Ok(address) = moment.world.address(source, &registered.address) else { return };
        let key = key_of(registered);
        let oracle = Oracle {
            name: registered.name.clone(),
            oracle_address: address.as_str().to_owned(),
            key_alg: key.alg,
            public_key: key.public_key,
            registered_at: moment.event.occurred_at,
            slashed: 0,
            slash_count: 0,
            claim_position: moment.event.position.0,
        };
        self.rows.set(OracleKey { source_id: source.0, oracle_id: registered.oracle_id.clone() }, oracle);
    }

    fn slash(&mut self, moment: &Moment<'_>, slashed: &OracleSlashed, findings: &mut Findings) {
        if !is_by_origin(moment, &slashed.oracle_id, &slashed.sender, findings) {
            return;
        }
        let Some(mut oracle) = self.get(moment.event.source_id, &slashed.oracle_id).cloned() else {
            let subject = Some(slashed.oracle_id.clone());
            findings.report(moment, "unknown-oracle", subject, "the oracle is not registered at this source");
            return;
        };
        oracle.slashed += i128::from(slashed.amount.get().get());
        oracle.slash_count += 1;
        let key = OracleKey { source_id: moment.event.source_id.0, oracle_id: slashed.oracle_id.clone() };
        self.rows.set(key, oracle);
    }
}

/// The key that a registration gives, as rows spell it.
pub(super) fn key_of(registered: &OracleRegistered) -> PublicKey {
    PublicKey { alg: registered.key.alg.clone(), public_key: registered.key.public_key.to_lowercase() }
}

fn is_by_origin(moment: &Moment<'_>, oracle_id: &str, sender: &str, findings: &mut Findings) -> bool {
    let subject = Some(oracle_id.to_owned());
    if moment.sender_refuted {
        findings.report(moment, "sender-refuted", subject, "the transaction's signature does not hold");
        return false;
    }
    let is_by_origin = moment.is_from_origin(sender);
    if !is_by_origin {
        findings.report(moment, "not-origin", subject, "only the origin account registers and slashes oracles");
    }
    is_by_origin
}

/// The oracle that an event names, if its rows matter to somebody who folds the event.
fn named(event: &Event) -> Option<&str> {
    match event {
        Event::WorkSubmitted(work) => work.oracle_id.as_deref(),
        Event::WorkRejected(work) => Some(&work.oracle_id),
        Event::OracleRegistered(registered) => Some(&registered.oracle_id),
        Event::OracleSlashed(slashed) => Some(&slashed.oracle_id),
        Event::BlockApplied(_)
        | Event::TransactionApplied(_)
        | Event::Retracted(_)
        | Event::Finalized(_)
        | Event::Allocated(_)
        | Event::Minted(_)
        | Event::AccountReported(_)
        | Event::IdentityRegistered(_)
        | Event::IdentityUpdated(_)
        | Event::KeyRotated(_)
        | Event::WalletLinked(_)
        | Event::WalletUnlinked(_)
        | Event::Followed(_)
        | Event::Unfollowed(_)
        | Event::Staked(_)
        | Event::Unstaked(_)
        | Event::Proposed(_)
        | Event::Voted(_)
        | Event::ProposalFinalized(_)
        | Event::ProposalExecuted(_)
        | Event::ProposalCancelled(_)
        | Event::Delegated(_)
        | Event::Undelegated(_)
        | Event::OracleReported(_)
        | Event::SourceStarted(_)
        | Event::SourceSkipped(_)
        | Event::Unrecognized(_) => None,
    }
}

impl Projection for Oracles {
    const NAME: &'static str = "oracles";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        let events = batch.iter().flat_map(|unit| &unit.events);
        let mut wanted: BTreeSet<(i32, &str)> = BTreeSet::new();
        wanted.extend(events.filter_map(|event| Some((event.source_id.0, named(&event.event)?))));
        let keys = wanted.into_iter().map(|(source_id, id)| OracleKey { source_id, oracle_id: id.to_owned() });
        let asked = self.rows.missing(keys.collect());
        load(&mut self.rows, db, asked).await
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), findings: &mut Findings) {
        match &moment.event.event {
            Event::OracleRegistered(registered) => self.register(moment, registered, findings),
            Event::OracleSlashed(slashed) => self.slash(moment, slashed, findings),
            // What a service says of an oracle is shown apart from what we find; no source yields it yet.
            Event::OracleReported(_)
            | Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
            | Event::KeyRotated(_)
            | Event::WalletLinked(_)
            | Event::WalletUnlinked(_)
            | Event::Followed(_)
            | Event::Unfollowed(_)
            | Event::Staked(_)
            | Event::Unstaked(_)
            | Event::Proposed(_)
            | Event::Voted(_)
            | Event::ProposalFinalized(_)
            | Event::ProposalExecuted(_)
            | Event::ProposalCancelled(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => {}
        }
    }

    fn close(&mut self, unit: &LoggedUnit, _: &World, (): (), _: &mut Findings) -> Result<(), Broken> {
        self.rows.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.rows.last_change();
        self.rows.write(db, before).await?;
        Ok(last)
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.forget();
        Ok(restore(db, "oracles", retraction.source_id, retraction.first, retraction.at).await? > 0)
    }

    fn forget(&mut self) {
        self.rows.forget();
    }
}

async fn load(rows: &mut Rows<OraclesTable>, db: &mut PgConnection, asked: Vec<OracleKey>) -> Result<(), StoreError> {
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let ids: Vec<String> = asked.iter().map(|key| key.oracle_id.clone()).collect();
    let found = sqlx::query!(
        r#"
        select
            o.source_id,
            o.oracle_id,
            o.name,
            o.oracle_address,
            o.key_alg,
            o.public_key,
            o.registered_at,
            o.slashed::text as "slashed!",
            o.slash_count,
            o.claim_position
        from unnest($1::integer[], $2::text[]) as wanted (source_id, oracle_id)
        join oracles o
            on o.source_id = wanted.source_id
            and o.oracle_id = wanted.oracle_id
        "#,
        &sources,
        &ids
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let oracle = Oracle {
            name: row.name,
            oracle_address: row.oracle_address,
            key_alg: row.key_alg,
            public_key: row.public_key,
            registered_at: row.registered_at,
            slashed: exact(&row.slashed)?,
            slash_count: row.slash_count,
            claim_position: row.claim_position,
        };
        Ok((OracleKey { source_id: row.source_id, oracle_id: row.oracle_id }, oracle))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    rows.loaded(asked, found);
    Ok(())
}
