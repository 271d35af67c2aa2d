//! Who follows whom.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::chain::IdentityId;
use schema::event::{Followed, Unfollowed};

use super::chain::{Chain, Said};
use super::{Collected, Model, time};

/// A follow that stands.
#[derive(Debug, Clone)]
pub struct Follow {
    created_at: DateTime<Utc>,
    position: i64,
}

impl Chain {
    /// To follow twice is to follow.
    pub fn follow(&mut self, said: &Said<'_>, body: &Followed) {
        let (follower, following) = (*body.follower.get(), *body.following.get());
        if !self.allows(said, &follower, &body.sender) {
            return;
        }
        if follower == following {
            return self.wrong(said.position(), "self-follow");
        }
        if !self.identities.contains_key(&following) {
            return self.wrong(said.position(), "unknown-identity");
        }
        let follow = Follow { created_at: said.time(), position: said.position() };
        self.follows.entry((follower, following)).or_insert(follow);
    }

    /// Ends a follow.
    pub fn unfollow(&mut self, said: &Said<'_>, body: &Unfollowed) {
        let (follower, following) = (*body.follower.get(), *body.following.get());
        if self.allows(said, &follower, &body.sender) && self.follows.remove(&(follower, following)).is_none() {
            self.wrong(said.position(), "not-followed");
        }
    }

    /// Rows of `follow_claims`.
    pub fn social_lines(&self, lines: &mut Collected) {
        for ((follower, following), follow) in &self.follows {
            let fields: [&dyn std::fmt::Display; 5] =
                [&self.facts.name, follower, following, &time(follow.created_at), &follow.position];
            lines.add("follow_claims", &fields);
        }
    }
}

impl Model<'_> {
    /// Rows of `social_connections` and `social_counts`: over all sources that mean both of them, the earliest follow that stands.
    pub fn social_lines(&self, lines: &mut Collected) {
        let mut earliest: BTreeMap<(IdentityId, IdentityId), (&Chain, &Follow)> = BTreeMap::new();
        for chain in self.sources() {
            for (edge, follow) in &chain.follows {
                if !self.is_recognised(chain, &edge.0) || !self.is_recognised(chain, &edge.1) {
                    continue;
                }
                if earliest.get(edge).is_none_or(|(_, other)| follow.position < other.position) {
                    earliest.insert(*edge, (chain, follow));
                }
            }
        }
        let mut counts: BTreeMap<IdentityId, [u64; 2]> = BTreeMap::new();
        for ((follower, following), (chain, follow)) in &earliest {
            counts.entry(*following).or_default()[0] += 1;
            counts.entry(*follower).or_default()[1] += 1;
            let fields: [&dyn std::fmt::Display; 5] =
                [follower, following, &chain.facts.name, &time(follow.created_at), &follow.position];
            lines.add("social_connections", &fields);
        }
        for (id, [followers, following]) in counts {
            lines.add("social_counts", &[&id, &followers, &following]);
        }
    }
}
