//! Leaderboards: who contributed most, in which window, and the place of one among them over time.

mod addresses;
mod identities;
mod page;
mod rank;
mod standing;
mod then;

pub use addresses::AddressBoard;
pub use identities::IdentityBoard;
pub use page::{Board, BoardPart, Place, Places, Wanted};
pub use rank::{RankHistory, RankNow, RankOverTime, RankThen, Ranks};

pub(crate) use standing::{as_kept, of_addresses, of_identities, page_now, scored, standing_now};
pub(crate) use then::{page_then, places_then, standing_then};
