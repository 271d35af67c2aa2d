//! How far the indexer is: one moving line on a terminal, plain log lines in a pipe.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

/// How often a terminal is redrawn.
const TERMINAL_INTERVAL: Duration = Duration::from_millis(500);
/// How often a pipe gets a line.
const PIPE_INTERVAL: Duration = Duration::from_secs(5);

#[derive(Debug, Deserialize)]
struct Status {
    position: i64,
    sources: Vec<Source>,
}

#[derive(Debug, Deserialize)]
struct Source {
    name: String,
    state: String,
    tip: Option<i64>,
    head: Option<i64>,
}

/// Shows progress until told to stop, from what the API itself answers.
pub async fn show(url: String, stop: CancellationToken) {
    let terminal = std::io::stderr().is_terminal();
    let interval = if terminal { TERMINAL_INTERVAL } else { PIPE_INTERVAL };
    let bar = terminal.then(|| {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::default_spinner());
        bar
    });
    let mut before: Option<(Instant, i64)> = None;
    while !stop.is_cancelled() {
        if let Some(status) = ask(&url).await {
            let now = Instant::now();
            let rate = before.map_or(0, |(then, position)| {
                let elapsed_ms = i64::try_from((now - then).as_millis()).unwrap_or(i64::MAX).max(1);
                (status.position - position) * 1_000 / elapsed_ms
            });
            before = Some((now, status.position));
            let line = line(&status, rate);
            match &bar {
                Some(bar) => {
                    bar.set_message(line);
                    bar.tick();
                }
                None => tracing::info!("{line}"),
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(interval) => {}
        }
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

async fn ask(url: &str) -> Option<Status> {
    reqwest::get(format!("{url}/v1/status")).await.ok()?.json().await.ok()
}

/// The log's position and rate; for each source its height, and when it will have caught up at this rate.
fn line(status: &Status, rate: i64) -> String {
    let sources: Vec<String> = status.sources.iter().map(|source| describe(source, status.position, rate)).collect();
    format!("position {} ({rate} events/s) · {}", status.position, sources.join(" · "))
}

fn describe(source: &Source, position: i64, rate: i64) -> String {
    let head = source.head.map_or_else(|| "-".to_owned(), |head| head.to_string());
    let tip = source.tip.map_or_else(|| "-".to_owned(), |tip| tip.to_string());
    let eta = match (source.head, source.tip) {
        (Some(head), Some(tip)) if tip > head && head > 0 && rate > 0 => {
            let events_left = (tip - head).saturating_mul(position) / head;
            format!(", {} s left", events_left / rate)
        }
        (_, _) => String::new(),
    };
    format!("{} {head}/{tip} {}{eta}", source.name, source.state)
}
