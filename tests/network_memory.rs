//! Processes that have ended leave nothing behind: their places are used again.
//!
//! In a file of its own, because the allocator that counts is the whole program's.

#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicUsize, Ordering},
};

use std::{
    future::poll_fn,
    sync::{Mutex, PoisonError, mpsc},
    task::{Context, Poll, Waker},
};

use handover::process::{Here, In, Network, Out};

/// One test at a time, for all count together.
static ALONE: Mutex<()> = Mutex::new(());

struct Counting;

/// Bytes that are allocated, and were not given back.
static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: it does what the system's allocator does, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Starts so many, each of which hands one message over, and waits until all have.
async fn generation(here: &Here, numbers: &Out<u32>, seen: &In<u32>, size: u32) {
    for child in 0..size {
        here.start(
            child,
            (numbers.parcel(),),
            async move |(numbers,): &(Out<u32>,)| {
                numbers.send(child).await?;
                Ok(())
            },
        );
    }
    for _ in 0..size {
        seen.recv().await.unwrap();
    }
}

#[test]
fn ten_thousand_processes_that_came_and_went_leave_no_memory_behind() {
    const GENERATION: u32 = 100;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for threads in [1, 2] {
        let mut net = Network::new("generations");
        let (out, into) = net.channel::<u32>("numbers");
        net.process(
            "root",
            (net.here(), out, into),
            async |(here, numbers, seen): &(Here, Out<u32>, In<u32>)| {
                // Queues and tables have grown to what so many at a time need.
                for _ in 0..10 {
                    generation(here, numbers, seen, GENERATION).await;
                }
                let before = LIVE.load(Ordering::Relaxed);
                for _ in 0..100 {
                    generation(here, numbers, seen, GENERATION).await;
                }
                let after = LIVE.load(Ordering::Relaxed);
                // A hundred processes have some tens of kilobytes, ten thousand some megabytes. The watch allocates
                // a picture now and then, and the last generation may still be on its way out.
                let grown = after.saturating_sub(before);
                assert!(grown < 200_000, "{grown} bytes more");
                Ok(())
            },
        );
        net.run_threads(threads).unwrap();
    }
}

/// Whoever has a waker of a process may wake it long after its run was given up.
#[test]
fn a_process_that_is_woken_after_its_run_leaves_no_memory_behind() {
    const SIZE: usize = 10_000;
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let one = || {
        let (give, given) = mpsc::channel::<Waker>();
        let mut net = Network::new("given up");
        net.process("sleeper", (), async move |(): &()| {
            let kept = [1_u8; SIZE];
            poll_fn(|context| {
                let _ = give.send(context.waker().clone());
                Poll::<()>::Pending
            })
            .await;
            assert_eq!(kept.len(), SIZE);
            Ok(())
        });
        let mut run = Box::pin(net.run_async());
        assert!(
            run.as_mut()
                .poll(&mut Context::from_waker(Waker::noop()))
                .is_pending()
        );
        drop(run);
        given.recv().unwrap().wake();
    };
    for _ in 0..5 {
        one();
    }
    let before = LIVE.load(Ordering::Relaxed);
    for _ in 0..50 {
        one();
    }
    let grown = LIVE.load(Ordering::Relaxed).saturating_sub(before);
    assert!(grown < 10 * SIZE, "{grown} bytes more");
}
