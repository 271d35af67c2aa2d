//! Work submissions through oracles of different quality.

use super::super::cast::Oracle;
use super::super::draft::{Draft, From};
use super::super::ledger::MinerBook;
use super::super::tally::{Defect, Kind};
use super::super::wire::json_string;
use super::super::world::Submission;
use super::{money, programme};

/// Submissions that may still be rejected or repeated.
const RECENT_SUBMISSIONS: usize = 64;
const PROJECTS: [&str; 5] =
    ["einstein@home", "rosetta@home", "climateprediction.net", "milkyway@home", "asteroids@home"];
const TYPES: [(&str, u64); 7] = [
    ("boinc", 50),
    ("nuw_zkproof", 14),
    ("nuw_dag", 10),
    ("nuw_merkle", 4),
    ("bandwidth", 8),
    ("compute", 10),
    ("ceremony", 4),
];
const BILLION: u64 = 1_000_000_000;
const REASONS: [&str; 4] = ["result mismatch", "deadline missed", "duplicate host", "canonical result differs"];

/// All oracles that ever register do so in block 1.
pub fn register_oracles(draft: &mut Draft<'_>) {
    let cast = draft.cast;
    for oracle in cast.oracles.iter().filter(|oracle| oracle.registers) {
        register(draft, oracle);
    }
    for (book, oracle) in draft.world.oracles.iter_mut().zip(&cast.oracles) {
        book.registered = oracle.registers;
    }
}

fn register(draft: &mut Draft<'_>, oracle: &Oracle) {
    let actor = &draft.cast.accounts[oracle.account];
    let data = format!(
        r#"{{"v":1,"kind":"oracle.register","oracle_id":"{}","address":"{}","key":{{"alg":"ed25519","public_key":"{}"}},"name":{}}}"#,
        oracle.id,
        actor.address,
        actor.public_key,
        json_string(&oracle.name)
    );
    draft.act(Kind::RegisterOracle, From::Origin, &data);
}

/// An oracle is registered that is registered already.
pub fn register_again(draft: &mut Draft<'_>) {
    let oracle = some_registered(draft);
    draft.defect(Defect::OracleRegisteredTwice);
    register(draft, &draft.cast.oracles[oracle]);
}

fn some_registered(draft: &mut Draft<'_>) -> usize {
    let oracles = draft.cast.oracles.iter().enumerate();
    let registered: Vec<usize> = oracles.filter(|(_, oracle)| oracle.registers).map(|(n, _)| n).collect();
    *draft.dice.pick(&registered)
}

fn some_oracle(draft: &mut Draft<'_>) -> usize {
    let oracles = &draft.cast.oracles;
    let mut roll = draft.dice.below(oracles.iter().map(|oracle| oracle.weight).sum());
    for (index, oracle) in oracles.iter().enumerate() {
        if roll < oracle.weight {
            return index;
        }
        roll -= oracle.weight;
    }
    0
}

fn work_type(draft: &mut Draft<'_>) -> &'static str {
    let mut roll = draft.dice.below(TYPES.iter().map(|(_, weight)| weight).sum());
    for (name, weight) in TYPES {
        if roll < weight {
            return name;
        }
        roll -= weight;
    }
    "compute"
}

/// What becomes of a submission.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    /// Sent from the oracle's own account.
    Oracle,
    /// The same, with a time of validation before that of the submission.
    OracleTooEarly,
    /// Sent by the miner with the oracle's signature.
    Miner { genuine: bool },
    /// Sent by the miner without one.
    MinerUnsigned,
}

/// A piece of work is accepted, or at the oracle's own rate a recent one is rejected.
pub fn submit(draft: &mut Draft<'_>) {
    let oracle = some_oracle(draft);
    let quality = &draft.cast.oracles[oracle];
    if draft.dice.per_mille(quality.rejects_per_mille) {
        return reject(draft, oracle);
    }
    let carrier = if draft.dice.one_in(3) {
        let rate = draft.config.bad_signature_per_mille * quality.bad_signature_factor;
        let is_missed = rate > 0 && programme::misses(draft, Defect::BadOracleSignature);
        Carrier::Miner { genuine: !draft.dice.per_mille(rate) && !is_missed }
    } else {
        Carrier::Oracle
    };
    if carrier == (Carrier::Miner { genuine: false }) {
        draft.defect(Defect::BadOracleSignature);
    }
    if !quality.registers {
        draft.defect(Defect::UnregisteredOracle);
    }
    let mut submission = fresh(draft, oracle);
    submission.score = submit_as(draft, &submission, carrier);
    if carrier == (Carrier::Miner { genuine: false }) {
        draft.world.oracles[oracle].refuted += 1;
    } else if quality.registers {
        count(draft, submission);
    }
}

