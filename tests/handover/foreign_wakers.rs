//! Wakers are foreign code: they may panic wherever they are called, and they may use the channel themselves.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker},
    thread,
};

use handover::{Receiver, Sender, channel, channel::SendError, select_async};

use crate::stage::{Message, PATIENCE, Peer, Scripted, Tally, join, until};

/// Which of its functions a [`waker_that_panics`] panics in, while it is armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    Clone,
    Wake,
    Drop,
}

struct Trap {
    spot: Spot,
    armed: AtomicBool,
}

impl Trap {
    fn new(spot: Spot) -> Arc<Self> {
        Arc::new(Self {
            spot,
            armed: AtomicBool::new(true),
        })
    }

    fn disarm(&self) {
        self.armed.store(false, Ordering::SeqCst);
    }

    fn spring(&self, spot: Spot) {
        // Not while another panic is under way, which would end the process and prove nothing.
        let sprung = self.spot == spot && self.armed.load(Ordering::SeqCst);
        assert!(
            !sprung || thread::panicking(),
            "a waker that panics in {spot:?}"
        );
    }
}

const TRAP_TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: `data` came from `Arc::into_raw`, and the waker that has it is alive.
        let trap = unsafe { &*data.cast::<Trap>() };
        trap.spring(Spot::Clone);
        // SAFETY: as above.
        unsafe { Arc::increment_strong_count(data.cast::<Trap>()) };
        RawWaker::new(data, &TRAP_TABLE)
    },
    |data| {
        // SAFETY: `data` came from `Arc::into_raw`, and this call consumes the waker.
        let trap = unsafe { Arc::from_raw(data.cast::<Trap>()) };
        trap.spring(Spot::Wake);
    },
    |data| {
        // SAFETY: `data` came from `Arc::into_raw`, and the waker that has it is alive.
        let trap = unsafe { &*data.cast::<Trap>() };
        trap.spring(Spot::Wake);
    },
    |data| {
        // SAFETY: `data` came from `Arc::into_raw`, and this call consumes the waker.
        let trap = unsafe { Arc::from_raw(data.cast::<Trap>()) };
        trap.spring(Spot::Drop);
    },
);

fn waker_that_panics(trap: &Arc<Trap>) -> Waker {
    let data = Arc::into_raw(Arc::clone(trap)).cast();
    // SAFETY: the table's functions treat `data` as the `Arc` that it is.
    unsafe { Waker::from_raw(RawWaker::new(data, &TRAP_TABLE)) }
}

fn poll_with<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Runs `action`, and swallows the panic of a trap.
fn survive<R>(action: impl FnOnce() -> R) -> Option<R> {
    catch_unwind(AssertUnwindSafe(action)).ok()
}

/// The channel works: threads and tasks meet on it.
fn still_works(tx: &Sender<Message>, rx: &Receiver<Message>, tally: &Tally) {
    let sending = thread::spawn({
        let (tx, message) = (tx.clone(), tally.message(99));
        move || tx.send(message).is_ok()
    });
    assert_eq!(rx.recv_timeout(PATIENCE).unwrap(), 99);
    assert!(join(sending));
    let mut receive = Scripted::new(rx.recv_async());
    receive.stays_pending();
    let mut send = Scripted::new(tx.send_async(tally.message(98)));
    send.stays_pending();
    assert_eq!(receive.resolves().unwrap(), 98);
    assert!(send.resolves().is_ok());
}

