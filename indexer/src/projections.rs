//! The register of projections: what each view means is in a file of its own, one line each here. A projection folds events
//! into rows and knows nothing of transactions, watermarks or other processes.

use std::collections::BTreeMap;
use std::future::Future;

use schema::chain::{Address, Malformed};
use schema::event::{Event, Position, RecordedEvent, SourceId};
use schema::source::SourceFacts;
use schema::store::{LoggedUnit, StoreError, SubjectKey, SubjectNumbers};
use sqlx::PgConnection;

pub mod balances;
pub mod blocks;
pub mod findings;
pub mod heads;
pub mod identities;
pub mod oracles;
pub mod performance;
pub mod powers;
pub mod proposals;
pub mod reports;
mod sample;
pub mod social;
pub mod transactions;
pub mod wallets;
pub mod work;

/// Our own arithmetic does not come out: the view must not be published any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("view {view} is broken at position {position}: {why}")]
pub struct Broken {
    /// The projection that noticed.
    pub view: &'static str,
    /// End of the unit at which it noticed.
    pub position: Position,
    /// What does not come out, in a plain sentence.
    pub why: String,
}

/// What every fold may know besides its own rows: the facts of each source and the numbers of subjects.
#[derive(Debug, Default)]
pub struct World {
    /// Facts by source number.
    pub sources: BTreeMap<SourceId, SourceFacts>,
    /// Numbers of the subjects that the batch names.
    pub numbers: SubjectNumbers,
    /// How far apart boards are kept besides those of the days.
    pub boards_every: work::BoardsEvery,
}

impl World {
    /// The canonical form of an address that one of a source's events spells.
    pub fn address(&self, source: SourceId, spelled: &str) -> Result<Address, Malformed> {
        let facts = self.sources.get(&source).ok_or_else(|| Malformed::new("source", "is not in log.sources"))?;
        facts.kind.address_rule().canonical(spelled)
    }

    /// The number of an address, which the log gave it when it was first named.
    pub fn address_id(&self, source: SourceId, address: &Address) -> Option<i64> {
        self.numbers.get(&SubjectKey::address(source, address.as_str()))
    }
}

/// One event as a fold sees it.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The event.
    pub event: &'a RecordedEvent,
    /// The unit that it is part of.
    pub unit: &'a LoggedUnit,
    /// Facts and numbers.
    pub world: &'a World,
    /// Who sent the transaction that carried the event, as upstream spelled it.
    pub tx_sender: Option<&'a str>,
    /// Whether the signature of the transaction that carried the event was refuted: then nobody proved to have sent it,
    /// and what its payload claims counts nothing.
    pub sender_refuted: bool,
}

impl Moment<'_> {
    /// The facts of the event's source.
    pub fn facts(&self) -> &SourceFacts {
        self.world.sources.get(&self.event.source_id).expect("the engine loads the facts of every source in a batch")
    }

    /// Whether a spelled address is this canonical one.
    pub fn is_address(&self, spelled: &str, canonical: &str) -> bool {
        self.world.address(self.event.source_id, spelled).is_ok_and(|address| address.as_str() == canonical)
    }

    /// Whether the origin account, which alone acts for the chain, sent the event.
    pub fn is_from_origin(&self, sender: &str) -> bool {
        self.facts().kind.origin().is_none_or(|origin| self.is_address(sender, origin))
    }
}

/// A fork, as views see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retraction {
    /// Whose blocks.
    pub source_id: SourceId,
    /// First position that no longer stands.
    pub first: Position,
    /// Position of the retraction itself.
    pub at: Position,
}

