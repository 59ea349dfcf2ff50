//! A channel of the field behind one interface, so that all go through the same scripts.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::message::Message;

/// One column of the table.
#[derive(Clone, Copy)]
pub struct Rival {
    /// The short name, for tests and `--json`.
    pub id: &'static str,
    /// The constructor and the capacity that the scripts use, as code.
    pub constructor: &'static str,
    /// The package, as in the lock file; `None` for the standard library.
    pub package: Option<&'static str>,
    /// The least capacity that it accepts: that of the scripts.
    pub least: usize,
    /// Makes a channel. May panic if it refuses the capacity.
    pub open: fn(capacity: usize) -> Ends,
}

/// Both ends of one channel.
pub type Ends = (Box<dyn Tx>, Box<dyn Rx>);

/// The operation does not exist there, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub &'static str);

/// There are no futures.
pub const THREADS_ONLY: Missing = Missing("it serves threads only, it has no futures");
/// There is no blocking send with a time-out.
pub const NO_TIMEOUT: Missing = Missing("it has no blocking send with a time-out");
/// There is no send that leaves the message where it was.
pub const NO_HOME: Missing =
    Missing("the message moves into the future, and nothing gives it back");
/// One receiver is all.
pub const ONE_RECEIVER: Missing = Missing("its receiver cannot be cloned");

/// Why a send failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody was ready to take it, or the buffer was full.
    Full,
    /// Not within the time.
    Timeout,
    /// Every receiver is gone.
    Disconnected,
}

/// A failed send, with the message if it came back.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub reason: Reason,
    /// The message, where the error gives it back.
    pub message: Option<Message>,
}

impl Failed {
    /// A failure that gives the message back.
    pub fn with(reason: Reason, message: Message) -> Self {
        Self {
            reason,
            message: Some(message),
        }
    }

    /// A failure whose message is gone.
    pub fn without(reason: Reason) -> Self {
        Self {
            reason,
            message: None,
        }
    }
}

/// How a send ended.
pub type Sent = Result<(), Failed>;
/// A send under way.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Sent> + 'a>>;
/// A receive under way; resolves to nothing when no message will come.
pub type Receiving<'a> = Pin<Box<dyn Future<Output = Option<Message>> + 'a>>;

/// The sending end of any channel.
pub trait Tx: Send {
    /// Sends without waiting.
    fn try_send(&self, message: Message) -> Sent;

    /// Sends, blocking the thread.
    fn send_blocking(&self, message: Message) -> Result<Sent, Missing>;

    /// Sends, blocking the thread for a time at most.
    fn send_timeout(&self, _message: Message, _timeout: Duration) -> Result<Sent, Missing> {
        Err(NO_TIMEOUT)
    }

    /// Sends from a task.
    fn send(&self, _message: Message) -> Result<Sending<'_>, Missing> {
        Err(THREADS_ONLY)
    }

    /// Sends the message that is in `home`, such that it is there again if it was not taken.
    fn send_from<'a>(&'a self, _home: &'a mut Option<Message>) -> Result<Sending<'a>, Missing> {
        Err(NO_HOME)
    }
}

/// The receiving end of any channel.
pub trait Rx: Send {
    /// Another receiver of the same channel.
    fn another(&self) -> Result<Box<dyn Rx>, Missing>;

    /// Receives without waiting.
    fn try_recv(&mut self) -> Option<Message>;

    /// Receives, blocking the thread.
    fn recv_blocking(&mut self) -> Result<Option<Message>, Missing>;

    /// Receives from a task.
    fn recv(&mut self) -> Result<Receiving<'_>, Missing> {
        Err(THREADS_ONLY)
    }

    /// How many messages it says it holds, and how many it says it could.
    fn length_and_capacity(&self) -> Result<(usize, usize), Missing>;
}
