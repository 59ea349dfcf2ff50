//! A hand-over allocates nothing: the waiters of both sides stand on their stacks and in their futures.
//!
//! In a file of its own, because the allocator that counts is the whole program's.

#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    pin::pin,
    task::{Context, Poll, Waker},
    thread,
};

use handover::{
    channel,
    pattern::{merge, request_reply},
};

struct Counting;

thread_local! {
    /// By thread, because the test harness allocates on its own.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: it does what the system's allocator does, and counts.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `action` makes on this thread.
fn allocations(action: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.get();
    action();
    ALLOCATIONS.get() - before
}

const ROUNDS: u32 = 10_000;

#[test]
fn tasks_hand_over_without_allocating() {
    let (tx, rx) = channel::<[u64; 8]>();
    let mut context = Context::from_waker(Waker::noop());
    let mut round = |number| {
        let mut receive = pin!(rx.recv_async());
        assert!(receive.as_mut().poll(&mut context).is_pending());
        let mut send = pin!(tx.send_async([number; 8]));
        assert!(send.as_mut().poll(&mut context).is_pending());
        assert!(receive.poll(&mut context).is_ready());
        assert!(send.poll(&mut context).is_ready());
        // A send and a receive that are given up.
        assert!(
            pin!(tx.send_async([number; 8]))
                .poll(&mut context)
                .is_pending()
        );
        assert!(pin!(rx.recv_async()).poll(&mut context).is_pending());
    };
    round(0);
    let allocated = allocations(|| (0..u64::from(ROUNDS)).for_each(&mut round));
    assert_eq!(allocated, 0);
}

#[test]
fn threads_hand_over_without_allocating() {
    /// What a thread allocates once in its life, on its first wait of each kind: the lock's table of threads and
    /// the like. It must not grow with the hand-overs.
    const ONCE: usize = 16;

    let (tx, rx) = channel::<[u64; 8]>();
    let sending = thread::spawn(move || {
        allocations(|| {
            for number in 0..ROUNDS {
                tx.send([number.into(); 8]).unwrap();
            }
        })
    });
    let allocated = allocations(|| assert_eq!(rx.iter().count(), ROUNDS as usize));
    let allocated = allocated + sending.join().unwrap();
    assert!(
        allocated <= ONCE,
        "{allocated} allocations for {ROUNDS} hand-overs"
    );
}

#[test]
fn a_call_allocates_once_and_a_merge_that_finds_a_sender_not_at_all() {
    let (client, server) = request_reply::<[u64; 8], u64>();
    let mut context = Context::from_waker(Waker::noop());
    let mut call = |number: u64| {
        let mut asking = pin!(client.call_async([number; 8]));
        assert!(asking.as_mut().poll(&mut context).is_pending());
        let Poll::Ready(request) = pin!(server.next_async()).poll(&mut context) else {
            panic!("a client waits");
        };
        request.unwrap().reply(number).unwrap();
        assert_eq!(asking.poll(&mut context), Poll::Ready(Ok(number)));
    };
    call(0);
    let allocated = allocations(|| (0..u64::from(ROUNDS)).for_each(&mut call));
    assert_eq!(allocated, ROUNDS as usize);

    let (tx, rx) = channel::<u64>();
    let (_idle, nothing) = channel();
    let mut merged = merge([nothing, rx]);
    let mut round = |number| {
        let mut send = pin!(tx.send_async(number));
        assert!(send.as_mut().poll(&mut context).is_pending());
        assert_eq!(merged.recv(), Ok(number));
        assert!(send.poll(&mut context).is_ready());
    };
    round(0);
    let allocated = allocations(|| (0..u64::from(ROUNDS)).for_each(&mut round));
    assert_eq!(allocated, 0);
}
