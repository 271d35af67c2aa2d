//! One transaction of a Chert block becomes `chain.transaction_applied`, with the money it moves.
//!
//! Memos and stealth keys are data of tier 2: they are dropped here, and only a digest of what was dropped and the
//! commitments of stealth outputs go on. It must not know what a payload means.

use std::collections::BTreeSet;

use schema::chain::{Amount, Spelled, Time};
use schema::event::{Checks, Output, Role, Subject, TransactionApplied};
use serde_json::value::RawValue;

use crate::decode::chert::Rules;
use crate::decode::json::{self, Object};
use crate::decode::{Misfit, limits, sha256_hex};
use crate::verify;

/// Members that hold tier-2 text, at the transaction and inside its stealth outputs.
const MEMOS: [&str; 3] = ["memo", "memo_plaintext", "memo_encrypted"];
/// Member of a stealth output that holds stealth keys.
const STEALTH_KEYS: &str = "address";

/// Reads a transaction; `tx_type` is left as `transfer` for the payload's reader to change.
pub fn read(
    rules: &Rules,
    block_time: &Spelled<Time>,
    tx: &Object<'_>,
    tx_id: String,
) -> Result<TransactionApplied, Misfit> {
    let sender = address(rules, "sender", tx.text("sender")?)?;
    let recipient = match tx.optional_text("recipient")? {
        Some(text) if !text.is_empty() => Some(address(rules, "recipient", text)?),
        Some(_) | None => None,
    };
    let outputs = outputs(rules, tx, recipient.as_ref())?;
    let stealth = stealth_outputs(tx)?;
    let money = Money::read(tx, &outputs, &stealth)?;
    let disclosed = money.amount.get().get() - money.undisclosed.as_ref().map_or(0, |part| part.get().get());
    if outputs.is_empty() && recipient.is_none() && disclosed > 0 {
        return Err(Misfit::new("nobody receives the amount"));
    }
    let time = match tx.given("timestamp")? {
        Some(_) => tx.spelled("timestamp")?,
        None => block_time.clone(),
    };
    let key = |name: &str| match tx.optional_text(name)? {
        Some(text) if !text.is_empty() => limits::bytes(name, text, limits::KEY_BYTES_MAX).map(Some),
        Some(_) | None => Ok(None),
    };
    let status = tx.optional_text("status")?;
    let data = tx.given("data")?.map(|raw| raw.get().to_owned());
    let mut applied = TransactionApplied {
        amount: money.amount,
        checks: Checks::new(),
        data,
        fee: tx.number("fee")?,
        memo_digest: memo_digest(tx),
        nonce: tx.optional_number("nonce")?,
        outputs,
        public_key: key("public_key")?,
        recipient,
        sender,
        signature: key("signature")?,
        stealth_commitments: stealth.into_iter().map(|output| output.commitment).collect(),
        status: status.map(|text| limits::line("status", text, limits::STATUS_CHARS_MAX)).transpose()?,
        time,
        tx_id,
        tx_type: "transfer".to_owned(),
        undisclosed: money.undisclosed,
    };
    if let Some(check) = verify::chert::transaction(rules.signatures(), &applied) {
        applied.checks.insert("signature".to_owned(), check);
    }
    Ok(applied)
}

/// The sender, and each account that receives something, once.
pub fn subjects(rules: &Rules, applied: &TransactionApplied) -> Result<Vec<(Role, Subject)>, Misfit> {
    let canonical = |text: &str| rules.kind.address_rule().canonical(text).map_err(Misfit::from);
    let mut subjects = vec![(Role::Sender, Subject::address(&canonical(&applied.sender)?))];
    let mut recipients = BTreeSet::new();
    if applied.outputs.is_empty() {
        if let Some(recipient) = &applied.recipient {
            recipients.insert(canonical(recipient)?);
        }
    } else {
        for output in &applied.outputs {
            recipients.insert(canonical(&output.recipient)?);
        }
    }
    subjects.extend(recipients.iter().map(|recipient| (Role::Recipient, Subject::address(recipient))));
    Ok(subjects)
}

/// The text of a transaction without its tier-2 members: each stands as the digest of its raw text. Everything else
/// stays byte for byte, so that a transaction nobody understands can still be understood later.
pub fn without_memos(tx: &Object<'_>) -> String {
    rebuild(tx, |name, value| match name {
        "stealth_outputs" => match json::array(name, value) {
            Ok(outputs) => {
                let outputs: Vec<_> = outputs.into_iter().map(stealth_without_memos).collect();
                format!("[{}]", outputs.join(","))
            }
            Err(_) => dropped(value),
        },
        name if MEMOS.contains(&name) => dropped(value),
        _ => value.get().to_owned(),
    })
}

fn stealth_without_memos(output: &RawValue) -> String {
    match Object::parse(output.get()) {
        Ok(output) => rebuild(&output, |name, value| {
            if MEMOS.contains(&name) || name == STEALTH_KEYS { dropped(value) } else { value.get().to_owned() }
        }),
        Err(_) => dropped(output),
    }
}

