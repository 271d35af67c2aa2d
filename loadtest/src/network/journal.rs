//! The chain's file: an append-only list of frames, each a kind byte, a length and a body.
//!
//! The chain is a function of its configuration, so the file is a cache with a memory of how many steps were taken and
//! which branch switches were forced. Blocks are kept so that they need not be mined again; a checkpoint every so
//! often bounds what must be. A torn tail, as a kill leaves it, is cut off at the last complete step. Steps are flushed
//! to the operating system, not to the disk: a killed process loses nothing, a power cut may lose the last blocks.
//! It must not know what blocks contain.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::NetworkError;
use super::config::NetworkConfig;
use super::dice::{to_u64, to_usize};
use super::miner::Checkpoint;
use super::store::file_error;
use super::wire::EncodedBlock;

const CONFIG: u8 = b'C';
const BLOCK: u8 = b'B';
const STEP: u8 = b'S';
const CHECKPOINT: u8 = b'W';
/// Kind and length.
const FRAME_HEAD_BYTES: u64 = 9;
/// Height, branch, header length and hash before a block's text.
const BLOCK_HEAD_BYTES: usize = 8 + 4 + 8 + 32;
/// Step number, forced depth and tip hash.
const STEP_BYTES: usize = 8 + 8 + 32;

/// The chain's file, open for appending and for reading blocks.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    reader: File,
    writer: BufWriter<File>,
    end: u64,
}

/// A block as a scan of the file finds it.
#[derive(Debug)]
pub struct FoundBlock {
    /// Its height.
    pub height: u64,
    /// Its branch.
    pub branch: u32,
    /// See [`EncodedBlock::header_len`].
    pub header_len: usize,
    /// Its hash.
    pub hash: [u8; 32],
    /// Where its text begins in the file.
    pub offset: u64,
    /// Bytes of its text.
    pub len: usize,
}

/// A step as a scan of the file finds it.
#[derive(Debug, Clone)]
pub struct FoundStep {
    /// Steps taken, this one included.
    pub steps: u64,
    /// Depth of a forced branch switch; 0: the step was the script's.
    pub forced: u64,
    /// Hash of the head after it.
    pub tip: [u8; 32],
}

/// Everything a file holds.
#[derive(Debug, Default)]
pub struct Replay {
    /// The blocks of complete steps in the order in which they were mined.
    pub blocks: Vec<FoundBlock>,
    /// Steps after the checkpoint.
    pub steps: Vec<FoundStep>,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
}

impl Journal {
    /// Starts a new file, in place of any other.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn create(path: &Path, config: &NetworkConfig) -> Result<Self, NetworkError> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path);
        let mut journal = Self::over(path, file.map_err(file_error(path))?, 0)?;
        let config = serde_json::to_vec(config).expect("a configuration is JSON");
        journal.write_frame(CONFIG, &[&config])?;
        journal.flush()?;
        Ok(journal)
    }

    /// Opens an existing file and says what it holds; the second part is `None` when there is no block in it.
    ///
    /// # Errors
    /// The file could not be read, or is not such a file.
    pub fn open(path: &Path) -> Result<(Self, Replay), NetworkError> {
        let file = OpenOptions::new().read(true).write(true).open(path).map_err(file_error(path))?;
        let mut scan = Scan::new(path, &file)?;
        scan.read_config()?;
        while scan.next_frame()? {}
        let Scan { complete_end, mut replay, complete_blocks, checkpoint_at, .. } = scan;
        replay.blocks.truncate(complete_blocks);
        if let Some((offset, len)) = checkpoint_at {
            let mut text = vec![0; len];
            file.read_exact_at(&mut text, offset).map_err(file_error(path))?;
            let checkpoint: Checkpoint = serde_json::from_slice(&text).map_err(|error| damaged(path, error))?;
            replay.steps.retain(|step| step.steps > checkpoint.steps());
            replay.checkpoint = Some(checkpoint);
        }
        file.set_len(complete_end).map_err(file_error(path))?;
        Ok((Self::over(path, file, complete_end)?, replay))
    }

    /// The configuration a file was made with; `None` when there is no such file.
    ///
    /// # Errors
    /// The file could not be read, or is not such a file.
    pub fn config(path: &Path) -> Result<Option<NetworkConfig>, NetworkError> {
        match File::open(path) {
            Ok(file) if file.metadata().map_err(file_error(path))?.len() > 0 => {
                Scan::new(path, &file)?.read_config().map(Some)
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(file_error(path)(error)),
        }
    }

    fn over(path: &Path, file: File, end: u64) -> Result<Self, NetworkError> {
        let reader = file.try_clone().map_err(file_error(path))?;
        let mut writer = BufWriter::with_capacity(1 << 18, file);
        writer.seek(SeekFrom::Start(end)).map_err(file_error(path))?;
        Ok(Self { path: path.to_owned(), reader, writer, end })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a block and says where its text begins. It counts only once its step is written.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write_block(&mut self, block: &EncodedBlock) -> Result<u64, NetworkError> {
        let offset = self.end + FRAME_HEAD_BYTES + to_u64(BLOCK_HEAD_BYTES);
        let (height, branch) = (block.height.to_le_bytes(), block.branch.to_le_bytes());
        let header_len = to_u64(block.header_len).to_le_bytes();
        self.write_frame(BLOCK, &[&height, &branch, &header_len, &block.hash, &block.json])?;
        Ok(offset)
    }

    /// Appends the mark that makes the blocks before it count.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write_step(&mut self, steps: u64, forced: u64, tip: &EncodedBlock) -> Result<(), NetworkError> {
        self.write_frame(STEP, &[&steps.to_le_bytes(), &forced.to_le_bytes(), &tip.hash])?;
        self.flush()
    }

    /// Appends a state to continue from.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn write_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), NetworkError> {
        let text = serde_json::to_vec(checkpoint).expect("a checkpoint is JSON");
        self.write_frame(CHECKPOINT, &[&text])?;
        self.flush()
    }

    /// Reads a block's text.
    ///
    /// # Errors
    /// The file could not be read.
    pub fn read(&self, offset: u64, len: usize) -> Result<Bytes, NetworkError> {
        let mut text = vec![0; len];
        self.reader.read_exact_at(&mut text, offset).map_err(file_error(&self.path))?;
        Ok(text.into())
    }

    fn write_frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), NetworkError> {
        let len: u64 = parts.iter().map(|part| to_u64(part.len())).sum();
        let mut write = || {
            self.writer.write_all(&[kind])?;
            self.writer.write_all(&len.to_le_bytes())?;
            parts.iter().try_for_each(|part| self.writer.write_all(part))
        };
        write().map_err(file_error(&self.path))?;
        self.end += FRAME_HEAD_BYTES + len;
        Ok(())
    }

    fn flush(&mut self) -> Result<(), NetworkError> {
        self.writer.flush().map_err(file_error(&self.path))
    }
}

