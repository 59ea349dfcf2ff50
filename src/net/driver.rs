//! The driver: the one task of a link. It owns the socket and polls the pumps.
//!
//! Each turn reads once, polls the pumps that were marked, and writes what follows from that once. So what one wake-up
//! brings about on several channels leaves in one write, and writing never starves reading. What a turn costs is in the
//! time of every message: whatever seldom happens is looked for only where it may have happened.

use std::{
    future::Future,
    io,
    ops::ControlFlow,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWrite},
    time::Sleep,
};

use super::{
    admission::Place,
    config::Config,
    core::Pump,
    end::LinkEnd,
    handshake::last_word,
    road::{AtTheDoor, Dialing, Road},
    shared::{Heard, Shared},
    socket,
    tls::Stream,
};
use crate::{
    channel::{self, Sleep as Alarm},
    wire::Goodbye,
};

#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing that is so or not, by itself"
)]
pub(super) struct Driver {
    shared: Arc<Shared>,
    /// The connection; `None` while the session waits for the next one.
    stream: Option<Stream>,
    /// Where the next one comes from.
    road: Road,
    dialing: Option<Dialing>,
    /// It was not polled yet, so nothing would wake this task for it.
    undialed: bool,
    /// When a connection is given up on which the session does not go on.
    greeting: Option<Pin<Box<Sleep>>>,
    handshake_timeout: Duration,
    close_timeout: Duration,
    /// More sessions than this do not wait for a connection at one listener.
    crowd_max: usize,
    parting: Option<Parting>,
    /// Where the wire's time begins.
    began: Instant,
    /// When the wire wants to be told the time, or earlier: it is set only when it has gone off, so that a message
    /// costs no setting of a timer. It is polled when it is set and when its time has come, for this is always the same
    /// task. Not a timer of tokio's, with which each wait for a socket would be one with a timeout.
    alarm: Alarm,
    alarm_at: Duration,
    alarm_is_off: bool,
    /// As the wire said when it was last told the time.
    may_take: bool,
    /// There may be orders, or another connection.
    called: bool,
    /// Bytes may have been read of which the events were not looked at.
    unheard: bool,
    /// A pump may be marked, or there may be something to write.
    stirred: bool,
    /// By key. Where one is missing, it was not polled yet, and may be in the core.
    pumps: Vec<Option<Pump>>,
    /// Held for as long as the connection lasts.
    place: Option<Place>,
}

