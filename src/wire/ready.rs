//! Which channels have something to write: one bit each, so that no list can grow.

/// A set of small numbers that is emptied in turn.
#[derive(Debug, Default)]
pub(crate) struct ReadySet {
    words: Vec<u64>,
    /// Where the next search begins, so that each number gets its turn.
    cursor: usize,
}

impl ReadySet {
    /// Allocates only when `index` is larger than any before it; the channel limit bounds it.
    pub(crate) fn insert(&mut self, index: u16) {
        let (word, bit) = place(index);
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= bit;
    }

    pub(crate) fn remove(&mut self, index: u16) {
        let (word, bit) = place(index);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    pub(crate) fn contains(&self, index: u16) -> bool {
        let (word, bit) = place(index);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(crate) fn has_any(&self) -> bool {
        self.words.iter().any(|word| *word != 0)
    }

    /// The numbers in it.
    pub(crate) fn iter(&self) -> impl Iterator<Item = u16> {
        let numbers = (0u16..).step_by(64).zip(&self.words);
        numbers
            .filter(|(_, word)| **word != 0)
            .flat_map(|(first, word)| {
                let bits = (0..64).filter(move |bit| word & (1 << bit) != 0);
                bits.map(move |bit| first + bit)
            })
    }

    /// Removes and returns the next number after the one returned before, around the end.
    pub(crate) fn pop_next(&mut self) -> Option<u16> {
        let words = self.words.len();
        let (first, offset) = (self.cursor / 64, self.cursor % 64);
        for step in 0..=words {
            let at = (first + step) % words.max(1);
            let mut word = *self.words.get(at)?;
            if step == 0 {
                word &= u64::MAX << offset;
            }
            if word != 0 {
                let index = at * 64 + word.trailing_zeros() as usize;
                self.words[at] &= !(1 << (index % 64));
                self.cursor = (index + 1) % (words * 64);
                return u16::try_from(index).ok();
            }
        }
        None
    }
}

fn place(index: u16) -> (usize, u64) {
    (usize::from(index / 64), 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_gets_its_turn() {
        let mut set = ReadySet::default();
        assert_eq!(set.pop_next(), None);
        for index in [0, 63, 64, 200] {
            set.insert(index);
        }
        assert_eq!(set.pop_next(), Some(0));
        set.insert(0);
        assert_eq!(set.pop_next(), Some(63));
        set.insert(63);
        assert_eq!(set.pop_next(), Some(64));
        assert_eq!(set.pop_next(), Some(200));
        assert_eq!(set.pop_next(), Some(0));
        set.remove(63);
        assert_eq!(set.pop_next(), None);
        assert_eq!(set.iter().count(), 0);
        for index in [255, 64, 63] {
            set.insert(index);
        }
        assert!(set.iter().eq([63, 64, 255]));
        set.remove(63);
        set.remove(64);
        assert_eq!(set.pop_next(), Some(255));
        set.insert(1);
        assert_eq!(set.pop_next(), Some(1));
    }
}
