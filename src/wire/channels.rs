//! The channels of one direction, by number.
//!
//! # Invariants
//!
//! - There are at most as many slots as the limit given to `Channels::new`.
//! - A channel that has something to say is marked ready; one that is marked may have nothing to say.

use super::ready::ReadySet;

#[derive(Debug)]
pub(super) struct Channels<C> {
    slots: Vec<Option<C>>,
    ready: ReadySet,
    limit: u16,
}

impl<C> Channels<C> {
    pub(super) fn new(limit: u16) -> Self {
        Self {
            slots: Vec::new(),
            ready: ReadySet::default(),
            limit,
        }
    }

    pub(super) fn limit(&self) -> u16 {
        self.limit
    }

    pub(super) fn lower_limit(&mut self, limit: u16) {
        debug_assert!(
            self.slots.is_empty(),
            "the limit is settled before a channel is opened"
        );
        self.limit = self.limit.min(limit);
    }

    pub(super) fn get(&self, channel: u16) -> Option<&C> {
        self.slots.get(usize::from(channel))?.as_ref()
    }

    pub(super) fn get_mut(&mut self, channel: u16) -> Option<&mut C> {
        self.slots.get_mut(usize::from(channel))?.as_mut()
    }

    /// Puts a channel into the lowest free slot; returns its number, or `None` if the limit is reached.
    pub(super) fn add(&mut self, state: C) -> Option<u16> {
        let free = self
            .slots
            .iter()
            .position(Option::is_none)
            .unwrap_or(self.slots.len());
        let channel = u16::try_from(free)
            .ok()
            .filter(|channel| *channel < self.limit)?;
        self.put(channel, state);
        Some(channel)
    }

    /// Puts a channel into the slot of its number, which is below the limit.
    pub(super) fn put(&mut self, channel: u16, state: C) {
        debug_assert!(
            channel < self.limit,
            "there are at most as many slots as the limit"
        );
        let index = usize::from(channel);
        if index >= self.slots.len() {
            self.slots.resize_with(index + 1, || None);
        }
        self.slots[index] = Some(state);
    }

    pub(super) fn remove(&mut self, channel: u16) {
        if let Some(slot) = self.slots.get_mut(usize::from(channel)) {
            *slot = None;
        }
        self.ready.remove(channel);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &C> {
        self.slots.iter().flatten()
    }

    /// The numbers of the open channels.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u16> + use<C> {
        // A number is below the limit, so the slots fit in a u16.
        0..u16::try_from(self.slots.len()).unwrap_or(u16::MAX)
    }

    /// The open channels with their numbers.
    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = (u16, &mut C)> {
        let numbers = self.numbers();
        numbers
            .zip(&mut self.slots)
            .filter_map(|(number, slot)| Some((number, slot.as_mut()?)))
    }

    /// Removes the channels that `keep` does not want.
    pub(super) fn retain(&mut self, keep: impl Fn(&C) -> bool) {
        for channel in self.numbers() {
            if self.get(channel).is_some_and(|state| !keep(state)) {
                self.remove(channel);
            }
        }
    }

    /// Nothing is to be said on a connection that is gone.
    pub(super) fn clear_ready(&mut self) {
        self.ready.clear();
    }

    /// Whether the channel may have something to say.
    pub(super) fn is_ready(&self, channel: u16) -> bool {
        self.ready.contains(channel)
    }

    pub(super) fn mark_ready(&mut self, channel: u16) {
        self.ready.insert(channel);
    }

    /// The channels that may have something to say.
    pub(super) fn ready(&self) -> impl Iterator<Item = (u16, &C)> {
        let numbers = self.ready.iter();
        numbers.filter_map(|number| Some((number, self.get(number)?)))
    }

    pub(super) fn has_ready(&self) -> bool {
        self.ready.has_any()
    }

    /// The next channel in turn that may have something to say; its mark is taken away.
    pub(super) fn pop_ready(&mut self) -> Option<u16> {
        self.ready.pop_next()
    }
}
