//! Numbers that tell connections and runs of a program apart.

use std::{
    collections::hash_map::RandomState,
    hash::{BuildHasher, Hasher},
    sync::OnceLock,
};

/// A number that is not secret, and not likely to be made twice.
fn random() -> u64 {
    // The standard library seeds each `RandomState` from the operating system's random numbers.
    RandomState::new().build_hasher().finish()
}

/// A new number for a connection.
pub(super) fn session() -> u128 {
    u128::from(random()) << 64 | u128::from(random())
}

/// The number of this run of the program.
pub(super) fn incarnation() -> u64 {
    static INCARNATION: OnceLock<u64> = OnceLock::new();
    *INCARNATION.get_or_init(random)
}
