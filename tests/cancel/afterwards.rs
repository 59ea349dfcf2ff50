//! What must hold after the subject was dropped, whatever the script was.

use std::{
    thread::{self, JoinHandle},
    time::Instant,
};

use super::{PATIENCE, Side, Step, Subject, World};
use crate::script::Place;

impl World {
    /// What [`settle`](Self::settle) must have brought about, at once or, beside a thread, soon.
    fn soon(&mut self, what: &str, fact: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !fact(self) {
            assert!(
                self.thread.is_some() && Instant::now() < deadline,
                "not so: {what}"
            );
            thread::yield_now();
            self.settle();
        }
    }

    pub(crate) fn nobody_waits_who_could_meet(&mut self) {
        self.soon("nobody waits who could meet", |world| {
            world.waiting(Side::Sending) == 0 || world.waiting(Side::Receiving) == 0
        });
        self.soon("no thread waits while a slot is full", |world| {
            let held = world.held.lock().unwrap().len();
            !world.thread_takes
                || world.thread.as_ref().is_none_or(JoinHandle::is_finished)
                || (world.rx.as_ref()).is_none_or(|rx| rx.outstanding().untaken <= held)
        });
        let waiting = (self.waiting(Side::Sending), self.waiting(Side::Receiving));
        if self.poisoned {
            assert_eq!(waiting, (0, 0), "nobody waits at a poisoned channel");
        }
        let Some(rx) = &self.rx else { return };
        if waiting.0 > 0 {
            assert_eq!(rx.outstanding().unused, 0, "nobody waits who has credit");
        }
        // A thread may not have come to what was there before.
        if waiting.1 > 0 && self.thread.is_none() {
            assert!(
                rx.try_recv().is_err(),
                "nobody waits for what is there to be taken"
            );
        }
    }

    /// One more sender, and receivers enough for everybody: all senders are served.
    pub(crate) fn the_channel_goes_on(&mut self) {
        let (Some(_), Some(rx), false) = (&self.tx, &self.rx, self.poisoned) else {
            return;
        };
        let ahead = rx.outstanding().untaken;
        self.begin_send();
        let number = self.books.count() - 1;
        let senders = self.waiting(Side::Sending) + 1;
        for _ in 0..ahead + senders {
            self.begin_receive();
        }
        loop {
            self.settle();
            if self.held.lock().unwrap().is_empty() {
                break;
            }
            self.answer(Step::Release);
        }
        self.soon("every sender is served", |world| {
            world.waiting(Side::Sending) == 0 && world.books.place(number) == Place::Taken
        });
    }

    /// Ends everything, and says where the subject's message was found.
    pub(crate) fn balance(mut self, subject: Subject) -> Option<Place> {
        while !self.held.lock().unwrap().is_empty() {
            self.answer(Step::HandBack);
        }
        self.settle();
        self.peers.clear();
        (self.tx, self.rx) = (None, None);
        if let Some(thread) = self.thread.take() {
            let deadline = Instant::now() + PATIENCE;
            while !thread.is_finished() {
                assert!(Instant::now() < deadline, "a thread is stranded");
                thread::yield_now();
            }
            thread.join().expect("the thread ended without a panic");
        }
        for message in self.remaining.by_ref() {
            self.books.book(message, Place::Drained);
        }
        for number in 0..self.books.count() {
            match self.books.place(number) {
                Place::InHand => panic!("message {number} is nowhere"),
                Place::Lost => assert!(self.may_lose(subject, number), "message {number} is lost"),
                _ => {}
            }
        }
        for &number in &self.sent {
            let place = self.books.place(number);
            let arrived = match place {
                Place::Taken => true,
                Place::Drained => self.granted > 0,
                Place::Kept => self.kept_in_doubt.contains(&number),
                _ => false,
            };
            assert!(arrived, "sent: {number}, and now it is {place:?}");
        }
        for &number in &self.failed {
            assert_eq!(self.books.place(number), Place::Home, "failed: {number}");
        }
        assert_eq!(self.own.is_some(), subject.sends());
        self.books.close();
        self.own.map(|number| self.books.place(number))
    }

    /// Whether a page of the documentation says that this message is dropped.
    fn may_lose(&self, subject: Subject, number: usize) -> bool {
        // A send that was dropped drops what was not taken.
        (self.own == Some(number) && subject.drops_its_message() && !self.resolved)
            // A doubt that nobody heard is not put back as certain.
            || self.doubted.contains(&number)
            // An acceptor that is dropped drops what nobody waits for any more.
            || (matches!(subject, Subject::RecvHeld | Subject::Accept)
                && self.given_up.contains(&number))
    }
}
