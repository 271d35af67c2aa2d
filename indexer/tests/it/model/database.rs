//! The rows of every view as the database has them, in the words of the model.

use std::collections::BTreeSet;

use schema::db::Session;
use schema::event::Position;
use schema::source::SourceFacts;
use schema::store::{LoggedUnit, load_facts, read_units};
use sqlx::PgConnection;

use super::{Lines, Model};
use crate::support::texts;

/// Units read at once.
const UNITS: i64 = 1_000_000;

/// View, what a row is made of, and where rows are. `%at` stands for the position that all is as of.
const ROWS: &[(&str, &str, &str)] = &[
    (
        "balances",
        "s.name, b.address, b.balance, b.received, b.sent, b.fees_paid, b.minted, b.staked, b.nonce, \
         b.tx_count, b.first_height, b.last_height",
        "balances b join log.sources s using (source_id)",
    ),
    (
        "supply",
        "s.name, u.allocated, u.minted, u.burned, u.undisclosed, u.balances_total, #u.closed",
        "supply u join log.sources s using (source_id)",
    ),
    (
        "identity_claims",
        "s.name, @i.identity_id, i.controller, i.key_alg, i.public_key, i.display_name, i.bio, \
         i.stats_visibility, i.created_at, i.updated_at, i.claim_position",
        "identity_claims i join log.sources s using (source_id)",
    ),
    (
        "identities",
        "s.name, @i.identity_id, i.controller, i.key_alg, i.public_key, i.display_name, i.bio, \
         i.stats_visibility, i.created_at, i.updated_at, i.claim_position",
        "identities i join log.sources s using (source_id)",
    ),
    (
        "contested_identities",
        "s.name, c.event_position, @c.identity_id, w.name",
        "contested_identities c join log.sources s on s.source_id = c.event_source_id join log.sources w on \
         w.source_id = c.winner_source_id",
    ),
    (
        "wallet_links",
        "s.name, @l.identity_id, l.wallet_address, l.link_type, ^l.verdict, #l.trusted, l.created_at, \
         l.claim_position",
        "wallet_links l join log.sources s using (source_id)",
    ),
    (
        "wallet_holders",
        "s.name, a.subject, @h.identity_id, h.claim_position",
        "wallet_holders h join log.sources s using (source_id) join log.subjects a on a.subject_id = \
         h.address_id and a.source_id = h.source_id",
    ),
    (
        "wallet_owners",
        "s.name, a.subject, @o.identity_id, o.claim_position",
        "wallet_owners o join log.sources s using (source_id) join log.subjects a on a.subject_id = \
         o.address_id and a.source_id = o.source_id",
    ),
    (
        "contested_wallets",
        "s.name, c.event_position, a.subject, @c.identity_id, @c.owner_identity_id",
        "contested_wallets c join log.sources s on s.source_id = c.event_source_id join log.subjects a on \
         a.subject_id = c.address_id",
    ),
    (
        "oracles",
        "s.name, o.oracle_id, o.name, o.oracle_address, o.key_alg, o.public_key, o.registered_at, \
         o.slashed, o.slash_count, o.claim_position",
        "oracles o join log.sources s using (source_id)",
    ),
    (
        "oracle_activity",
        "s.name, o.oracle_id, o.accepted, o.rejected, o.overturned, o.refuted, o.unproven, o.repeated, \
         o.latency_count, o.first_at, o.last_at",
        "oracle_activity o join log.sources s using (source_id)",
    ),
    (
        "oracle_types",
        "s.name, o.oracle_id, o.work_type, o.accepted, o.rejected, o.refuted, o.unproven",
        "oracle_types o join log.sources s using (source_id)",
    ),
    (
        "oracle_hours",
        "s.name, o.oracle_id, o.hour, o.accepted, o.rejected, o.refuted, o.unproven",
        "oracle_hours o join log.sources s using (source_id)",
    ),
    (
        "oracle_latencies",
        "s.name, o.oracle_id, log.latency_floor(o.bucket), o.accepted",
        "oracle_latencies o join log.sources s using (source_id)",
    ),
    (
        "work_submissions",
        "s.name, w.position, w.submission_id, #w.is_rejection, w.outcome, w.accepted_position, \
         w.miner_address, w.oracle_id, w.work_type, w.difficulty, w.credit, w.score, w.reward, \
         w.reward_unit, ^w.oracle_verdict, w.submitted_at, w.validated_at, w.block_height, w.tx_id, \
         w.occurred_at",
        "work_submissions w join log.sources s using (source_id) where w.position <= %at and \
         log.stands(w.source_id, w.position, %at)",
    ),
    (
        "work_hours",
        "s.name, a.subject, h.work_type, h.hour, h.accepted, h.score",
        "work_hours h join log.sources s using (source_id) join log.subjects a on a.subject_id = \
         h.address_id where h.accepted <> 0 or h.score <> 0",
    ),
    ("work_clock", "s.name, c.hour, c.block_time", "work_clock c join log.sources s using (source_id)"),
    (
        "address_work",
        "s.name, w.miner_address, w.work_type, w.accepted, w.rejected, w.score, w.score_day, w.score_week, \
         w.score_month, w.first_at, w.last_at",
        "address_work w join log.sources s using (source_id) where w.accepted <> 0 or w.rejected <> 0 or \
         w.score <> 0",
    ),
    (
        "identity_work",
        "@w.identity_id, w.work_type, #w.ranked, w.accepted, w.rejected, w.score, w.score_day, \
         w.score_week, w.score_month, w.first_at, w.last_at",
        "identity_work w where w.accepted <> 0 or w.rejected <> 0 or w.score <> 0",
    ),
    (
        "identity_boards",
        "s.name, r.position, @r.identity_id, r.work_type, r.timeframe, r.rank, r.ranked, r.score, r.last_at, r.height, \
         r.block_time",
        "(select h.*, u.identity_id, u.score, u.last_at, u.rank from identity_boards h cross join lateral \
         unnest(h.identities, h.scores, h.last_ats) with ordinality u (identity_id, score, last_at, rank)) r join log.sources s \
         using (source_id) where r.height is not null and r.position <= %at and log.stands(r.source_id, r.position, %at)",
    ),
    (
        "address_boards",
        "s.name, r.position, a.subject || ' ' || a.source_id, r.work_type, r.timeframe, r.rank, r.ranked, r.score, r.last_at",
        "(select h.*, u.address_id, u.score, u.last_at, u.rank from address_boards h cross join lateral \
         unnest(h.addresses, h.scores, h.last_ats) with ordinality u (address_id, score, last_at, rank)) r join log.sources s \
         using (source_id) join log.subjects a on a.subject_id = r.address_id where r.position <= %at and \
         log.stands(r.source_id, r.position, %at)",
    ),
    (
        "powers",
        "s.name, @p.identity_id, p.own_stake, p.delegated_in, p.delegated_out",
        "powers p join log.sources s using (source_id) where (p.own_stake, p.delegated_in, p.delegated_out) \
         <> (0, 0, 0)",
    ),
    (
        "delegations",
        "s.name, @d.delegator_id, @d.delegatee_id, d.amount, d.counted, d.created_at, d.updated_at, \
         d.claim_position",
        "delegations d join log.sources s using (source_id)",
    ),
    (
        "proposals",
        "s.name, p.proposal_id, @p.proposer_identity, p.proposal_type, p.title, p.quorum, p.status, \
         p.computed_outcome, p.final_outcome, format('[%s, %s, %s]', p.votes_for, p.votes_against, \
         p.votes_abstain), p.voters, concat(coalesce(p.claimed_for::text, '-'), ',', \
         coalesce(p.claimed_against::text, '-'), ',', coalesce(p.claimed_abstain::text, '-')), \
         p.opened_position, p.opened_height, p.voting_starts_at, p.voting_ends_at, p.created_at, \
         p.updated_at, p.finalized_at, p.executed_at, p.cancelled_at, p.claim_position",
        "proposals p join log.sources s using (source_id)",
    ),
    (
        "ballots",
        "s.name, b.proposal_id, @b.voter_identity, b.vote_choice, b.vote_power, b.vote_position",
        "ballots b join log.sources s using (source_id)",
    ),
    (
        "votes",
        "s.name, v.position, v.proposal_id, @v.voter_identity, v.vote_choice, v.claimed_power, \
         v.vote_power, #v.counts, v.why, v.reason, v.block_height, v.tx_id, v.cast_at",
        "votes v join log.sources s using (source_id) where v.position <= %at and log.stands(v.source_id, \
         v.position, %at)",
    ),
    (
        "participation",
        "s.name, @i.identity_id, (select count(*) from ballots b where b.source_id = i.source_id and \
         b.voter_identity = i.identity_id), (select count(*) from proposals p where p.source_id = \
         i.source_id and p.opened_position is not null and p.voting_ends_at > i.created_at)",
        "identity_claims i join log.sources s using (source_id)",
    ),
    (
        "follow_claims",
        "s.name, @f.follower_id, @f.following_id, f.created_at, f.claim_position",
        "follow_claims f join log.sources s using (source_id)",
    ),
    (
        "social_connections",
        "@c.follower_id, @c.following_id, s.name, c.created_at, c.claim_position",
        "social_connections c join log.sources s using (source_id)",
    ),
    (
        "social_counts",
        "@n.identity_id, n.followers, n.following",
        "social_counts n where n.followers <> 0 or n.following <> 0",
    ),
    ("findings", "s.name, f.event_position, f.code, #f.counts", "findings f join log.sources s using (source_id)"),
];

