//! A broken connection is not an error: the session goes on on another, and each message is taken exactly once.
//!
//! A proxy of the test breaks connections at every byte of a conversation, in every way that a line can break.
#![cfg(feature = "net")]
#![allow(clippy::unwrap_used, clippy::similar_names)]

#[path = "broken/conversation.rs"]
mod conversation;
#[path = "broken/proxy.rs"]
mod proxy;

use std::time::Duration;

use conversation::{Conversation, Sizes};
use futures_util::{StreamExt, stream};
use proxy::{Fault, Plan, Way};

const WAYS: [Way; 2] = [Way::ToListener, Way::ToDialer];
/// So many conversations at a time.
const CROWD: usize = 8;

/// Runs the conversation once for each plan; returns how many connections were broken.
async fn try_all(sizes: Sizes, lease: Duration, plans: Vec<Vec<Plan>>) -> usize {
    stream::iter(plans)
        .map(|plans| async move {
            let conversation = Conversation::new(sizes, lease);
            conversation.survives(plans).await
        })
        .buffer_unordered(CROWD)
        .fold(0, |sum, faults| async move { sum + faults })
        .await
}

/// A plan for every so many bytes of each direction of a conversation that nothing disturbs.
async fn at_every(step: usize, sizes: Sizes, lease: Duration, fault: Fault) -> Vec<Vec<Plan>> {
    let carried = Conversation::new(sizes, lease).undisturbed().await;
    WAYS.into_iter()
        .zip(carried)
        .flat_map(|(way, bytes)| {
            (0..bytes)
                .step_by(step)
                .map(move |after| vec![Plan { way, after, fault }])
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reset_at_any_byte_loses_and_doubles_nothing() {
    let lease = Duration::from_secs(20);
    let plans = at_every(1, Sizes::Small, lease, Fault::Reset).await;
    let count = plans.len();
    let faults = try_all(Sizes::Small, lease, plans).await;
    println!("{count} conversations, {faults} connections broken");
    assert!(faults >= 1000, "{faults} faults in {count} conversations");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_of_stream_at_any_byte_loses_and_doubles_nothing() {
    let lease = Duration::from_secs(20);
    let plans = at_every(7, Sizes::Small, lease, Fault::End).await;
    assert!(try_all(Sizes::Small, lease, plans).await > 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_message_begins_anew() {
    let lease = Duration::from_secs(20);
    let plans = at_every(7919, Sizes::Long, lease, Fault::Reset).await;
    assert!(try_all(Sizes::Long, lease, plans).await > 30);
}

/// Nobody is told: half a lease of silence tells the dialer, who makes a new connection; the listener throws the old one
/// away when that comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_goes_silent_is_given_up_in_time() {
    let lease = Duration::from_secs(4);
    let mut plans = at_every(149, Sizes::Small, lease, Fault::Silence).await;
    plans.extend(at_every(149, Sizes::Small, lease, Fault::HalfOpen).await);
    // Within the first handshake it is a timeout of its own.
    assert!(try_all(Sizes::Small, lease, plans).await > 10);
}

/// Again and again, also in the middle of coming back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_breaks_many_times_goes_on() {
    let lease = Duration::from_secs(20);
    let plans = (0..40)
        .map(|seed: u64| {
            (0..8)
                .map(|number| {
                    let mixed = (seed * 8 + number).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
                    Plan {
                        way: WAYS[usize::try_from(mixed % 2).unwrap()],
                        after: 20 + mixed % 400,
                        fault: [Fault::Reset, Fault::End][usize::try_from(mixed / 2 % 2).unwrap()],
                    }
                })
                .collect()
        })
        .collect();
    let faults = try_all(Sizes::Small, lease, plans).await;
    assert!(faults > 100, "{faults}");
}
