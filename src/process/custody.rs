//! Messages in the custody of a thread.

use std::marker::PhantomData;

use super::{blocking::BlockingIn, input::HeldIn};
use crate::channel::RecvError;

impl<T> BlockingIn<T> {
    /// Takes a message into custody, blocking the thread until there is one: its sender waits until it is answered; see
    /// [`Receiver::recv_held`](crate::channel::Receiver::recv_held).
    ///
    /// What is held stays with the thread, as the port does. It is answered with [`HeldIn::release`], which completes the
    /// send, or [`HeldIn::hand_back`], which is also what dropping it does.
    ///
    /// ```
    /// use handover::process::{BlockingIn, Network, Out};
    ///
    /// let mut net = Network::new("orders");
    /// let (orders, kitchen) = net.channel::<u32>("orders");
    /// net.thread("kitchen", kitchen, |orders: &BlockingIn<u32>| {
    ///     let order = orders.recv_held()?;
    ///     if *order > 100 {
    ///         order.hand_back().ok(); // too many; if the guest has gone meanwhile, nobody waits for the answer
    ///     }
    ///     Ok(())
    /// });
    /// net.process("guest", orders, async |orders: &Out<u32>| {
    ///     let error = orders.send(101).await.unwrap_err();
    ///     assert_eq!(error.into_inner(), 101);
    ///     Ok(())
    /// });
    /// net.run()?;
    /// # Ok::<(), handover::process::RunError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`RecvError`] when every sender is gone or the channel is poisoned.
    #[track_caller]
    pub fn recv_held(&self) -> Result<HeldIn<'_, T>, RecvError> {
        let held = self.0.end.recv_held_blocking_bound()?;
        Ok(HeldIn {
            held,
            _port: PhantomData,
        })
    }
}
