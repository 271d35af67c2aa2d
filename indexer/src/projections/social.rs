//! Who follows whom? Level one keeps the follows of each source; level two shows the earliest follow of each pair that
//! stands over all sources, and counts them. A follow counts there while its source means both of them: while its registrations
//! of the follower and of the followed are recognised.

use std::collections::BTreeSet;

use schema::chain::IdentityId;
use schema::event::{Event, Followed, Position, Unfollowed};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::identities::Identities;
use super::identities::recognition::{self, Recognition};
use super::{Broken, Moment, Projection, Retraction, World};

mod counts;
mod load;

versioned_table! {
    /// Follows as each source has them.
    ClaimsTable = "follow_claims" {
        key ClaimKey { source_id: int4(i32), follower_id: bytes(Vec<u8>), following_id: bytes(Vec<u8>) }
        value Claim { created_at: time(chrono::DateTime<chrono::Utc>), claim_position: int8(i64) }
    }
}

versioned_table! {
    /// The earliest follow of each pair that stands and counts.
    ConnectionsTable = "social_connections" {
        key EdgeKey { follower_id: bytes(Vec<u8>), following_id: bytes(Vec<u8>) }
        value Connection {
            source_id: int4(i32),
            created_at: time(chrono::DateTime<chrono::Utc>),
            claim_position: int8(i64),
        }
    }
}

