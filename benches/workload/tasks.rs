//! Work between two tasks of one tokio runtime on the current thread.

use std::{future::Future, pin::pin, time::Instant};

use tokio::runtime::{Builder, Runtime};

use super::{
    Run,
    contender::{Message, Tasks},
    cpu_time,
};

/// One task sends, another receives.
pub fn one_way<C: Tasks, M: Message>(count: u64) -> Run {
    let (tx, mut rx) = C::pair::<M>();
    measured(
        async move {
            for number in 0..count {
                C::send(&tx, M::numbered(number)).await;
            }
        },
        async move {
            for number in 0..count {
                assert_eq!(C::recv(&mut rx).await.number(), number);
            }
        },
    )
}

/// One task sends and waits for the answer, another answers.
pub fn ping_pong<C: Tasks, M: Message>(count: u64) -> Run {
    let (there, mut arriving) = C::pair::<M>();
    let (back, mut returning) = C::pair::<M>();
    measured(
        async move {
            for number in 0..count {
                C::send(&there, M::numbered(number)).await;
                assert_eq!(C::recv(&mut returning).await.number(), number);
            }
        },
        async move {
            for _ in 0..count {
                C::send(&back, C::recv(&mut arriving).await).await;
            }
        },
    )
}

/// Runs both as tasks until both have ended.
fn measured(
    one: impl Future<Output = ()> + Send + 'static,
    other: impl Future<Output = ()> + Send + 'static,
) -> Run {
    let runtime = runtime();
    let (began, cpu) = (Instant::now(), cpu_time());
    let polls = runtime.block_on(async {
        let one = tokio::spawn(counting_polls(one));
        let other = tokio::spawn(counting_polls(other));
        one.await.expect("the sender's checks hold") + other.await.expect("the receiver's do too")
    });
    Run {
        elapsed: began.elapsed(),
        cpu: cpu_time().saturating_sub(cpu),
        polls: Some(polls),
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread()
        .build()
        .expect("a runtime without drivers needs nothing from the system")
}

/// Runs `task`, and returns how often it was polled.
async fn counting_polls(task: impl Future<Output = ()>) -> u64 {
    let mut task = pin!(task);
    let mut polls = 0;
    std::future::poll_fn(|context| {
        polls += 1;
        task.as_mut().poll(context)
    })
    .await;
    polls
}