#[test]
fn a_waker_that_panics_does_not_corrupt_the_channel() {
    for spot in [Spot::Clone, Spot::Wake, Spot::Drop] {
        let tally = Tally::default();
        let (tx, rx) = channel();
        let trap = Trap::new(spot);
        let waker = waker_that_panics(&trap);
        let mut messages = 0;
        let mut message = || {
            messages += 1;
            tally.message(messages)
        };

        // A receive with this waker is registered, changes its waker, is woken, and is dropped.
        let mut receive = Box::pin(rx.recv_async());
        let _ = survive(|| poll_with(receive.as_mut(), &waker));
        let _ = survive(|| poll_with(receive.as_mut(), Waker::noop()));
        let _ = survive(|| poll_with(receive.as_mut(), &waker));
        let mut send = Scripted::new(tx.send_async(message()));
        let _ = survive(|| send.poll());
        let _ = survive(|| drop(receive));
        drop(send);

        // A send with this waker is registered, changes its waker, is taken, and is dropped.
        let mut send = Box::pin(tx.send_async(message()));
        let _ = survive(|| poll_with(send.as_mut(), &waker));
        let _ = survive(|| poll_with(send.as_mut(), Waker::noop()));
        let _ = survive(|| poll_with(send.as_mut(), &waker));
        let _ = survive(|| rx.try_recv());
        let _ = survive(|| drop(send));

        // A held send with this waker is answered.
        let mut send = Box::pin(tx.send_async(message()));
        let _ = survive(|| poll_with(send.as_mut(), &waker));
        let mut hold = Scripted::new(rx.recv_held_async());
        if let Poll::Ready(held) = hold.poll() {
            let _ = survive(|| held.unwrap().release());
        }
        drop(hold);
        let _ = survive(|| drop(send));

        // A watcher with this waker is woken, and another is dropped.
        let mut ready = Box::pin(tx.ready_async());
        let _ = survive(|| poll_with(ready.as_mut(), &waker));
        let _ = survive(|| Scripted::new(rx.recv_async()).poll());
        let mut other = Box::pin(tx.ready_async());
        let _ = survive(|| poll_with(other.as_mut(), &waker));
        let _ = survive(|| drop((ready, other)));

        trap.disarm();
        assert_eq!(
            tally.dropped(),
            messages as usize,
            "each once, with a panic in {spot:?}"
        );
        still_works(&tx, &rx, &tally);
        assert_eq!(tally.dropped(), messages as usize + 2);
        drop((tx, rx, waker));
        assert_eq!(
            Arc::strong_count(&trap),
            1,
            "no waker was leaked, or dropped twice"
        );
    }
}

#[test]
fn a_waker_that_panics_on_drop_strands_no_blocked_sender() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let trap = Trap::new(Spot::Drop);
    let waker = waker_that_panics(&trap);
    // The first is woken for the sender; the second comes before it, with its waker still in place.
    let mut other = Scripted::new(rx.recv_async());
    other.stays_pending();
    let mut late = Box::pin(rx.recv_async());
    assert!(poll_with(late.as_mut(), &waker).is_pending());
    let sending = thread::spawn({
        let (tx, message) = (tx.clone(), tally.message(2));
        move || tx.send(message).is_ok()
    });
    until(|| other.wakes() == 1);
    assert!(
        survive(|| poll_with(late.as_mut(), &waker)).is_none(),
        "its waker panicked"
    );
    trap.disarm();
    assert!(
        join(sending),
        "the message was taken, so its sender is released"
    );
}

#[test]
fn a_waker_that_panics_on_drop_strands_no_held_sender() {
    let (tx, rx) = channel();
    let trap = Trap::new(Spot::Drop);
    let waker = waker_that_panics(&trap);
    let mut other = Scripted::new(rx.recv_async());
    other.stays_pending();
    let mut late = Box::pin(rx.recv_held_async());
    assert!(poll_with(late.as_mut(), &waker).is_pending());
    let mut send = Scripted::new(tx.send_async(7));
    send.stays_pending();
    assert_eq!(other.wakes(), 1);
    assert!(
        survive(|| poll_with(late.as_mut(), &waker)).is_none(),
        "its waker panicked"
    );
    trap.disarm();
    assert_eq!(send.wakes(), 1);
    assert_eq!(send.resolves(), Err(SendError::Returned(7)));
}

#[test]
fn a_waker_that_panics_does_not_keep_others_from_hearing_the_end() {
    let trap = Trap::new(Spot::Wake);
    let waker = waker_that_panics(&trap);

    let (tx, rx) = channel::<u32>();
    let mut first = Box::pin(rx.recv_async());
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    let mut second = Scripted::new(rx.recv_async());
    second.stays_pending();
    assert!(
        survive(|| drop(tx)).is_none(),
        "the panic reaches whoever closed"
    );
    assert_eq!(second.wakes(), 1);
    assert!(second.resolves().is_err());

    let (tx, rx) = channel::<u32>();
    let mut first = Box::pin(tx.send_async(1));
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    let mut second = Scripted::new(tx.send_async(2));
    second.stays_pending();
    let mut ready = Scripted::new(tx.ready_async());
    ready.stays_pending();
    assert!(
        survive(|| drop(rx)).is_none(),
        "the panic reaches whoever closed"
    );
    assert_eq!((second.wakes(), ready.wakes()), (1, 1));
    assert!(second.resolves().is_err());
}