/// The link is about to end.
struct Parting {
    end: LinkEnd,
    deadline: Pin<Box<Sleep>>,
    /// The peer has said its last word, so there is nothing to wait for once ours is written.
    peer_done: bool,
    /// Our side of the connection is shut.
    shut: bool,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        stream: Stream,
        config: &Config,
        place: Option<Place>,
        road: Road,
    ) -> Self {
        Self {
            shared,
            stream: Some(stream),
            road,
            dialing: None,
            undialed: false,
            greeting: None,
            handshake_timeout: config.handshake_timeout,
            close_timeout: config.close_timeout,
            crowd_max: config.connections_max.saturating_mul(2),
            parting: None,
            began: Instant::now(),
            alarm: channel::sleep(Duration::ZERO),
            alarm_at: Duration::ZERO,
            alarm_is_off: false,
            may_take: true,
            called: true,
            unheard: true,
            stirred: true,
            pumps: Vec::new(),
            place,
        }
    }

    /// Tells the wire the time.
    fn tick(&mut self, context: &mut Context<'_>) {
        let now = self.began.elapsed();
        self.note_time(now);
        if now >= self.alarm_at && !self.alarm_is_off {
            self.alarm_is_off = Pin::new(&mut self.alarm).poll(context).is_ready();
        }
    }

    fn note_time(&mut self, now: Duration) {
        let ticked = self.shared.tick(now);
        self.may_take = ticked.may_take;
        self.unheard |= ticked.is_over;
    }

    /// Sets the alarm anew if it has gone off. Returns whether it has gone off again already.
    fn set_alarm(&mut self, context: &mut Context<'_>) -> bool {
        if !self.alarm_is_off {
            return false;
        }
        let Some(at) = self.shared.with(|core| core.wire.deadline()) else {
            return false;
        };
        self.alarm_at = at;
        self.alarm = channel::sleep_until(self.began + at);
        self.alarm_is_off = Pin::new(&mut self.alarm).poll(context).is_ready();
        self.note_time(self.began.elapsed());
        // A sign of life may be due.
        self.stirred = true;
        self.alarm_is_off
    }

    /// Returns whether there may be more to do at once.
    fn turn(&mut self, context: &mut Context<'_>) -> ControlFlow<LinkEnd, bool> {
        let called = std::mem::take(&mut self.called);
        self.look_out(context, called)?;
        if std::mem::take(&mut self.unheard) {
            self.hear()?;
        }
        if called {
            self.obey()?;
        }
        let read = self.read(context)?;
        if read && !self.may_take {
            self.note_time(self.began.elapsed());
        }
        if std::mem::take(&mut self.unheard) {
            self.hear()?;
        }
        let more = if std::mem::take(&mut self.stirred) {
            self.shared.poll_pumps(&mut self.pumps);
            self.write(context)?
        } else {
            false
        };
        self.stirred = more;
        self.conclude(context)?;
        ControlFlow::Continue(more || read || self.unheard || std::mem::take(&mut self.undialed))
    }

    fn hear(&mut self) -> ControlFlow<LinkEnd> {
        self.stirred = true;
        let end = match self.shared.hear() {
            Heard::Nothing => return ControlFlow::Continue(()),
            Heard::Resumed => {
                self.goes_on();
                // There may be more.
                self.unheard = true;
                return ControlFlow::Continue(());
            }
            Heard::Useless(error) => return self.lost(error).map_continue(|_| ()),
            Heard::End(end) => end,
        };
        match end {
            LinkEnd::Silent(_) | LinkEnd::Forgotten => {
                // Nothing that is said now would be heard.
                self.abandon();
                let end = self.parting.take().map_or(end, |parting| parting.end);
                return ControlFlow::Break(end);
            }
            LinkEnd::PeerClosed(_) => {
                self.part(end, Goodbye::done());
                if let Some(parting) = &mut self.parting {
                    parting.peer_done = true;
                }
            }
            end => {
                let goodbye = match &end {
                    LinkEnd::Violation(violation) => violation.goodbye(),
                    _ => Goodbye::done(),
                };
                self.part(end, goodbye);
            }
        }
        ControlFlow::Continue(())
    }

    /// Ends the connection at once, whatever is unsaid.
    fn abandon(&mut self) {
        if let Some(stream) = self.stream.take() {
            socket::abandon(stream.socket());
        }
        self.place = None;
    }

    // ---- The next connection ----

    /// Looks whether the next connection is there, or is of no use.
    fn look_out(&mut self, context: &mut Context<'_>, called: bool) -> ControlFlow<LinkEnd> {
        if called && let Some(next) = self.shared.with(|core| core.door.take()) {
            self.open_the_door(next);
        }
        if let Some(dialing) = &mut self.dialing
            && let Poll::Ready(result) = dialing.as_mut().poll(context)
        {
            self.dialing = None;
            match result {
                Ok(stream) if self.shared.with(|core| core.wire.reconnect()) => {
                    self.stream = Some(stream);
                    self.greeting = Some(Box::pin(tokio::time::sleep(self.handshake_timeout)));
                }
                Ok(_) => {}
                Err(_) => self.dial(),
            }
        }
        // A connection on which nothing came for half the lease is probably none any more, even if nobody has said so.
        // While there is time for another, this one is given up; the peer sees that, if it sees anything.
        if self.stream.is_some() && self.greeting.is_none() && !self.may_take && self.may_go_on() {
            return self
                .lost(io::ErrorKind::TimedOut.into())
                .map_continue(|_| ());
        }
        if let Some(greeting) = &mut self.greeting
            && greeting.as_mut().poll(context).is_ready()
        {
            return self
                .lost(io::ErrorKind::TimedOut.into())
                .map_continue(|_| ());
        }
        ControlFlow::Continue(())
    }

    /// Goes on on a connection that a listener has brought, if it is one of this session. The one before, which may not
    /// know yet that it is none any more, is closed, and not read again.
    fn open_the_door(&mut self, next: Box<AtTheDoor>) {
        let AtTheDoor {
            wire,
            mut stream,
            place,
        } = *next;
        self.unheard = true;
        match self.shared.with(|core| core.wire.resume(wire)) {
            Ok(()) => {
                self.abandon();
                self.stream = Some(stream);
                self.place = place;
                // It has just been heard of.
                self.note_time(self.began.elapsed());
            }
            // An old one that comes late, or no one's: what is there is not touched.
            Err(mut refused) => {
                tokio::spawn(async move { last_word(&mut refused, &mut stream).await });
            }
        }
    }

    /// The session goes on on the connection that this side made.
    fn goes_on(&mut self) {
        self.greeting = None;
        if let Road::Dialer(dialer) = &mut self.road {
            dialer.arrived();
        }
    }

    fn dial(&mut self) {
        if let Road::Dialer(dialer) = &mut self.road {
            self.dialing = Some(dialer.dial());
            self.undialed = true;
        }
    }

    fn obey(&mut self) -> ControlFlow<LinkEnd> {
        let (abort, close, forsaken) = self.shared.with(|core| {
            let forsaken = core.orders.handles_gone && core.is_idle();
            (core.orders.abort, core.orders.close.take(), forsaken)
        });
        if abort {
            self.abandon();
            return ControlFlow::Break(LinkEnd::Aborted);
        }
        let goodbye = close.or_else(|| forsaken.then(Goodbye::done));
        if let Some(goodbye) = goodbye {
            self.part(LinkEnd::Closed(goodbye.clone()), goodbye);
        }
        ControlFlow::Continue(())
    }

    /// Begins to end the link; the first reason counts.
    fn part(&mut self, end: LinkEnd, goodbye: Goodbye) {
        if self.parting.is_some() {
            return;
        }
        self.parting = Some(Parting {
            end: end.clone(),
            deadline: Box::pin(tokio::time::sleep(self.close_timeout)),
            peer_done: false,
            shut: false,
        });
        // Before the goodbye, which lets the wire forget what could still be settled.
        self.shared.part(end, &mut self.pumps);
        self.stirred = true;
        self.shared.with(|core| core.wire.goodbye(goodbye));
    }

    /// Ends the link if its last word is written and the peer's was heard, or the time for that is over.
    fn conclude(&mut self, context: &mut Context<'_>) -> ControlFlow<LinkEnd> {
        let Some(parting) = &mut self.parting else {
            return ControlFlow::Continue(());
        };
        let written = self.shared.with(|core| core.wire.is_finished());
        if written && !parting.shut {
            // The peer sees the end of the stream also if it does not understand our goodbye. Whatever goes
            // wrong here shows in the next read.
            parting.shut = match &mut self.stream {
                Some(stream) => Pin::new(stream).poll_shutdown(context).is_ready(),
                None => true,
            };
        }
        if (parting.shut && parting.peer_done) || parting.deadline.as_mut().poll(context).is_ready()
        {
            return ControlFlow::Break(parting.end.clone());
        }
        ControlFlow::Continue(())
    }

    /// Writes once; returns whether there is more to write, if the socket has not said that it is full.
    fn write(&mut self, context: &mut Context<'_>) -> ControlFlow<LinkEnd, bool> {
        let Some(stream) = &mut self.stream else {
            return ControlFlow::Continue(false);
        };
        let written = self.shared.with(|core| {
            let written = stream.poll_write_of(context, &mut core.wire);
            written.map_ok(|count| (count, core.wire.has_output()))
        });
        match written {
            Poll::Pending => ControlFlow::Continue(false),
            Poll::Ready(Ok((0, _))) => self.lost(io::ErrorKind::WriteZero.into()),
            Poll::Ready(Ok((_, more))) => ControlFlow::Continue(more),
            Poll::Ready(Err(error)) => self.lost(error),
        }
    }

    /// Reads once; returns whether something came.
    fn read(&mut self, context: &mut Context<'_>) -> ControlFlow<LinkEnd, bool> {
        if self
            .parting
            .as_ref()
            .is_some_and(|parting| parting.peer_done)
        {
            return ControlFlow::Continue(false);
        }
        let Some(stream) = &mut self.stream else {
            return ControlFlow::Continue(false);
        };
        let read = self.shared.with(|core| {
            if !core.wire.has_input_room() && !stream.may_be_read(context) {
                return Poll::Pending;
            }
            core.wire
                .read_with(|buffer| pin!(stream.read_buf(buffer)).poll(context))
        });
        match read {
            Poll::Pending => ControlFlow::Continue(false),
            Poll::Ready(Ok(0)) => self.lost(io::ErrorKind::UnexpectedEof.into()),
            Poll::Ready(Ok(_)) => {
                self.unheard = true;
                ControlFlow::Continue(true)
            }
            Poll::Ready(Err(error)) => self.lost(error),
        }
    }

    /// Ends the link: see [`Shared::finish`].
    fn finish(&mut self, end: LinkEnd) {
        self.shared.finish(end, std::mem::take(&mut self.pumps));
    }

    /// Whether the session may go on on another connection.
    fn may_go_on(&self) -> bool {
        match &self.road {
            Road::None => false,
            Road::Dialer(_) => true,
            // Whoever comes, leaves and comes again does not fill the memory.
            Road::Listener(entry) => entry.crowd() <= self.crowd_max,
        }
    }

    /// The connection is gone. The session waits for the next one; if the link is to end anyway, not for long.
    fn lost(&mut self, error: io::Error) -> ControlFlow<LinkEnd, bool> {
        if let Some(parting) = &self.parting
            && (parting.peer_done || matches!(self.road, Road::None))
        {
            return ControlFlow::Break(parting.end.clone());
        }
        if !self.may_go_on() {
            let end = self.parting.take().map(|parting| parting.end);
            return ControlFlow::Break(end.unwrap_or_else(|| LinkEnd::lost(error)));
        }
        self.abandon();
        self.greeting = None;
        if let Some(parting) = &mut self.parting {
            // The last word is to be said once more, and the peer's to be heard, while there is time.
            parting.shut = false;
        }
        self.shared.disconnected();
        self.stirred = true;
        self.dial();
        ControlFlow::Continue(true)
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        driver.called |= driver.shared.wakes.rise();
        driver.stirred = true;
        driver.tick(context);
        loop {
            match driver.turn(context) {
                ControlFlow::Break(end) => {
                    driver.finish(end);
                    return Poll::Ready(());
                }
                ControlFlow::Continue(true) => {}
                ControlFlow::Continue(false) => {
                    if driver.set_alarm(context) || driver.unheard {
                        continue;
                    }
                    match driver.shared.wakes.sleep(context.waker()) {
                        Ok(()) => return Poll::Pending,
                        Err(called) => {
                            driver.called |= called;
                            driver.stirred = true;
                        }
                    }
                }
            }
        }
    }
}

impl Drop for Driver {
    /// However the task ends, also when its runtime is shut down, what is under way gets its verdict.
    fn drop(&mut self) {
        self.finish(LinkEnd::Aborted);
    }
}
