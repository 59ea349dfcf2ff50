//! A snapshot as text that is no longer than a peer accepts.
//!
//! What is too long is cut short, not refused: of a network of a million processes the first few thousand, and those of a
//! deadlock before others.

use std::{
    collections::HashSet,
    io::{self, Write},
};

use super::NodeSnapshot;
use crate::process::{Blocked, ChannelSeen, Deadlock, Snapshot, Wait};

/// How many letters the name of a network keeps where nothing else fits.
const NAME_LETTERS_MAX: usize = 64;

/// The snapshot as JSON of at most `limit` bytes; `None` if not even its head is as short.
pub(super) fn fitting(mut seen: NodeSnapshot, limit: usize) -> Option<Vec<u8>> {
    let (processes, channels) = (seen.snapshot.processes.len(), seen.snapshot.channels.len());
    let mut kept = processes.max(channels);
    loop {
        let length = match text(&seen, limit) {
            Ok(text) => return Some(text),
            Err(length) => length,
        };
        if kept == 0 {
            return head(&seen, limit);
        }
        kept = fewer(kept, limit, length);
        shorten(&mut seen.snapshot, kept);
        if let Some(deadlock) = &mut seen.abroad {
            shorten_deadlock(deadlock, kept);
        }
        seen.processes_left_out = (processes - seen.snapshot.processes.len()) as u64;
        seen.channels_left_out = (channels - seen.snapshot.channels.len()) as u64;
    }
}

/// How many of `kept` may fit, if all of them have `length` bytes.
fn fewer(kept: usize, limit: usize, length: usize) -> usize {
    // A tenth less, for they are not all of one length.
    let part = kept as u128 * limit as u128 * 9 / 10 / length.max(1) as u128;
    usize::try_from(part).map_or(0, |part| part.min(kept - 1))
}

/// The text, or how long it would be.
fn text(seen: &NodeSnapshot, limit: usize) -> Result<Vec<u8>, usize> {
    let mut bounded = Bounded {
        text: Vec::new(),
        limit,
        length: 0,
    };
    // Plain data, whose keys are text, and a writer that takes all.
    let is_written = serde_json::to_writer(&mut bounded, seen).is_ok();
    if is_written && bounded.length <= limit {
        Ok(bounded.text)
    } else {
        Err(bounded.length)
    }
}