/// One view: how events become its rows.
pub trait Projection: Default + Send {
    /// Name of the view, in `view_state` and answers.
    const NAME: &'static str;
    /// Raised whenever the same log would give other rows; the views are then rebuilt.
    const VERSION: i32;
    /// Projections whose rows this one reads while folding; it is set aside with them.
    const DEPENDS_ON: &'static [&'static str];
    /// Other projections' rows that a fold reads.
    type Reads<'a>;

    /// Names the keys that the batch needs and reads those that are not known yet.
    fn load(
        &mut self,
        db: &mut PgConnection,
        batch: &[LoggedUnit],
        world: &World,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Folds one event. Pure: what it does is determined by the rows so far and the event.
    fn fold(&mut self, moment: &Moment<'_>, reads: Self::Reads<'_>, findings: &mut findings::Findings);

    /// Ends a unit: derives what depends on its changes, checks the arithmetic, and makes one version of each changed row.
    /// The projections before this one in the register have closed the unit already, and say what changed in it.
    fn close(
        &mut self,
        unit: &LoggedUnit,
        world: &World,
        reads: Self::Reads<'_>,
        findings: &mut findings::Findings,
    ) -> Result<(), Broken>;

    /// Writes what the batch made; returns the last position at which a row changed.
    fn write(
        &mut self,
        db: &mut PgConnection,
        before: Position,
    ) -> impl Future<Output = Result<Option<Position>, StoreError>> + Send;

    /// Checks what has just been written against rows that it must agree with; what does not come out sets the view aside.
    fn check(&mut self, _: &mut PgConnection) -> impl Future<Output = Result<Result<(), String>, StoreError>> + Send {
        async { Ok(Ok(())) }
    }

    /// Restores the rows of a source to what they were before a fork, as new versions, and derives again what they touch.
    /// Returns whether anything changed.
    fn retract(
        &mut self,
        db: &mut PgConnection,
        retraction: Retraction,
        world: &World,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Forgets what is in memory, after a rollback.
    fn forget(&mut self);
}

/// Addresses that a batch's events name, with the numbers to be resolved before folding. Levy and the other reserved
/// accounts are subjects of `source.started`, so they have numbers too.
pub fn addresses_of(event: &RecordedEvent, facts: &SourceFacts) -> Vec<String> {
    let mut spelled: Vec<&str> = Vec::new();
    match &event.event {
        Event::TransactionApplied(tx) => {
            spelled.push(&tx.sender);
            spelled.extend(tx.recipient.as_deref());
            spelled.extend(tx.outputs.iter().map(|output| output.recipient.as_str()));
            if let schema::source::FeeRule::PaidTo(levy) = facts.kind.fee_rule() {
                spelled.push(levy);
            }
        }
        Event::Allocated(allocated) => spelled.push(&allocated.address),
        Event::Minted(minted) => spelled.push(&minted.address),
        Event::AccountReported(reported) => spelled.push(&reported.address),
        Event::WalletLinked(linked) => spelled.push(&linked.wallet_address),
        Event::WalletUnlinked(unlinked) => spelled.push(&unlinked.wallet_address),
        Event::Staked(staked) => spelled.push(&staked.account),
        Event::Unstaked(unstaked) => spelled.push(&unstaked.account),
        Event::WorkSubmitted(work) => spelled.push(&work.miner_address),
        Event::WorkRejected(work) => spelled.push(&work.miner_address),
        Event::BlockApplied(_)
        | Event::Retracted(_)
        | Event::Finalized(_)
        | Event::IdentityRegistered(_)
        | Event::IdentityUpdated(_)
        | Event::KeyRotated(_)
        | Event::Followed(_)
        | Event::Unfollowed(_)
        | Event::Proposed(_)
        | Event::Voted(_)
        | Event::ProposalFinalized(_)
        | Event::ProposalExecuted(_)
        | Event::ProposalCancelled(_)
        | Event::Delegated(_)
        | Event::Undelegated(_)
        | Event::OracleRegistered(_)
        | Event::OracleReported(_)
        | Event::OracleSlashed(_)
        | Event::SourceStarted(_)
        | Event::SourceSkipped(_)
        | Event::Unrecognized(_) => {}
    }
    spelled
        .into_iter()
        .filter_map(|text| facts.kind.address_rule().canonical(text).ok())
        .map(|address| address.as_str().to_owned())
        .collect()
}

macro_rules! register {
    ($($field:ident: $projection:ty,)+) => {
        /// Every projection, in the order in which an event passes through them.
        #[derive(Default)]
        pub struct Projections {
            $(
                #[doc = concat!("See [`", stringify!($field), "`].")]
                pub $field: $projection,
            )+
        }

        /// Name and version of a projection, and what it depends on.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Registered {
            /// Its name.
            pub name: &'static str,
            /// The version of its code.
            pub version: i32,
            /// Projections that it is set aside with.
            pub depends_on: &'static [&'static str],
        }

        /// Every projection's name and version.
        pub const REGISTER: &[Registered] = &[$(
            Registered {
                name: <$projection>::NAME,
                version: <$projection>::VERSION,
                depends_on: <$projection>::DEPENDS_ON,
            },
        )+];

        impl Projections {
            /// Loads what the live ones need for a batch.
            pub async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World, live: &dyn Live) -> Result<(), StoreError> {
                $(if live.is_live(<$projection>::NAME) { self.$field.load(db, batch, world).await?; })+
                Ok(())
            }

            /// Writes the live ones; returns where each changed last, or which one made a row that cannot be stored.
            pub async fn write(&mut self, db: &mut PgConnection, before: Position, live: &dyn Live) -> Result<Result<Vec<Changed>, Unwritable>, StoreError> {
                let mut changed = Vec::new();
                $(if live.is_live(<$projection>::NAME) {
                    match self.$field.write(db, before).await {
                        Ok(at) => changed.push((<$projection>::NAME, at)),
                        Err(StoreError::Database(error)) if is_about_data(&error) => {
                            return Ok(Err(Unwritable { view: <$projection>::NAME, error: error.to_string() }));
                        }
                        Err(error) => return Err(error),
                    }
                })+
                $(if live.is_live(<$projection>::NAME) {
                    if let Err(error) = self.$field.check(db).await? {
                        return Ok(Err(Unwritable { view: <$projection>::NAME, error }));
                    }
                })+
                Ok(Ok(changed))
            }

            /// Restores the live ones after a fork; returns where each changed last.
            pub async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, world: &World, live: &dyn Live) -> Result<Vec<Changed>, StoreError> {
                let mut changed = Vec::new();
                $(if live.is_live(<$projection>::NAME) {
                    let any = self.$field.retract(db, retraction, world).await?;
                    changed.push((<$projection>::NAME, any.then_some(retraction.at)));
                })+
                Ok(changed)
            }

            /// Forgets everything in memory.
            pub fn forget(&mut self) {
                $(self.$field.forget();)+
            }
        }
    };
}

