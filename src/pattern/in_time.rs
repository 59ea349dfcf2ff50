//! A limit of time for whatever a task awaits.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::Poll,
    time::Instant,
};

use crate::channel::sleep_until;

/// What `doing` comes to, or `None` once `deadline` has come; it is left as it is then. Without a deadline it waits.
pub(super) async fn in_time<F: Future>(
    mut doing: Pin<&mut F>,
    deadline: Option<Instant>,
) -> Option<F::Output> {
    let Some(deadline) = deadline else {
        return Some(doing.await);
    };
    let mut late = pin!(sleep_until(deadline));
    poll_fn(move |context| {
        if let Poll::Ready(output) = doing.as_mut().poll(context) {
            return Poll::Ready(Some(output));
        }
        late.as_mut().poll(context).map(|()| None)
    })
    .await
}
