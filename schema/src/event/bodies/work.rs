//! Useful work and the oracles that validate it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Checks, PublicKey, RewardUnit};
use crate::chain::{Amount, Decimal, Spelled, Time};

body! {
    /// `work.submitted`.
    WorkSubmitted {
        /// Bytes moved, for work of type `bandwidth`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<Spelled<Amount>>,
        /// `signature` of the oracle, or why nothing can be checked.
        checks: Checks,
        /// BOINC credit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit: Option<Spelled<Decimal>>,
        /// Difficulty, where the record states one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        difficulty: Option<Spelled<Decimal>>,
        /// Address of the miner as upstream spelled it.
        miner_address: String,
        /// Who validated; absent when the chain itself did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        oracle_id: Option<String>,
        /// Signature of the oracle; hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        oracle_signature: Option<String>,
        /// Project of the work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<String>,
        /// What the oracle says was earned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reward: Option<Spelled<Amount>>,
        /// Unit of the reward.
        reward_unit: RewardUnit,
        /// Who sent it.
        sender: String,
        /// Unique id of the submission.
        submission_id: String,
        /// When the miner handed it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submitted_at: Option<Spelled<Time>>,
        /// Task of the project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task_id: Option<String>,
        /// When the oracle validated it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validated_at: Option<Spelled<Time>>,
        /// `boinc`, `nuw_…`, `bandwidth`, `compute` or `ceremony`.
        work_type: String,
    }
}

body! {
    /// `work.rejected`.
    WorkRejected {
        /// Address of the miner as upstream spelled it.
        miner_address: String,
        /// Who rejected.
        oracle_id: String,
        /// Why.
        reason: String,
        /// Who sent it.
        sender: String,
        /// Id of the submission.
        submission_id: String,
        /// When the oracle decided.
        validated_at: Spelled<Time>,
        /// Type of work.
        work_type: String,
    }
}

body! {
    /// `oracle.registered`.
    OracleRegistered {
        /// Address of the oracle as upstream spelled it.
        address: String,
        /// Key that the oracle signs with.
        key: PublicKey,
        /// Name to show.
        name: String,
        /// At most 64 characters.
        oracle_id: String,
        /// Who sent it.
        sender: String,
    }
}

body! {
    /// `oracle.reported`: what a service says of an oracle.
    OracleReported {
        /// The fields as text.
        fields: BTreeMap<String, String>,
        /// Which oracle.
        oracle_id: String,
        /// Which service says so.
        reported_by: String,
    }
}

body! {
    /// `oracle.slashed`.
    OracleSlashed {
        /// Base units.
        amount: Spelled<Amount>,
        /// Which oracle.
        oracle_id: String,
        /// Why.
        reason: String,
        /// Who sent it.
        sender: String,
    }
}
