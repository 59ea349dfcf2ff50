//! Numbers that tell connections and runs of a program apart.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::OnceLock,
};

/// A number that is not secret, and not likely to be made twice.
pub(super) fn random() -> u64 {
    // The standard library seeds each `RandomState` from the operating system's random numbers.
    RandomState::new().build_hasher().finish()
}

/// A number from 0 to 1.
pub(super) fn fraction() -> f64 {
    // As many bits as the type holds exactly.
    const BITS: u32 = 32;
    f64::from(u32::try_from(random() >> BITS).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

/// A new number for a session.
pub(super) fn session() -> u128 {
    u128::from(random()) << 64 | u128::from(random())
}

/// The number of this run of the program.
pub(super) fn incarnation() -> u64 {
    static INCARNATION: OnceLock<u64> = OnceLock::new();
    *INCARNATION.get_or_init(random)
}
