//! The blocks of the current branch, by height and by hash: in memory, or in the journal with an index in memory.
//!
//! It must not know how blocks are made.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::NetworkError;
use super::dice::{to_u64, to_usize};
use super::journal::{Journal, Replay};
use super::miner::{Checkpoint, Step};
use super::wire::EncodedBlock;

/// Where a block's text is.
#[derive(Debug, Clone)]
enum Text {
    Memory(Bytes),
    Journal { offset: u64, len: usize },
}

#[derive(Debug, Clone)]
struct Entry {
    hash: [u8; 32],
    branch: u32,
    header_len: usize,
    text: Text,
}

/// The blocks of the current branch.
#[derive(Debug, Default)]
pub struct Store {
    entries: Vec<Entry>,
    heights: HashMap<[u8; 32], u64>,
    journal: Option<Journal>,
}

impl Store {
    /// An empty store that keeps its blocks in this journal.
    pub fn in_journal(journal: Journal) -> Self {
        Self { journal: Some(journal), ..Self::default() }
    }

    /// The blocks that a journal holds.
    pub fn replayed(journal: Journal, replay: &Replay) -> Self {
        let mut store = Self { journal: Some(journal), ..Self::default() };
        for block in &replay.blocks {
            let text = Text::Journal { offset: block.offset, len: block.len };
            let entry = Entry { hash: block.hash, branch: block.branch, header_len: block.header_len, text };
            store.put(block.height, entry);
        }
        store
    }

    /// Keeps the blocks of a step, in place of what stood from the first one's height on.
    ///
    /// # Errors
    /// The journal could not be written.
    pub fn keep(&mut self, steps: u64, forced: u64, step: &Step) -> Result<(), NetworkError> {
        for block in &step.blocks {
            let text = match &mut self.journal {
                Some(journal) => Text::Journal { offset: journal.write_block(block)?, len: block.json.len() },
                None => Text::Memory(block.json.clone()),
            };
            let entry = Entry { hash: block.hash, branch: block.branch, header_len: block.header_len, text };
            self.put(block.height, entry);
        }
        let tip = step.blocks.last().expect("a step makes at least one block");
        match &mut self.journal {
            Some(journal) => journal.write_step(steps, forced, tip),
            None => Ok(()),
        }
    }

    fn put(&mut self, height: u64, entry: Entry) {
        for replaced in self.entries.drain(to_usize(height).min(self.entries.len())..) {
            self.heights.remove(&replaced.hash);
        }
        assert_eq!(to_u64(self.entries.len()), height, "blocks come without gaps");
        self.heights.insert(entry.hash, height);
        self.entries.push(entry);
    }

    /// Notes where a restart may continue from; in memory there is none.
    ///
    /// # Errors
    /// The journal could not be written.
    pub fn checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), NetworkError> {
        match &mut self.journal {
            Some(journal) => journal.write_checkpoint(checkpoint),
            None => Ok(()),
        }
    }

    /// Height with this hash on the current branch.
    pub fn height_of(&self, hash: &[u8; 32]) -> Option<u64> {
        self.heights.get(hash).copied()
    }

    /// The block at a height.
    ///
    /// # Errors
    /// The journal could not be read.
    pub fn block(&self, height: u64) -> Result<Option<EncodedBlock>, NetworkError> {
        let Some(entry) = usize::try_from(height).ok().and_then(|index| self.entries.get(index)) else {
            return Ok(None);
        };
        let json = match (&entry.text, &self.journal) {
            (Text::Memory(bytes), _) => bytes.clone(),
            (Text::Journal { offset, len }, Some(journal)) => journal.read(*offset, *len)?,
            (Text::Journal { .. }, None) => unreachable!("journal texts exist in stores with a journal only"),
        };
        let EntryParts { hash, branch, header_len } = entry.parts();
        Ok(Some(EncodedBlock { height, hash, branch, header_len, json }))
    }

    /// The journal's file, if any.
    pub fn path(&self) -> Option<&Path> {
        self.journal.as_ref().map(Journal::path)
    }
}

struct EntryParts {
    hash: [u8; 32],
    branch: u32,
    header_len: usize,
}

impl Entry {
    fn parts(&self) -> EntryParts {
        EntryParts { hash: self.hash, branch: self.branch, header_len: self.header_len }
    }
}

/// Says that the file at `path` could not be used.
pub fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> NetworkError {
    let path = PathBuf::from(path);
    move |error| NetworkError::File { path, error }
}
