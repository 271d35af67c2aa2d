//! What the work of an identity's wallets comes to: level two, derived again from the rows of all its addresses whenever
//! one of them, its owner or the identity's visibility changes.

use std::collections::{BTreeMap, BTreeSet};

use schema::versioned::Rows;
use schema::versioned_table;

use super::totals::{AddressWork, Totals};
use crate::projections::identities::VisibilityChange;
use crate::projections::wallets::OwnerChange;

/// Wallets and identities kept in memory between batches; beyond that all are forgotten and read again when needed.
const REMEMBERED: usize = 150_000;

versioned_table! {
    /// The sum over the addresses that belong to an identity.
    IdentitiesTable = "identity_work" {
        key IdentityKey { identity_id: bytes(Vec<u8>), work_type: text(String) }
        value IdentityWork {
            ranked: bool(bool),
            accepted: int8(i64),
            rejected: int8(i64),
            score: numeric(i128),
            score_day: numeric(i128),
            score_week: numeric(i128),
            score_month: numeric(i128),
            first_at: time_opt(Option<chrono::DateTime<chrono::Utc>>),
            last_at: time_opt(Option<chrono::DateTime<chrono::Utc>>),
        }
    }
}

impl IdentityKey {
    /// A key that no row has, and that sorts before all rows of the identity. Once it is known to be absent, every row of
    /// the identity is known.
    pub(super) fn mark(identity_id: &[u8]) -> Self {
        Self { identity_id: identity_id.to_vec(), work_type: String::new() }
    }

    /// A key that sorts behind all rows of the identity, whatever their types, and before those of every other one.
    fn end(identity_id: &[u8]) -> Self {
        Self { identity_id: [identity_id, &[0]].concat(), work_type: String::new() }
    }
}

impl IdentityWork {
    fn none(ranked: bool) -> Self {
        Self {
            ranked,
            accepted: 0,
            rejected: 0,
            score: 0,
            score_day: 0,
            score_week: 0,
            score_month: 0,
            first_at: None,
            last_at: None,
        }
    }

    fn add(&mut self, row: &AddressWork) {
        self.accepted += row.accepted;
        self.rejected += row.rejected;
        self.score += row.score;
        self.score_day += row.score_day;
        self.score_week += row.score_week;
        self.score_month += row.score_month;
        self.first_at = self.first_at.into_iter().chain(row.first_at).min();
        self.last_at = self.last_at.max(row.last_at);
    }
}

/// What is known of an identity.
#[derive(Debug, Clone, Default)]
pub(super) struct Person {
    /// Its wallets.
    pub wallets: BTreeSet<i64>,
    /// Whether its statistics are public.
    pub is_public: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct People {
    pub rows: Rows<IdentitiesTable>,
    /// Whose each wallet is, of those that were asked for.
    owners: BTreeMap<i64, Option<Vec<u8>>>,
    people: BTreeMap<Vec<u8>, Person>,
}

impl People {
    /// Which of the wallets must be asked for. Called once before a batch, ahead of everything else.
    pub(super) fn missing_wallets(&mut self, wanted: &BTreeSet<i64>) -> Vec<i64> {
        if self.owners.len().max(self.people.len()) > REMEMBERED {
            self.owners.clear();
            self.people.clear();
        }
        wanted.iter().copied().filter(|address_id| !self.owners.contains_key(address_id)).collect()
    }

    /// Takes in whose wallets are; those asked for and not found are nobody's.
    pub(super) fn wallets_loaded(&mut self, asked: &[i64], found: impl IntoIterator<Item = (i64, Vec<u8>)>) {
        self.owners.extend(asked.iter().map(|&address_id| (address_id, None)));
        self.owners.extend(found.into_iter().map(|(address_id, identity)| (address_id, Some(identity))));
    }

    /// Owners of wallets, of those that belong to somebody.
    pub(super) fn owners_of(&self, wallets: &BTreeSet<i64>) -> BTreeSet<Vec<u8>> {
        wallets.iter().filter_map(|address_id| self.owner(*address_id)).cloned().collect()
    }

    /// Which of the identities must be asked for.
    pub(super) fn missing_people(&self, wanted: &BTreeSet<Vec<u8>>) -> Vec<Vec<u8>> {
        wanted.iter().filter(|identity| !self.people.contains_key(*identity)).cloned().collect()
    }

