//! The message bytes that the channels of a link share, and who waits for some.
//!
//! # Invariants
//!
//! - `used` is the sum of what all channels have reserved: bytes granted that did not arrive, and bytes of
//!   messages that did and are not settled.
//! - Bytes are given within the limit, and to one message at a time beside it, for which they are too many; so `used`
//!   is at most the limit and one longest message, and a long message does not stop short ones.
//! - A channel stands in line at most once.

use std::collections::VecDeque;

use super::limits::{SHARE_BYTES_MAX, SHARES_MIN};

#[derive(Debug)]
pub(super) struct Budget {
    limit: u64,
    used: u64,
    /// The message that is beside the limit, and what it was given there.
    beside: Option<Beside>,
    line: VecDeque<u16>,
}

#[derive(Debug, Clone, Copy)]
struct Beside {
    channel: u16,
    sequence: u64,
    bytes: u64,
}

impl Budget {
    pub(super) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: 0,
            beside: None,
            line: VecDeque::new(),
        }
    }

    pub(super) fn used(&self) -> u64 {
        self.used
    }

    /// What a channel has reserved changed.
    pub(super) fn change(&mut self, before: u64, after: u64) {
        self.used = (self.used + after).saturating_sub(before);
    }

    fn free(&self) -> u64 {
        let beside = self.beside.map_or(0, |beside| beside.bytes);
        (self.limit + beside).saturating_sub(self.used)
    }

    /// What a message is granted before its length is known, with so many channels open.
    pub(super) fn share(&self, channels: usize) -> u64 {
        let shares = SHARES_MIN.max(channels as u64);
        (self.limit / shares).min(SHARE_BYTES_MAX)
    }

    /// How many of `wanted` bytes a channel can have in advance only because its messages were long: none of the half
    /// of the limit that is for what is known to come, however many such channels are idle.
    pub(super) fn spare(&self, wanted: u64) -> u64 {
        wanted.min((self.limit / 2).saturating_sub(self.used))
    }

    /// How many of the `wanted` bytes a channel can have in advance: a share, or more as long as as much is left
    /// for others.
    pub(super) fn advance(&self, wanted: u64, share: u64) -> u64 {
        let free = self.free();
        wanted.min(free).min(share.max(free / 2))
    }

    /// The channel waits for bytes. The channels' number bounds the line.
    pub(super) fn queue(&mut self, channel: u16) {
        if !self.line.contains(&channel) {
            self.line.push_back(channel);
        }
    }

    pub(super) fn leave(&mut self, channel: u16) {
        self.line.retain(|waiting| *waiting != channel);
    }

    pub(super) fn clear_line(&mut self) {
        self.line.clear();
    }

    pub(super) fn first(&self) -> Option<u16> {
        self.line.front().copied()
    }

    /// Whether the first in line, message `sequence` of `channel`, can have the bytes that it waits for. If so, it
    /// leaves the line.
    pub(super) fn admit(&mut self, channel: u16, sequence: u64, bytes: u64) -> bool {
        if bytes > self.free() {
            if self.beside.is_some() {
                return false;
            }
            self.beside = Some(Beside {
                channel,
                sequence,
                bytes,
            });
        }
        self.line.pop_front();
        true
    }

    /// The message that is beside the limit.
    pub(super) fn beside(&self) -> Option<(u16, u64)> {
        let beside = self.beside?;
        Some((beside.channel, beside.sequence))
    }

    /// That message is here no more.
    pub(super) fn end_beside(&mut self) {
        self.beside = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_is_beside_the_budget_in_the_order_of_coming() {
        let mut budget = Budget::new(100);
        for channel in [3, 1, 3, 2] {
            budget.queue(channel);
        }
        assert_eq!(budget.first(), Some(3));
        assert!(budget.admit(3, 7, 1000));
        budget.change(0, 1000);
        assert_eq!(budget.beside(), Some((3, 7)));
        assert_eq!(budget.advance(60, 10), 50, "short ones go on");
        assert_eq!(budget.first(), Some(1));
        assert!(!budget.admit(1, 1, 1000), "one is beside it");
        budget.change(1000, 0);
        budget.end_beside();
        assert!(budget.admit(1, 1, 100));
        assert_eq!(budget.beside(), None);
        budget.leave(2);
        assert_eq!(budget.first(), None);
    }

    #[test]
    fn no_channel_has_all_in_advance() {
        let mut budget = Budget::new(1 << 20);
        let share = budget.share(1);
        assert_eq!(share, 1 << 14);
        assert_eq!(budget.advance(u64::MAX, share), 1 << 19);
        budget.change(0, 1 << 18);
        assert_eq!(budget.spare(1 << 17), 1 << 17);
        assert_eq!(budget.spare(u64::MAX), 1 << 18);
        budget.change(0, 1 << 18);
        assert_eq!(budget.spare(1), 0, "half is for what is known to come");
        budget.change(1 << 19, 0);
        budget.change(0, (1 << 20) - 10);
        assert_eq!(budget.advance(100, share), 10);
        assert_eq!(budget.share(1000), (1 << 20) / 1000);
    }
}
