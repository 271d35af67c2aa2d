//! One search box: whatever a text may be the name of, found by key, and identities by the beginning of their name.

mod names;

use schema::chain::{BlockHash, IdentityId, TxId};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

pub use names::{FoundName, Match, NameKey, NameSearch};

use crate::page::Rows;
use crate::view::{At, Query, Stamp, Stamped, stamped};
use crate::views::checks::Standing;
use schema::event::Position;

/// Things of one sort shown at most.
const SHOWN: i64 = 10;

/// Something that a search has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Found {
    /// A block, by its height or hash.
    Block {
        /// Name of the chain.
        chain: String,
        /// Its height.
        height: i64,
        /// Its hash, hex.
        hash: String,
        /// Whether a reorganisation has taken it back.
        status: Standing,
    },
    /// A transaction, by its id.
    Transaction {
        /// Name of the chain.
        chain: String,
        /// Its id, normalised.
        tx_id: String,
        /// Height of its block.
        block_height: i64,
        /// Whether a reorganisation has taken it back.
        status: Standing,
    },
    /// An address that the log has named.
    Address {
        /// Name of the chain.
        chain: String,
        /// The address, canonical.
        address: String,
    },
    /// An identity, by its id or its name.
    Identity {
        /// Its id, hex.
        identity_id: String,
        /// Its name.
        display_name: Option<String>,
    },
}

/// What a text may be the name of, parsed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// A height on any chain.
    pub height: Option<i64>,
    /// The hash of a block.
    pub block_hash: Option<BlockHash>,
    /// A transaction.
    pub tx_id: Option<TxId>,
    /// An identity.
    pub identity_id: Option<IdentityId>,
    /// An address, as each source's own rule spells it: source and canonical text.
    pub addresses: Vec<(i32, String)>,
    /// The beginning of an identity's name, folded for search; empty searches no names.
    pub name: String,
}

impl Query for Search {
    /// Addresses are named by every kind of event, so only the log itself says when an answer may change.
    const VIEWS: &'static [&'static str] = &[];
    type Answer = Rows<Found>;

    fn key(&self) -> String {
        format!("search:{self:?}")
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, mut items) = self.blocks_and_transactions(db, at).await?;
        // As of the position just read, so that all statements speak of the same moment.
        let moment = At::Position(Position(at.position));
        items.extend(self.accounts_and_identities(db, moment).await?);
        if !self.name.is_empty() {
            let search = NameSearch { name: self.name.clone(), after: None, limit: SHOWN };
            let names = search.prefixes(db, moment).await?;
            for name in names {
                let found = Found::Identity { identity_id: name.identity_id, display_name: Some(name.display_name) };
                if !items.contains(&found) {
                    items.push(found);
                }
            }
        }
        Ok(Stamped { at, value: Rows { items, next: None, count: None } })
    }
}

impl Search {
    async fn blocks_and_transactions(&self, db: &mut PgConnection, at: At) -> sqlx::Result<(Stamp, Vec<Found>)> {
        let (at, rows) = stamped!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.sort as "sort?", r.chain as "chain?", r.height as "height?", r.hash as "hash?", r.tx_id as "tx_id?",
            r.stands as "stands?"
            "#,
            r#"
                select f.sort, src.name as chain, f.height, f.hash, f.tx_id, f.stands
                from (
                    select distinct on (k.sort, k.source_id) k.sort, k.source_id, k.height, k.hash, k.tx_id, k.stands
                    from (
                        select o.sort, o.source_id, o.height, o.hash, o.tx_id, o.position, not exists (
                            select 1
                            from log.retractions x
                            where x.source_id = o.source_id
                                and x.first_position <= o.position
                                and x.at_position > o.position
                                and x.at_position <= s.position
                        ) as stands
                        from (
                            select 1 as sort, b.source_id, b.height, b.hash, null::text as tx_id, b.position
                            from log.sources c
                            join blocks b on b.source_id = c.source_id and b.height = $3
                            union all
                            select 2, b.source_id, b.height, b.hash, null, b.position
                            from blocks b
                            where b.hash = $4
                            union all
                            select 3, t.source_id, t.block_height, null, t.tx_id, t.position
                            from transactions t
                            where t.tx_id = $5
                        ) o
                        where o.position <= s.position
                    ) k
                    order by k.sort, k.source_id, k.stands desc, k.position desc
                ) f
                join log.sources src on src.source_id = f.source_id
                order by f.sort, f.source_id
                limit $6
            "#,
            "order by r.sort, r.chain",
            self.height,
            self.block_hash.as_ref().map(BlockHash::as_bytes),
            self.tx_id.as_ref().map(TxId::as_str),
            SHOWN,
        )?;
        let found = rows.into_iter().filter_map(|row| {
            let (chain, height, status) = (row.chain?, row.height?, Standing::of(row.stands?));
            Some(match row.tx_id {
                Some(tx_id) => Found::Transaction { chain, tx_id, block_height: height, status },
                None => Found::Block { chain, height, hash: hex::encode(row.hash?), status },
            })
        });
        Ok((at, found.collect()))
    }

    async fn accounts_and_identities(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Vec<Found>> {
        let (sources, addresses): (Vec<i32>, Vec<String>) = self.addresses.iter().cloned().unzip();
        let (_, rows) = stamped!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.sort as "sort?", r.chain as "chain?", r.address as "address?", r.identity_id as "identity_id?",
            r.display_name as "display_name?"
            "#,
            r#"
                (
                    select 1 as sort, src.name as chain, a.subject as address, null::bytea as identity_id,
                        null::text as display_name
                    from unnest($3::integer[], $4::text[]) n (source_id, asked)
                    join log.sources src on src.source_id = n.source_id
                    cross join lateral (
                        select x.subject
                        from (
                            select c.subject, c.subject = n.asked as exact, count(*) over () as spellings
                            from log.subjects c
                            where lower(c.subject) = lower(n.asked)
                                and c.namespace = 1
                                and c.source_id = n.source_id
                                and exists (
                                    select 1
                                    from log.event_subjects es
                                    where es.subject_id = c.subject_id
                                        and es.position <= s.position
                                )
                        ) x
                        where x.exact or x.spellings = 1
                        order by x.exact desc
                        limit 1
                    ) a
                    order by n.source_id
                    limit $6
                )
                union all
                (
                    select 2, null, null, i.identity_id, i.display_name
                    from (
                        select v.identity_id, v.display_name, v.present
                        from identities_versions v
                        where v.identity_id = $5
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) i
                    where i.present
                )
            "#,
            "order by r.sort, r.chain",
            &sources,
            &addresses,
            self.identity_id.as_ref().map(|id| id.as_bytes().as_slice()),
            SHOWN,
        )?;
        let found = rows.into_iter().filter_map(|row| match row.identity_id {
            Some(id) => Some(Found::Identity { identity_id: hex::encode(id), display_name: row.display_name }),
            None => Some(Found::Address { chain: row.chain?, address: row.address? }),
        });
        Ok(found.collect())
    }
}