    /// Takes in an identity with all its wallets.
    pub(super) fn person_loaded(&mut self, identity: Vec<u8>, person: Person) {
        for &address_id in &person.wallets {
            self.owners.insert(address_id, Some(identity.clone()));
        }
        self.people.insert(identity, person);
    }

    /// All wallets of some identities.
    pub(super) fn wallets_of(&self, identities: &BTreeSet<Vec<u8>>) -> BTreeSet<i64> {
        let people = identities.iter().filter_map(|identity| self.people.get(identity));
        people.flat_map(|person| &person.wallets).copied().collect()
    }

    fn owner(&self, address_id: i64) -> Option<&Vec<u8>> {
        debug_assert!(self.owners.contains_key(&address_id), "the owner of {address_id} was not loaded");
        self.owners.get(&address_id).and_then(Option::as_ref)
    }

    /// Ends a unit: brings every row up to date that depends on what the unit changed.
    pub(super) fn follow(&mut self, totals: &Totals, owners: &[OwnerChange], visibility: &[VisibilityChange]) {
        let mut stale = BTreeSet::new();
        for change in owners {
            self.move_wallet(change);
            for identity in [&change.before, &change.after].into_iter().flatten() {
                // Nothing but this wallet's work moves.
                stale.extend(totals.of_address(change.address_id).map(|(row, _)| key(identity, &row.work_type)));
            }
        }
        for change in visibility {
            if let Some(person) = self.people.get_mut(&change.identity_id) {
                person.is_public = change.public;
            }
            stale.extend(self.of_identity(&change.identity_id));
        }
        for (row, _, _) in totals.addresses.changes() {
            if let Some(owner) = self.owner(row.address_id) {
                stale.insert(key(owner, &row.work_type));
            }
        }
        for key in stale {
            self.derive(totals, key);
        }
    }

    /// Derives every row of some identities again.
    pub(super) fn derive_all(&mut self, totals: &Totals, identities: &BTreeSet<Vec<u8>>) {
        let mut stale = BTreeSet::new();
        for identity in identities {
            stale.extend(self.of_identity(identity));
            let wallets = self.people.get(identity).map(|person| person.wallets.iter());
            let rows = wallets.into_iter().flatten().flat_map(|&address_id| totals.of_address(address_id));
            stale.extend(rows.map(|(row, _)| key(identity, &row.work_type)));
        }
        for key in stale {
            self.derive(totals, key);
        }
    }

    fn move_wallet(&mut self, change: &OwnerChange) {
        if let Some(person) = change.before.as_ref().and_then(|identity| self.people.get_mut(identity)) {
            person.wallets.remove(&change.address_id);
        }
        if let Some(identity) = &change.after {
            debug_assert!(self.people.contains_key(identity), "who wins a wallet was not loaded");
            self.people.entry(identity.clone()).or_default().wallets.insert(change.address_id);
        }
        self.owners.insert(change.address_id, change.after.clone());
    }

    /// Keys of the rows that an identity has.
    fn of_identity(&self, identity: &[u8]) -> Vec<IdentityKey> {
        let mark = IdentityKey::mark(identity);
        if cfg!(debug_assertions) {
            self.rows.get(&mark);
        }
        // Bounded, because a range also walks over all that is known to be absent.
        self.rows.range(mark..IdentityKey::end(identity)).map(|(key, _)| key.clone()).collect()
    }

    /// One row, from the rows of all addresses. A row once made stays, with nothing in it when the last wallet has gone.
    fn derive(&mut self, totals: &Totals, key: IdentityKey) {
        let Some(person) = self.people.get(&key.identity_id) else {
            debug_assert!(false, "an identity was not loaded before its work was added up");
            return;
        };
        let mut sum = IdentityWork::none(person.is_public);
        let mut has_any = self.rows.range(&key..=&key).next().is_some();
        for &address_id in &person.wallets {
            let rows = totals.of_address(address_id);
            for (_, row) in rows.filter(|(row, _)| row.work_type == key.work_type) {
                sum.add(row);
                has_any = true;
            }
        }
        if has_any {
            self.rows.set(key, sum);
        }
    }
}

fn key(identity: &[u8], work_type: &str) -> IdentityKey {
    IdentityKey { identity_id: identity.to_vec(), work_type: work_type.to_owned() }
}
