//! An operator's orders to a source.

use ::schema::chain::Height;
use ::schema::db::Session;
use ::schema::store::{Order, order_source};
use clap::{Args, Subcommand};

use super::database::Target;
use super::say;

/// Arguments of `chert source`.
#[derive(Debug, Args)]
pub struct SourceCommand {
    #[command(subcommand)]
    order: Orders,
}

#[derive(Debug, Subcommand)]
enum Orders {
    /// Stop following a source for now.
    Pause(Named),
    /// Follow it again.
    Resume(Named),
    /// Accept that blocks above a height were replaced although they were final.
    AcceptFork {
        #[command(flatten)]
        named: Named,
        /// The newest height that both branches share; the halted source's error names it.
        #[arg(long)]
        height: u64,
    },
}

#[derive(Debug, Args)]
struct Named {
    /// The source's name.
    name: String,
    #[command(flatten)]
    target: Target,
}

impl SourceCommand {
    /// Passes the order on; the running indexer sees it at its next look.
    pub async fn run(self) -> anyhow::Result<()> {
        let (named, order) = match self.order {
            Orders::Pause(named) => (named, Order::Pause),
            Orders::Resume(named) => (named, Order::Resume),
            Orders::AcceptFork { named, height } => (named, Order::AcceptFork(Height::try_from(height)?)),
        };
        let database = named.target.open().await?;
        let mut db = Session::indexer().connect(&database.indexer).await?;
        if !order_source(&mut db, &named.name, order).await? {
            anyhow::bail!("there is no source named {:?} in this database", named.name);
        }
        let name = named.name;
        say(match order {
            Order::Pause => format!("{name} is paused; the running indexer stops following it at its next look"),
            Order::Resume => format!("{name} is followed again from the running indexer's next look on"),
            Order::AcceptFork(height) => {
                format!(
                    "{name} may replace blocks above height {height} once; a halted indexer looks again within 10 s"
                )
            }
        })
    }
}