#[test]
fn a_waker_that_panics_does_not_keep_other_watchers_from_hearing_of_demand() {
    let trap = Trap::new(Spot::Wake);
    let waker = waker_that_panics(&trap);
    let (tx, rx) = channel::<u32>();
    let mut first = Box::pin(tx.ready_async());
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    let mut second = Scripted::new(tx.ready_async());
    second.stays_pending();
    let mut receive = Scripted::new(rx.recv_async());
    assert!(survive(|| receive.poll()).is_none());
    assert_eq!(second.wakes(), 1);
}

#[test]
fn a_waker_that_panics_does_not_keep_an_alternation_from_waking_others() {
    // Which of the two is woken first hangs on where the channels stand.
    for panics_first in [true, false] {
        let trap = Trap::new(Spot::Wake);
        let (a, from_a) = channel();
        let (b, from_b) = channel();
        let (panicking, other) = if panics_first {
            (&from_a, &from_b)
        } else {
            (&from_b, &from_a)
        };
        let mut first = Box::pin(panicking.recv_async());
        assert!(poll_with(first.as_mut(), &waker_that_panics(&trap)).is_pending());
        let mut second = Scripted::new(other.recv_async());
        second.stays_pending();
        let (mut home_a, mut home_b) = (Some(1), Some(2));
        let mut alternation = Scripted::new(async {
            select_async! {
                send(a, &mut home_a) -> sent => sent.is_ok(),
                send(b, &mut home_b) -> sent => sent.is_ok(),
            }
        });
        assert!(
            survive(|| alternation.poll()).is_none(),
            "the panic reaches whoever polled"
        );
        assert_eq!(second.wakes(), 1, "it counts as woken, so it is");
    }
}

#[test]
fn a_waker_that_panics_on_drop_strands_no_sender_that_an_alternation_has_met() {
    let (a, _from_a) = channel::<u32>();
    let (b, from_b) = channel();
    let trap = Trap::new(Spot::Drop);
    let waker = waker_that_panics(&trap);
    // The first is woken for the sender; the alternation comes before it, with its waker still in place.
    let mut other = Scripted::new(from_b.recv_async());
    other.stays_pending();
    let mut home = Some(1);
    let mut late = Box::pin(async {
        select_async! {
            send(a, &mut home) -> sent => drop(sent),
            recv(from_b) -> received => drop(received),
        }
    });
    assert!(poll_with(late.as_mut(), &waker).is_pending());
    let mut send = Scripted::new(b.send_async(7));
    send.stays_pending();
    assert_eq!(other.wakes(), 1);
    assert!(
        survive(|| poll_with(late.as_mut(), &waker)).is_none(),
        "its waker panicked"
    );
    trap.disarm();
    assert_eq!(send.wakes(), 1, "its message was taken");
    assert_eq!(send.resolves(), Ok(()));
}

#[test]
fn a_blocked_send_whose_receivers_waker_panics_withdraws() {
    let tally = Tally::default();
    let (tx, rx) = channel();
    let trap = Trap::new(Spot::Wake);
    let waker = waker_that_panics(&trap);
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_with(receive.as_mut(), &waker).is_pending());
    assert!(survive(|| tx.send(tally.message(7))).is_none());
    assert_eq!(tally.dropped(), 1);
    assert!(rx.try_recv().is_err());
    trap.disarm();
    drop(receive);
    still_works(&tx, &rx, &tally);
}

#[test]
fn a_blocked_receive_whose_watchers_waker_panics_withdraws() {
    let tally = Tally::default();
    let (tx, rx) = channel::<Message>();
    for receive in [
        |rx: &Receiver<Message>| drop(rx.recv()),
        |rx: &Receiver<Message>| drop(rx.recv_held()),
    ] {
        let trap = Trap::new(Spot::Wake);
        let mut ready = Box::pin(tx.ready_async());
        assert!(poll_with(ready.as_mut(), &waker_that_panics(&trap)).is_pending());
        assert!(survive(|| receive(&rx)).is_none());
        assert!(!tx.is_ready());
        trap.disarm();
        drop(ready);
        still_works(&tx, &rx, &tally);
    }
}

/// A waker that uses the channel for which it is called: under a lock it would never return.
struct Meddler {
    ends: Mutex<Option<(Sender<u32>, Receiver<u32>)>>,
    calls: AtomicUsize,
}

