//! Events: the closed list of MEANING §1, their canonical bodies, and the record that the log keeps of each.
//!
//! Names and shapes are frozen: they are in digests, filters and streams. A changed shape is a new variant, and
//! [`Event::parse`] is the one place where older payloads are upcast.

mod bodies;
mod record;

pub use bodies::*;
pub use record::*;

use crate::canonical::{self, CanonicalError};

macro_rules! events {
    ($($code:literal $name:literal $variant:ident;)+) => {
        /// Something that happened, in the words of MEANING §1.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Event {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant($variant),
            )+
        }

        /// The kind of an event, without its body.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )+
        }

        impl Kind {
            /// Every kind, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name on the wire, in filters, in streams and in digests.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The number in the database.
            pub fn code(self) -> i16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The kind with a number, if there is one.
            pub fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The kind with a name, if there is one.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$variant),)+ _ => None }
            }
        }

        impl Event {
            /// The kind of the event.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$variant(_) => Kind::$variant,)+ }
            }

            /// The canonical bytes of the body.
            pub fn body(&self) -> Result<Vec<u8>, CanonicalError> {
                match self { $(Self::$variant(body) => canonical::bytes(body),)+ }
            }

            /// The event with these stored bytes; older shapes become today's here and nowhere else.
            pub fn parse(kind: Kind, body: &[u8]) -> Result<Self, serde_json::Error> {
                match kind { $(Kind::$variant => serde_json::from_slice(body).map(Self::$variant),)+ }
            }
        }
    };
}

events! {
    1 "chain.block_applied" BlockApplied;
    2 "chain.transaction_applied" TransactionApplied;
    3 "chain.retracted" Retracted;
    4 "chain.finalized" Finalized;
    5 "chain.allocated" Allocated;
    6 "chain.minted" Minted;
    7 "account.reported" AccountReported;
    8 "identity.registered" IdentityRegistered;
    9 "identity.updated" IdentityUpdated;
    10 "identity.key_rotated" KeyRotated;
    11 "identity.wallet_linked" WalletLinked;
    12 "identity.wallet_unlinked" WalletUnlinked;
    13 "social.followed" Followed;
    14 "social.unfollowed" Unfollowed;
    15 "staking.staked" Staked;
    16 "staking.unstaked" Unstaked;
    17 "governance.proposed" Proposed;
    18 "governance.voted" Voted;
    19 "governance.finalized" ProposalFinalized;
    20 "governance.executed" ProposalExecuted;
    21 "governance.cancelled" ProposalCancelled;
    22 "governance.delegated" Delegated;
    23 "governance.undelegated" Undelegated;
    24 "work.submitted" WorkSubmitted;
    25 "work.rejected" WorkRejected;
    26 "oracle.registered" OracleRegistered;
    27 "oracle.reported" OracleReported;
    28 "oracle.slashed" OracleSlashed;
    29 "source.started" SourceStarted;
    30 "source.skipped" SourceSkipped;
    31 "source.unrecognized" Unrecognized;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_of_kinds_lead_back_to_them() {
        for &kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
        }
        assert_eq!(Kind::ALL.len(), 31);
    }

    #[test]
    fn a_body_survives_the_way_through_the_log() {
        let event = Event::Unrecognized(Unrecognized {
            reason: "text with \u{0} and \u{202e}right-to-left".into(),
            raw: "00ff".into(),
            part: Part::Payload,
            data_digest: None,
        });
        let body = event.body().expect("canonical");
        assert_eq!(Event::parse(event.kind(), &body).expect("parses"), event);
    }
}
