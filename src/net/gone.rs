//! Receivers that went before the peer had opened their channels: what the peer hears when it does.
//!
//! # Invariants
//!
//! - A name is here at most once, and not while a receiver waits under it.
//! - No more are kept than channels may be open: of more, the last to go.

use std::collections::VecDeque;

use super::{core::Core, port::Port, shared::Shared};
use crate::{channel::Reason, wire::Event};

/// How a receiver went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Last {
    Closed,
    Poisoned(Reason),
}

#[derive(Debug, Default)]
pub(super) struct Gone(VecDeque<(String, Last)>);

impl Gone {
    /// The receiver of `name` has gone.
    pub(super) fn note(&mut self, name: &str, last: Last, most: u16) {
        let _ = self.take(name);
        while self.0.len() >= usize::from(most) {
            self.0.pop_front();
        }
        self.0.push_back((name.to_owned(), last));
    }

    /// How the last receiver of `name` has gone, if it has. That is forgotten: the peer is told once, and another receiver
    /// takes its place.
    pub(super) fn take(&mut self, name: &str) -> Option<Last> {
        let index = self.0.iter().position(|(gone, _)| gone == name)?;
        self.0.remove(index).map(|(_, last)| last)
    }
}

impl Shared {
    /// The pump of a port ends. If the port was a receiver's, and the peer has not opened its channel, that is noted.
    pub(super) fn note_gone(&self, core: &Core, key: u16, poison: Option<&Reason>) {
        if let Some(Port::In(port)) = core.port(key)
            && port.id.is_none()
            && !port.closed
        {
            let most = core.wire.channels_max();
            let last = poison.map_or(Last::Closed, |reason| Last::Poisoned(reason.clone()));
            let mut gone = self.gone.lock();
            gone.get_or_insert_default().note(&port.name, last, most);
        }
    }

    /// Another receiver takes the name.
    pub(super) fn forget_gone(&self, name: &str) {
        let _ = self.take_gone(name);
    }

    fn take_gone(&self, name: &str) -> Option<Last> {
        self.gone.lock().as_mut()?.take(name)
    }

    /// Whether the peer has opened a channel whose receiver here has gone already. If so, it is told.
    pub(super) fn is_opened_in_vain(&self, core: &mut Core, event: &Event) -> bool {
        let Event::Opened(id) = event else {
            return false;
        };
        let name = core.wire.name(*id);
        let Some(last) = name.and_then(|name| self.take_gone(name)) else {
            return false;
        };
        match last {
            Last::Poisoned(reason) => core.wire.poison_receive(*id, reason.as_str()),
            Last::Closed => core.wire.close_receive(*id),
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_kept_once_and_as_many_as_are_allowed() {
        let mut gone = Gone::default();
        gone.note("a", Last::Closed, 2);
        gone.note("b", Last::Closed, 2);
        gone.note("a", Last::Poisoned("broken".into()), 2);
        gone.note("c", Last::Closed, 2);
        assert_eq!(gone.take("b"), None);
        assert_eq!(gone.take("a"), Some(Last::Poisoned("broken".into())));
        assert_eq!(gone.take("a"), None);
        assert_eq!(gone.take("c"), Some(Last::Closed));
    }
}