/// A projection, and where its rows changed last in a batch.
pub type Changed = (&'static str, Option<Position>);

/// A projection made rows that cannot be published: the database cannot hold one, or they do not agree with each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwritable {
    /// Which one.
    pub view: &'static str,
    /// What the database or the check said.
    pub error: String,
}

/// Whether the database refused a row for what is in it, which trying again does not mend: data exceptions, violated
/// constraints, exceeded limits.
fn is_about_data(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ["22", "23", "54"].iter().any(|class| code.starts_with(class)))
}

/// Which projections are live; those set aside are neither folded nor written.
pub trait Live: Sync {
    /// Whether a projection is live.
    fn is_live(&self, name: &str) -> bool;
}

register! {
    blocks: blocks::Blocks,
    transactions: transactions::Transactions,
    heads: heads::Heads,
    balances: balances::Balances,
    reports: reports::Reports,
    identities: identities::Identities,
    wallets: wallets::Wallets,
    oracles: oracles::Oracles,
    work: work::Work,
    performance: performance::Performance,
    powers: powers::Powers,
    proposals: proposals::Proposals,
    social: social::Social,
    findings: findings::Findings,
}

/// Calls a function of each live projection, in the order of the register, with what it reads.
macro_rules! each {
    ($self:ident, $live:ident, |$projection:ident, $reads:ident, $findings:ident| $call:expr) => {{
        let Projections {
            blocks,
            transactions,
            heads,
            balances,
            reports,
            identities,
            wallets,
            oracles,
            work,
            performance,
            powers,
            proposals,
            social,
            findings: $findings,
        } = $self;
        each!(@one $live, blocks::Blocks, blocks, (), |$projection, $reads| $call);
        each!(@one $live, transactions::Transactions, transactions, (), |$projection, $reads| $call);
        each!(@one $live, heads::Heads, heads, (), |$projection, $reads| $call);
        each!(@one $live, balances::Balances, balances, (), |$projection, $reads| $call);
        each!(@one $live, reports::Reports, reports, (), |$projection, $reads| $call);
        each!(@one $live, identities::Identities, identities, (), |$projection, $reads| $call);
        each!(@one $live, wallets::Wallets, wallets, &*identities, |$projection, $reads| $call);
        each!(@one $live, oracles::Oracles, oracles, (), |$projection, $reads| $call);
        let of_work = work::Reads { oracles, wallets, identities };
        each!(@one $live, work::Work, work, of_work, |$projection, $reads| $call);
        let of_performance = performance::Reads { oracles, work };
        each!(@one $live, performance::Performance, performance, of_performance, |$projection, $reads| $call);
        let of_powers = powers::Reads { balances, wallets, identities };
        each!(@one $live, powers::Powers, powers, of_powers, |$projection, $reads| $call);
        let of_proposals = proposals::Reads { identities, powers };
        each!(@one $live, proposals::Proposals, proposals, of_proposals, |$projection, $reads| $call);
        each!(@one $live, social::Social, social, &*identities, |$projection, $reads| $call);
    }};
    (@one $live:ident, $type:ty, $field:ident, $given:expr, |$projection:ident, $reads:ident| $call:expr) => {
        if $live.is_live(<$type>::NAME) {
            let ($projection, $reads) = (&mut *$field, $given);
            $call;
        }
    };
}

impl Projections {
    /// Folds one event into every live projection, in the order of the register.
    pub fn fold(&mut self, moment: &Moment<'_>, live: &dyn Live) {
        each!(self, live, |projection, reads, findings| projection.fold(moment, reads, findings));
        if live.is_live(findings::Findings::NAME) {
            self.findings.judge(moment);
        }
    }

    /// Ends a unit in every live projection, in the order of the register.
    pub fn close(&mut self, unit: &LoggedUnit, world: &World, live: &dyn Live) -> Result<(), Broken> {
        each!(self, live, |projection, reads, findings| projection.close(unit, world, reads, findings)?);
        if live.is_live(findings::Findings::NAME) {
            self.findings.close_unit(unit);
        } else {
            // The others report all the same, and nobody writes it.
            self.findings.forget();
        }
        Ok(())
    }
}
