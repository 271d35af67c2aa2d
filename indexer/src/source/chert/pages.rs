//! Ranges of blocks from pages of `get_blocks`, and from questions for single blocks where pages do not yield them.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use schema::chain::Height;
use serde_json::value::RawValue;

use super::answers::{self, Params, Windows};
use super::contact::Contact;
use super::{ChertSource, rpc};
use crate::decode::chert::{Header, header};
use crate::source::SourceError;

/// A page to ask for: its newest height, the number of its blocks, and whether the node counts from the height above.
#[derive(Debug, Clone, Copy)]
struct Window {
    top: Height,
    limit: u32,
    is_exclusive: bool,
}

/// What is wanted of a range.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) range: RangeInclusive<Height>,
    /// With transactions, or the headers alone.
    pub(super) include_txs: bool,
    /// How many heights may be asked for one by one; beyond it the newest part of the range is answered.
    pub(super) singles_max: u32,
}

impl ChertSource {
    /// Reads a range from the top down, at most up to the node's tip. `read` judges each block.
    pub(super) async fn collect<T: Send>(
        &self,
        contact: &Contact,
        wanted: Wanted,
        read: impl Fn(&str) -> Result<(Height, T), SourceError> + Send + Sync,
    ) -> Result<Vec<T>, SourceError> {
        let include_txs = wanted.include_txs;
        let mut windows = Windows::new(wanted.range);
        let mut has_pages = true;
        let mut is_other_reading_tried = false;
        let mut singles = 0;
        while let Some((top, limit)) = windows.missing() {
            let limit = limit.min(self.options.page.max(1));
            let is_exclusive = self.is_from_height_exclusive.load(Ordering::Relaxed);
            let window = Window { top, limit, is_exclusive };
            has_pages = has_pages && self.read_page(contact, &mut windows, window, include_txs, &read).await?;
            if !windows.has(top) && has_pages && !is_other_reading_tried {
                is_other_reading_tried = true;
                let window = Window { is_exclusive: !is_exclusive, ..window };
                has_pages = self.read_page(contact, &mut windows, window, include_txs, &read).await?;
                if windows.has(top) {
                    self.is_from_height_exclusive.store(!is_exclusive, Ordering::Relaxed);
                }
            }
            if windows.has(top) {
                continue;
            }
            if singles == wanted.singles_max {
                break;
            }
            singles += 1;
            tracing::debug!(height = %top, has_pages, "no page holds the block; asking for it alone");
            match self.single(contact, top, include_txs).await? {
                Some(text) => {
                    let (height, value) = read(&text)?;
                    expect(top, height)?;
                    windows.add(height, value);
                }
                None => self.lower(contact, &mut windows, top).await?,
            }
        }
        Ok(windows.into_values())
    }

    /// The header at a height; none when the node does not have it (now).
    pub(super) async fn header_at(&self, contact: &Contact, height: Height) -> Result<Option<Header>, SourceError> {
        if let Some(text) = self.single(contact, height, false).await? {
            let header = header(&text)?;
            expect(height, header.height)?;
            return Ok(Some(header));
        }
        let wanted = Wanted { range: height..=height, include_txs: false, singles_max: 0 };
        let headers = self.collect(contact, wanted, |text| {
            let header = header(text)?;
            Ok((header.height, header))
        });
        Ok(headers.await?.into_iter().next())
    }

    /// Reads one page into the range; says whether the node has pages at all.
    async fn read_page<T: Send>(
        &self,
        contact: &Contact,
        windows: &mut Windows<T>,
        window: Window,
        include_txs: bool,
        read: &(impl Fn(&str) -> Result<(Height, T), SourceError> + Send + Sync),
    ) -> Result<bool, SourceError> {
        let from_height = if window.is_exclusive { window.top.saturating_add(1) } else { window.top };
        let params = Params::new()
            .with("limit", window.limit)?
            .with("include_txs", include_txs)?
            .with("from_height", from_height.to_db())?;
        let answer = match contact.rpc.call("get_blocks", params.into()).await {
            Ok(answer) => answer,
            Err(error) if error.is_method_unknown() => return Ok(false),
            Err(error) if error.is_block_unknown() => return Ok(true),
            Err(error) => return Err(error.into()),
        };
        for text in answers::blocks(&answer)? {
            let (height, value) = read(text)?;
            windows.add(height, value);
        }
        Ok(true)
    }

    /// The raw text of the block at a height, asked for alone.
    async fn single(
        &self,
        contact: &Contact,
        height: Height,
        include_txs: bool,
    ) -> Result<Option<String>, SourceError> {
        let params = Params::new().with("block_number", height.to_db())?.with("include_txs", include_txs)?;
        let answer: Result<Box<RawValue>, rpc::CallError> =
            contact.rpc.call("eth_getBlockByNumber", params.into()).await;
        match answer {
            Ok(answer) => Ok(answers::one_block(&answer)?.map(str::to_owned)),
            Err(error) if error.is_block_unknown() || error.is_method_unknown() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Ends a range where the node ends: it does not have this height, so its tip should be lower.
    async fn lower<T>(&self, contact: &Contact, windows: &mut Windows<T>, top: Height) -> Result<(), SourceError> {
        let tip = if windows.is_untouched() { Some(self.newest_height(contact).await?) } else { None };
        match tip {
            Some(tip) if tip < top => windows.end_at(tip),
            Some(_) | None => windows.give_up(top)?,
        }
        Ok(())
    }
}

fn expect(asked: Height, answered: Height) -> Result<(), SourceError> {
    if asked == answered {
        Ok(())
    } else {
        Err(SourceError::Malformed(format!("asked for block {asked}, answered {answered}")))
    }
}