/// Boards as clients get them: which rows, whose, and the order after score and last contribution.
const BOARDS: &[(&str, &str, &str)] = &[
    ("boards by identity", "@w.identity_id", "identity_work w where w.ranked and"),
    ("boards by address", "w.miner_address || ' ' || w.source_id", "address_work w where"),
];

/// Columns that hold the scores of each timeframe.
const SCORES: &[(&str, &str)] =
    &[("day", "score_day"), ("week", "score_week"), ("month", "score_month"), ("all", "score")];

/// What is absent is a dash; times, bytes, verdicts and truths are spelled as the model does.
fn field(column: &str) -> String {
    let text = if let Some(bytes) = column.strip_prefix('@') {
        format!("encode({bytes}, 'hex')")
    } else if let Some(truth) = column.strip_prefix('#') {
        format!("({truth})::text")
    } else if let Some(verdict) = column.strip_prefix('^') {
        format!("case {verdict} when 1 then 'verified' when 2 then 'refuted' when 3 then 'unverifiable' end")
    } else if column.ends_with("_at") || column.ends_with("_time") {
        format!("({column} at time zone 'utc')::text")
    } else {
        format!("({column})::text")
    };
    format!("coalesce({text}, '-')")
}

/// The parts between commas that stand outside of brackets.
fn columns(list: &str) -> Vec<String> {
    let (mut columns, mut depth) = (vec![String::new()], 0_u32);
    for char in list.chars() {
        match char {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                columns.push(String::new());
                continue;
            }
            _ => {}
        }
        columns.last_mut().expect("never empty").push(char);
    }
    columns.iter().map(|column| column.trim().to_owned()).collect()
}

