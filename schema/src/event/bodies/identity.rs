//! Identities, their wallets, and who follows whom.

use serde::{Deserialize, Serialize};

use super::{Change, Checks, Proof, PublicKey, StatsVisibility};
use crate::chain::{IdentityId, Spelled};

body! {
    /// `identity.registered`.
    IdentityRegistered {
        /// Hash of the picture; hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        avatar_hash: Option<String>,
        /// About the person; at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bio: Option<String>,
        /// At most 64 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// Key that the identity signs with.
        key: PublicKey,
        /// Becomes the controller.
        sender: String,
        /// Who may see the statistics.
        stats_visibility: StatsVisibility,
    }
}

body! {
    /// `identity.updated`: only what was mentioned.
    IdentityUpdated {
        /// Hash of the picture; hex.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        avatar_hash: Change<String>,
        /// About the person.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        bio: Change<String>,
        /// Name to show.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        display_name: Change<String>,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
        /// Who may see the statistics; cleared means private.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        stats_visibility: Change<StatsVisibility>,
    }
}

body! {
    /// `identity.key_rotated`.
    KeyRotated {
        /// `proof`: by the new key.
        checks: Checks,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// The new key.
        key: PublicKey,
        /// Signature by the new key.
        proof: Proof,
        /// Who asked for it.
        sender: String,
    }
}

body! {
    /// `identity.wallet_linked`.
    WalletLinked {
        /// `proof`: by the wallet's key.
        checks: Checks,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// `main`, `mining`, `staking`, `trading`, `governance` or another word, as upstream spelled it.
        link_type: String,
        /// Signature by the wallet's key.
        proof: Proof,
        /// Who asked for it.
        sender: String,
        /// Address as upstream spelled it.
        wallet_address: String,
    }
}

body! {
    /// `identity.wallet_unlinked`.
    WalletUnlinked {
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
        /// Address as upstream spelled it.
        wallet_address: String,
    }
}

body! {
    /// `social.followed`.
    Followed {
        /// Who follows.
        follower: Spelled<IdentityId>,
        /// Who is followed.
        following: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
    }
}

body! {
    /// `social.unfollowed`.
    Unfollowed {
        /// Who followed.
        follower: Spelled<IdentityId>,
        /// Who was followed.
        following: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
    }
}
