//! The end of a process whose peers are gone: what is an end, what is a failure, and what was left in its hand.
//!
//! # Invariants
//!
//! - However many processes end so, only the first few are kept by name; the others are counted.

use std::{error::Error, fmt, panic::Location};

use super::{
    blocking::BlockingIn, error::ProcessError, input::In, report::Site, snapshot::Snapshot,
};
use crate::{
    channel::{ReadyError, RecvError, RecvTimeoutError, SendError, SendTimeoutError},
    sync::Mutex,
};

/// What came of an operation, where a process that has no peer left is to end, and not to fail.
///
/// With `?` alone every error is a failure of the process, also that the other side is gone: whoever waits for an answer
/// that never comes, or has a message that nobody takes, cannot do its work, and to hide that would hide a shortage.
/// For a process that has no work without its peers, as in a pipeline, that is the normal end. It says so:
///
/// ```
/// use handover::process::{In, Network, OrEnd, Out};
///
/// let mut net = Network::new("chain");
/// let (first, from) = net.channel::<u32>("first");
/// let (to, last) = net.channel::<u32>("last");
/// net.process("source", first, async |to: &Out<u32>| {
///     for number in 0.. {
///         to.send(number).await.or_end()?; // until nobody wants more
///     }
///     Ok(())
/// });
/// net.process("double", (from, to), async |(from, to): &(In<u32>, Out<u32>)| {
///     loop {
///         let number = from.recv().await.or_end()?;
///         to.send(2 * number).await.or_end()?;
///     }
/// });
/// net.process("sink", last, async |from: &In<u32>| {
///     for number in 0..3 {
///         assert_eq!(from.recv().await?, 2 * number); // it wants three, or fails
///     }
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
///
/// Poison stays a failure, and so do a time-out and a message that was handed back. A process that ends with a message
/// that nobody has taken has not failed, but it is seen: [`Snapshot::unsent`](super::Snapshot::unsent) names it, also
/// after the run.
///
/// To go on after the last message, as a process does that adds up and tells the sum, there is [`In::next`].
pub trait OrEnd {
    /// What the operation yields.
    type Yield;

    /// Makes of *the other side is gone* the end of the process, once `?` has returned it from there.
    ///
    /// # Errors
    ///
    /// [`ProcessError`]: one that [is an end](ProcessError::is_end) if the other side is gone, and otherwise a failure.
    #[track_caller]
    fn or_end(self) -> Result<Self::Yield, ProcessError>;
}

impl<T> OrEnd for Result<T, RecvError> {
    type Yield = T;

    #[track_caller]
    fn or_end(self) -> Result<T, ProcessError> {
        match self {
            Ok(message) => Ok(message),
            Err(RecvError::Disconnected) => Err(ended(false)),
            Err(other) => Err(other.into()),
        }
    }
}

impl<T> OrEnd for Result<T, RecvTimeoutError> {
    type Yield = T;

    #[track_caller]
    fn or_end(self) -> Result<T, ProcessError> {
        match self {
            Ok(message) => Ok(message),
            Err(RecvTimeoutError::Disconnected) => Err(ended(false)),
            Err(other) => Err(other.into()),
        }
    }
}

impl<T: Send + 'static> OrEnd for Result<(), SendError<T>> {
    type Yield = ();

    #[track_caller]
    fn or_end(self) -> Result<(), ProcessError> {
        match self {
            Ok(()) => Ok(()),
            Err(SendError::Disconnected(_)) => Err(ended(true)),
            Err(other) => Err(other.into()),
        }
    }
}

impl<T: Send + 'static> OrEnd for Result<(), SendTimeoutError<T>> {
    type Yield = ();

    #[track_caller]
    fn or_end(self) -> Result<(), ProcessError> {
        match self {
            Ok(()) => Ok(()),
            Err(SendTimeoutError::Disconnected(_)) => Err(ended(true)),
            Err(other) => Err(other.into()),
        }
    }
}

impl OrEnd for Result<(), ReadyError> {
    type Yield = ();

    #[track_caller]
    fn or_end(self) -> Result<(), ProcessError> {
        match self {
            Ok(()) => Ok(()),
            Err(ReadyError::Disconnected) => Err(ended(false)),
            Err(other) => Err(other.into()),
        }
    }
}

#[cold]
#[track_caller]
fn ended(has_message: bool) -> ProcessError {
    ProcessError::from(Ended {
        has_message,
        site: Location::caller(),
    })
}