fn damaged(path: &Path, why: impl ToString) -> NetworkError {
    NetworkError::Damaged { path: path.to_owned(), why: why.to_string() }
}

/// One pass over the file that reads frame heads and skips texts.
struct Scan<'a> {
    path: &'a Path,
    file: BufReader<&'a File>,
    at: u64,
    len: u64,
    complete_end: u64,
    complete_blocks: usize,
    checkpoint_at: Option<(u64, usize)>,
    replay: Replay,
}

impl<'a> Scan<'a> {
    fn new(path: &'a Path, file: &'a File) -> Result<Self, NetworkError> {
        let len = file.metadata().map_err(file_error(path))?.len();
        let file = BufReader::with_capacity(1 << 16, file);
        let replay = Replay::default();
        Ok(Self { path, file, at: 0, len, complete_end: 0, complete_blocks: 0, checkpoint_at: None, replay })
    }

    fn read_config(&mut self) -> Result<NetworkConfig, NetworkError> {
        let Some((CONFIG, len)) = self.frame_head()? else { return Err(damaged(self.path, "not a chain file")) };
        let mut text = vec![0; to_usize(len)];
        self.file.read_exact(&mut text).map_err(file_error(self.path))?;
        self.at += len;
        self.complete_end = self.at;
        serde_json::from_slice(&text).map_err(|error| damaged(self.path, error))
    }

    /// The kind and length of the frame here; `None` when the rest of the file does not hold all of it.
    fn frame_head(&mut self) -> Result<Option<(u8, u64)>, NetworkError> {
        if self.len - self.at < FRAME_HEAD_BYTES {
            return Ok(None);
        }
        let kind = self.array::<1>()?[0];
        let len = u64::from_le_bytes(self.array()?);
        Ok((len <= self.len - self.at).then_some((kind, len)))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NetworkError> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(file_error(self.path))?;
        self.at += to_u64(N);
        Ok(bytes)
    }

    fn next_frame(&mut self) -> Result<bool, NetworkError> {
        let Some((kind, len)) = self.frame_head()? else { return Ok(false) };
        let end = self.at + len;
        match kind {
            BLOCK if len >= to_u64(BLOCK_HEAD_BYTES) => {
                let height = u64::from_le_bytes(self.array()?);
                let branch = u32::from_le_bytes(self.array()?);
                let header_len = to_usize(u64::from_le_bytes(self.array()?));
                let hash = self.array()?;
                let (offset, len) = (self.at, to_usize(end - self.at));
                self.replay.blocks.push(FoundBlock { height, branch, header_len, hash, offset, len });
            }
            STEP if len == to_u64(STEP_BYTES) => {
                let steps = u64::from_le_bytes(self.array()?);
                let forced = u64::from_le_bytes(self.array()?);
                let tip = self.array()?;
                self.replay.steps.push(FoundStep { steps, forced, tip });
                self.complete_blocks = self.replay.blocks.len();
                self.complete_end = end;
            }
            CHECKPOINT => {
                self.checkpoint_at = Some((self.at, to_usize(len)));
                self.complete_end = end;
            }
            other => return Err(damaged(self.path, format!("unknown frame {other} at byte {}", self.at))),
        }
        let skip = i64::try_from(end - self.at).map_err(|error| damaged(self.path, error))?;
        self.file.seek_relative(skip).map_err(file_error(self.path))?;
        self.at = end;
        Ok(true)
    }
}
