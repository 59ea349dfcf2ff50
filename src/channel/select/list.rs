//! The guards of one alternation, as a list of which each element has its own type.

use super::{
    super::error::{RecvError, SendError},
    guard::{Guard, RecvGuard, SendGuard},
};

/// The guards of an alternation.
///
/// # Safety
///
/// `guard(index)` is the same guard each time, at the same place while the list is not moved.
#[doc(hidden)]
pub unsafe trait Guards {
    type Output;
    fn count(&self) -> usize;
    fn guard(&self, index: usize) -> &dyn Guard;
    /// What became of the guard that was met.
    fn output(&self, index: usize) -> Self::Output;
}

/// What became of the guard that was met, if it is the first of a list of guards, or of the others.
#[doc(hidden)]
pub enum Outcome<A, B> {
    First(A),
    Later(B),
}

/// The end of a list of guards.
#[doc(hidden)]
pub enum Never {}

// SAFETY: it has no guard.
unsafe impl Guards for () {
    type Output = Never;

    fn count(&self) -> usize {
        0
    }

    fn guard(&self, _index: usize) -> &dyn Guard {
        unreachable!("the list of guards ends here")
    }

    fn output(&self, _index: usize) -> Never {
        unreachable!("the list of guards ends here")
    }
}

// SAFETY: the fields stay where they are.
unsafe impl<T, Rest: Guards> Guards for (RecvGuard<'_, T>, Rest) {
    type Output = Outcome<Result<T, RecvError>, Rest::Output>;

    fn count(&self) -> usize {
        1 + self.1.count()
    }

    fn guard(&self, index: usize) -> &dyn Guard {
        match index {
            0 => &self.0,
            _ => self.1.guard(index - 1),
        }
    }

    fn output(&self, index: usize) -> Self::Output {
        match index {
            0 => Outcome::First(self.0.result()),
            _ => Outcome::Later(self.1.output(index - 1)),
        }
    }
}

// SAFETY: the fields stay where they are.
unsafe impl<T, Rest: Guards> Guards for (SendGuard<'_, T>, Rest) {
    type Output = Outcome<Result<(), SendError<()>>, Rest::Output>;

    fn count(&self) -> usize {
        1 + self.1.count()
    }

    fn guard(&self, index: usize) -> &dyn Guard {
        match index {
            0 => &self.0,
            _ => self.1.guard(index - 1),
        }
    }

    fn output(&self, index: usize) -> Self::Output {
        match index {
            0 => Outcome::First(self.0.result()),
            _ => Outcome::Later(self.1.output(index - 1)),
        }
    }
}
