//! Two state machines and the bytes between them, where the input says what happens: orders, time, cuts, resumptions,
//! how the bytes are split, and, in a hostile world, which bytes are not what was said.
//!
//! Whatever happens, nothing panics, what a side holds and says is bounded, and its events fit what it has done. In
//! an honest world, beside that, nobody breaks the protocol, and what a sender hears is what the receiver said.

mod conduit;
mod input;
mod ledger;
mod side;

use std::time::Duration;

use handover::wire::{Event, LEASE_MIN, Limits, Link, Settings};

use conduit::Conduit;
pub use input::Input;
use ledger::Ledger;
use side::Side;

/// A side that hears nothing for this long gives up; one step of time is less than half of it.
const LEASE: Duration = Duration::from_millis(1600);
const _: () = assert!(LEASE.as_millis() > LEASE_MIN.as_millis());

/// What happened, to see that inputs get anywhere.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Deeds {
    pub events: u64,
    pub messages: u64,
    pub resumed: u64,
    pub violations: u64,
}

/// Plays the world that `data` describes.
pub fn run(data: &[u8]) -> Deeds {
    let mut input = Input::new(data);
    let mut world = World::new(&mut input);
    while !input.is_empty() {
        world.step(&mut input);
        world.check();
    }
    world.deeds
}

struct World {
    hostile: bool,
    limits: Limits,
    now: Duration,
    dialer: Side,
    listener: Side,
    /// The listener's end of a connection of which it is not known yet whose it is.
    knocking: Option<Box<Link>>,
    /// To the listener, and to the dialer.
    forth: Conduit,
    back: Conduit,
    /// They are of the connection that the listener's session uses.
    attached: bool,
    ledger: Ledger,
    deeds: Deeds,
}

fn settings(limits: &Limits, incarnation: u64) -> Settings {
    Settings {
        name: "side".to_owned(),
        token: None,
        limits: limits.clone(),
        session: 7,
        incarnation,
        lease: LEASE,
    }
}

