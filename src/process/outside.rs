//! An end of a channel that is held outside of the network, by somebody whom its reports can name: a peer on another
//! machine.
//!
//! # Invariants
//!
//! - The channel is open from before the end is made until after it is gone.

use std::{fmt, future::poll_fn, task::Poll};

use super::{
    ports::{InToken, OutToken},
    registry::{Outsider, Registry},
    report::Crossing,
};
use crate::{
    channel::{Receiver, Sender},
    sync::Arc,
};

/// That somebody outside has an end. To be dropped after the end.
pub(crate) struct Outside {
    registry: Arc<Registry>,
    channel: u32,
    holder: Arc<Outsider>,
}

impl Outside {
    fn new(registry: &Arc<Registry>, channel: u32, holder: Outsider) -> Self {
        let holder = Arc::new(holder);
        registry.open_for(channel, &holder);
        Self {
            registry: Arc::clone(registry),
            channel,
            holder,
        }
    }

    /// Waits until the network runs: before that the processes have no ends, so that the channel seems to be closed.
    /// False if it was dropped instead.
    pub(crate) async fn has_begun(&self) -> bool {
        poll_fn(|context| {
            if self.registry.call_at_begin(context.waker()) {
                Poll::Ready(true)
            } else if self.registry.is_abandoned() {
                Poll::Ready(false)
            } else {
                Poll::Pending
            }
        })
        .await
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.registry.close_for(self.channel, &self.holder);
    }
}

impl fmt::Debug for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outside").field(&self.holder.name).finish()
    }
}

impl<T: Send + 'static> OutToken<T> {
    /// An end for somebody outside whom reports are to name as `holder`; with where the channel goes on, if it is a link.
    pub(crate) fn take_out_for(
        &self,
        holder: &str,
        crossing: Option<Crossing>,
    ) -> (Sender<T>, Outside) {
        let holder = Outsider {
            name: holder.into(),
            crossing,
        };
        let outside = Outside::new(&self.registry, self.channel, holder);
        (self.unbound.sender(), outside)
    }
}

impl<T: Send + 'static> InToken<T> {
    /// As [`OutToken::take_out_for`].
    pub(crate) fn take_out_for(
        &self,
        holder: &str,
        crossing: Option<Crossing>,
    ) -> (Receiver<T>, Outside) {
        let holder = Outsider {
            name: holder.into(),
            crossing,
        };
        let outside = Outside::new(&self.registry, self.channel, holder);
        (self.unbound.receiver(), outside)
    }
}
