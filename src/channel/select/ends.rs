//! What stands in a guard: an end of a channel, or a port of a process, which has one.

use std::{rc::Rc, sync::Arc};

use super::super::{Receiver, Sender};

macro_rules! ends {
    ($Trait:ident, $end:ident, $End:ident, $what:literal) => {
        #[doc = concat!("Where ", $what, ".")]
        #[doc(hidden)]
        pub trait $Trait {
            type Message;
            fn $end(&self) -> &$End<Self::Message>;
        }

        impl<T> $Trait for $End<T> {
            type Message = T;
            fn $end(&self) -> &$End<T> {
                self
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
            fn $end(&self) -> &$End<E::Message> {
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