impl Meddler {
    fn new(tx: &Sender<u32>, rx: &Receiver<u32>) -> Arc<Self> {
        Arc::new(Self {
            ends: Mutex::new(Some((tx.clone(), rx.clone()))),
            calls: AtomicUsize::new(0),
        })
    }

    fn meddle(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if let Some((tx, rx)) = &*self.ends.lock().unwrap() {
            let _ = tx.is_ready();
            let _ = tx.clone().is_disconnected();
            let _ = rx.clone().is_disconnected();
            let _ = tx.try_send(1);
        }
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.meddle();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

#[test]
fn no_waker_is_called_or_dropped_under_the_lock() {
    let finished = thread::spawn(|| {
        let (tx, rx) = channel();
        let waker = |tx: &_, rx: &_| Waker::from(Meddler::new(tx, rx));

        // Woken by a send, by a receive, by demand, by an answer.
        let mut receive = Box::pin(rx.recv_async());
        assert!(poll_with(receive.as_mut(), &waker(&tx, &rx)).is_pending());
        let mut send = Box::pin(tx.send_async(7));
        assert!(poll_with(send.as_mut(), &waker(&tx, &rx)).is_pending());
        assert_eq!(
            poll_with(receive.as_mut(), &waker(&tx, &rx)),
            Poll::Ready(Ok(7))
        );
        let mut ready = Box::pin(tx.ready_async());
        assert!(poll_with(ready.as_mut(), &waker(&tx, &rx)).is_pending());
        let mut receive = Box::pin(rx.recv_async());
        assert!(poll_with(receive.as_mut(), &waker(&tx, &rx)).is_pending());

        // Replaced, and dropped with its future.
        assert!(poll_with(receive.as_mut(), &waker(&tx, &rx)).is_pending());
        drop((receive, ready));
        let mut send = Box::pin(tx.send_async(8));
        assert!(poll_with(send.as_mut(), &waker(&tx, &rx)).is_pending());
        assert!(poll_with(send.as_mut(), &waker(&tx, &rx)).is_pending());
        let held = rx.recv_held().unwrap();
        assert!(poll_with(send.as_mut(), &waker(&tx, &rx)).is_pending());
        drop(send);
        assert_eq!(held.release(), 8);
    });
    join(finished);
}

#[test]
fn the_drop_of_a_message_may_use_its_channel() {
    struct Busy(Option<Sender<Busy>>);

    impl Drop for Busy {
        fn drop(&mut self) {
            if let Some(tx) = &self.0 {
                assert!(!tx.is_ready());
                let _ = tx.try_send(Busy(None));
            }
        }
    }

    let finished = thread::spawn(|| {
        let (tx, rx) = channel();
        let busy = || Busy(Some(tx.clone()));
        drop(tx.try_send(busy()));
        let mut send = Scripted::new(tx.send_async(busy()));
        send.stays_pending();
        drop(send);
        let mut send = Scripted::new(tx.send_async(busy()));
        send.stays_pending();
        drop(rx.try_recv());
        let mut send = Scripted::new(tx.send_async(busy()));
        send.stays_pending();
        assert!(rx.accept(|_| ()).is_ok());
        let mut send = Scripted::new(tx.send_async(busy()));
        send.stays_pending();
        let held = rx.recv_held().unwrap();
        drop(send);
        drop(held);
    });
    join(finished);
}

/// A waker may run its task there and then, inside the operation that wakes it.
#[test]
fn a_task_may_run_inside_the_wake_that_woke_it() {
    struct RunsAtOnce {
        rx: Receiver<u32>,
        received: Mutex<Vec<u32>>,
    }

    impl Wake for RunsAtOnce {
        fn wake(self: Arc<Self>) {
            let taken = Peer::Homemade.run(self.rx.recv_async()).unwrap();
            self.received.lock().unwrap().push(taken);
        }
    }

    let (tx, rx) = channel();
    let runner = Arc::new(RunsAtOnce {
        rx: rx.clone(),
        received: Mutex::default(),
    });
    let mut receive = Box::pin(rx.recv_async());
    let waker = Waker::from(Arc::clone(&runner));
    assert!(poll_with(receive.as_mut(), &waker).is_pending());
    assert_eq!(tx.send_timeout(7, PATIENCE), Ok(()));
    assert_eq!(*runner.received.lock().unwrap(), [7]);
    assert!(poll_with(receive.as_mut(), Waker::noop()).is_pending());
}