/// Views whose rows are only ever added to: they answer for every position, given the retractions.
pub const APPENDED: [&str; 4] = ["work_submissions", "identity_boards", "address_boards", "votes"];

fn statement(wanted: impl Fn(&str) -> bool) -> String {
    let line = |columns: &[String]| columns.iter().map(|column| field(column)).collect::<Vec<_>>().join(" || '|' || ");
    let mut parts: Vec<String> = ROWS
        .iter()
        .filter(|(view, _, _)| wanted(view))
        .map(|(view, list, rows)| format!("select '{view}: ' || {} from {rows}", line(&columns(list))))
        .collect();
    for (view, name, rows) in BOARDS.iter().filter(|(view, _, _)| wanted(view)) {
        parts.extend(SCORES.iter().map(|(timeframe, score)| board(view, &field(name), rows, timeframe, score)));
    }
    parts.join(" union all ")
}

fn board(view: &str, name: &str, rows: &str, timeframe: &str, score: &str) -> String {
    format!(
        "select '{view}: ' || concat_ws('|', work_type, '{timeframe}', rank, name, score, \
         trunc((ranked - rank) * 100000000000 / ranked)) from (\
         select w.work_type, {name} as name, w.{score} as score, count(*) over (partition by w.work_type) as ranked, \
         row_number() over (partition by w.work_type order by w.{score} desc, w.last_at, {name} collate \"C\") as rank \
         from {rows} w.{score} > 0 \
         and w.work_type in ('boinc', 'nuw', 'bandwidth', 'compute', 'ceremony', 'all')) board"
    )
}

