//! The payload in a Chert transaction's `data` becomes the event that it says (version 1 of the project's encoding).
//!
//! Rules that the payload, its transaction and its height decide are checked here. Who controls an identity, who was
//! first and what still fits needs state, and is judged where events are folded. A different upstream encoding costs
//! this module and nothing else.

use schema::chain::{Amount, Height, IdentityId, Spelled, strip_0x};
use schema::event::{Checks, Event, Namespace, PublicKey, Role, Subject, TransactionApplied, Verdict, worst};

use crate::decode::chert::Rules;
use crate::decode::json::Object;
use crate::decode::{Misfit, limits};

mod governance;
mod identity;
mod money;
mod work;

pub use money::LATE_ALLOCATION;

/// The newest version of the encoding that is understood.
const VERSION: &str = "1";

/// Everything about the transaction around a payload that its rules ask for.
#[derive(Debug, Clone, Copy)]
pub struct Carrier<'a> {
    /// Rules of the source.
    pub rules: &'a Rules,
    /// Height of the block.
    pub height: Height,
    /// The transaction.
    pub tx: &'a TransactionApplied,
}

/// What a payload says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Its `kind`, which is also the type of its transaction.
    pub kind: String,
    /// The event.
    pub event: Event,
    /// Who it is about.
    pub subjects: Vec<(Role, Subject)>,
    /// The worst of its checks.
    pub verdict: Option<Verdict>,
}

/// Reads the raw text of `data`; an empty text says nothing.
pub fn read(carrier: &Carrier<'_>, data: &str) -> Result<Option<Read>, Misfit> {
    let unwrapped = unwrap(data)?;
    let text = unwrapped.as_deref().unwrap_or(data);
    if text.is_empty() {
        return Ok(None);
    }
    let payload = Object::parse(text)?;
    match payload.need("v")?.get() {
        VERSION => {}
        _ => return Err(Misfit::new("`v` is not a version that is understood")),
    }
    let kind = payload.text("kind")?;
    let fields = Fields { payload: &payload, carrier };
    let said = said(&kind, &fields)?;
    Ok(Some(Read { kind, event: said.event, subjects: said.subjects, verdict: said.verdict }))
}

fn said(kind: &str, fields: &Fields<'_>) -> Result<Said, Misfit> {
    match kind {
        "genesis.allocate" => money::allocate(fields),
        "reward.mint" => money::mint(fields),
        "staking.stake" => money::stake(fields),
        "staking.unstake" => money::unstake(fields),
        "identity.register" => identity::register(fields),
        "identity.update" => identity::update(fields),
        "identity.rotate_key" => identity::rotate_key(fields),
        "identity.link_wallet" => identity::link_wallet(fields),
        "identity.unlink_wallet" => identity::unlink_wallet(fields),
        "social.follow" => identity::follow(fields),
        "social.unfollow" => identity::unfollow(fields),
        "governance.propose" => governance::propose(fields),
        "governance.vote" => governance::vote(fields),
        "governance.finalize" => governance::finalize(fields),
        "governance.execute" => governance::execute(fields),
        "governance.cancel" => governance::cancel(fields),
        "governance.delegate" => governance::delegate(fields),
        "governance.undelegate" => governance::undelegate(fields),
        "oracle.register" => work::register(fields),
        "oracle.slash" => work::slash(fields),
        "pouw.submit" => work::submit(fields),
        "pouw.reject" => work::reject(fields),
        _ => Err(Misfit::new("`kind` is not one that is understood")),
    }
}

/// `data` is an object, or that object as a JSON string, or hex of that string.
fn unwrap(data: &str) -> Result<Option<String>, Misfit> {
    if !data.starts_with('"') {
        return Ok(None);
    }
    let text: String = serde_json::from_str(data).map_err(|_| Misfit::new("`data` is not text"))?;
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.starts_with('{') {
        return Ok(Some(trimmed.to_owned()));
    }
    let bytes = hex::decode(strip_0x(trimmed)).map_err(|_| Misfit::new("`data` is neither an object nor hex"))?;
    String::from_utf8(bytes).map(Some).map_err(|_| Misfit::new("`data` is hex of bytes that are not text"))
}

/// An event that a payload says, before it is put into its place.
struct Said {
    event: Event,
    subjects: Vec<(Role, Subject)>,
    verdict: Option<Verdict>,
}

