//! What is proposed, where does it stand, and who voted how?

use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

/// What the fold reads of others.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    /// Who may act for whom.
    pub identities: &'a super::identities::Identities,
    /// Voting power.
    pub powers: &'a super::powers::Powers,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Proposals {}

impl Projection for Proposals {
    const NAME: &'static str = "proposals";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &["identities", "powers"];
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
