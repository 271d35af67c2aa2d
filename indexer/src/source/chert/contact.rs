//! First contact with a Chert node: where it speaks, which chain it serves, and by which rule it makes hashes.
//!
//! What is established once is expected ever after: a node that no longer says so would leave signatures unchecked.

use std::sync::Arc;

use reqwest::{StatusCode, Url};
use schema::source::SourceKind;

use super::rpc::{CallError, Rpc};
use super::{ChertSource, Health, answers};
use crate::decode::chert::Rules;
use crate::source::SourceError;
use crate::verify::chert::HashRule;

/// What contact found out.
#[derive(Debug)]
pub(super) struct Contact {
    pub(super) rpc: Rpc,
    pub(super) rules: Rules,
}

/// The contact that is in use, and what every later one must find again.
#[derive(Debug, Default)]
pub(super) struct Contacts {
    current: Option<Arc<Contact>>,
    established: Option<Rules>,
}

/// What the settings, the log and earlier contacts say of the node.
struct Expected {
    chain_id: Option<String>,
    hash_rule: Option<String>,
}

impl ChertSource {
    pub(super) async fn contact(&self) -> Result<Arc<Contact>, SourceError> {
        let known = self.contacts.lock().expect("nothing panics while holding this lock").current.clone();
        match known {
            Some(contact) => Ok(contact),
            None => self.make_contact().await,
        }
    }

    pub(super) async fn make_contact(&self) -> Result<Arc<Contact>, SourceError> {
        let rpc = self.probe().await?;
        let expected = self.expected();
        let (health, is_well) = self.introduced(&expected).await?;
        let chain_id = match (expected.chain_id, health.chain_id) {
            (Some(ours), Some(theirs)) if ours != theirs => {
                return Err(SourceError::Unsuitable(format!(
                    "the node at {} serves the chain {theirs}, but it is followed as {ours}",
                    self.base
                )));
            }
            (Some(ours), _) => Some(ours),
            (None, theirs) => theirs,
        };
        let hash_rule = self.hash_rule(expected.hash_rule.as_deref(), health.hash_rule.as_deref(), is_well)?;
        let rules = Rules { kind: SourceKind::Chert, chain_id, hash_rule };
        let contact = Arc::new(Contact { rpc, rules: rules.clone() });
        let mut contacts = self.contacts.lock().expect("nothing panics while holding this lock");
        contacts.current = Some(Arc::clone(&contact));
        contacts.established = Some(rules);
        Ok(contact)
    }

    /// Passes an outcome on. After an error the node may have become another one, so the next question begins with
    /// contact; a node that asks for patience is not asked more than before.
    pub(super) fn settle<T>(&self, contact: &Arc<Contact>, outcome: Result<T, SourceError>) -> Result<T, SourceError> {
        if matches!(outcome, Err(SourceError::Transient(_) | SourceError::Malformed(_) | SourceError::Unsuitable(_))) {
            let mut contacts = self.contacts.lock().expect("nothing panics while holding this lock");
            if contacts.current.as_ref().is_some_and(|current| Arc::ptr_eq(current, contact)) {
                contacts.current = None;
            }
        }
        outcome
    }

    fn expected(&self) -> Expected {
        let contacts = self.contacts.lock().expect("nothing panics while holding this lock");
        let established = contacts.established.as_ref();
        Expected {
            chain_id: self.options.chain_id.clone().or_else(|| established?.chain_id.clone()),
            hash_rule: self
                .options
                .expected_hash_rule
                .clone()
                .or_else(|| established?.hash_rule.map(|rule| rule.name().to_owned())),
        }
    }

    /// What `/health` says and whether the node says that it is well. That there is none is believed only where nothing
    /// is expected, and only when it is said twice.
    async fn introduced(&self, expected: &Expected) -> Result<(Health, bool), SourceError> {
        let is_expected = expected.chain_id.is_some() || expected.hash_rule.is_some();
        for _ in 0..2 {
            match self.ask_health().await? {
                Some(said) => return Ok(said),
                None if is_expected => {
                    return Err(SourceError::Transient(format!(
                        "the node at {} has no /health, so that it cannot be told whether it is still the expected one",
                        self.base
                    )));
                }
                None => {}
            }
        }
        Ok((Health::default(), true))
    }

    fn hash_rule(
        &self,
        expected: Option<&str>,
        announced: Option<&str>,
        is_well: bool,
    ) -> Result<Option<HashRule>, SourceError> {
        let known = announced.and_then(HashRule::from_name);
        let found = announced.map_or_else(|| "none".to_owned(), |name| format!("{name:?}"));
        match expected {
            None => Ok(known),
            Some(expected) if announced == Some(expected) && known.is_some() => Ok(known),
            Some(expected) if announced == Some(expected) => Err(SourceError::Unsuitable(format!(
                "the node at {} makes block hashes by the rule {expected:?}, which this program does not know",
                self.base
            ))),
            Some(expected) if announced.is_none() && !is_well => Err(SourceError::Transient(format!(
                "the node at {} is in trouble and does not say whether it still follows the rule {expected:?}",
                self.base
            ))),
            Some(expected) => Err(SourceError::Unsuitable(format!(
                "the node at {} announces {found} as its rule of block hashes, but the log was begun with {expected:?}; \
                 going on would leave hashes and signatures unchecked",
                self.base
            ))),
        }
    }

    /// What `/health` says, and whether with success; none when the node says that it has no such page. A node in
    /// trouble still says what it is, but not everything that answers in its place is the node.
    pub(super) async fn ask_health(&self) -> Result<Option<(Health, bool)>, SourceError> {
        let url = format!("{}/health", self.base);
        let url = Url::parse(&url).map_err(|error| SourceError::Unsuitable(format!("{url}: {error}")))?;
        let answer = self.web.get(url).await?;
        if is_absent(answer.status) {
            return Ok(None);
        }
        let is_well = answer.status.is_success();
        match answers::health(&answer.body)? {
            Some(health) if is_well || health != Health::default() => Ok(Some((health, is_well))),
            None if is_well => Err(SourceError::Malformed("/health is not a JSON object".to_owned())),
            Some(_) | None => Err(answer.trouble()),
        }
    }

    /// The first path that speaks JSON-RPC; any answer of that form will do, an error object too.
    async fn probe(&self) -> Result<Rpc, SourceError> {
        let mut trouble = None;
        for path in &self.paths {
            let rpc = Rpc::new(path, self.options.timeout, self.options.max_response_bytes)?;
            match rpc.ask("eth_blockNumber").await {
                Ok(_) | Err(CallError::Node { .. }) => return Ok(rpc),
                Err(CallError::NoRoute) => {}
                Err(error @ CallError::Refused(_)) => trouble = Some(error.into()),
                Err(CallError::Source(error)) => trouble = Some(error),
            }
        }
        let paths = self.paths.join(" or ");
        Err(trouble.unwrap_or_else(|| SourceError::Unsuitable(format!("nothing speaks JSON-RPC at {paths}"))))
    }
}

fn is_absent(status: StatusCode) -> bool {
    [StatusCode::NOT_FOUND, StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED].contains(&status)
}