/// The other side is gone, and that is the end of the process.
#[derive(Debug)]
pub(super) struct Ended {
    /// A message was left in its hand.
    has_message: bool,
    site: &'static Location<'static>,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = if self.has_message {
            "it has a message that nobody can take: every receiver is gone"
        } else {
            "nobody is left on the other side"
        };
        write!(f, "{why} ({})", Site::from(self.site))
    }
}

impl Error for Ended {}

impl<T> In<T> {
    /// Takes the next message; `None` once every sender is gone.
    ///
    /// ```
    /// # use handover::process::{In, Network, Out};
    /// # let mut net = Network::new("sums");
    /// # let (numbers_out, numbers) = net.channel::<u64>("numbers");
    /// # net.process("source", numbers_out, async |out: &Out<u64>| {
    /// #     for number in 1..=4 {
    /// #         out.send(number).await?;
    /// #     }
    /// #     Ok(())
    /// # });
    /// let sum = net.process_returning("sum", numbers, async |numbers: &In<u64>| {
    ///     let mut sum = 0;
    ///     while let Some(number) = numbers.next().await? {
    ///         sum += number;
    ///     }
    ///     Ok(sum)
    /// });
    /// net.run()?;
    /// assert_eq!(sum.take()?, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// This is how to receive to the end. A loop `while let Ok(..) = numbers.recv().await` takes poison for the end too,
    /// and goes on with half of the messages as if they were all.
    ///
    /// # Errors
    ///
    /// [`RecvError::Poisoned`] when the channel is poisoned.
    ///
    /// # Cancel safety
    ///
    /// As for [`recv`](Self::recv): who drops the future has taken nothing.
    #[track_caller]
    pub fn next(&self) -> impl Future<Output = Result<Option<T>, RecvError>> {
        let receive = self.recv();
        async move { some_or_end(receive.await) }
    }
}

impl<T> BlockingIn<T> {
    /// Takes the next message, blocking the thread until there is one; `None` once every sender is gone. See
    /// [`In::next`].
    ///
    /// # Errors
    ///
    /// [`RecvError::Poisoned`] when the channel is poisoned.
    #[track_caller]
    pub fn next(&self) -> Result<Option<T>, RecvError> {
        some_or_end(self.recv())
    }
}

fn some_or_end<T>(received: Result<T, RecvError>) -> Result<Option<T>, RecvError> {
    match received {
        Ok(message) => Ok(Some(message)),
        Err(RecvError::Disconnected) => Ok(None),
        Err(other) => Err(other),
    }
}

/// A process that has ended with a message in its hand, for nobody was left to take it; see [`OrEnd`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Unsent {
    /// The process, by its full name.
    pub process: String,
    /// Where it said that this is its end.
    pub site: Site,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {})", self.process, self.site)
    }
}

/// So many are kept by name.
const NAMED_MAX: usize = 16;
/// And so many are named in a sentence.
const TOLD_MAX: usize = 4;

impl Snapshot {
    /// Who has ended with a message that nobody has taken, in a sentence; `None` if nobody has.
    #[must_use]
    pub fn unsent_in_words(&self) -> Option<String> {
        if self.unsent_count == 0 {
            return None;
        }
        let told = self.unsent.iter().take(TOLD_MAX);
        let told: Vec<String> = told.map(ToString::to_string).collect();
        let more = match self.unsent_count.saturating_sub(told.len() as u64) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let told = told.join(", ");
        Some(format!(
            "ended with a message that nobody has taken: {told}{more}"
        ))
    }
}

/// The processes of a network that have ended so.
#[derive(Default)]
pub(super) struct AllUnsent(Mutex<(Vec<Unsent>, u64)>);

impl AllUnsent {
    /// A process has come to its end. `name` is asked only if it is kept.
    pub(super) fn note(&self, end: &Ended, name: impl FnOnce() -> String) {
        if !end.has_message {
            return;
        }
        let is_named = {
            let mut all = self.0.lock();
            all.1 += 1;
            all.1 <= NAMED_MAX as u64
        };
        if is_named {
            let process = name();
            let site = end.site.into();
            self.0.lock().0.push(Unsent { process, site });
        }
    }

    /// The first few, and how many there were.
    pub(super) fn seen(&self) -> (Vec<Unsent>, u64) {
        self.0.lock().clone()
    }
}
