//! Who is there (MEANING §4).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::chain::IdentityId;
use schema::event::{Change, IdentityRegistered, IdentityUpdated, KeyRotated, StatsVisibility, Verdict};

use super::chain::{Chain, Said};
use super::{Collected, Model, or_dash, time};

/// An identity as one source has it.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Who may change it.
    pub controller: String,
    key: (String, String),
    display_name: Option<String>,
    bio: Option<String>,
    /// Who may see its statistics.
    pub visibility: StatsVisibility,
    /// Block time of the registration.
    pub created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    /// Position of the registration.
    pub position: i64,
}

impl Registered {
    fn add_to(&self, lines: &mut Collected, view: &str, source: &str, id: &IdentityId) {
        lines.add(
            view,
            &[
                &source,
                id,
                &self.controller,
                &self.key.0,
                &self.key.1,
                &or_dash(self.display_name.as_ref()),
                &or_dash(self.bio.as_ref()),
                &self.visibility.name(),
                &time(self.created_at),
                &time(self.updated_at),
                &self.position,
            ],
        );
    }
}

impl Chain {
    /// Why an action on an identity is not its controller's, at this moment; what is wrong is noted.
    pub fn refusal(&mut self, said: &Said<'_>, id: &IdentityId, sender: &str) -> Option<&'static str> {
        let code = match self.identities.get(id) {
            _ if said.is_forged => "sender-refuted",
            None => "unknown-identity",
            Some(known) if !self.is_same(&known.controller, sender) => "not-controller",
            Some(_) => return None,
        };
        self.wrong(said.position(), code);
        Some(code)
    }

    /// Whether an action on an identity is its controller's.
    pub fn allows(&mut self, said: &Said<'_>, id: &IdentityId, sender: &str) -> bool {
        self.refusal(said, id, sender).is_none()
    }

    /// The first registration of an id wins.
    pub fn register(&mut self, said: &Said<'_>, body: &IdentityRegistered) {
        let id = *body.identity_id.get();
        if said.is_forged {
            return self.wrong(said.position(), "sender-refuted");
        }
        if self.identities.contains_key(&id) {
            return self.wrong(said.position(), "registered-twice");
        }
        let registered = Registered {
            controller: self.address(&body.sender),
            key: (body.key.alg.clone(), body.key.public_key.to_lowercase()),
            display_name: body.display_name.clone(),
            bio: body.bio.clone(),
            visibility: body.stats_visibility,
            created_at: said.time(),
            updated_at: said.time(),
            position: said.position(),
        };
        self.identities.insert(id, registered);
    }

    /// What is mentioned changes.
    pub fn update(&mut self, said: &Said<'_>, body: &IdentityUpdated) {
        let id = body.identity_id.get();
        if !self.allows(said, id, &body.sender) {
            return;
        }
        let Some(known) = self.identities.get_mut(id) else { return };
        known.updated_at = said.time();
        change(&mut known.display_name, &body.display_name);
        change(&mut known.bio, &body.bio);
        match body.stats_visibility {
            Change::Keep => {}
            Change::Clear => known.visibility = StatsVisibility::Private,
            Change::Set(visibility) => known.visibility = visibility,
        }
    }

    /// A new key counts when it signed for itself, or a trusted source says so.
    pub fn rotate_key(&mut self, said: &Said<'_>, body: &KeyRotated) {
        let id = body.identity_id.get();
        if !self.allows(said, id, &body.sender) {
            return;
        }
        let counts = match said.event.verdict {
            Some(Verdict::Verified) => true,
            Some(Verdict::Unverifiable) => self.facts.trusted,
            Some(Verdict::Refuted) | None => false,
        };
        if let Some(known) = self.identities.get_mut(id).filter(|_| counts) {
            known.updated_at = said.time();
            known.key = (body.key.alg.clone(), body.key.public_key.to_lowercase());
        }
    }

    /// Rows of `identity_claims`.
    pub fn identity_lines(&self, lines: &mut Collected) {
        for (id, registered) in &self.identities {
            registered.add_to(lines, "identity_claims", &self.facts.name, id);
        }
    }
}

fn change(field: &mut Option<String>, change: &Change<String>) {
    match change {
        Change::Keep => {}
        Change::Clear => *field = None,
        Change::Set(value) => *field = Some(value.clone()),
    }
}

impl Model<'_> {
    /// Every identity as it is shown: the earliest registration that stands, over all sources.
    pub fn identities(&self) -> BTreeMap<IdentityId, (&Chain, &Registered)> {
        let mut shown: BTreeMap<IdentityId, (&Chain, &Registered)> = BTreeMap::new();
        for chain in self.sources() {
            for (id, registered) in &chain.identities {
                if shown.get(id).is_none_or(|(_, earlier)| registered.position < earlier.position) {
                    shown.insert(*id, (chain, registered));
                }
            }
        }
        shown
    }

    /// Whether what a chain says of an identity counts everywhere: the same account controls it there as where it is shown.
    pub fn is_recognised(&self, chain: &Chain, id: &IdentityId) -> bool {
        let shown = self.identities();
        let Some((_, shown)) = shown.get(id) else { return true };
        let Some(here) = chain.identities.get(id) else { return true };
        here.controller == shown.controller
    }

    /// Rows of `identities`, and of the registrations elsewhere that do not mean them.
    pub fn identity_lines(&self, lines: &mut Collected) {
        let shown = self.identities();
        for (id, (chain, registered)) in &shown {
            registered.add_to(lines, "identities", &chain.facts.name, id);
        }
        for chain in self.sources() {
            for (id, registered) in &chain.identities {
                let (winner, _) = shown[id];
                if !self.is_recognised(chain, id) {
                    let view = "contested_identities";
                    lines.add(view, &[&chain.facts.name, &registered.position, id, &winner.facts.name]);
                }
            }
        }
    }
}