impl World {
    fn new(input: &mut Input<'_>) -> Self {
        let flags = input.byte();
        let limits = Limits::default()
            .with_message_bytes([40, 1000, 200_000, 200_000][usize::from(flags >> 1 & 3)])
            .with_budget_bytes([64, 4096, 300_000, 0][usize::from(flags >> 3 & 3)])
            .with_channels([1, 2, 4, 4][usize::from(flags >> 5 & 3)]);
        let hostile = flags & 1 == 1;
        Self {
            hostile,
            now: Duration::ZERO,
            dialer: Side::new(Link::dialer(settings(&limits, 1))),
            listener: Side::new(Link::listener(settings(&limits, 2))),
            knocking: None,
            forth: Conduit::default(),
            back: Conduit::default(),
            attached: true,
            ledger: Ledger::new(hostile),
            limits,
            deeds: Deeds::default(),
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let order = input.byte();
        let is_dialer = order & 1 == 0;
        match order >> 1 & 31 {
            0..=2 => self.write(is_dialer, input.amount()),
            3..=5 => self.read(is_dialer, input.amount()),
            6..=8 => self.carry(),
            9 => self.pass(Duration::from_millis(u64::from(input.byte()) * 4)),
            10 => self.cut(input.amount()),
            11 => self.dial(),
            12 => self.side(is_dialer).link.disconnected(),
            13 if self.hostile => self.pipe(is_dialer).inject(input),
            14 if self.hostile => self.pipe(is_dialer).inject_frame(input),
            15 if self.hostile => self.pipe(is_dialer).spoil(input),
            16 if input.byte() < 16 => self.dialer_or_listener(is_dialer).0.part(),
            16 => {}
            other => {
                let now = self.now;
                let (side, ledger) = self.dialer_or_listener(is_dialer);
                side.act(other, now, input, ledger);
            }
        }
    }

    fn side(&mut self, is_dialer: bool) -> &mut Side {
        self.dialer_or_listener(is_dialer).0
    }

    fn dialer_or_listener(&mut self, is_dialer: bool) -> (&mut Side, &mut Ledger) {
        let side = if is_dialer {
            &mut self.dialer
        } else {
            &mut self.listener
        };
        (side, &mut self.ledger)
    }

    /// What comes to a side.
    fn pipe(&mut self, to_dialer: bool) -> &mut Conduit {
        if to_dialer {
            &mut self.back
        } else {
            &mut self.forth
        }
    }

    // ---- Bytes ----

    fn write(&mut self, is_dialer: bool, most: usize) {
        if is_dialer {
            self.forth.fill(&mut self.dialer.link, most);
        } else if let Some(knocking) = &mut self.knocking {
            self.back.fill(knocking, most);
        } else if self.attached {
            self.back.fill(&mut self.listener.link, most);
        } else {
            // The kernel does not know yet that nobody is there.
            Conduit::default().fill(&mut self.listener.link, most);
        }
    }

    fn read(&mut self, is_dialer: bool, most: usize) {
        if is_dialer {
            self.back.drain(&mut self.dialer.link, most);
        } else if let Some(knocking) = &mut self.knocking {
            self.forth.drain(knocking, most);
        } else if self.attached {
            self.forth.drain(&mut self.listener.link, most);
        }
        self.hear(is_dialer);
    }

    fn hear(&mut self, is_dialer: bool) {
        if !is_dialer && self.knocking.is_some() {
            self.open_the_door();
            return;
        }
        let hostile = self.hostile;
        let (side, ledger) = if is_dialer {
            (&mut self.dialer, &mut self.ledger)
        } else {
            (&mut self.listener, &mut self.ledger)
        };
        loop {
            match side.link.poll_event() {
                Ok(None) => break,
                Ok(Some(event)) => {
                    self.deeds.events += 1;
                    self.deeds.messages += u64::from(matches!(event, Event::Message { .. }));
                    self.deeds.resumed += u64::from(matches!(event, Event::Resumed));
                    side.hear(event, ledger);
                }
                Err(violation) => {
                    assert!(hostile, "nobody breaks the protocol: {violation}");
                    self.deeds.violations += 1;
                    side.broken(&violation);
                }
            }
        }
    }

    /// The listener looks whose the new connection is.
    fn open_the_door(&mut self) {
        let Some(mut knocking) = self.knocking.take() else {
            return;
        };
        let wants = match knocking.poll_event() {
            Ok(Some(Event::Resume(_))) => true,
            // A new session, or a last word, of somebody else: this listener has one session only.
            Ok(Some(_)) => return,
            Ok(None) => false,
            Err(violation) => {
                assert!(self.hostile, "nobody breaks the protocol: {violation}");
                return;
            }
        };
        if !wants {
            self.knocking = Some(knocking);
            return;
        }
        match self.listener.link.resume(*knocking) {
            Ok(()) => {
                self.listener.connected();
                self.attached = true;
            }
            Err(refused) => self.knocking = Some(refused),
        }
        self.listener.link.tick(self.now);
        if self.knocking.is_none() {
            self.hear(false);
        } else {
            // It has its goodbye to say, and nothing that comes is heard.
            self.write(false, usize::MAX);
            self.knocking = None;
        }
    }

    /// Carries all that there is, both ways, a few times.
    fn carry(&mut self) {
        for _ in 0..3 {
            for is_dialer in [true, false] {
                self.write(is_dialer, usize::MAX);
                self.read(!is_dialer, usize::MAX);
            }
        }
    }

    // ---- Connections ----

    /// The connection is gone, and so many bytes of what was on it still came.
    fn cut(&mut self, most: usize) {
        self.read(false, most);
        self.read(true, most);
        self.dialer.disconnected();
        self.listener.disconnected();
        self.knocking = None;
        self.attached = false;
        self.forth.clear();
        self.back.clear();
    }

    /// The dialer makes a connection; the one before may still be there at the listener.
    fn dial(&mut self) {
        if !self.dialer.link.reconnect() {
            return;
        }
        self.dialer.connected();
        self.forth.clear();
        self.back.clear();
        let mut listener = Link::listener(settings(&self.limits, 2));
        listener.tick(self.now);
        self.attached = false;
        self.knocking = Some(Box::new(listener));
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.dialer.link.tick(self.now);
        self.listener.link.tick(self.now);
        self.hear(true);
        if self.knocking.is_none() {
            self.hear(false);
        }
    }

    fn check(&mut self) {
        for side in [&mut self.dialer, &mut self.listener] {
            side.check(&self.limits);
        }
    }
}
