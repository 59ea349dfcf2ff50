//! The room's own tests: small, without tokio, so that Miri can run them under many schedules.
//!
//! They are about memory: waiters that are pinned in futures and on stacks, linked by address, claimed by one
//! thread and freed by another.

#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{
    pin::{Pin, pin},
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;
use futures_sink::Sink;

use super::{
    Held, Receiver, RecvError, SendError, Sender, TrySendError, channel, list::List, waiter::Waiter,
};

mod alternations;
mod slack_and_poison;

/// Few, because Miri is some thousand times slower; enough that both sides come first now and then.
const ROUNDS: u32 = if cfg!(miri) { 6 } else { 200 };

/// Not a number that could be copied by mistake: a second drop or a use after free would not go unseen.
type Message = Box<u32>;

struct Unparker(thread::Thread);

impl Wake for Unparker {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(task: F) -> F::Output {
    let mut task = pin!(task);
    let waker = Waker::from(Arc::new(Unparker(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match task.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[derive(Default)]
struct Counter(AtomicUsize);

impl Counter {
    fn wakes(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn poll_counted<F: Future + ?Sized>(
    future: Pin<&mut F>,
    counter: &Arc<Counter>,
) -> Poll<F::Output> {
    let waker = Waker::from(Arc::clone(counter));
    future.poll(&mut Context::from_waker(&waker))
}

fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_counted(future, &Arc::default())
}

type SendBy = fn(&Sender<Message>, Message) -> Result<(), SendError<Message>>;
type RecvBy = fn(&Receiver<Message>) -> Result<Message, RecvError>;

const SENDS: [SendBy; 2] = [Sender::send, |tx, message| block_on(tx.send_async(message))];
const RECVS: [RecvBy; 5] = [
    Receiver::recv,
    |rx| block_on(rx.recv_async()),
    |rx| rx.recv_held().map(Held::release),
    |rx| block_on(rx.recv_held_async()).map(Held::release),
    |rx| rx.accept(|message| Box::new(**message)),
];

#[test]
fn threads_and_tasks_meet_in_every_pairing() {
    for send in SENDS {
        for recv in RECVS {
            let (tx, rx) = channel();
            thread::scope(|scope| {
                scope.spawn(move || {
                    for number in 0..ROUNDS {
                        send(&tx, Box::new(number)).unwrap();
                    }
                });
                (0..ROUNDS).for_each(|number| assert_eq!(*recv(&rx).unwrap(), number));
                assert_eq!(recv(&rx), Err(RecvError::Disconnected));
            });
        }
    }
}

#[test]
fn a_crowd_of_threads_and_tasks_loses_nothing() {
    let (tx, rx) = channel();
    let sum = thread::scope(|scope| {
        for send in SENDS {
            let tx = tx.clone();
            scope
                .spawn(move || (0..ROUNDS).for_each(|number| send(&tx, Box::new(number)).unwrap()));
        }
        let receiving: Vec<_> = RECVS[..3]
            .iter()
            .map(|recv| {
                let rx = rx.clone();
                scope.spawn(move || {
                    let mut sum = 0;
                    while let Ok(message) = recv(&rx) {
                        sum += *message;
                    }
                    sum
                })
            })
            .collect();
        drop((tx, rx));
        receiving
            .into_iter()
            .map(|receiving| receiving.join().unwrap())
            .sum::<u32>()
    });
    assert_eq!(sum, ROUNDS * (ROUNDS - 1));
}

#[test]
fn a_timeout_races_with_a_meeting_and_one_of_them_wins() {
    for round in 0..ROUNDS {
        let (tx, rx) = channel::<Message>();
        let moment = Duration::from_micros(u64::from(round % 3) * 20);
        thread::scope(|scope| {
            let sending = scope.spawn(move || tx.send_timeout(Box::new(round), moment));
            let received = rx.recv_deadline(Instant::now() + moment);
            assert_eq!(received.is_ok(), sending.join().unwrap().is_ok());
        });
    }
}

#[test]
fn a_dropped_future_races_with_a_meeting_and_one_of_them_wins() {
    for round in 0..ROUNDS {
        let (tx, rx) = channel();
        thread::scope(|scope| {
            let sending = scope.spawn(move || {
                let mut home = Some(Box::new(round));
                let _ = poll_once(Box::pin(tx.send_from(&mut home)).as_mut());
                home
            });
            let received = match poll_once(pin!(rx.recv_async())) {
                Poll::Ready(received) => received.ok(),
                Poll::Pending => rx.try_recv().ok(),
            };
            assert_ne!(received.is_some(), sending.join().unwrap().is_some());
        });
    }
}

#[test]
fn a_sender_that_goes_races_with_its_acceptor() {
    for round in 0..ROUNDS {
        let (tx, rx) = channel::<Message>();
        thread::scope(|scope| {
            let accepting = scope.spawn(move || match rx.recv_held() {
                Ok(held) if round % 2 == 0 => held.hand_back().err(),
                Ok(held) => held.in_doubt().err(),
                Err(_) => None,
            });
            let mut send = Box::pin(tx.send_async(Box::new(round)));
            let mut back = None;
            if poll_once(send.as_mut()).is_pending() {
                thread::yield_now();
                back = send.as_mut().withdraw();
            }
            drop(send);
            drop(tx);
            let kept = accepting.join().unwrap();
            // Without a doubt that its sender did not wait to hear, it is in one hand.
            assert!(!(kept.is_some() && back.is_some()));
        });
    }
}

#[test]
fn both_ends_may_go_while_the_other_side_waits() {
    for send in SENDS {
        let (tx, rx) = channel();
        thread::scope(|scope| {
            let sending = [tx.clone(), tx].map(|tx| scope.spawn(move || send(&tx, Box::new(7))));
            thread::yield_now();
            drop(rx);
            for sending in sending {
                assert_eq!(
                    sending.join().unwrap(),
                    Err(SendError::Disconnected(Box::new(7)))
                );
            }
        });
    }
    for recv in RECVS {
        let (tx, rx) = channel();
        thread::scope(|scope| {
            let receiving = [rx.clone(), rx].map(|rx| scope.spawn(move || recv(&rx)));
            thread::yield_now();
            drop(tx);
            for receiving in receiving {
                assert_eq!(receiving.join().unwrap(), Err(RecvError::Disconnected));
            }
        });
    }
}

#[test]
fn waiters_may_leave_a_list_from_any_place() {
    for leaving in 0..3 {
        let (tx, rx) = channel();
        let mut sends: Vec<_> = (0..3)
            .map(|number| Box::pin(tx.send_async(Box::new(number))))
            .collect();
        assert!(
            sends
                .iter_mut()
                .all(|send| poll_once(send.as_mut()).is_pending())
        );
        drop(sends.remove(leaving));
        let left: Vec<usize> = rx.try_iter().map(|message| *message).collect();
        assert_eq!(
            left,
            (0..3)
                .filter(|number| *number != leaving)
                .collect::<Vec<_>>()
        );

        let counters: [Arc<Counter>; 3] = Default::default();
        let mut receives: Vec<_> = counters.iter().map(|_| Box::pin(rx.recv_async())).collect();
        for (receive, counter) in receives.iter_mut().zip(&counters) {
            assert!(poll_counted(receive.as_mut(), counter).is_pending());
        }
        drop(receives.remove(leaving));
        let mut send = pin!(tx.send_async(Box::new(7)));
        assert!(poll_once(send.as_mut()).is_pending());
        let first = usize::from(leaving == 0);
        assert_eq!(counters[first].wakes(), 1);
        drop(receives);
        assert_eq!(send.withdraw(), Some(Box::new(7)));
    }
}

#[test]
fn a_list_keeps_its_order_whatever_leaves_it() {
    let waiters: [Pin<Box<Waiter<()>>>; 4] = std::array::from_fn(|_| Box::pin(Waiter::empty()));
    let [a, b, c, d] = [0, 1, 2, 3].map(|place| NonNull::from(&*waiters[place]));
    for waiter in &waiters {
        // SAFETY: idle, and ours.
        unsafe { waiter.begin(None, None) };
    }
    let mut list = List::new();
    // SAFETY: nobody else knows the list or the waiters, which stand in their boxes until the end.
    unsafe { list.push_back(b) };
    // SAFETY: as above.
    unsafe { list.push_front(a) };
    // SAFETY: as above.
    unsafe { list.push_back(c) };
    // SAFETY: as above.
    unsafe { list.push_back(d) };
    assert_eq!((list.count(), list.is_empty()), (4, false));
    // SAFETY: as above, and it hangs in the list.
    unsafe { list.remove(c) };
    // SAFETY: as above.
    assert_eq!(unsafe { list.pop_front() }, Some(a));
    // SAFETY: as above, and it hangs in the list.
    unsafe { list.remove(d) };
    // SAFETY: as above.
    assert_eq!(unsafe { list.pop_front() }, Some(b));
    // SAFETY: as above.
    assert_eq!(unsafe { list.pop_front() }, None);
    assert!(list.is_empty());
    // SAFETY: as above; the last of a list can be followed by another.
    unsafe { list.push_back(c) };
    // SAFETY: as above.
    unsafe { list.push_back(a) };
    // SAFETY: as above.
    assert_eq!(unsafe { list.pop_front() }, Some(c));
    // SAFETY: as above, and it hangs in the list.
    unsafe { list.remove(a) };
    assert_eq!((list.count(), list.is_empty()), (0, true));
}

#[test]
fn a_woken_receive_that_is_dropped_passes_its_wake_up_on() {
    let (tx, rx) = channel();
    let counter = Arc::<Counter>::default();
    let mut first = Box::pin(rx.recv_async());
    assert!(poll_once(first.as_mut()).is_pending());
    let mut second = Box::pin(rx.recv_held_async());
    assert!(poll_counted(second.as_mut(), &counter).is_pending());
    let mut send = Box::pin(tx.send_async(Box::new(7)));
    assert!(poll_once(send.as_mut()).is_pending());
    assert_eq!(counter.wakes(), 0);
    drop(first);
    assert_eq!(counter.wakes(), 1);
    let Poll::Ready(Ok(held)) = poll_once(second.as_mut()) else {
        panic!("it was woken for a message");
    };
    drop(send);
    assert_eq!(held.hand_back(), Err(Box::new(7)));
}

#[test]
fn a_stream_and_a_sink_may_move_while_they_wait() {
    let (tx, rx) = channel();
    let mut stream = rx.into_stream();
    let mut sink = tx.clone().into_sink();
    let mut context = Context::from_waker(Waker::noop());
    for number in 0..3 {
        assert!(Pin::new(&mut stream).poll_next(&mut context).is_pending());
        let mut moved = Box::new(stream);
        Pin::new(&mut sink).start_send(Box::new(number)).unwrap();
        assert!(Pin::new(&mut sink).poll_flush(&mut context).is_pending());
        let mut sink_moved = Box::new(sink);
        let taken = Pin::new(&mut moved).poll_next(&mut context);
        assert_eq!(taken, Poll::Ready(Some(Box::new(number))));
        assert_eq!(
            Pin::new(&mut *sink_moved).poll_flush(&mut context),
            Poll::Ready(Ok(()))
        );
        stream = *moved;
        sink = *sink_moved;
    }
    Pin::new(&mut sink).start_send(Box::new(3)).unwrap();
    assert!(Pin::new(&mut sink).poll_flush(&mut context).is_pending());
    assert_eq!(sink.take_back(), Some(Box::new(3)));
    assert!(Pin::new(&mut stream).poll_next(&mut context).is_pending());
    drop(sink);
    drop(tx);
    assert_eq!(
        Pin::new(&mut stream).poll_next(&mut context),
        Poll::Ready(None)
    );
}

#[test]
fn demand_is_announced_to_each_watcher() {
    let (tx, rx) = channel::<Message>();
    let counter = Arc::<Counter>::default();
    let mut first = Box::pin(tx.ready_async());
    let mut second = Box::pin(tx.ready_async());
    assert!(poll_counted(first.as_mut(), &counter).is_pending());
    assert!(poll_counted(second.as_mut(), &counter).is_pending());
    let mut receive = Box::pin(rx.recv_async());
    assert!(poll_once(receive.as_mut()).is_pending());
    assert_eq!(counter.wakes(), 2);
    assert_eq!(poll_once(first.as_mut()), Poll::Ready(Ok(())));
    assert_eq!(
        tx.try_send(Box::new(7)),
        Err(TrySendError::Full(Box::new(7)))
    );
    drop(second);
}

#[test]
fn the_end_is_announced_to_each_end_that_waits_for_it() {
    let (tx, rx) = channel::<Message>();
    let counter = Arc::<Counter>::default();
    let mut first = Box::pin(rx.closed_async());
    let mut second = Box::pin(rx.closed_async());
    let mut third = Box::pin(rx.closed_async());
    for closed in [&mut first, &mut second, &mut third] {
        assert!(poll_counted(closed.as_mut(), &counter).is_pending());
    }
    drop(second);
    thread::scope(|scope| {
        scope.spawn(move || drop(tx));
        block_on(first);
    });
    assert_eq!(poll_once(third.as_mut()), Poll::Ready(()));
}

#[test]
fn a_leaked_future_is_no_danger() {
    let (tx, rx) = channel();
    // Kept reachable, so that Miri does not count what was leaked on purpose.
    let mut sends = Vec::new();
    let mut send = Box::pin(tx.send_async(Box::new(7)));
    assert!(poll_once(send.as_mut()).is_pending());
    sends.push(std::mem::ManuallyDrop::new(send));
    assert_eq!(rx.recv(), Ok(Box::new(7)));
    for send in &mut sends {
        assert_eq!(poll_once(send.as_mut()), Poll::Ready(Ok(())));
    }
    for send in sends {
        drop(std::mem::ManuallyDrop::into_inner(send));
    }
}

#[test]
fn messages_of_any_size_move_through_a_slot() {
    fn hand_over<T: Send + PartialEq>(make: impl Fn() -> T) {
        let (tx, rx) = channel();
        thread::scope(|scope| {
            let message = make();
            scope.spawn(move || assert!(tx.send(message).is_ok()));
            assert!(rx.recv() == Ok(make()));
        });
    }
    hand_over(|| ());
    hand_over(|| [7_u8; 5000]);
    hand_over(|| vec![String::from("owned"); 2]);
    hand_over(|| Aligned(1));
}

#[derive(PartialEq)]
#[repr(align(128))]
struct Aligned(u8);

#[test]
fn alternations_that_face_each_other_meet_once() {
    let (a, from_a) = channel();
    let (b, from_b) = channel();
    let exchange = |tx: &Sender<u32>, rx: &Receiver<u32>, own| {
        let mut home = Some(own);
        let received = crate::select! {
            send(tx, &mut home) -> sent => { sent.unwrap(); None }
            recv(rx) -> message => Some(message.unwrap()),
        };
        (received, home)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| exchange(&b, &from_a, 2));
        let here = exchange(&a, &from_b, 1);
        match (here, other.join().unwrap()) {
            ((None, None), (Some(1), Some(2))) | ((Some(2), Some(1)), (None, None)) => {}
            odd => panic!("{odd:?}"),
        }
    });
}

#[test]
fn an_alternation_of_a_task_meets_a_thread_or_is_dropped() {
    let (a, from_a) = channel::<u32>();
    let (b, from_b) = channel::<u32>();
    let mut home = Some(3);
    for drops in [true, false] {
        let mut alternation = Box::pin(async {
            crate::select_async! {
                send(a, &mut home) -> sent => sent.is_ok(),
                recv(from_b) -> message => message.is_ok(),
            }
        });
        let counter = Arc::<Counter>::default();
        assert!(poll_counted(alternation.as_mut(), &counter).is_pending());
        if drops {
            drop(alternation);
            assert_eq!(home, Some(3));
        } else {
            thread::scope(|scope| {
                scope.spawn(|| assert_eq!(from_a.recv(), Ok(3)));
                assert!(block_on(alternation));
            });
        }
    }
    assert_eq!(home, None);
    drop(b);
}
