//! A barrier that costs one side nothing: the other makes all threads of this program pass one.
//!
//! Where the system has none, or does not let us use it, [`is_there`] says so, and nothing may be built on it.

/// Whether [`heavy`] works. Registers the program for it at the first call.
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
pub(crate) fn is_there() -> bool {
    use std::sync::OnceLock;

    use rustix::thread::{MembarrierCommand, MembarrierQuery, membarrier, membarrier_query};

    static IS_THERE: OnceLock<bool> = OnceLock::new();
    *IS_THERE.get_or_init(|| {
        membarrier_query().contains(MembarrierQuery::PRIVATE_EXPEDITED)
            && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
            && membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    })
}

/// What every thread has stored before is visible, and every thread sees what was stored before this call, in what it
/// loads after its next [`light`].
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
pub(crate) fn heavy() {
    use rustix::thread::{MembarrierCommand, membarrier};

    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
    let passed = membarrier(MembarrierCommand::PrivateExpedited);
    assert!(passed.is_ok(), "a barrier that was there does not go away");
}

/// Keeps the compiler from moving a load before a store that comes first.
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
#[inline]
pub(crate) fn light() {
    std::sync::atomic::compiler_fence(std::sync::atomic::Ordering::SeqCst);
}

/// As good as the asymmetric pair, and dearer: what the models check.
#[cfg(any(loom, miri))]
mod symmetric {
    use super::super::{Ordering, fence};

    pub(crate) fn is_there() -> bool {
        true
    }

    pub(crate) fn heavy() {
        fence(Ordering::SeqCst);
    }

    pub(crate) fn light() {
        fence(Ordering::SeqCst);
    }
}
#[cfg(any(loom, miri))]
pub(crate) use symmetric::{heavy, is_there, light};

#[cfg(not(any(target_os = "linux", loom, miri)))]
mod absent {
    pub(crate) fn is_there() -> bool {
        false
    }

    pub(crate) fn heavy() {
        unreachable!("nothing is built on a barrier that is not there")
    }

    pub(crate) fn light() {}
}
#[cfg(not(any(target_os = "linux", loom, miri)))]
pub(crate) use absent::{heavy, is_there, light};
