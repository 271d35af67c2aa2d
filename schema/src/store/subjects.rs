//! Numbers for subjects: dense, given out by the appender alone, the same after every rebuild.

use std::collections::BTreeMap;

use sqlx::PgConnection;

use crate::event::{Namespace, SourceId, Subject};
use crate::store::StoreError;

/// Entries remembered at once; each is about 150 bytes.
const REMEMBERED: usize = 300_000;

/// A subject as the database tells subjects apart: shared namespaces have no source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKey {
    source_id: i32,
    namespace: i16,
    name: String,
}

impl SubjectKey {
    /// The key of a subject that a source speaks of.
    pub fn new(source: SourceId, subject: &Subject) -> Self {
        let source_id = if subject.namespace.is_per_source() { source.0 } else { 0 };
        Self { source_id, namespace: subject.namespace.code(), name: subject.name.clone() }
    }

    /// The key of an address of a chain.
    pub fn address(source: SourceId, address: &str) -> Self {
        Self { source_id: source.0, namespace: Namespace::Address.code(), name: address.to_owned() }
    }

    pub(crate) fn source_column(&self) -> Option<i32> {
        (self.source_id != 0).then_some(self.source_id)
    }

    pub(crate) fn namespace(&self) -> i16 {
        self.namespace
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Subject numbers known so far; forgets everything when it has grown too large, which costs one look-up each.
#[derive(Debug, Default)]
pub struct SubjectNumbers {
    known: BTreeMap<SubjectKey, i64>,
}

impl SubjectNumbers {
    /// The number of a subject, if it has been resolved.
    pub fn get(&self, key: &SubjectKey) -> Option<i64> {
        self.known.get(key).copied()
    }

    /// Remembers a number.
    pub fn insert(&mut self, key: SubjectKey, number: i64) {
        self.known.insert(key, number);
    }

    /// Forgets everything, after a failed append whose numbers never came to be.
    pub fn clear(&mut self) {
        self.known.clear();
    }

    /// Looks up in the database those of the keys that are not known here.
    pub async fn resolve<'a>(
        &mut self,
        db: &mut PgConnection,
        keys: impl IntoIterator<Item = &'a SubjectKey>,
    ) -> Result<(), StoreError> {
        if self.known.len() > REMEMBERED {
            self.known.clear();
        }
        let missing: Vec<&SubjectKey> = keys.into_iter().filter(|key| !self.known.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let namespaces: Vec<i16> = missing.iter().map(|key| key.namespace).collect();
        let names: Vec<String> = missing.iter().map(|key| key.name.clone()).collect();
        let sources: Vec<i32> = missing.iter().map(|key| key.source_id).collect();
        let rows = sqlx::query!(
            r#"
            select
                s.subject_id,
                wanted.source_id as "source_id!",
                wanted.namespace as "namespace!",
                wanted.name as "name!"
            from unnest($1::smallint[], $2::text[], $3::integer[]) as wanted (namespace, name, source_id)
            join log.subjects s
                on s.namespace = wanted.namespace
                and s.subject = wanted.name
                and coalesce(s.source_id, 0) = wanted.source_id
            "#,
            &namespaces,
            &names,
            &sources
        )
        .fetch_all(db)
        .await?;
        for row in rows {
            let key = SubjectKey { source_id: row.source_id, namespace: row.namespace, name: row.name };
            self.known.insert(key, row.subject_id);
        }
        Ok(())
    }
}
