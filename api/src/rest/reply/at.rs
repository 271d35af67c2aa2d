//! Which position a request asks about, and the refusals that have to do with positions and heights.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, header};
use schema::event::Position;

use crate::error::{Problem, ProblemKind};
use crate::freshness::{Freshness, Head, Source, UnitAt, UnitOfHeight};
use crate::rest::ask::Ask;
use crate::server::AppState;
use crate::view::{Answered, At, HashPrefix};

/// Waits until the watermark has reached what the request wants.
pub async fn wait(state: &AppState, ask: &Ask) -> Result<Arc<Freshness>, Problem> {
    // Nearly nobody has to wait, and who does not needs neither a clock nor a place among those who do.
    let fresh = state.fresh();
    if fresh.database_up && reached(&fresh, ask)? {
        return Ok(fresh);
    }
    drop(fresh);
    let mut snapshots = state.watch();
    let give_up = tokio::time::sleep(Duration::from_millis(state.options().min_wait_ms));
    tokio::pin!(give_up);
    loop {
        let fresh = Arc::clone(&snapshots.borrow_and_update());
        if !fresh.database_up {
            return Err(Problem::database_unavailable());
        }
        if reached(&fresh, ask)? {
            return Ok(fresh);
        }
        tokio::select! {
            changed = snapshots.changed() => {
                if changed.is_err() {
                    return Err(Problem::database_unavailable());
                }
            }
            () = &mut give_up => {
                return Err(not_reached(fresh.position, ask.chain_of(&fresh)?.head.as_ref()));
            }
        }
    }
}

fn reached(fresh: &Freshness, ask: &Ask) -> Result<bool, Problem> {
    let pinned = ask.cursor.as_ref().map(|cursor| cursor.position);
    if ask.min_position.max(pinned).is_some_and(|position| fresh.position < position) {
        return Ok(false);
    }
    let Some(height) = ask.min_height else { return Ok(true) };
    Ok(ask.chain_of(fresh)?.head.as_ref().is_some_and(|head| head.height >= height))
}

/// 412: the answer would be older than the request accepts; says where we are.
pub fn not_reached(position: i64, head: Option<&Head>) -> Problem {
    let height = head.map(|head| head.height);
    let place = match height {
        Some(height) => format!("position {position}, height {height}"),
        None => format!("position {position}, before the first block"),
    };
    Problem::new(ProblemKind::NotReached, format!("the views have come to {place}, which is before what was asked for"))
        .with("position", position)
        .with("indexed_height", height)
        .with("indexed_block", head.map(|head| hex::encode(&head.block_hash)))
}

/// The position that the request asks about.
pub async fn resolve(state: &AppState, fresh: &Freshness, ask: &Ask) -> Result<At, Problem> {
    if let Some(cursor) = &ask.cursor {
        check_prefix(state, fresh, cursor.position, cursor.chain_hash).await?;
    }
    let pinned = ask.cursor.as_ref().map(|cursor| cursor.position);
    let named = place_named(state, fresh, ask).await?;
    if let (Some(pinned), Some(named)) = (pinned, named)
        && pinned != named
    {
        let why = format!(
            "belongs to another question: its pages are as of position {pinned}, and position {named} is asked for; \
             leave `at_height` and `at_position` out, or repeat them as they were"
        );
        return Err(Problem::bad("cursor", why));
    }
    let Some(position) = pinned.or(named) else { return Ok(At::Now) };
    if position < fresh.horizon {
        let detail = format!("answers as of before position {} have been pruned", fresh.horizon);
        return Err(Problem::new(ProblemKind::Pruned, detail).with("horizon", fresh.horizon));
    }
    Ok(At::Position(Position(position)))
}

/// The position that `at_position` or `at_height` names.
async fn place_named(state: &AppState, fresh: &Freshness, ask: &Ask) -> Result<Option<i64>, Problem> {
    if let Some(position) = ask.at_position {
        if position > fresh.position {
            return Err(position_problem(fresh, fresh.position, position));
        }
        // A unit takes effect as a whole, so a position inside one means the end of the unit before it.
        return Ok(Some(unit_before(state, position).await?.0));
    }
    match ask.at_height {
        Some(height) => Ok(Some(of_height(state, fresh, &*ask.chain_of(fresh)?, height).await?)),
        None => Ok(None),
    }
}

