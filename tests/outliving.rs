//! What is left when a process or its network is gone: futures that were moved out of it, wakers that were cloned,
//! processes that are started too late.

#![allow(clippy::unwrap_used)]

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    task::{Context, Poll, Waker},
    thread,
};

use futures_util::{Sink, Stream, StreamExt};
use handover::{
    channel::{RecvStream, SendSink, channel},
    process::{Here, In, Network, Out},
};

/// On one thread, and on several. Under Miri's model of stacked borrows the first alone: crossbeam's epochs, behind the
/// queues of several, are known to break it.
fn runs() -> &'static [bool] {
    match std::env::var_os("ON_ONE_THREAD_ONLY") {
        Some(_) => &[false],
        None => &[false, true],
    }
}

type Shelf<T> = Arc<Mutex<Option<T>>>;

fn shelf<T>() -> Shelf<T> {
    Arc::new(Mutex::new(None))
}

/// A stream over a channel of no network, on which a process that has ended waits.
fn abandoned_stream(several: bool) -> (handover::Sender<u32>, RecvStream<u32>) {
    let (tx, rx) = channel::<u32>();
    let shelf = shelf();
    let mut net = Network::new("short");
    let left = Arc::clone(&shelf);
    net.process("reader", (), async move |(): &()| {
        let mut stream = rx.into_stream();
        poll_fn(|context| {
            assert!(Pin::new(&mut stream).poll_next(context).is_pending());
            Poll::Ready(())
        })
        .await;
        *left.lock().unwrap() = Some(stream);
        Ok(())
    });
    if several {
        net.run_threads(2).unwrap();
    } else {
        net.run().unwrap();
    }
    let stream = shelf.lock().unwrap().take().unwrap();
    (tx, stream)
}

#[test]
fn a_stream_that_left_its_process_is_still_met_after_the_network_has_ended() {
    for &several in runs() {
        let (tx, mut stream) = abandoned_stream(several);
        let mut send = pin!(tx.send_async(7));
        let mut context = Context::from_waker(Waker::noop());
        assert!(send.as_mut().poll(&mut context).is_pending());
        assert_eq!(
            Pin::new(&mut stream).poll_next(&mut context),
            Poll::Ready(Some(7))
        );
        assert!(send.poll(&mut context).is_ready());
    }
}

#[test]
fn a_stream_that_left_its_process_may_go_after_the_network_has_ended() {
    let (tx, stream) = abandoned_stream(false);
    drop(stream);
    assert!(tx.is_disconnected());
}

#[test]
fn a_sink_that_left_its_process_is_still_met_after_the_network_has_ended() {
    let (tx, rx) = channel::<u32>();
    let shelf: Shelf<SendSink<u32>> = shelf();
    let mut net = Network::new("short");
    let left = Arc::clone(&shelf);
    net.process("writer", (), async move |(): &()| {
        let mut sink = tx.into_sink();
        poll_fn(|context| {
            Pin::new(&mut sink).start_send(7).unwrap();
            assert!(Pin::new(&mut sink).poll_flush(context).is_pending());
            Poll::Ready(())
        })
        .await;
        *left.lock().unwrap() = Some(sink);
        Ok(())
    });
    net.run().unwrap();
    assert_eq!(rx.try_recv(), Ok(7));
    drop(shelf.lock().unwrap().take());
}

#[test]
fn a_stream_moves_from_one_process_to_another_and_wakes_that_one() {
    for &several in runs() {
        let (tx, rx) = channel::<u32>();
        let mut net = Network::new("moving");
        let (streams_out, streams_in) = net.channel::<RecvStream<u32>>("streams");
        net.process(
            "first",
            streams_out,
            async move |streams: &Out<RecvStream<u32>>| {
                let mut stream = rx.into_stream();
                poll_fn(|context| {
                    assert!(Pin::new(&mut stream).poll_next(context).is_pending());
                    Poll::Ready(())
                })
                .await;
                streams.send(stream).await?;
                Ok(())
            },
        );
        net.process(
            "second",
            streams_in,
            async move |streams: &In<RecvStream<u32>>| {
                let mut stream = streams.recv().await?;
                let sending = thread::spawn(move || tx.send(7));
                assert_eq!(stream.next().await, Some(7));
                assert_eq!(stream.next().await, None);
                sending.join().unwrap()?;
                Ok(())
            },
        );
        if several {
            net.run_threads(2).unwrap();
        } else {
            net.run().unwrap();
        }
    }
}

/// To forget a future that is pinned on the heap is safe; its waiter hangs in its list for ever then.
#[test]
fn a_receive_that_is_forgotten_outlives_its_network() {
    let (tx, rx) = channel::<u32>();
    let rx: &'static _ = Box::leak(Box::new(rx));
    let mut net = Network::new("forgetful");
    net.process("reader", (), async move |(): &()| {
        let mut receive = Box::pin(rx.recv_async());
        poll_fn(|context| {
            assert!(receive.as_mut().poll(context).is_pending());
            Poll::Ready(())
        })
        .await;
        std::mem::forget(receive);
        Ok(())
    });
    net.run().unwrap();
    let mut send = pin!(tx.send_async(7));
    assert!(
        send.as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending(),
        "it wakes the process that has ended"
    );
}

