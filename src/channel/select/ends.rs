//! What stands in a guard: an end of a channel, or a port of a process, which has one.

use std::{rc::Rc, sync::Arc};

use super::super::{Receiver, Sender};

/// An end that stands in a guard, of which nothing else can be had: whoever has a port of a process may wait on it, and
/// not clone or poison what is behind it.
#[doc(hidden)]
pub struct InGuard<'a, E>(&'a E);

impl<'a, E> InGuard<'a, E> {
    pub(crate) fn new(end: &'a E) -> Self {
        Self(end)
    }

    pub(super) fn end(self) -> &'a E {
        self.0
    }
}

macro_rules! ends {
    ($Trait:ident, $end:ident, $End:ident, $what:literal) => {
        #[doc = concat!("Where ", $what, ".")]
        #[doc(hidden)]
        pub trait $Trait {
            type Message;
            fn $end(&self) -> InGuard<'_, $End<Self::Message>>;
        }

        impl<T> $Trait for $End<T> {
            type Message = T;
            fn $end(&self) -> InGuard<'_, $End<T>> {
                InGuard::new(self)
            }
        }

        ends!(@through $Trait $end $End &E);
        ends!(@through $Trait $end $End &mut E);
        ends!(@through $Trait $end $End Box<E>);
        ends!(@through $Trait $end $End Rc<E>);
        ends!(@through $Trait $end $End Arc<E>);
    };
    (@through $Trait:ident $end:ident $End:ident $Through:ty) => {
        impl<E: $Trait + ?Sized> $Trait for $Through {
            type Message = E::Message;
            fn $end(&self) -> InGuard<'_, $End<E::Message>> {
                (**self).$end()
            }
        }
    };
}

ends!(Receives, receiving_end, Receiver, "a task can receive");
ends!(
    ReceivesBlocking,
    receiving_end,
    Receiver,
    "a thread can receive"
);
ends!(Sends, sending_end, Sender, "a task can send");
ends!(SendsBlocking, sending_end, Sender, "a thread can send");
