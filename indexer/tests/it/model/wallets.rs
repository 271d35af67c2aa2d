//! Whose wallet is it (MEANING §4).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::chain::IdentityId;
use schema::event::{Verdict, WalletLinked, WalletUnlinked};

use super::chain::{Chain, Said};
use super::{Collected, Model, time};

/// Wallets that an identity may have linked at a time.
const LINKS_MAX: usize = 32;

/// A link that stands.
#[derive(Debug, Clone)]
pub struct Link {
    link_type: String,
    verdict: Verdict,
    created_at: DateTime<Utc>,
    position: i64,
}

/// A claim to a wallet, also when it was taken back.
#[derive(Debug, Clone)]
pub struct Claim {
    /// Who claims.
    pub id: IdentityId,
    /// What is claimed, canonical.
    pub address: String,
    verdict: Verdict,
    /// Position of the link.
    pub position: i64,
    removed_at: Option<i64>,
}

/// What the claims to a wallet come to.
#[derive(Debug, Default)]
pub struct Ownership {
    /// The claim that owns it.
    pub owner: Option<Claim>,
    /// Claims that lost, with the identity that they lost to.
    contested: BTreeMap<i64, (IdentityId, IdentityId)>,
}

impl Chain {
    /// How much a verdict counts here: by proof, by the source's word, or not at all.
    fn weight(&self, verdict: Verdict) -> u8 {
        match verdict {
            Verdict::Verified => 2,
            Verdict::Unverifiable => u8::from(self.facts.trusted),
            Verdict::Refuted => 0,
        }
    }

    /// Links a wallet; to say the same again changes nothing, unless with a better proof.
    pub fn link(&mut self, said: &Said<'_>, body: &WalletLinked) {
        let id = *body.identity_id.get();
        if !self.allows(said, &id, &body.sender) {
            return;
        }
        let address = self.address(&body.wallet_address);
        let verdict = said.event.verdict.expect("a link carries a check");
        let before = self.links.get(&(id, address.clone())).cloned();
        if let Some(before) = before {
            if self.weight(verdict) <= self.weight(before.verdict) {
                return;
            }
            self.remove(before.position, said.position());
        } else if self.links.keys().filter(|(linking, _)| *linking == id).count() >= LINKS_MAX {
            return self.wrong(said.position(), "too-many-links");
        }
        let position = said.position();
        let link = Link { link_type: body.link_type.clone(), verdict, created_at: said.time(), position };
        self.links.insert((id, address.clone()), link);
        self.claims.push(Claim { id, address, verdict, position, removed_at: None });
    }

    /// Takes a link back.
    pub fn unlink(&mut self, said: &Said<'_>, body: &WalletUnlinked) {
        let id = *body.identity_id.get();
        if !self.allows(said, &id, &body.sender) {
            return;
        }
        match self.links.remove(&(id, self.address(&body.wallet_address))) {
            Some(link) => self.remove(link.position, said.position()),
            None => self.wrong(said.position(), "not-linked"),
        }
    }

    fn remove(&mut self, claimed_at: i64, at: i64) {
        let claim = self.claims.iter_mut().find(|claim| claim.position == claimed_at);
        claim.expect("every link is a claim").removed_at = Some(at);
    }

    /// Whose an address is: the earliest counting claim, unless a proof displaces one that only a source's word supports.
    pub fn ownership(&self, address: &str) -> Ownership {
        let claims: Vec<&Claim> = self.claims.iter().filter(|claim| claim.address == address).collect();
        let mut outcome = Ownership::default();
        let mut owner: Option<&Claim> = None;
        for claim in &claims {
            // What was taken back before this claim no longer owns, and nobody else does instead.
            owner = owner.filter(|held| held.removed_at.is_none_or(|removed| removed > claim.position));
            let weight = self.weight(claim.verdict);
            match owner {
                _ if weight == 0 => {}
                None => owner = Some(claim),
                Some(held) if weight > self.weight(held.verdict) => {
                    if held.id != claim.id {
                        outcome.contested.insert(held.position, (held.id, claim.id));
                    }
                    owner = Some(claim);
                }
                Some(held) if held.id == claim.id => {}
                Some(held) => {
                    outcome.contested.insert(claim.position, (claim.id, held.id));
                }
            }
        }
        let owner = owner.filter(|held| held.removed_at.is_none());
        for claim in claims.iter().filter(|claim| claim.removed_at.is_none()) {
            // An unproven claim beside an owner is a finding, also where it never counted.
            if let Some(held) = owner.filter(|held| held.id != claim.id)
                && claim.verdict == Verdict::Unverifiable
            {
                outcome.contested.insert(claim.position, (claim.id, held.id));
            }
        }
        outcome.owner = owner.cloned();
        outcome
    }

    /// Whose an address is on this chain.
    pub fn holder(&self, address: &str) -> Option<IdentityId> {
        self.ownership(address).owner.map(|claim| claim.id)
    }

    /// Addresses that somebody ever claimed.
    fn claimed(&self) -> Vec<&str> {
        let mut addresses: Vec<&str> = self.claims.iter().map(|claim| claim.address.as_str()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Rows of `wallet_links`, `wallet_holders` and `contested_wallets`.
    pub fn wallet_lines(&self, lines: &mut Collected) {
        let name = &self.facts.name;
        for ((id, address), link) in &self.links {
            let fields: [&dyn std::fmt::Display; 8] = [
                name,
                id,
                address,
                &link.link_type,
                &link.verdict.name(),
                &self.facts.trusted,
                &time(link.created_at),
                &link.position,
            ];
            lines.add("wallet_links", &fields);
        }
        for address in self.claimed() {
            let ownership = self.ownership(address);
            if let Some(owner) = ownership.owner {
                lines.add("wallet_holders", &[name, &address, &owner.id, &owner.position]);
            }
            for (position, (id, owner)) in ownership.contested {
                lines.add("contested_wallets", &[name, &position, &address, &id, &owner]);
            }
        }
    }
}

impl Model<'_> {
    /// Who owns an address of a chain, also beyond the chain: whose it is there, if the chain means whom everybody means.
    pub fn owner(&self, chain: &Chain, address: &str) -> Option<IdentityId> {
        chain.holder(address).filter(|id| self.is_recognised(chain, id))
    }

    /// Rows of `wallet_owners`.
    pub fn wallet_lines(&self, lines: &mut Collected) {
        for chain in self.sources() {
            for address in chain.claimed() {
                let Some(claim) = chain.ownership(address).owner else { continue };
                if self.owner(chain, address).is_some() {
                    lines.add("wallet_owners", &[&chain.facts.name, &address, &claim.id, &claim.position]);
                }
            }
        }
    }
}