/// The rows as of the position that the views are at; those of versioned views are the current ones.
pub async fn lines_of(db: &mut PgConnection, at: Position, wanted: impl Fn(&str) -> bool) -> Lines {
    let mut lines = Lines::new();
    for text in texts(db, &statement(wanted).replace("%at", &at.to_string())).await {
        let (view, line) = text.split_once(": ").expect("the statement names the view");
        let is_new = lines.entry(view.to_owned()).or_default().insert(line.to_owned());
        assert!(is_new, "{view} has a row twice: {line}");
    }
    lines
}

/// The log of a database and its sources.
pub async fn read_log(db: &mut PgConnection) -> (Vec<LoggedUnit>, Vec<SourceFacts>) {
    let log = read_units(db, Position::START, UNITS).await.expect("the log reads back");
    (log, load_facts(db).await.expect("the sources read back"))
}

/// Fails with what differs between the database and the model.
pub fn assert_models(actual: &Lines, model: &Model<'_>, what: &str) {
    let expected = model.lines();
    let nothing = BTreeSet::new();
    let views: BTreeSet<&String> = actual.keys().chain(expected.keys()).collect();
    let mut differences = String::new();
    for view in views {
        let (found, wanted) = (actual.get(view).unwrap_or(&nothing), expected.get(view).unwrap_or(&nothing));
        let kept = boards_in(found);
        let wanted: BTreeSet<String> =
            wanted.iter().filter(|line| *view != "address_boards" || kept.contains(&board_of(line))).cloned().collect();
        for line in found.difference(&wanted) {
            differences += &format!("\n  {view}: unexpected {line}");
        }
        for line in wanted.difference(found) {
            differences += &format!("\n  {view}: missing    {line}");
        }
    }
    assert!(differences.is_empty(), "{what}: as of {} the database is not the model:{differences}", model.at());
}

/// Boards that lines of `address_boards` are of. They are kept only now and then, but those that are kept are kept whole.
fn boards_in(lines: &BTreeSet<String>) -> BTreeSet<[&str; 3]> {
    lines.iter().map(|line| board_of(line)).collect()
}

/// Source, position and type of a line of a board.
fn board_of(line: &str) -> [&str; 3] {
    let fields: Vec<&str> = line.split('|').collect();
    [0, 1, 3].map(|index| fields.get(index).copied().unwrap_or_default())
}

/// A connection that sees another set of views.
pub async fn connect_to(url: &str, view_schema: &'static str) -> PgConnection {
    let session = Session { view_schema, ..Session::indexer() };
    session.connect(url).await.expect("connects")
}
