//! Operations that do not wait: tries, and deadlines that are past when the thread has begun to wait.

use std::time::{Duration, Instant};

use handover::channel::{TryRecvError, TrySendError};

use super::{
    World,
    making::{failed, received_in_time, select, taken, why_in_time},
    number_of,
};
use crate::{
    program::{Guards, Haste},
    reference::{Kind, Outcome, PASSING, Why},
    script::{Message, Place},
};

impl World {
    /// Judges an operation that does not wait; `None` is that it met nobody.
    fn judge_passing(&mut self, kind: Kind, outcome: Option<Outcome>) {
        self.reference.begin(PASSING, kind);
        self.judge(PASSING, outcome);
        if outcome.is_none() {
            self.reference.drop_operation(PASSING);
        }
    }

    pub(super) fn send_now(&mut self, channel: usize, haste: Haste) {
        let Some(tx) = self.ends[channel].senders.last() else {
            return;
        };
        let message = self.books.message();
        let number = message.number;
        let kind = Kind::Send {
            channel,
            message: number,
            loses: false,
            late: haste == Haste::Timeout,
        };
        let back: Option<(Option<Why>, Message)> = match haste {
            Haste::Try => tx.try_send(message).err().map(|error| match error {
                TrySendError::Full(message) => (None, message),
                TrySendError::Disconnected(message) => (Some(Why::Disconnected), message),
                TrySendError::Poisoned(message, reason) => {
                    (Some(Why::Poisoned(number_of(&reason))), message)
                }
                _ => panic!("the reference does not know this reason"),
            }),
            Haste::Timeout => tx.send_timeout(message, Duration::ZERO).err().map(|error| {
                let (why, message) = why_in_time(error);
                (Some(why), message)
            }),
        };
        let outcome = match back {
            None => Some(Outcome::Sent(0)),
            Some((why, message)) => {
                assert_eq!(message.number, number, "another message came back");
                if let Some(why) = why {
                    Some(failed(&self.books, why, message))
                } else {
                    self.books.book(message, Place::Home);
                    None
                }
            }
        };
        self.judge_passing(kind, outcome);
    }

    pub(super) fn recv_now(&mut self, channel: usize, haste: Haste) {
        let Some(rx) = self.ends[channel].receivers.last() else {
            return;
        };
        let kind = Kind::Recv {
            channel,
            stream: false,
            late: haste == Haste::Timeout,
        };
        let outcome = match haste {
            Haste::Try => match rx.try_recv() {
                Ok(message) => Some(taken(&self.books, 0, message)),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Outcome::Ended(0, Why::Disconnected)),
                Err(TryRecvError::Poisoned(reason)) => {
                    Some(Outcome::Ended(0, Why::Poisoned(number_of(&reason))))
                }
                Err(error) => panic!("the reference does not know this reason: {error:?}"),
            },
            Haste::Timeout => Some(received_in_time(
                &self.books,
                rx.recv_timeout(Duration::ZERO),
            )),
        };
        self.judge_passing(kind, outcome);
    }

    pub(super) fn select_now(&mut self, guards: &Guards, haste: Haste) {
        let Some((ends, mut homes, kind)) = self.guards(guards) else {
            return;
        };
        let select = select(&self.books, &ends, &mut homes, guards.timer, guards.biased);
        let outcome = match haste {
            Haste::Try => select.now(),
            Haste::Timeout => select.block_deadline(Instant::now()),
        };
        drop(homes);
        self.judge_passing(kind, outcome);
    }
}
