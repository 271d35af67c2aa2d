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