/// Books a submission that counts.
fn count(draft: &mut Draft<'_>, submission: Submission) {
    draft.world.oracles[submission.oracle].accepted += 1;
    draft.world.miners.change(submission.miner).accept(&submission.score);
    // Only what counts may be rejected or repeated later.
    let recent = draft.world.submissions.change();
    recent.push_back(submission);
    if recent.len() > RECENT_SUBMISSIONS {
        recent.pop_front();
    }
}

/// An oracle says that it validated work before that was handed in. The work counts all the same.
pub fn submit_before_it_was_handed_in(draft: &mut Draft<'_>) {
    let oracle = some_registered(draft);
    let mut submission = fresh(draft, oracle);
    draft.defect(Defect::ValidatedBeforeSubmitted);
    submission.score = submit_as(draft, &submission, Carrier::OracleTooEarly);
    count(draft, submission);
}

/// A submission that claims an oracle without its signature and not from its account.
pub fn submit_unsigned(draft: &mut Draft<'_>) {
    let submission = fresh(draft, 0);
    draft.defect(Defect::UnsignedWorkByStranger);
    submit_as(draft, &submission, Carrier::MinerUnsigned);
}

/// A submission id that was used before.
pub fn submit_again(draft: &mut Draft<'_>) {
    let Some(submission) = recent(draft) else { return money::transfer(draft) };
    draft.defect(Defect::RepeatedSubmission);
    submit_as(draft, &submission, Carrier::Oracle);
}

fn recent(draft: &mut Draft<'_>) -> Option<Submission> {
    let len = draft.world.submissions.get().len();
    if len == 0 {
        return None;
    }
    let index = draft.dice.index(len);
    draft.world.submissions.get().get(index).cloned()
}

fn fresh(draft: &mut Draft<'_>, oracle: usize) -> Submission {
    let wallets = draft.cast.plain_accounts();
    let miner = draft.dice.skewed(wallets);
    let (id, work_type) = (draft.unique("wu"), work_type(draft).to_owned());
    Submission { id, miner, oracle, work_type, score: MinerBook::default(), rejected: false }
}

/// A decimal number spelled with a fixed count of digits, trailing zeros included, as a JSON number; and in billionths.
fn decimal(draft: &mut Draft<'_>, whole_below: u64) -> (String, u64) {
    let whole = draft.dice.below(whole_below);
    let (text, rest) = match draft.dice.below(3) {
        0 => (whole.to_string(), 0),
        1 => {
            let hundredths = draft.dice.below(100);
            (format!("{whole}.{hundredths:02}"), hundredths * 10_000_000)
        }
        _ => {
            let rest = draft.dice.below(BILLION);
            (format!("{whole}.{rest:09}"), rest)
        }
    };
    (text, whole * BILLION + rest)
}

