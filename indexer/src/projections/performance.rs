//! What does each oracle do, how well, how fast, and when?

use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

/// See the module.
#[derive(Debug, Default)]
pub struct Performance {}

impl Projection for Performance {
    const NAME: &'static str = "performance";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &["oracles", "work"];
    type Reads<'a> = &'a super::work::Work;

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