/// Keeps what is within a limit, and counts the rest.
struct Bounded {
    text: Vec<u8>,
    limit: usize,
    length: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len();
        if self.length <= self.limit {
            self.text.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Leaves `kept` processes and as many channels, and of each list as many.
fn shorten(snapshot: &mut Snapshot, kept: usize) {
    let condemned: HashSet<u64> = match &snapshot.deadlock {
        Some(deadlock) => deadlock.processes().map(|it| it.process_id).collect(),
        None => HashSet::new(),
    };
    keep_first(&mut snapshot.processes, kept, |process| {
        condemned.contains(&process.id)
    });
    let known: HashSet<u64> = snapshot.processes.iter().map(|it| it.id).collect();
    keep_first(&mut snapshot.channels, kept, |channel| {
        let mut holders = channel.sender_ids.iter().chain(&channel.receiver_ids);
        !channel.crossings.is_empty() || holders.any(|id| known.contains(id))
    });
    for process in &mut snapshot.processes {
        shorten_waits(&mut process.waits, kept);
    }
    for channel in &mut snapshot.channels {
        shorten_channel(channel, kept);
    }
    if let Some(deadlock) = &mut snapshot.deadlock {
        shorten_deadlock(deadlock, kept);
    }
    snapshot
        .deadlock
        .take_if(|deadlock| deadlock.processes().next().is_none());
    if let Some(undecided) = &mut snapshot.undecided {
        undecided.processes.truncate(kept);
        undecided.because.truncate(kept);
    }
    snapshot.unsent.truncate(kept);
}

/// Leaves `kept` of them in their order, first those that are `wanted`.
fn keep_first<T>(all: &mut Vec<T>, kept: usize, wanted: impl Fn(&T) -> bool) {
    if all.len() <= kept {
        return;
    }
    let are_wanted: Vec<bool> = all.iter().map(wanted).collect();
    let wanted = are_wanted.iter().filter(|is_wanted| **is_wanted).count();
    let (mut wanted_left, mut others_left) = (kept.min(wanted), kept.saturating_sub(wanted));
    let mut are_wanted = are_wanted.into_iter();
    all.retain(|_| {
        let left = match are_wanted.next() {
            Some(true) => &mut wanted_left,
            _ => &mut others_left,
        };
        let is_kept = *left > 0;
        *left -= usize::from(is_kept);
        is_kept
    });
}

fn shorten_channel(channel: &mut ChannelSeen, kept: usize) {
    channel.senders.truncate(kept);
    channel.sender_ids.truncate(kept);
    channel.receivers.truncate(kept);
    channel.receiver_ids.truncate(kept);
    channel.known_outside.truncate(kept);
    channel.crossings.truncate(kept);
    channel.poisoners.truncate(kept);
}

fn shorten_waits(waits: &mut Vec<Wait>, kept: usize) {
    waits.truncate(kept);
    for wait in waits {
        wait.waits_for.truncate(kept);
        wait.waits_for_ids.truncate(kept);
    }
}

/// A cycle of which a part is left out is none: then its processes are told without it.
fn shorten_deadlock(deadlock: &mut Deadlock, kept: usize) {
    if deadlock.cycle.len() > kept {
        deadlock.others.splice(0..0, deadlock.cycle.drain(..));
    }
    deadlock.others.truncate(kept);
    let all: &mut dyn Iterator<Item = &mut Blocked> =
        &mut deadlock.cycle.iter_mut().chain(&mut deadlock.others);
    for blocked in all {
        shorten_waits(&mut blocked.waits, kept);
    }
}

/// The snapshot of which nothing is left but its head.
fn head(seen: &NodeSnapshot, limit: usize) -> Option<Vec<u8>> {
    let mut head = seen.clone();
    let snapshot = &mut head.snapshot;
    snapshot.network = snapshot.network.chars().take(NAME_LETTERS_MAX).collect();
    (snapshot.deadlock, snapshot.bottleneck, snapshot.undecided) = (None, None, None);
    text(&head, limit).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{super::Node, *};
    use crate::process::{In, Network, Out};

    /// A network of pairs, none of which runs.
    fn pairs(count: usize) -> NodeSnapshot {
        let mut net = Network::new("pairs");
        for number in 0..count {
            let (out, into) = net.channel::<u32>(format!("channel {number}").as_str());
            net.process(
                format!("sender {number}").as_str(),
                out,
                async |out: &Out<u32>| Ok(out.send(1).await?),
            );
            net.process(
                format!("receiver {number}").as_str(),
                into,
                async |into: &In<u32>| {
                    into.recv().await?;
                    Ok(())
                },
            );
        }
        Node::new("a", &net).snapshot()
    }

    #[test]
    fn what_fits_is_as_it_is() {
        let seen = pairs(3);
        let text = fitting(seen.clone(), 1 << 20).unwrap();
        assert_eq!(serde_json::from_slice::<NodeSnapshot>(&text).unwrap(), seen);
        assert_eq!(fitting(seen, text.len()).unwrap(), text);
    }

    #[test]
    fn what_is_too_long_is_cut_short_and_says_so() {
        let whole = pairs(500);
        let (processes, channels) = (
            whole.snapshot.processes.len(),
            whole.snapshot.channels.len(),
        );
        for limit in [100_000, 20_000, 5_000, 1_000] {
            let text = fitting(whole.clone(), limit).unwrap();
            assert!(text.len() <= limit, "{} of {limit}", text.len());
            let seen: NodeSnapshot = serde_json::from_slice(&text).unwrap();
            let left = seen.snapshot.processes.len() as u64 + seen.processes_left_out;
            assert_eq!(left, processes as u64, "{limit}");
            let left = seen.snapshot.channels.len() as u64 + seen.channels_left_out;
            assert_eq!(left, channels as u64, "{limit}");
            assert!(seen.processes_left_out > 0);
            // As much as there is room for, and not much less.
            assert!(
                limit < 5_000 || text.len() > limit / 3,
                "{} of {limit}",
                text.len()
            );
        }
        assert_eq!(fitting(whole, 100), None);
    }

    #[test]
    fn those_of_a_deadlock_are_kept_before_others() {
        let mut all: Vec<u32> = (0..10).collect();
        keep_first(&mut all, 4, |number| number % 4 == 3);
        assert_eq!(all, [0, 1, 3, 7]);
        let mut all: Vec<u32> = (0..10).collect();
        keep_first(&mut all, 3, |number| *number > 5);
        assert_eq!(all, [6, 7, 8]);
    }
}