fn rebuild(object: &Object<'_>, value_of: impl Fn(&str, &RawValue) -> String) -> String {
    let members = object.members().map(|(name, value)| {
        let key = serde_json::Value::from(name.as_ref());
        format!("{key}:{}", value_of(&name, value))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

fn dropped(value: &RawValue) -> String {
    if json::is_null(value) {
        return value.get().to_owned();
    }
    format!("{{\"dropped_sha256\":\"{}\"}}", sha256_hex(value.get().as_bytes()))
}

/// SHA-256 of what is dropped: of the text of a lone memo, otherwise of all dropped memos in order, joined by line feeds.
fn memo_digest(tx: &Object<'_>) -> Option<String> {
    let mut memos = memos_of(tx);
    for raw in tx.optional_array("stealth_outputs").ok().flatten().unwrap_or_default() {
        if let Ok(output) = Object::parse(raw.get()) {
            memos.extend(memos_of(&output));
        }
    }
    if memos.is_empty() { None } else { Some(sha256_hex(memos.join("\n").as_bytes())) }
}

fn memos_of(object: &Object<'_>) -> Vec<String> {
    let memos = object.members().filter(|(name, value)| MEMOS.contains(&name.as_ref()) && !json::is_null(value));
    memos.map(|(name, value)| json::text(&name, value).unwrap_or_else(|_| value.get().to_owned())).collect()
}

fn address(rules: &Rules, name: &str, text: String) -> Result<String, Misfit> {
    rules.kind.address_rule().canonical(&text).map_err(|bad| Misfit(format!("`{name}`: {bad}")))?;
    Ok(text)
}

fn outputs(rules: &Rules, tx: &Object<'_>, recipient: Option<&String>) -> Result<Vec<Output>, Misfit> {
    let given = tx.optional_array("outputs")?.unwrap_or_default();
    limits::count("outputs", given.len(), limits::OUTPUTS_MAX, "elements")?;
    let mut outputs = Vec::with_capacity(given.len());
    for raw in given {
        let output = Object::parse(raw.get()).map_err(|misfit| misfit.within("`outputs`"))?;
        let amount = output.number("amount").map_err(|misfit| misfit.within("`outputs`"))?;
        let to = output.optional_text("recipient")?.or_else(|| recipient.cloned());
        let to = to.ok_or_else(|| Misfit::new("`outputs`: nobody receives an amount"))?;
        outputs.push(Output { amount, recipient: address(rules, "outputs", to)? });
    }
    Ok(outputs)
}

struct StealthOutput {
    commitment: String,
    amount: Option<u64>,
}

fn stealth_outputs(tx: &Object<'_>) -> Result<Vec<StealthOutput>, Misfit> {
    let given = tx.optional_array("stealth_outputs")?.unwrap_or_default();
    limits::count("stealth_outputs", given.len(), limits::OUTPUTS_MAX, "elements")?;
    let mut outputs = Vec::with_capacity(given.len());
    for raw in given {
        let output = Object::parse(raw.get()).map_err(|misfit| misfit.within("`stealth_outputs`"))?;
        let amount = output.optional_number::<Amount>("amount")?.map(|amount| amount.get().get());
        outputs.push(StealthOutput { commitment: commitment(output.need("commitment")?)?, amount });
    }
    Ok(outputs)
}

/// Nodes write binary as arrays of numbers; hex is read too.
fn commitment(raw: &RawValue) -> Result<String, Misfit> {
    let bad = || Misfit::new("`commitment` is not 32 bytes");
    let bytes = if raw.get().starts_with('[') {
        serde_json::from_str::<Vec<u8>>(raw.get()).map_err(|_| bad())?
    } else {
        hex::decode(schema::chain::strip_0x(&json::text("commitment", raw)?)).map_err(|_| bad())?
    };
    if bytes.len() == 32 { Ok(hex::encode(bytes)) } else { Err(bad()) }
}

/// What leaves the sender besides the fee, and the part of it whose receiver is hidden.
struct Money {
    amount: Spelled<Amount>,
    undisclosed: Option<Spelled<Amount>>,
}

impl Money {
    /// Outputs replace the stated amount, so a stated one must be their sum. What stealth outputs take is the sum of
    /// their amounts where all are plain; where one is encrypted it is everything that no plain output takes.
    fn read(tx: &Object<'_>, outputs: &[Output], stealth: &[StealthOutput]) -> Result<Self, Misfit> {
        let too_much = || Misfit::new("the outputs are more than 2^64 − 1 together");
        let plain = sum(outputs.iter().map(|output| output.amount.get().get())).ok_or_else(too_much)?;
        let hidden = match stealth.iter().map(|output| output.amount).collect::<Option<Vec<_>>>() {
            Some(amounts) => Some(sum(amounts.into_iter()).ok_or_else(too_much)?),
            None => None,
        };
        let stated = tx.optional_number::<Amount>("amount")?;
        let total = match (&stated, hidden) {
            (None, Some(hidden)) if !outputs.is_empty() => plain.checked_add(hidden).ok_or_else(too_much)?,
            (None, _) => return Err(Misfit::new("`amount` is missing")),
            (Some(stated), _) => stated.get().get(),
        };
        let undisclosed = match hidden {
            _ if stealth.is_empty() => 0,
            Some(hidden) => hidden,
            None => total.checked_sub(plain).ok_or_else(|| Misfit::new("the outputs are more than the amount"))?,
        };
        if !outputs.is_empty() && plain.checked_add(undisclosed) != Some(total) {
            return Err(Misfit::new("the amount is not the sum of the outputs"));
        }
        if undisclosed > total {
            return Err(Misfit::new("the stealth outputs are more than the amount"));
        }
        let amount = stated.map_or_else(|| Spelled::parse(total.to_string()), Ok)?;
        let undisclosed = (!stealth.is_empty()).then(|| Spelled::parse(undisclosed.to_string())).transpose()?;
        Ok(Self { amount, undisclosed })
    }
}

fn sum(mut amounts: impl Iterator<Item = u64>) -> Option<u64> {
    amounts.try_fold(0_u64, u64::checked_add)
}