async fn of_height(state: &AppState, fresh: &Freshness, chain: &Source, height: i64) -> Result<i64, Problem> {
    let head = chain.head.as_ref();
    if head.is_none_or(|head| head.height < height) || height < chain.facts.start_height.to_db() {
        return Err(height_problem(chain, head, height));
    }
    let unit = UnitOfHeight { source_id: chain.source_id, height, position: fresh.position };
    state.view.connections().run(&unit).await?.ok_or_else(|| height_problem(chain, head, height))
}

/// Why no block of a chain is known at a height: not indexed yet, not there yet, or never followed. The head is that of
/// the answer that lacks it: a newer one may already be past the height.
pub fn height_problem(chain: &Source, head: Option<&Head>, height: i64) -> Problem {
    let indexed = head.map(|head| head.height);
    let tip = chain.following.tip_height;
    let name = &chain.name;
    let start = chain.facts.start_height.to_db();
    let problem = if height < start {
        Problem::not_found(format!("`{name}` is indexed from height {start} on"))
    } else if indexed.is_some_and(|indexed| height <= indexed) {
        Problem::not_found(format!("no block of `{name}` stands at height {height}"))
    } else {
        match tip {
            Some(tip) if tip < height => {
                Problem::new(ProblemKind::BeyondTip, format!("the newest block of `{name}` has height {tip}"))
            }
            Some(_) | None => {
                let indexed = indexed.map_or("nothing yet".to_owned(), |indexed| format!("height {indexed}"));
                let tip = tip.map_or("has not said its height".to_owned(), |tip| format!("is at height {tip}"));
                let detail = format!("`{name}` is indexed up to {indexed}, and its node {tip}");
                Problem::new(ProblemKind::NotIndexedYet, detail)
                    .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
            }
        }
    };
    problem.with("height", height).with("indexed_height", indexed).with("tip_height", tip)
}

/// Why nothing is known at a position: not folded yet, or not in the log at all. What was shown is the position of the
/// answer that lacks it.
pub fn position_problem(fresh: &Freshness, shown: i64, position: i64) -> Problem {
    let log = fresh.log_position.max(shown);
    let problem = if position > log {
        Problem::not_found(format!("the newest position of the log is {log}"))
    } else if position > shown {
        let detail = format!("the log has come to position {log}, the views to {shown}");
        Problem::new(ProblemKind::NotIndexedYet, detail).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    } else {
        Problem::not_found(format!("no event is at position {position}"))
    };
    problem.with("position", shown).with("log_position", log)
}

async fn unit_before(state: &AppState, position: i64) -> Result<(i64, HashPrefix), Problem> {
    Ok(state.view.connections().run(&UnitAt { position }).await?)
}

/// 412 unless the log at a position is the one that the client has seen.
pub async fn check_prefix(state: &AppState, fresh: &Freshness, position: i64, seen: HashPrefix) -> Result<(), Problem> {
    if position == fresh.position && seen == fresh.chain_hash {
        return Ok(());
    }
    let (end, hash) = unit_before(state, position).await?;
    if end == position && hash == seen {
        return Ok(());
    }
    // All that is known of the client's log is this one place, so the last common position is before it.
    let (common, _) = if end == position { unit_before(state, position - 1).await? } else { (end, hash) };
    let detail = format!(
        "position {position} was read from a log that has since lost its newest part; \
         the last position that both can have in common is {common}"
    );
    Err(Problem::new(ProblemKind::LogRewritten, detail).with("last_common_position", common))
}

/// Refuses an answer from before what was asked for: a view that was set aside stands still.
pub fn check_answer(fresh: &Freshness, at: At, ask: &Ask, answered: &Answered) -> Result<(), Problem> {
    let position = answered.position;
    if let At::Position(asked) = at
        && position < asked.0
    {
        let detail = format!("a view that answers this stands still at position {position} until it is repaired");
        return Err(Problem::new(ProblemKind::ViewSetAside, detail).with("position", position));
    }
    if let At::Position(asked) = at
        && asked.0 < answered.kept.stamp.horizon
    {
        let horizon = answered.kept.stamp.horizon.max(fresh.horizon);
        let detail = format!("answers as of before position {horizon} have been pruned");
        return Err(Problem::new(ProblemKind::Pruned, detail).with("horizon", horizon));
    }
    if at == At::Now && ask.min_position.is_some_and(|wanted| position < wanted) {
        return Err(not_reached(position, None));
    }
    Ok(())
}
