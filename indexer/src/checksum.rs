//! Checksums of views: over natural keys, values and heights of standing and current rows, never over positions or
//! surrogates, so that two operators can compare theirs, and so that equality after kills, forks and rebuilds means something.

use sha2::{Digest, Sha256};
use sqlx::PgConnection;

/// The rows of one view as lines of text, in an order that depends on their content alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewRows {
    /// Name of the view.
    pub view: &'static str,
    /// One line per row.
    pub lines: Vec<String>,
}

impl ViewRows {
    /// SHA-256 of the lines, hex.
    pub fn checksum(&self) -> String {
        let mut hasher = Sha256::new();
        for line in &self.lines {
            hasher.update(line.as_bytes());
            hasher.update(b"\n");
        }
        hex::encode(hasher.finalize())
    }
}

macro_rules! lines {
    ($db:expr, $view:literal, $query:literal) => {
        ViewRows {
            view: $view,
            lines: sqlx::query_scalar!(
                r#"select line as "line!" from ("# + $query + r#") as t (line) order by line collate "C""#
            )
            .fetch_all(&mut *$db)
            .await?,
        }
    };
}

/// The natural rows of every view that the connection's search path names. Reads everything: for tests, `verify` and
/// comparisons, not for serving.
pub async fn view_rows(db: &mut PgConnection) -> sqlx::Result<Vec<ViewRows>> {
    Ok(vec![
        lines!(
            db,
            "blocks",
            r#"
            select concat_ws('|', s.name, b.height, encode(b.hash, 'hex'), encode(b.parent_hash, 'hex'), b.block_time,
                b.validator_address, b.tx_count, b.gas_used, b.gas_limit, b.state_root, b.verdict)
            from blocks b
            join log.sources s using (source_id)
            where log.stands(b.source_id, b.position, (select position from watermark))
            "#
        ),
        lines!(
            db,
            "transactions",
            r#"
            select concat_ws('|', s.name, t.block_height, t.tx_index, t.tx_id, encode(t.block_hash, 'hex'), t.block_time, t.sender,
                coalesce(t.recipient, '-'), t.amount, t.fee, coalesce(t.nonce, -1), t.tx_type, t.status, t.verdict)
            from transactions t
            join log.sources s using (source_id)
            where log.stands(t.source_id, t.position, (select position from watermark))
            "#
        ),
        lines!(
            db,
            "heads",
            r#"
            select concat_ws('|', s.name, h.height, encode(h.block_hash, 'hex'), h.block_time, h.first_height,
                encode(h.genesis_hash, 'hex'), h.tx_total, h.links_verified, h.hashes_verified, h.signatures_verified,
                h.checks_refuted, h.unrecognized, h.complete)
            from heads h
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "balances",
            r#"
            select concat_ws('|', s.name, b.address, b.balance, b.received, b.sent, b.fees_paid, b.minted, b.staked,
                coalesce(b.nonce, -1), b.tx_count, b.first_height, b.last_height)
            from balances b
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "supply",
            r#"
            select concat_ws('|', s.name, u.allocated, u.minted, u.burned, u.undisclosed, u.balances_total, u.closed)
            from supply u
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "reports",
            r#"
            select concat_ws('|', s.name, r.address, r.reported_balance, coalesce(r.nonce, -1), r.height_before, r.height_after)
            from reported_balances r
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "identities",
            r#"
            select concat_ws('|', encode(i.identity_id, 'hex'), s.name, i.controller, i.key_alg, i.public_key,
                coalesce(i.display_name, '-'), coalesce(i.search_name, '-'), coalesce(encode(i.avatar_hash, 'hex'), '-'),
                coalesce(i.bio, '-'), i.stats_visibility, i.created_at, i.updated_at)
            from identities i
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "contested_identities",
            r#"
            select concat_ws('|', s.name, e.height, e.tx_id, e.event_index, encode(c.identity_id, 'hex'), w.name, c.detail)
            from contested_identities c
            join log.sources s on s.source_id = c.event_source_id
            join log.sources w on w.source_id = c.winner_source_id
            join log.events e on e.position = c.event_position
            "#
        ),
        lines!(
            db,
            "wallets",
            r#"
            select concat_ws('|', s.name, encode(l.identity_id, 'hex'), l.wallet_address, l.link_type, l.proof_public_key,
                l.proof_signature, l.verdict, l.trusted, l.created_at, encode(o.identity_id, 'hex'), c.identity_id is not null)
            from wallet_links l
            join log.sources s using (source_id)
            left join wallet_owners o using (address_id)
            left join contested_wallets c on c.event_position = l.claim_position
            "#
        ),
        lines!(
            db,
            "follows",
            r#"
            select concat_ws('|', s.name, encode(f.follower_id, 'hex'), encode(f.following_id, 'hex'), f.created_at)
            from follow_claims f
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "social",
            r#"
            select concat_ws('|', encode(c.follower_id, 'hex'), encode(c.following_id, 'hex'), s.name, c.created_at)
            from social_connections c
            join log.sources s using (source_id)
            "#
        ),
        // A count that went back to 0 says no more than one that was never made.
        lines!(
            db,
            "social_counts",
            r#"
            select concat_ws('|', encode(n.identity_id, 'hex'), n.followers, n.following)
            from social_counts n
            where n.followers > 0 or n.following > 0
            "#
        ),
        lines!(
            db,
            "powers",
            r#"
            select concat_ws('|', s.name, encode(p.identity_id, 'hex'), p.own_stake, p.delegated_in, p.delegated_out)
            from powers p
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "delegations",
            r#"
            select concat_ws('|', s.name, encode(d.delegator_id, 'hex'), encode(d.delegatee_id, 'hex'), d.amount, d.counted,
                d.created_at, d.updated_at,
                row_number() over (partition by d.source_id, d.delegator_id order by d.claim_position))
            from delegations d
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "proposals",
            r#"
            select concat_ws('|', s.name, p.proposal_id, encode(p.proposer_identity, 'hex'), p.proposal_type, p.title,
                p.quorum, p.voting_starts_at, p.voting_ends_at,
                p.status, coalesce(p.computed_outcome, '-'), coalesce(p.final_outcome, '-'), p.votes_for,
                p.votes_against, p.votes_abstain, p.voters, coalesce(p.claimed_for, -1),
                coalesce(p.claimed_against, -1), coalesce(p.claimed_abstain, -1), coalesce(p.opened_height, -1),
                p.created_at, p.updated_at, coalesce(p.finalized_at::text, '-'), coalesce(p.executed_at::text, '-'),
                coalesce(p.cancelled_at::text, '-'), e.height, e.tx_id, e.event_index)
            from proposals p
            join log.sources s using (source_id)
            join log.events e on e.position = p.claim_position
            "#
        ),
        lines!(
            db,
            "ballots",
            r#"
            select concat_ws('|', s.name, b.proposal_id, encode(b.voter_identity, 'hex'), b.vote_choice, b.vote_power,
                e.height, e.tx_id, e.event_index)
            from ballots b
            join log.sources s using (source_id)
            join log.events e on e.position = b.vote_position
            "#
        ),
        lines!(
            db,
            "votes",
            r#"
            select concat_ws('|', s.name, v.proposal_id, encode(v.voter_identity, 'hex'), v.vote_choice, v.claimed_power,
                v.vote_power, v.counts, coalesce(v.why, '-'), coalesce(v.reason, '-'), v.block_height, v.tx_id,
                e.event_index, v.cast_at)
            from votes v
            join log.sources s using (source_id)
            join log.events e on e.position = v.position
            where log.stands(v.source_id, v.position, (select position from watermark))
            "#
        ),
        lines!(
            db,
            "oracles",
            r#"
            select concat_ws('|', s.name, o.oracle_id, o.name, o.oracle_address, o.key_alg, o.public_key, o.registered_at,
                o.slashed, o.slash_count)
            from oracles o
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "submissions",
            r#"
            select concat_ws('|', s.name, w.block_height, w.tx_id, e.event_index, w.submission_id, w.is_rejection, w.outcome,
                coalesce(a.block_height, -1), coalesce(a.tx_id, '-'), w.miner_address, coalesce(w.oracle_id, '-'), w.work_type,
                coalesce(w.difficulty, '-'), coalesce(w.credit, '-'), w.score, coalesce(w.reward, -1),
                coalesce(w.reward_unit, '-'), coalesce(w.oracle_verdict, 0), coalesce(w.project, '-'),
                coalesce(w.task_id, '-'), coalesce(w.reason, '-'), coalesce(w.submitted_at, '-infinity'),
                coalesce(w.validated_at, '-infinity'), w.occurred_at)
            from work_submissions w
            join log.sources s using (source_id)
            join log.events e using (position)
            left join work_submissions a on a.source_id = w.source_id and a.position = w.accepted_position
            where log.stands(w.source_id, w.position, (select position from watermark))
            "#
        ),
        lines!(
            db,
            "work_hours",
            r#"
            select concat_ws('|', s.name, j.subject, h.work_type, h.hour, h.accepted, h.score)
            from work_hours h
            join log.sources s using (source_id)
            join log.subjects j on j.subject_id = h.address_id
            "#
        ),
        lines!(
            db,
            "work_clock",
            r#"
            select concat_ws('|', s.name, c.hour, c.block_time)
            from work_clock c
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "address_work",
            r#"
            select concat_ws('|', s.name, a.miner_address, a.work_type, a.accepted, a.rejected, a.score, a.score_day,
                a.score_week, a.score_month, coalesce(a.first_at, '-infinity'), coalesce(a.last_at, '-infinity'))
            from address_work a
            join log.sources s using (source_id)
            "#
        ),
        // A row that is left with nothing says no more than one that was never made. There are no lines of the daily
        // boards: they say what was shown as of a position, and that depends on the order in which sources were read.
        lines!(
            db,
            "identity_work",
            r#"
            select concat_ws('|', encode(i.identity_id, 'hex'), i.work_type, i.ranked, i.accepted, i.rejected, i.score,
                i.score_day, i.score_week, i.score_month, coalesce(i.first_at, '-infinity'), coalesce(i.last_at, '-infinity'))
            from identity_work i
            where i.accepted > 0 or i.rejected > 0
            "#
        ),
        lines!(
            db,
            "oracle_activity",
            r#"
            select concat_ws('|', s.name, a.oracle_id, a.accepted, a.rejected, a.overturned, a.refuted, a.unproven, a.repeated,
                a.latency_count, coalesce(a.first_at, '-infinity'), coalesce(a.last_at, '-infinity'))
            from oracle_activity a
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "oracle_types",
            r#"
            select concat_ws('|', s.name, t.oracle_id, t.work_type, t.accepted, t.rejected, t.refuted, t.unproven)
            from oracle_types t
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "oracle_hours",
            r#"
            select concat_ws('|', s.name, h.oracle_id, h.hour, h.accepted, h.rejected, h.refuted, h.unproven)
            from oracle_hours h
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "oracle_latencies",
            r#"
            select concat_ws('|', s.name, l.oracle_id, l.bucket, l.accepted)
            from oracle_latencies l
            join log.sources s using (source_id)
            "#
        ),
        lines!(
            db,
            "findings",
            r#"
            select concat_ws('|', s.name, f.height, f.tx_id, e.event_index, f.code, f.subject, f.detail, f.occurred_at,
                f.counts)
            from findings f
            join log.sources s using (source_id)
            join log.events e on e.position = f.event_position
            "#
        ),
    ])
}