/// Returns what the submission adds to the books of its miner, if it counts.
fn submit_as(draft: &mut Draft<'_>, submission: &Submission, carrier: Carrier) -> MinerBook {
    let cast = draft.cast;
    let oracle = &cast.oracles[submission.oracle];
    let (miner, work_type) = (&cast.accounts[submission.miner].address, &submission.work_type);
    let (difficulty, _) = decimal(draft, 40);
    let mut score = MinerBook::default();
    let (mut credit, mut bytes) = (None, None);
    match work_type.as_str() {
        "boinc" => {
            let (text, nanos) = decimal(draft, 900);
            (credit, score.credit_nanos) = (Some(text), nanos);
        }
        "bandwidth" => {
            score.bytes = draft.dice.below(5_000_000_000);
            // What the oracle signs covers the credit and no bytes.
            let field = if matches!(carrier, Carrier::Miner { .. }) { &mut credit } else { &mut bytes };
            *field = Some(score.bytes.to_string());
        }
        _ => {}
    }
    let reward = draft.dice.below(100_000);
    let validated_s = draft.time_s().saturating_sub(draft.dice.below(oracle.latency_s));
    let mut data = format!(
        r#"{{"v":1,"kind":"pouw.submit","submission_id":"{}","miner_address":"{miner}","oracle_id":"{}","work_type":"{work_type}","difficulty":{difficulty},"reward":{},"validated_at":{}"#,
        submission.id,
        oracle.id,
        draft.spell(reward),
        draft.spell_time(validated_s)
    );
    if let Some(credit) = &credit {
        data += &format!(r#","credit":{credit}"#);
    }
    if let Some(bytes) = &bytes {
        data += &format!(r#","bytes":{bytes}"#);
    }
    if draft.dice.one_in(4) {
        data += r#","reward_unit":"base_units""#;
    }
    if carrier == Carrier::OracleTooEarly {
        data += &format!(r#","submitted_at":{}"#, draft.spell_time(validated_s + 60));
    } else if !draft.dice.one_in(5) {
        let submitted_s = validated_s.saturating_sub(oracle.latency_s / 2 + draft.dice.below(oracle.latency_s));
        data += &format!(r#","submitted_at":{}"#, draft.spell_time(submitted_s));
    }
    if work_type == "boinc" {
        data += &format!(r#","project":"{}","task_id":"{}""#, draft.dice.pick(&PROJECTS), draft.unique("task"));
    }
    let (sender, genuine) = match carrier {
        Carrier::Oracle | Carrier::OracleTooEarly => (oracle.account, None),
        Carrier::Miner { genuine } => (submission.miner, Some(genuine)),
        Carrier::MinerUnsigned => (submission.miner, None),
    };
    if let Some(genuine) = genuine {
        let text = format!(
            "chert:pouw:v1\n{}\n{}\n{miner}\n{}\n{work_type}\n{difficulty}\n{}\n{reward}\n{validated_s}",
            draft.config.chain_id,
            submission.id,
            oracle.id,
            credit.as_deref().unwrap_or("")
        );
        let signature = cast.accounts[oracle.account].sign(text.as_bytes(), genuine);
        data += &format!(r#","oracle_signature":"{signature}""#);
    }
    data.push('}');
    draft.act(Kind::SubmitWork, From::Account(sender), &data);
    score
}

/// An oracle rejects work: half of the time a submission accepted before, by the oracle that validated it, else one
/// never seen.
fn reject(draft: &mut Draft<'_>, oracle: usize) {
    let earlier = if draft.dice.one_in(2) { recent(draft) } else { None };
    let Some(rejected) = earlier else {
        let rejected = fresh(draft, oracle);
        draft.world.oracles[oracle].rejected += u64::from(draft.cast.oracles[oracle].registers);
        return reject_as(draft, &rejected, oracle);
    };
    reject_recent(draft, &rejected);
}

/// The oracle that validated a submission rejects it, maybe once more.
fn reject_recent(draft: &mut Draft<'_>, rejected: &Submission) {
    if !rejected.rejected {
        draft.world.miners.change(rejected.miner).reject(&rejected.score);
        let book = &mut draft.world.oracles[rejected.oracle];
        book.rejected += 1;
        book.overturned += 1;
        for other in draft.world.submissions.change().iter_mut().filter(|other| other.id == rejected.id) {
            other.rejected = true;
        }
    }
    reject_as(draft, rejected, rejected.oracle);
}

/// A submission is rejected by the oracle that validated it, and then again.
pub fn reject_twice(draft: &mut Draft<'_>) {
    let Some(mut submission) = recent(draft) else { return money::transfer(draft) };
    if !submission.rejected {
        reject_recent(draft, &submission);
        submission.rejected = true;
    }
    draft.defect(Defect::RejectedTwice);
    reject_recent(draft, &submission);
}

/// An oracle rejects what another one has validated.
pub fn reject_by_another(draft: &mut Draft<'_>) {
    let Some(submission) = recent(draft) else { return money::transfer(draft) };
    let oracles = draft.cast.oracles.iter().enumerate();
    let others: Vec<usize> =
        oracles.filter(|(n, oracle)| oracle.registers && *n != submission.oracle).map(|(n, _)| n).collect();
    if others.is_empty() || submission.rejected {
        return money::transfer(draft);
    }
    let other = *draft.dice.pick(&others);
    draft.defect(Defect::RejectionByAnother);
    reject_as(draft, &submission, other);
}

fn reject_as(draft: &mut Draft<'_>, rejected: &Submission, oracle: usize) {
    let cast = draft.cast;
    let judge = &cast.oracles[oracle];
    let data = format!(
        r#"{{"v":1,"kind":"pouw.reject","submission_id":"{}","miner_address":"{}","oracle_id":"{}","work_type":"{}","reason":"{}","validated_at":{}}}"#,
        rejected.id,
        cast.accounts[rejected.miner].address,
        judge.id,
        rejected.work_type,
        draft.dice.pick(&REASONS),
        draft.spell_time(draft.time_s())
    );
    draft.act(Kind::RejectWork, From::Account(judge.account), &data);
}

/// An oracle is slashed.
pub fn slash(draft: &mut Draft<'_>) {
    let cast = draft.cast;
    let oracle = some_registered(draft);
    let amount = 1 + draft.dice.below(1_000_000);
    let book = &mut draft.world.oracles[oracle];
    book.slash_count += 1;
    book.slashed += amount;
    slash_as(draft, &cast.oracles[oracle].id, amount);
}

/// An oracle is slashed that nobody has registered.
pub fn slash_unknown(draft: &mut Draft<'_>) {
    draft.defect(Defect::SlashOfUnknownOracle);
    slash_as(draft, "oracle-of-nobody", 1_000);
}

fn slash_as(draft: &mut Draft<'_>, id: &str, amount: u64) {
    let spelled = draft.spell(amount);
    let data = format!(
        r#"{{"v":1,"kind":"oracle.slash","oracle_id":"{id}","amount":{spelled},"reason":"signed two results for one task"}}"#
    );
    draft.act(Kind::SlashOracle, From::Origin, &data);
}
