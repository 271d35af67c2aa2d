//! What each miner's counting work comes to: by hour, by type and family, and in the windows that slide with the clock.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schema::event::Position;
use schema::store::StoreError;
use schema::versioned::Rows;
use schema::versioned_table;
use sqlx::PgConnection;

use super::score::{Windows, hour_of, share, totals_of};
use super::submissions::Accepted;

versioned_table! {
    /// A miner's counting work by type and hour.
    HoursTable = "work_hours" {
        key HourKey { source_id: int4(i32), address_id: int8(i64), work_type: text(String), hour: int4(i32) }
        value Hour { accepted: int8(i64), score: numeric(i128) }
    }
}

versioned_table! {
    /// The hour that windows end in.
    ClockTable = "work_clock" {
        key ClockKey { source_id: int4(i32) }
        value Clock { hour: int4(i32), block_time: time(chrono::DateTime<chrono::Utc>) }
    }
}

versioned_table! {
    /// A miner's totals by type, by family and in all. An address is of one source: its rows lie together by its number.
    AddressesTable = "address_work" {
        key AddressKey { address_id: int8(i64), source_id: int4(i32), work_type: text(String) }
        value AddressWork {
            miner_address: text(String),
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

impl AddressKey {
    /// A key that no row has, and that sorts before all rows of the address. Once it is known to be absent, every row of
    /// the address is known.
    pub(super) fn mark(address_id: i64) -> Self {
        Self { address_id, source_id: i32::MIN, work_type: String::new() }
    }
}

impl AddressWork {
    fn none(miner_address: &str) -> Self {
        Self {
            miner_address: miner_address.to_owned(),
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

    /// Adds to those windows that an hour is inside of.
    fn add_inside(&mut self, windows: Windows, hour: i32, amount: i128) {
        for (score, first) in [
            (&mut self.score_day, windows.day),
            (&mut self.score_week, windows.week),
            (&mut self.score_month, windows.month),
        ] {
            if hour >= first {
                *score += amount;
            }
        }
    }
}

/// Times of submissions that count, by position: the oldest and the newest ones of a total, enough of them to say which is
/// first and last after all the removals of a batch.
pub(super) type Edge = BTreeMap<i64, DateTime<Utc>>;

/// What the events of a unit say its changes must come to, for comparison with the rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Booked {
    accepted: i64,
    score: i128,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub hours: Rows<HoursTable>,
    pub clock: Rows<ClockTable>,
    pub addresses: Rows<AddressesTable>,
    /// Buckets that the batch may let fall out of a window, by hour: those that it loaded for that and those it changed.
    by_hour: BTreeMap<i32, BTreeSet<HourKey>>,
    /// Edges of the totals that a rejection in the batch may take something from.
    edges: BTreeMap<i64, BTreeMap<String, Edge>>,
    windows: Option<Windows>,
    booked: Booked,
}

impl Totals {
    /// Begins a batch: what only the former one needed goes.
    pub(super) fn begin(&mut self) {
        self.by_hour.clear();
        self.edges.clear();
    }

    /// Takes in the buckets that fall out of a window within the batch.
    pub(super) fn expect_expiry(&mut self, found: Vec<(HourKey, Hour)>) {
        for (key, _) in &found {
            self.by_hour.entry(key.hour).or_default().insert(key.clone());
        }
        self.hours.loaded(Vec::new(), found);
    }

    /// Takes in the edges of a total.
    pub(super) fn expect_removal(&mut self, address_id: i64, total: String, edge: Edge) {
        self.edges.entry(address_id).or_default().insert(total, edge);
    }

    /// The windows as of the clock now. Before it was set once, everything is inside.
    pub(super) fn windows(&self) -> Windows {
        self.windows.unwrap_or(Windows::ending_in(None))
    }

    /// The hour of the clock, if it has one.
    pub(super) fn hour(&self, clock_source: i32) -> Option<i32> {
        self.clock.get(&ClockKey { source_id: clock_source }).map(|clock| clock.hour)
    }

    /// Sets the windows to what the loaded clock says.
    pub(super) fn read_clock(&mut self, clock_source: i32) {
        self.windows = Some(Windows::ending_in(self.hour(clock_source)));
    }

    /// The rows of an address, in the order of their types. They must have been loaded.
    pub(super) fn of_address(&self, address_id: i64) -> impl Iterator<Item = (&AddressKey, &AddressWork)> {
        assert_loaded(&self.addresses, address_id);
        self.addresses.range(AddressKey::mark(address_id)..AddressKey::mark(address_id + 1))
    }

    /// Moves the clock on to an hour, and lets fall out of each window what is no longer inside.
    pub(super) fn move_clock(&mut self, clock_source: i32, hour: i32, block_time: DateTime<Utc>) {
        let (before, now) = (self.windows(), Windows::ending_in(Some(hour)));
        self.expire(before.day, now.day, |row| &mut row.score_day);
        self.expire(before.week, now.week, |row| &mut row.score_week);
        self.expire(before.month, now.month, |row| &mut row.score_month);
        self.windows = Some(now);
        self.clock.set(ClockKey { source_id: clock_source }, Clock { hour, block_time });
    }

    fn expire(&mut self, from: i32, to_exclusive: i32, window: fn(&mut AddressWork) -> &mut i128) {
        if from >= to_exclusive {
            return;
        }
        for key in self.by_hour.range(from..to_exclusive).flat_map(|(_, keys)| keys) {
            let Some(bucket) = self.hours.get(key) else { continue };
            for total in totals_of(&key.work_type) {
                let amount = share(total, &key.work_type, bucket.accepted, bucket.score);
                let row_key = row_key(key.source_id, key.address_id, total);
                if amount != 0
                    && let Some(mut row) = known(&self.addresses, &row_key).cloned()
                {
                    *window(&mut row) -= amount;
                    self.addresses.set(row_key, row);
                }
            }
        }
    }

    /// Counts an accepted submission.
    pub(super) fn add(&mut self, source_id: i32, accepted: &Accepted) {
        self.book(source_id, accepted, 1);
    }

    /// Takes out an accepted submission that was rejected.
    pub(super) fn take_out(&mut self, source_id: i32, accepted: &Accepted) {
        self.book(source_id, accepted, -1);
    }

    fn book(&mut self, source_id: i32, submission: &Accepted, sign: i64) {
        let Accepted { address_id, work_type, occurred_at, .. } = submission;
        let score = i128::from(sign) * submission.score;
        let hour = hour_of(*occurred_at);
        let key = HourKey { source_id, address_id: *address_id, work_type: work_type.clone(), hour };
        let mut bucket = self.hours.get(&key).cloned().unwrap_or(Hour { accepted: 0, score: 0 });
        bucket.accepted += sign;
        bucket.score += score;
        self.by_hour.entry(hour).or_default().insert(key.clone());
        self.hours.set(key, bucket);
        self.booked.accepted += sign;
        self.booked.score += score;
        let windows = self.windows();
        for total in totals_of(work_type) {
            let amount = share(total, work_type, sign, score);
            let key = row_key(source_id, *address_id, total);
            let before = known(&self.addresses, &key).cloned();
            let mut row = before.unwrap_or_else(|| AddressWork::none(&submission.miner_address));
            row.accepted += sign;
            row.rejected += i64::from(sign < 0);
            row.score += amount;
            row.add_inside(windows, hour, amount);
            self.date(&mut row, total, submission, sign > 0);
            self.addresses.set(key, row);
        }
    }

    /// Sets the first and the last time of a total after one submission came or went.
    fn date(&mut self, row: &mut AddressWork, total: &str, submission: &Accepted, comes: bool) {
        let edges = self.edges.get_mut(&submission.address_id);
        if let Some(edge) = edges.and_then(|edges| edges.get_mut(total)) {
            if comes {
                edge.insert(submission.position, submission.occurred_at);
            } else {
                edge.remove(&submission.position);
            }
            row.first_at = edge.first_key_value().map(|(_, time)| *time);
            row.last_at = edge.last_key_value().map(|(_, time)| *time);
        } else if comes {
            row.first_at = row.first_at.or(Some(submission.occurred_at));
            row.last_at = Some(submission.occurred_at);
        } else {
            // Whoever named the batch's edges knew that it is neither the first nor the last.
            debug_assert!(row.accepted > 0, "the edges of a total were not loaded before something was taken from it");
        }
    }

    /// Ends a unit.
    pub(super) fn close(&mut self, end: Position) {
        self.hours.close(end);
        self.clock.close(end);
        self.addresses.close(end);
    }

    /// Position of the newest version that the batch made.
    pub(super) fn last_change(&self) -> Option<Position> {
        self.hours.last_change().max(self.clock.last_change()).max(self.addresses.last_change())
    }

    /// Writes what the batch made, but for the totals of addresses.
    pub(super) async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<(), StoreError> {
        self.hours.write(db, before).await?;
        self.clock.write(db, before).await?;
        Ok(())
    }

    /// Checks that the rows of a unit changed by what its events came to, and that nothing is below zero.
    pub(super) fn check(&mut self) -> Result<(), String> {
        let booked = std::mem::take(&mut self.booked);
        let mut buckets = Booked::default();
        for (key, before, now) in self.hours.changes() {
            let none = Hour { accepted: 0, score: 0 };
            let (before, now) = (before.unwrap_or(&none), now.unwrap_or(&none));
            buckets.accepted += now.accepted - before.accepted;
            buckets.score += now.score - before.score;
            if now.accepted < 0 || now.score < 0 {
                return Err(format!("address {} has less than no work of type {}", key.address_id, key.work_type));
            }
        }
        let mut accepted = 0;
        for (key, before, now) in self.addresses.changes() {
            let number = |row: Option<&AddressWork>| row.map_or(0, |row| row.accepted);
            accepted += if key.work_type == super::score::ALL { number(now) - number(before) } else { 0 };
            if now.is_some_and(|row| row.accepted < 0 || row.score_day.min(row.score_week).min(row.score_month) < 0) {
                return Err(format!("address {} has less than nothing of total {}", key.address_id, key.work_type));
            }
        }
        if buckets != booked || accepted != booked.accepted {
            return Err(format!("{booked:?} is what the block counts, but {buckets:?} and {accepted} were added"));
        }
        Ok(())
    }
}

fn row_key(source_id: i32, address_id: i64, total: &str) -> AddressKey {
    AddressKey { address_id, source_id, work_type: total.to_owned() }
}

/// The row of a total, of an address all of whose rows were loaded.
fn known<'a>(rows: &'a Rows<AddressesTable>, key: &AddressKey) -> Option<&'a AddressWork> {
    assert_loaded(rows, key.address_id);
    rows.range(key..=key).next().map(|(_, row)| row)
}

/// Stops a debug build that asks for an address which was not loaded before folding.
fn assert_loaded(rows: &Rows<AddressesTable>, address_id: i64) {
    if cfg!(debug_assertions) {
        rows.get(&AddressKey::mark(address_id));
    }
}