impl Said {
    fn plain(event: Event, subjects: Vec<(Role, Subject)>) -> Self {
        Self { event, subjects, verdict: None }
    }

    fn checked(event: Event, subjects: Vec<(Role, Subject)>, checks: &Checks) -> Self {
        Self { event, subjects, verdict: worst(checks) }
    }
}

/// The members of a payload, read by the forms that the encoding knows.
struct Fields<'a> {
    payload: &'a Object<'a>,
    carrier: &'a Carrier<'a>,
}

impl Fields<'_> {
    fn sender(&self) -> String {
        self.carrier.tx.sender.clone()
    }

    fn sender_subject(&self, role: Role) -> Result<(Role, Subject), Misfit> {
        self.subject(role, &self.carrier.tx.sender)
    }

    fn subject(&self, role: Role, address: &str) -> Result<(Role, Subject), Misfit> {
        Ok((role, Subject::address(&self.carrier.rules.kind.address_rule().canonical(address)?)))
    }

    fn address(&self, name: &str) -> Result<String, Misfit> {
        let text = self.payload.text(name)?;
        let canonical = self.carrier.rules.kind.address_rule().canonical(&text);
        canonical.map_err(|bad| Misfit(format!("`{name}`: {bad}")))?;
        Ok(text)
    }

    fn identity(&self, name: &str) -> Result<Spelled<IdentityId>, Misfit> {
        self.payload.spelled(name)
    }

    fn amount(&self, name: &str) -> Result<Spelled<Amount>, Misfit> {
        self.payload.number(name)
    }

    fn text(&self, name: &str, max_chars: usize) -> Result<String, Misfit> {
        limits::chars(name, self.payload.text(name)?, max_chars)
    }

    fn optional_text(&self, name: &str, max_chars: usize) -> Result<Option<String>, Misfit> {
        self.payload.optional_text(name)?.map(|text| limits::chars(name, text, max_chars)).transpose()
    }

    /// A text that becomes a subject's name: a database column must be able to hold it.
    fn name(&self, name: &str, max_chars: usize) -> Result<String, Misfit> {
        let text = limits::line(name, self.payload.text(name)?, max_chars)?;
        if text.is_empty() { Err(Misfit(format!("`{name}` is empty"))) } else { Ok(text) }
    }

    fn key(&self) -> Result<PublicKey, Misfit> {
        let raw = self.payload.need("key")?;
        let key = Object::parse(raw.get()).map_err(|misfit| misfit.within("`key`"))?;
        let key = PublicKey { alg: key.text("alg")?, public_key: key_text("public_key", key.text("public_key")?)? };
        if KEY_ALGORITHMS.contains(&key.alg.as_str()) {
            Ok(key)
        } else {
            Err(Misfit::new("`key`: `alg` is not one that is understood"))
        }
    }

    fn is_from_origin(&self) -> bool {
        self.carrier.rules.kind.origin() == Some(self.carrier.tx.sender.as_str())
    }
}

/// Algorithms of keys. A key of the wrong length fits, and verifies nothing.
const KEY_ALGORITHMS: [&str; 4] = ["ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"];

/// Characters of words that say what sort something is.
const WORD_MAX: usize = 64;
/// Characters of a text for which the protocol states no limit: names, projects, reasons.
const TEXT_MAX: usize = 65_536;

fn hex_text(name: &str, text: String) -> Result<String, Misfit> {
    match hex::decode(strip_0x(&text)) {
        Ok(_) => Ok(text),
        Err(_) => Err(Misfit(format!("`{name}` is not hex"))),
    }
}

/// A key or a signature.
fn key_text(name: &str, text: String) -> Result<String, Misfit> {
    hex_text(name, limits::bytes(name, text, limits::KEY_BYTES_MAX)?)
}

fn hash_text(name: &str, text: String) -> Result<String, Misfit> {
    let text = hex_text(name, text)?;
    if strip_0x(&text).len() == 64 { Ok(text) } else { Err(Misfit(format!("`{name}` is not 32 bytes"))) }
}

fn named(role: Role, namespace: Namespace, name: &str) -> (Role, Subject) {
    (role, Subject::named(namespace, name))
}

fn identity_subject(role: Role, id: &Spelled<IdentityId>) -> (Role, Subject) {
    (role, Subject::identity(id.get()))
}

#[cfg(test)]
mod tests;
