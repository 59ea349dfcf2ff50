//! What is chosen in a rehearsal, and by whom.

/// Something that is left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fork {
    /// Who runs next.
    Turn {
        /// How many can; they are in the order of their numbers, whoever was woken first.
        runnable: usize,
        /// Whether it is one more option, the last, that time passes to the earliest alarm.
        time: bool,
    },
    /// Which of several guards an alternation tries first. One that sends is an option too where nobody waits: then it is
    /// chosen among the others.
    Guard {
        /// How many seem able to meet.
        able: usize,
    },
}

impl Fork {
    /// How many options there are.
    #[must_use]
    pub fn options(self) -> usize {
        match self {
            Self::Turn { runnable, time } => runnable + usize::from(time),
            Self::Guard { able } => able,
        }
    }
}

/// Chooses what is left open.
pub trait Choose: Send {
    /// One of the [options](Fork::options), counted from 0. It is asked where there are two or more.
    fn choose(&mut self, fork: Fork) -> usize;
}

impl<F: FnMut(Fork) -> usize + Send> Choose for F {
    fn choose(&mut self, fork: Fork) -> usize {
        self(fork)
    }
}

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Of how many options.
    pub options: usize,
    /// Which, counted from 0.
    pub taken: usize,
}

/// Chooses by a seed, each option with the same chance.
///
/// The generator is Splitmix64 (Steele, Lea and Flood, 2014): the same numbers everywhere.
#[derive(Debug, Clone)]
pub struct Seeded(u64);

impl Seeded {
    /// One that chooses as every other one of this seed does.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }
}

impl Choose for Seeded {
    fn choose(&mut self, fork: Fork) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let scaled = (u128::from(mixed) * fork.options() as u128) >> 64;
        usize::try_from(scaled).unwrap_or(0)
    }
}

/// Chooses what was chosen before, and from the end of the script on the first option.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    script: Vec<usize>,
    at: usize,
}

impl Replay {
    /// One that chooses by this [script](super::Rehearsed::script).
    #[must_use]
    pub fn new(script: impl Into<Vec<usize>>) -> Self {
        Self {
            script: script.into(),
            at: 0,
        }
    }
}

impl Choose for Replay {
    fn choose(&mut self, _fork: Fork) -> usize {
        let taken = self.script.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        taken
    }
}
