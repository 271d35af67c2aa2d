//! Payloads about useful work and the oracles that judge it: `pouw.*`, `oracle.*`.

use schema::event::{
    Checks, Event, Namespace, OracleRegistered, OracleSlashed, RewardUnit, Role, WorkRejected, WorkSubmitted,
};

use super::{Fields, Said, TEXT_MAX, key_text, named};
use crate::decode::Misfit;
use crate::verify;

/// Characters of a submission's id.
const SUBMISSION_ID_MAX: usize = 64;
/// Characters of an oracle's id.
const ORACLE_ID_MAX: usize = 64;

pub(super) fn submit(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let oracle_id = fields.name("oracle_id", ORACLE_ID_MAX)?;
    let signature = fields.payload.optional_text("oracle_signature")?;
    let mut body = WorkSubmitted {
        bytes: fields.payload.optional_number("bytes")?,
        checks: Checks::new(),
        credit: fields.payload.optional_number("credit")?,
        difficulty: Some(fields.payload.number("difficulty")?),
        miner_address: fields.address("miner_address")?,
        oracle_id: Some(oracle_id.clone()),
        oracle_signature: signature.map(|text| key_text("oracle_signature", text)).transpose()?,
        project: fields.optional_text("project", TEXT_MAX)?,
        reward: Some(fields.amount("reward")?),
        reward_unit: match fields.payload.optional_text("reward_unit")?.as_deref() {
            None | Some("points") => RewardUnit::Points,
            Some("base_units") => RewardUnit::BaseUnits,
            Some(_) => return Err(Misfit::new("`reward_unit` is neither points nor base_units")),
        },
        sender: fields.sender(),
        submission_id: fields.name("submission_id", SUBMISSION_ID_MAX)?,
        submitted_at: fields.payload.optional_number("submitted_at")?,
        task_id: fields.optional_text("task_id", TEXT_MAX)?,
        validated_at: Some(fields.payload.number("validated_at")?),
        work_type: work_type(fields)?,
    };
    if let Some(check) = verify::chert::oracle_work_without_key(&body) {
        body.checks.insert("signature".to_owned(), check);
    }
    let subjects = vec![
        fields.subject(Role::Miner, &body.miner_address)?,
        named(Role::Oracle, Namespace::Oracle, &oracle_id),
        named(Role::Submission, Namespace::Submission, &body.submission_id),
    ];
    let checks = body.checks.clone();
    Ok(Said::checked(Event::WorkSubmitted(body), subjects, &checks))
}

pub(super) fn reject(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = WorkRejected {
        miner_address: fields.address("miner_address")?,
        oracle_id: fields.name("oracle_id", ORACLE_ID_MAX)?,
        reason: fields.text("reason", TEXT_MAX)?,
        sender: fields.sender(),
        submission_id: fields.name("submission_id", SUBMISSION_ID_MAX)?,
        validated_at: fields.payload.number("validated_at")?,
        work_type: work_type(fields)?,
    };
    let subjects = vec![
        fields.subject(Role::Miner, &body.miner_address)?,
        named(Role::Oracle, Namespace::Oracle, &body.oracle_id),
        named(Role::Submission, Namespace::Submission, &body.submission_id),
    ];
    Ok(Said::plain(Event::WorkRejected(body), subjects))
}

/// `nuw_` names a family that grows; the others are a closed list.
fn work_type(fields: &Fields<'_>) -> Result<String, Misfit> {
    let text = fields.text("work_type", SUBMISSION_ID_MAX)?;
    let is_known = match text.strip_prefix("nuw_") {
        Some(rest) => {
            !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        }
        None => ["boinc", "bandwidth", "compute", "ceremony"].contains(&text.as_str()),
    };
    if is_known { Ok(text) } else { Err(Misfit::new("`work_type` is not one that is understood")) }
}

pub(super) fn register(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = OracleRegistered {
        address: fields.address("address")?,
        key: fields.key()?,
        name: fields.text("name", TEXT_MAX)?,
        oracle_id: fields.name("oracle_id", ORACLE_ID_MAX)?,
        sender: fields.sender(),
    };
    let subjects =
        vec![named(Role::Oracle, Namespace::Oracle, &body.oracle_id), fields.subject(Role::Account, &body.address)?];
    Ok(Said::plain(Event::OracleRegistered(body), subjects))
}

pub(super) fn slash(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = OracleSlashed {
        amount: fields.amount("amount")?,
        oracle_id: fields.name("oracle_id", ORACLE_ID_MAX)?,
        reason: fields.text("reason", TEXT_MAX)?,
        sender: fields.sender(),
    };
    let subjects = vec![named(Role::Oracle, Namespace::Oracle, &body.oracle_id)];
    Ok(Said::plain(Event::OracleSlashed(body), subjects))
}