#[test]
fn an_accepted_message_whose_acceptor_has_forgotten_it_and_ended_can_be_looked_at() {
    let mut net = Network::new("forgetful");
    let (out, into) = net.channel::<u32>("orders");
    let (ended_out, ended_in) = net.channel::<u32>("ended");
    net.process(
        "acceptor",
        (into.share(), ended_out),
        async |(orders, _ended): &(In<u32>, Out<u32>)| {
            std::mem::forget(orders.recv_held().await?);
            Ok(())
        },
    );
    let observer = net.observe();
    net.process("other", (into, ended_in), {
        async move |(_orders, ended): &(In<u32>, In<u32>)| {
            assert!(ended.recv().await.is_err(), "the acceptor ends");
            // Its task is gone with the turn after this one.
            yield_now().await;
            yield_now().await;
            let _ = observer.snapshot();
            Ok(())
        }
    });
    let sender = net.attach("sender", out, async |orders: &Out<u32>| {
        orders.send(1).await?;
        Ok(())
    });
    let mut sender = Box::pin(sender);
    let mut poll = move || {
        let polled = sender
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending(), "nobody answers");
    };
    net.process("driver", (), async move |(): &()| {
        poll();
        yield_now().await;
        std::mem::forget(poll);
        Ok(())
    });
    net.run().unwrap();
}

async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Counts how many of it are there.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_waker_that_is_woken_after_the_network_has_ended_wakes_nobody() {
    for &several in runs() {
        let wakers = Arc::new(Mutex::new(Vec::new()));
        let mut net = Network::new("woken late");
        for name in ["a", "b"] {
            let wakers = Arc::clone(&wakers);
            net.process(name, (), async move |(): &()| {
                poll_fn(|context| {
                    wakers.lock().unwrap().push(context.waker().clone());
                    Poll::Ready(())
                })
                .await;
                Ok(())
            });
        }
        if several {
            net.run_threads(2).unwrap();
        } else {
            net.run().unwrap();
        }
        for waker in wakers.lock().unwrap().drain(..) {
            waker.wake_by_ref();
            waker.wake();
        }
    }
}

#[test]
fn a_run_that_is_dropped_leaves_wakers_that_wake_nobody() {
    let wakers = Arc::new(Mutex::new(Vec::new()));
    let count = Arc::new(AtomicU32::new(0));
    let mut net = Network::new("dropped");
    let (out, into) = net.channel::<u32>("numbers");
    {
        let (wakers, counted) = (Arc::clone(&wakers), Counted::new(&count));
        net.process("a", out, async move |_: &Out<u32>| {
            let _counted = counted;
            poll_fn(|context| {
                wakers.lock().unwrap().push(context.waker().clone());
                Poll::<()>::Pending
            })
            .await;
            Ok(())
        });
    }
    let counted = Counted::new(&count);
    net.process("b", into, async move |numbers: &In<u32>| {
        let _counted = counted;
        let _ = numbers.recv().await;
        Ok(())
    });
    let mut run = Box::pin(net.run_async());
    let mut context = Context::from_waker(Waker::noop());
    assert!(run.as_mut().poll(&mut context).is_pending());
    for waker in wakers.lock().unwrap().iter() {
        waker.wake_by_ref();
    }
    drop(run);
    assert_eq!(count.load(Ordering::SeqCst), 0, "both were dropped");
    for waker in wakers.lock().unwrap().drain(..) {
        waker.wake();
    }
}

/// A thread may start a process at any time, also when the run is over already and only waits for the thread.
#[test]
fn a_process_that_is_started_after_the_end_is_dropped_and_the_run_ends() {
    let count = Arc::new(AtomicU32::new(0));
    let (done, is_done) = mpsc::channel();
    let running = thread::spawn({
        let count = Arc::clone(&count);
        move || {
            let mut net = Network::new("late");
            let (out, into) = net.channel::<u32>("numbers");
            let (never_out, never_in) = net.channel::<u32>("never");
            net.process(
                "stuck",
                (out, never_out, never_in),
                async |(_numbers, _never, itself): &(Out<u32>, Out<u32>, In<u32>)| {
                    itself.recv().await?;
                    Ok(())
                },
            );
            let here = net.here();
            net.thread("late", (into, here), {
                let counted = Counted::new(&count);
                move |(numbers, here): &(handover::process::BlockingIn<u32>, Here)| {
                    assert!(numbers.recv().is_err(), "the end of the run closes it");
                    here.start("too late", (), async move |(): &()| {
                        let _counted = counted;
                        Ok(())
                    });
                    Ok(())
                }
            });
            let result = net.run();
            done.send(result.is_err()).unwrap();
        }
    });
    let ended = is_done.recv_timeout(std::time::Duration::from_secs(20));
    assert_eq!(ended, Ok(true), "the run ends");
    running.join().unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 0, "it was dropped");
}
