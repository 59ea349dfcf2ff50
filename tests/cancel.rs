//! Every public future, dropped at each point at which it can be dropped: the books balance, and nobody is
//! stranded.
//!
//! Each *subject* (a future of the channel, or an alternation) stands beside a short script of what its peers do.
//! All scripts up to a length are tried, with every choice of polling or not polling the subject between two
//! steps; then the subject is dropped. What must hold afterwards does not depend on the script:
//!
//! - each message is in one place: taken, home, kept by an acceptor whose sender had gone, drained by whoever asked for
//!   what was sent within credit and not taken, or dropped with a send whose documentation says so;
//! - a send that said `Ok` was taken, or was within credit, and one that failed has its message;
//! - once whoever was woken has looked, nobody waits who could meet, and the channel goes on.
//!
//! `tests/handover/cancelling.rs` states the single facts; this is the table of all of them.

#![allow(
    clippy::unwrap_used,
    clippy::similar_names,
    reason = "all of it is tests; `send`, `sent` and `sending` are the words for what they name"
)]

#[path = "script/mod.rs"]
mod script;

#[path = "cancel/subject.rs"]
mod subject;
#[path = "cancel/world.rs"]
mod world;

use std::collections::HashSet;

use script::Place;
use subject::Subject;
use world::{Blocked, Step, World};

/// Scripts of tasks are tried up to this length; there are about 4,000 of length 3.
const STEPS: usize = 3;

/// Scripts beside a blocked thread are tried up to this length.
const STEPS_BESIDE_A_THREAD: usize = 1;

/// All scripts of at most `length` steps.
fn scripts(length: usize) -> Vec<Vec<Step>> {
    let mut all = vec![Vec::new()];
    let mut longest = all.clone();
    for _ in 0..length {
        longest = longest
            .iter()
            .flat_map(|script: &Vec<Step>| {
                Step::ALL.map(|step| [script.as_slice(), &[step]].concat())
            })
            .collect();
        all.extend(longest.iter().cloned());
    }
    all
}

/// Runs `script` with `subject` beside it, which is polled before step `i` if bit `i` of `polls` says so, and at
/// the end by the last bit; then drops the subject. Returns what became of the subject's message.
fn run(subject: Subject, blocked: Option<Blocked>, script: &[Step], polls: u32) -> Option<Place> {
    let mut world = World::new(blocked);
    let mut task = world.subject(subject);
    for (at, &step) in script.iter().enumerate() {
        if polls & (1 << at) != 0 {
            world.poll_subject(&mut task);
        }
        world.perform(step);
    }
    if polls & (1 << script.len()) != 0 {
        world.poll_subject(&mut task);
    }
    drop(task);
    world.settle();
    world.nobody_waits_who_could_meet();
    world.the_channel_goes_on();
    world.balance(subject)
}

/// Tries everything for one subject, and returns the places in which its message was found.
fn try_all(subject: Subject, blocked: Option<Blocked>, length: usize) -> HashSet<Place> {
    let mut places = HashSet::new();
    for script in scripts(length) {
        for polls in 0..1 << (script.len() + 1) {
            let which = Which(subject, blocked, &script, polls);
            places.extend(run(subject, blocked, &script, polls));
            std::mem::forget(which);
        }
    }
    places
}

/// Says which case it was, if it fails.
struct Which<'a>(Subject, Option<Blocked>, &'a [Step], u32);

impl Drop for Which<'_> {
    fn drop(&mut self) {
        let Self(subject, blocked, script, polls) = self;
        eprintln!(
            "{subject:?} beside {blocked:?}, script {script:?}, polled as the bits of {polls:#b}"
        );
    }
}

/// The table: for each subject, where its own message may be found, and is found in some script.
macro_rules! table {
    ($($name:ident: $subject:ident => [$($place:ident),*];)+) => {$(
        mod $name {
            use super::*;

            #[test]
            fn dropped_at_any_point_of_any_script() {
                let places = try_all(Subject::$subject, None, STEPS);
                assert_eq!(places, HashSet::from([$(Place::$place),*]));
            }

            #[test]
            fn dropped_at_any_point_beside_a_blocked_thread() {
                for blocked in Blocked::ALL {
                    let places = try_all(Subject::$subject, Some(blocked), STEPS_BESIDE_A_THREAD);
                    assert!(places.is_subset(&HashSet::from([$(Place::$place),*])), "{places:?}");
                }
            }
        }
    )+};
}

table! {
    send_async: SendAsync => [Taken, Home, Kept, Drained, Lost];
    send_async_with_withdraw: SendAndWithdraw => [Taken, Home, Kept, Drained, Lost];
    send_from: SendFrom => [Taken, Home, Kept, Drained, Lost];
    send_timeout_async: SendTimeout => [Taken, Home, Kept, Drained, Lost];
    send_timeout_from: SendTimeoutFrom => [Taken, Home, Kept, Drained, Lost];
    sink_ready: SinkReady => [Taken, Home, Kept, Drained, Lost];
    sink_flush: SinkFlush => [Taken, Home, Kept, Drained, Lost];
    sink_close: SinkClose => [Taken, Home, Kept, Drained, Lost];
    sink_with_take_back: SinkTakeBack => [Taken, Home, Kept, Drained, Lost];
    recv_async: Recv => [];
    recv_timeout_async: RecvTimeout => [];
    recv_held_async: RecvHeld => [];
    accept_async: Accept => [];
    stream_next: StreamNext => [];
    merge_recv_async: Merged => [];
    ready_async: Ready => [];
    closed_async_of_a_sender: SenderClosed => [];
    closed_async_of_a_receiver: ReceiverClosed => [];
    select_async_of_a_send: SelectSend => [Taken, Home, Kept, Drained, Lost];
    select_async_of_a_receive: SelectRecv => [];
    select_async_of_both: SelectBoth => [Taken, Home, Kept, Drained, Lost];
    select_wait_of_a_send: WaitSend => [Taken, Home, Kept, Drained, Lost];
    select_wait_of_a_receive: WaitRecv => [];
    select_wait_of_both: WaitBoth => [Taken, Home, Kept, Drained, Lost];
}
