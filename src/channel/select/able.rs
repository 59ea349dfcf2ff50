//! A set of guards of one alternation: those that can meet, or seem to.

use super::Choice;
use crate::sync::schedule;

/// A set of guards, by their indices: one bit for each.
pub(super) struct Able {
    /// The first guards, which are nearly always all.
    first: u64,
    /// The others.
    more: Vec<u64>,
}

const WORD_BITS: usize = u64::BITS as usize;

impl Able {
    /// None of so many guards. Allocates if there are more than 64.
    #[inline]
    pub(super) fn none_of(guards: usize) -> Self {
        Self {
            first: 0,
            more: if guards <= WORD_BITS {
                Vec::new()
            } else {
                vec![0; guards.div_ceil(WORD_BITS) - 1]
            },
        }
    }

    #[inline]
    pub(super) fn add(&mut self, index: usize) {
        if index < WORD_BITS {
            self.first |= 1 << index;
        } else {
            self.more[index / WORD_BITS - 1] |= 1 << (index % WORD_BITS);
        }
    }

    /// Takes one out: any of them with the same chance, or the first.
    #[inline]
    pub(super) fn pick(&mut self, choice: Choice) -> Option<usize> {
        let count = self.count();
        let mut before = match choice {
            _ if count == 0 => return None,
            Choice::Fair if count > 1 => schedule::pick(count),
            Choice::Fair | Choice::Biased => 0,
        };
        let words = std::iter::once(&mut self.first).chain(&mut self.more);
        for (at, word) in words.enumerate() {
            let here = word.count_ones() as usize;
            if before < here {
                return Some(at * WORD_BITS + take_bit(word, before));
            }
            before -= here;
        }
        None
    }

    #[inline]
    fn count(&self) -> usize {
        let ones = |word: &u64| word.count_ones() as usize;
        ones(&self.first) + self.more.iter().map(ones).sum::<usize>()
    }
}

/// Clears the bit of `word` that is set and has `before` such bits below it; returns its place.
#[inline]
fn take_bit(word: &mut u64, before: usize) -> usize {
    let mut left = *word;
    for _ in 0..before {
        left &= left - 1;
    }
    let place = left.trailing_zeros() as usize;
    *word &= !(1 << place);
    place
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_first_comes_first_across_words() {
        let mut able = Able::none_of(200);
        for index in [199, 64, 63, 0, 128] {
            able.add(index);
        }
        let in_order: Vec<_> = std::iter::from_fn(|| able.pick(Choice::Biased)).collect();
        assert_eq!(in_order, [0, 63, 64, 128, 199]);
    }

    #[test]
    fn each_comes_once_and_nobody_else() {
        for _ in 0..100 {
            let mut able = Able::none_of(130);
            let some = [1, 5, 63, 64, 70, 129];
            for index in some {
                able.add(index);
            }
            let mut picked: Vec<_> = std::iter::from_fn(|| able.pick(Choice::Fair)).collect();
            picked.sort_unstable();
            assert_eq!(picked, some);
        }
        assert_eq!(Able::none_of(3).pick(Choice::Fair), None);
    }
}