versioned_table! {
    /// How many follow an identity, and how many it follows. A row stays when its numbers go back to 0.
    CountsTable = "social_counts" {
        key CountKey { identity_id: bytes(Vec<u8>) }
        value Count { followers: int8(i64), following: int8(i64) }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Social {
    claims: Rows<ClaimsTable>,
    connections: Rows<ConnectionsTable>,
    counts: Rows<CountsTable>,
    recognition: Recognition,
    /// Some of the identities whose counts the batch changed, to be compared with the connections once these are written.
    to_compare: BTreeSet<Vec<u8>>,
}

impl Social {
    fn follow(&mut self, moment: &Moment<'_>, followed: &Followed, identities: &Identities, findings: &mut Findings) {
        let (follower, following) = (followed.follower.get(), followed.following.get());
        if !identities.allows(moment, follower, &followed.sender, findings) {
            return;
        }
        if follower == following {
            findings.report(moment, "self-follow", Some(follower.to_string()), "nobody follows themselves");
            return;
        }
        if identities.claim(moment.event.source_id.0, following).is_none() {
            let subject = Some(following.to_string());
            findings.report(moment, "unknown-identity", subject, "the identity is not registered at this source");
            return;
        }
        let key = claim_key(moment, follower, following);
        // Following again is idempotent: the first follow stands.
        if self.claims.get(&key).is_none() {
            let claim = Claim { created_at: moment.event.occurred_at, claim_position: moment.event.position.0 };
            self.claims.set(key, claim);
        }
    }

    fn unfollow(
        &mut self,
        moment: &Moment<'_>,
        unfollowed: &Unfollowed,
        identities: &Identities,
        findings: &mut Findings,
    ) {
        let (follower, following) = (unfollowed.follower.get(), unfollowed.following.get());
        if !identities.allows(moment, follower, &unfollowed.sender, findings) {
            return;
        }
        let key = claim_key(moment, follower, following);
        if self.claims.get(&key).is_some() {
            self.claims.remove(key);
        } else {
            let detail = format!("{following} is not followed by the identity at this source");
            findings.report(moment, "not-followed", Some(follower.to_string()), detail);
        }
    }

    /// Level two: of all sources' follows of a pair, the earliest that stands and counts.
    fn choose(&mut self, edge: &EdgeKey, world: &World) {
        let means = |source: i32, identity_id: &[u8]| self.recognition.holds(source, identity_id);
        let sources = world.sources.keys();
        let sources =
            sources.filter(|source| means(source.0, &edge.follower_id) && means(source.0, &edge.following_id));
        let claims = sources.filter_map(|source| {
            let claim = self.claims.get(&at_source(edge, source.0))?;
            Some(Connection { source_id: source.0, created_at: claim.created_at, claim_position: claim.claim_position })
        });
        match claims.min_by_key(|connection| connection.claim_position) {
            Some(connection) => self.connections.set(edge.clone(), connection),
            None => self.connections.remove(edge.clone()),
        }
    }

    /// Derives what the given edges come to, and how many edges came or went at each identity.
    fn derive(&mut self, edges: &BTreeSet<EdgeKey>, world: &World) {
        for edge in edges {
            self.choose(edge, world);
        }
        counts::count(&self.connections, &mut self.counts);
    }
}

fn claim_key(moment: &Moment<'_>, follower: &IdentityId, following: &IdentityId) -> ClaimKey {
    let source_id = moment.event.source_id.0;
    ClaimKey { source_id, follower_id: follower.as_bytes().to_vec(), following_id: following.as_bytes().to_vec() }
}

fn at_source(edge: &EdgeKey, source_id: i32) -> ClaimKey {
    ClaimKey { source_id, follower_id: edge.follower_id.clone(), following_id: edge.following_id.clone() }
}

/// The pair that a follow or unfollow is about.
fn edge(event: &Event) -> Option<EdgeKey> {
    let (follower, following) = if let Event::Followed(body) = event {
        (body.follower.get(), body.following.get())
    } else if let Event::Unfollowed(body) = event {
        (body.follower.get(), body.following.get())
    } else {
        return None;
    };
    Some(EdgeKey { follower_id: follower.as_bytes().to_vec(), following_id: following.as_bytes().to_vec() })
}

impl Projection for Social {
    const NAME: &'static str = "social";
    const VERSION: i32 = 2;
    const DEPENDS_ON: &'static [&'static str] = &["identities"];
    type Reads<'a> = &'a Identities;

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        let events = batch.iter().flat_map(|unit| &unit.events);
        load::edges(self, db, events.filter_map(|event| edge(&event.event)).collect(), world).await
    }

    fn fold(&mut self, moment: &Moment<'_>, identities: &Identities, findings: &mut Findings) {
        match &moment.event.event {
            Event::Followed(followed) => self.follow(moment, followed, identities, findings),
            Event::Unfollowed(unfollowed) => self.unfollow(moment, unfollowed, identities, findings),
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
            | Event::KeyRotated(_)
            | Event::WalletLinked(_)
            | Event::WalletUnlinked(_)
            | Event::Staked(_)
            | Event::Unstaked(_)
            | Event::Proposed(_)
            | Event::Voted(_)
            | Event::ProposalFinalized(_)
            | Event::ProposalExecuted(_)
            | Event::ProposalCancelled(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => {}
        }
    }

    fn close(&mut self, unit: &LoggedUnit, world: &World, reads: &Identities, _: &mut Findings) -> Result<(), Broken> {
        let edges: BTreeSet<EdgeKey> = self.claims.changes().map(|(key, _, _)| edge_of(key)).collect();
        self.recognition.follow(reads.unrecognised());
        self.derive(&edges, world);
        counts::check(&self.connections, &self.counts).map_err(|why| Broken {
            view: Self::NAME,
            position: unit.end_position,
            why,
        })?;
        counts::note(&self.counts, &mut self.to_compare);
        self.claims.close(unit.end_position);
        self.connections.close(unit.end_position);
        self.counts.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        // Counts change only with connections.
        let last = self.claims.last_change().max(self.connections.last_change());
        self.claims.write(db, before).await?;
        self.connections.write(db, before).await?;
        self.counts.write(db, before).await?;
        Ok(last)
    }

    async fn check(&mut self, db: &mut PgConnection) -> Result<Result<(), String>, StoreError> {
        counts::compare(db, std::mem::take(&mut self.to_compare)).await
    }

    async fn retract(
        &mut self,
        db: &mut PgConnection,
        retraction: Retraction,
        world: &World,
    ) -> Result<bool, StoreError> {
        self.forget();
        let Retraction { source_id, first, at } = retraction;
        let restored = restore(db, "follow_claims", source_id, first, at).await?;
        let changed = recognition::changed_at(db, at).await?;
        let mut touched = load::with(db, &changed).await?;
        if restored == 0 && touched.is_empty() {
            return Ok(false);
        }
        let rows = sqlx::query!(
            r#"select follower_id, following_id from follow_claims_versions where from_position = $1"#,
            at.0
        )
        .fetch_all(&mut *db)
        .await?;
        touched.extend(
            rows.into_iter().map(|row| EdgeKey { follower_id: row.follower_id, following_id: row.following_id }),
        );
        load::edges(self, db, touched.clone(), world).await?;
        // What was undone is already written, so it does not show as a change; all it touches is derived anew.
        self.derive(&touched, world);
        self.connections.close(at);
        self.counts.close(at);
        self.connections.write(db, Position(at.0 - 1)).await?;
        self.counts.write(db, Position(at.0 - 1)).await?;
        Ok(true)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}

fn edge_of(key: &ClaimKey) -> EdgeKey {
    EdgeKey { follower_id: key.follower_id.clone(), following_id: key.following_id.clone() }
}
