//! How much voting power has each identity on each chain?

use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

/// What the fold reads of others.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    /// What is staked.
    pub balances: &'a super::balances::Balances,
    /// Whose wallet is whose.
    pub wallets: &'a super::wallets::Wallets,
    /// Who may act for whom.
    pub identities: &'a super::identities::Identities,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Powers {}

impl Projection for Powers {
    const NAME: &'static str = "powers";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &["balances", "wallets", "identities"];
    type Reads<'a> = Reads<'a>;

    async fn load(&mut self, _: &mut PgConnection, _: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        Ok(())
    }

    fn fold(&mut self, _: &Moment<'_>, _: Self::Reads<'_>, _: &mut Findings) {}

    fn close(
        &mut self,
        _: &LoggedUnit,
        _: &World,
        _: Self::Reads<'_>,
        _: &mut Findings,
    ) -> Result<(), Broken> {
        Ok(())
    }

    async fn write(&mut self, _: &mut PgConnection, _: Position) -> Result<Option<Position>, StoreError> {
        Ok(None)
    }

    async fn retract(&mut self, _: &mut PgConnection, _: Retraction, _: &World) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
