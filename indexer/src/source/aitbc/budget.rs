//! How many requests a minute a node allows, kept by waiting rather than by being refused.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// The window over which nodes count requests.
const WINDOW: Duration = Duration::from_secs(60);

/// A sliding window of the newest requests, as the node counts them.
#[derive(Debug)]
pub(super) struct Budget {
    per_window: usize,
    spent: Mutex<VecDeque<Instant>>,
}

impl Budget {
    pub(super) fn new(per_minute: u32) -> Self {
        let per_window = usize::try_from(per_minute.max(1)).unwrap_or(usize::MAX);
        Self { per_window, spent: Mutex::new(VecDeque::new()) }
    }

    /// Waits until one more request fits the window, and counts it. Who waits first goes first.
    pub(super) async fn spend(&self) {
        let mut spent = self.spent.lock().await;
        if let Some(at) = free_at(&spent, self.per_window) {
            sleep_until(at).await;
        }
        while spent.len() >= self.per_window {
            spent.pop_front();
        }
        spent.push_back(Instant::now());
    }
}

/// When the oldest of a full window leaves it; none while there is room.
fn free_at(spent: &VecDeque<Instant>, per_window: usize) -> Option<Instant> {
    if spent.len() < per_window { None } else { spent.front().map(|oldest| *oldest + WINDOW) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_window_frees_with_its_oldest_request() {
        let now = Instant::now();
        let spent = VecDeque::from([now, now + Duration::from_secs(5)]);
        assert_eq!(free_at(&spent, 3), None);
        assert_eq!(free_at(&spent, 2), Some(now + WINDOW));
    }
}
