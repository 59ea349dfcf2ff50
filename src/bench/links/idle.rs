//! Connections that do nothing: how many there can be, and what they take.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    record::Record,
    row::{Order, Row},
};
use crate::bench::network::anonymous_bytes;

/// The runtime, standard input and so on.
const OTHER_FILES: u64 = 100;

/// The longest that buffers may take to be given back.
const PATIENCE: Duration = Duration::from_secs(20);

/// Raises the limit of open files as far as this program may; returns how many of `wanted` connections there can be.
pub(super) fn possible(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // If it is refused, the old one holds.
    let _ = setrlimit(Resource::Nofile, raised);
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files.saturating_sub(OTHER_FILES)).map_or(wanted, |files| wanted.min(files))
}

/// Waits until this program's memory does not get less any more.
pub(super) async fn settled_bytes() -> Option<u64> {
    let deadline = Instant::now() + PATIENCE;
    let mut least = anonymous_bytes()?;
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = anonymous_bytes()?;
        if now < least {
            (least, since) = (now, Instant::now());
        }
    }
    Some(least)
}

/// What so many connections have added.
#[expect(clippy::cast_precision_loss, reason = "bytes far below 2^52")]
pub(super) fn record(
    contender: &str,
    order: &Order,
    before: Option<u64>,
    after: Option<u64>,
    connections: usize,
) -> Result<Record, String> {
    let (Some(before), Some(after)) = (before, after) else {
        return Err("the system does not tell how much memory there is".into());
    };
    Ok(Record {
        row: Row::Idle.name().to_owned(),
        contender: contender.to_owned(),
        count: order.count,
        ns_per: 0.0,
        ns_p50: 0.0,
        ns_p99: 0.0,
        ns_p999: 0.0,
        bytes_per: after.saturating_sub(before) as f64 / connections.max(1) as f64,
    })
}
