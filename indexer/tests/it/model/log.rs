//! What stands of a log, and logs that no database has seen.

use std::collections::BTreeMap;

use indexer::source::scripted::{Script, Step};
use schema::chain::{Height, Spelled};
use schema::event::{Event, Position, RecordedEvent, Retracted, SourceId, Unit};
use schema::store::LoggedUnit;

/// The units that stand as of a position, in the order of the log.
#[derive(Debug)]
pub struct Standing;

impl Standing {
    /// Everything up to a position but the blocks that a retraction up to it covers.
    pub fn of(log: &[LoggedUnit], at: Position) -> Vec<&LoggedUnit> {
        let known: Vec<&LoggedUnit> = log.iter().filter(|unit| unit.end_position <= at).collect();
        let is_retracted = |unit: &LoggedUnit| known.iter().any(|later| covers(later, unit));
        known.iter().copied().filter(|unit| unit.retraction().is_none() && !is_retracted(unit)).collect()
    }
}

fn covers(later: &LoggedUnit, unit: &LoggedUnit) -> bool {
    let Some(retracted) = later.retraction() else { return false };
    let is_covered = later.source_id == unit.source_id
        && unit.first_position < later.first_position
        && unit.first_position.0 >= retracted.first_position.get().to_db();
    // Reports and what is said about the source itself are of no block, and stay.
    is_covered && unit.height.is_some_and(|height| height > *retracted.fork_height.get())
}

/// The log of some scripted chains, each played step by step in turn, without a database.
pub fn pure_log(scripts: &[&str]) -> Vec<LoggedUnit> {
    let scripts: Vec<Script> = scripts.iter().map(|script| Script::parse(script).expect("a script")).collect();
    let longest = scripts.iter().map(|script| script.steps().len()).max().unwrap_or_default();
    let mut log = PureLog::default();
    for step in 0..longest {
        for (index, script) in scripts.iter().enumerate() {
            let source = SourceId(i32::try_from(index + 1).expect("few sources"));
            match script.steps().get(step) {
                Some(Step::Block(block)) => log.append(source, block.unit.clone()),
                Some(Step::Reorg { to }) => log.retract(source, *to),
                None => {}
            }
        }
    }
    log.units
}

#[derive(Default)]
struct PureLog {
    units: Vec<LoggedUnit>,
    firsts: BTreeMap<(SourceId, Height), Position>,
}

impl PureLog {
    fn append(&mut self, source_id: SourceId, unit: Unit) {
        let before = self.units.last().map_or(Position::START, |unit| unit.end_position);
        let first_position = before.plus(1);
        let (height, block_hash) = unit.block.clone().unzip();
        if let Some(height) = height {
            self.firsts.insert((source_id, height), first_position);
        }
        let events: Vec<RecordedEvent> = (0..)
            .zip(unit.entries)
            .map(|(event_index, entry)| RecordedEvent {
                position: Position(first_position.0 + i64::from(event_index)),
                source_id,
                height,
                block_hash: block_hash.clone(),
                tx_id: entry.tx.as_ref().map(|(id, _)| id.clone()),
                tx_index: entry.tx.as_ref().map(|(_, index)| *index),
                event_index,
                verdict: entry.verdict,
                occurred_at: unit.occurred_at,
                event: entry.event,
            })
            .collect();
        let end_position = before.plus(events.len());
        let occurred_at = unit.occurred_at;
        let chain_hash = Default::default();
        self.units.push(LoggedUnit {
            first_position,
            end_position,
            source_id,
            height,
            block_hash,
            occurred_at,
            chain_hash,
            events,
        });
    }

    fn retract(&mut self, source: SourceId, to: Height) {
        let replaced = to.next().expect("a low height");
        let first = self.firsts.get(&(source, replaced)).expect("the block that is replaced is in the log");
        let spelled = |number: i64| Spelled::parse(number.to_string()).expect("a number");
        let retracted = Retracted {
            first_position: spelled(first.0),
            fork_height: spelled(to.to_db()),
            old_head_hash: String::new(),
            old_head_height: spelled(replaced.to_db()),
            reason: String::new(),
        };
        let occurred_at = self.units.last().map(|unit| unit.occurred_at).unwrap_or_default();
        let entry =
            schema::event::Entry { event: Event::Retracted(retracted), tx: None, verdict: None, subjects: Vec::new() };
        self.append(source, Unit { block: None, occurred_at, entries: vec![entry] });
    }
}
