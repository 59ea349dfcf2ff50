//! Two processes, the network between them, and a schedule of what happens to them.

#[path = "dialer.rs"]
mod dialer;
#[path = "listener.rs"]
mod listener;
#[path = "rest.rs"]
mod rest;

use std::time::Duration;

use bytes::BufMut;
use handover::wire::{Link, OUTPUT_BYTES_MAX, Settings};

use crate::{
    ledger::Ledger,
    network::Connection,
    owner::{Habits, Session},
    rng::Rng,
};

const LEASE: Duration = Duration::from_millis(1600);

/// The listener's end of a connection.
enum Accepted {
    /// Nobody has said yet for which session it is, or it is refused.
    New(Box<Link>),
    /// A session of the listener, by its place in the table.
    Session(usize),
    Gone,
}

/// What a schedule did, to see that it does all that it should.
#[derive(Debug, Default, Clone, Copy)]
pub struct Deeds {
    pub sessions: u64,
    pub connections: u64,
    pub resumed: u64,
    pub messages: u64,
    pub taken: u64,
    pub returned: u64,
    pub in_doubt: u64,
    pub lost: u64,
}

impl Deeds {
    pub fn add(&mut self, more: &Self) {
        self.sessions += more.sessions;
        self.connections += more.connections;
        self.resumed += more.resumed;
        self.messages += more.messages;
        self.taken += more.taken;
        self.returned += more.returned;
        self.in_doubt += more.in_doubt;
        self.lost += more.lost;
    }
}

pub struct World {
    rng: Rng,
    now: Duration,
    habits: Habits,
    faults: usize,
    tiny: bool,
    healed: bool,
    ledger: Ledger,
    connections: Vec<Connection>,
    accepted: Vec<Accepted>,
    /// The dialer's process has at most one session, the listener's a table of them.
    dialer: Option<Session>,
    listener: Vec<Session>,
    incarnations: [u64; 2],
    numbers: u128,
    pub deeds: Deeds,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let long = rng.one_in(200);
        let habits = Habits {
            message_bytes: if long { 150_000 } else { rng.pick(&[100, 700]) },
            budget: rng.pick(&[256, 2000, 100_000]),
            limits_message: if long { 200_000 } else { 1000 },
            closing: rng.pick(&[10, 40, 1000]),
            parting: rng.pick(&[100, 1000, 100_000]),
            regret: rng.pick(&[5, 30, 1000]),
        };
        Self {
            faults: rng.pick(&[20, 50, 150]),
            tiny: rng.one_in(5),
            healed: false,
            rng,
            now: Duration::ZERO,
            habits,
            ledger: Ledger::default(),
            connections: Vec::new(),
            accepted: Vec::new(),
            dialer: None,
            listener: Vec::new(),
            incarnations: [1, 2],
            numbers: 0,
            deeds: Deeds::default(),
        }
    }

    /// A schedule: some time of acts and faults, then rest, in which everything has to come right.
    pub fn run(&mut self) {
        if !self.rng.one_in(5) {
            self.dial();
            for _ in 0..4 {
                self.calm();
            }
        }
        for _ in 0..self.rng.between(50, 300) {
            self.step();
        }
        self.rest();
        self.probe();
        self.count();
    }

    fn settings(&self, side: usize, number: u128) -> Settings {
        Settings {
            name: "side".to_owned(),
            token: None,
            limits: self.habits.limits(),
            session: number,
            incarnation: self.incarnations[side],
            lease: LEASE,
        }
    }

    // ---- One thing happens ----

    fn step(&mut self) {
        match self.rng.below(24) {
            0..3 => self.dialer_writes(),
            3..6 => self.dialer_reads(),
            6..8 => self.listener_writes(),
            8..10 => self.listener_reads(),
            10..14 => {
                self.dialer_writes();
                self.listener_reads();
                self.listener_writes();
                self.dialer_reads();
            }
            14..18 => self.dialer_acts(),
            18..22 => self.listener_acts(),
            22 => {
                let step = self.rng.pick(&[1, 20, 20, 100, 100, 300]);
                self.pass(Duration::from_millis(step));
            }
            _ => {
                for _ in 0..3 {
                    self.dialer_acts();
                    self.listener_acts();
                }
            }
        }
        if self
            .dialer
            .as_ref()
            .is_none_or(|session| session.connection.is_none())
            && self.rng.one_in(5)
        {
            self.dial();
        }
        if self.rng.one_in(self.faults) {
            self.fault();
        }
        self.check();
    }

    fn fault(&mut self) {
        match self.rng.below(12) {
            0..4 => self.with_connection(|connection, rng, _| connection.cut(rng)),
            4 => self.with_connection(|connection, _, _| connection.up.dead = true),
            5 => self.with_connection(|connection, _, _| connection.down.dead = true),
            6 | 7 => self.with_connection(|connection, rng, now| {
                let pipe = if rng.one_in(2) {
                    &mut connection.up
                } else {
                    &mut connection.down
                };
                pipe.stalled_until = now + Duration::from_millis(rng.pick(&[50, 500, 1000]));
            }),
            // The dialer makes another connection while the old one still delivers.
            8 | 9 => self.dial(),
            10 => {
                let step = self.rng.pick(&[800, 1700]);
                self.pass(Duration::from_millis(step));
            }
            _ if self.rng.one_in(4) => {
                let side = self.rng.below(2);
                self.restart(side);
            }
            _ => {}
        }
    }

    /// Does something to the connection that the dialer uses.
    fn with_connection(&mut self, act: impl FnOnce(&mut Connection, &mut Rng, Duration)) {
        let index = self.dialer.as_ref().and_then(|session| session.connection);
        if let Some(index) = index {
            act(&mut self.connections[index], &mut self.rng, self.now);
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        if self.rng.one_in(4) {
            // Somebody looks at the clock later.
            return;
        }
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now;
        for session in self.dialer.iter_mut().chain(&mut self.listener) {
            session.link.tick(now);
        }
        self.dialer_hears();
        for index in 0..self.listener.len() {
            self.listener_hears(index);
        }
    }

    fn restart(&mut self, side: usize) {
        self.incarnations[side] += 10;
        let gone: Vec<Session> = if side == 0 {
            self.dialer.take().into_iter().collect()
        } else {
            for accepted in &mut self.accepted {
                *accepted = Accepted::Gone;
            }
            std::mem::take(&mut self.listener)
        };
        for mut session in gone {
            session.vanish(&mut self.ledger);
        }
        for connection in &mut self.connections {
            if connection.dialed {
                connection.cut(&mut self.rng);
            }
        }
    }
}

/// A socket takes what `to` takes of up to `most` bytes: from one place, or from several.
fn write(link: &mut Link, rng: &mut Rng, most: usize, to: impl FnOnce(&[u8]) -> usize) {
    if rng.below(2) == 0 {
        let output = link.output();
        assert!(output.len() < 2 * OUTPUT_BYTES_MAX, "no output piles up");
        let count = to(&output[..most.min(output.len())]);
        link.wrote(count);
        return;
    }
    let said = link.write_with(|slices| {
        let bytes = slices.iter().flat_map(|slice| slice.iter().copied());
        let count = to(&bytes.take(most).collect::<Vec<u8>>());
        (count, ())
    });
    assert!(
        said.is_some() || link.output().is_empty(),
        "what there is to say is said"
    );
}

/// A socket gives up to `most` bytes, as `from` puts them: to one place, or to where the link says. `None` at the end of
/// what it has.
fn read(
    link: &mut Link,
    rng: &mut Rng,
    most: usize,
    from: impl FnOnce(&mut [u8]) -> Option<usize>,
) -> Option<()> {
    if rng.below(2) == 0 {
        let space = link.input();
        let most = most.min(space.len());
        let count = from(&mut space[..most])?;
        link.received(count);
        return Some(());
    }
    link.read_with(|buffer| {
        let mut bytes = vec![0; most.min(buffer.remaining_mut())];
        let count = from(&mut bytes)?;
        buffer.put_slice(&bytes[..count]);
        Some(())
    })
}

/// How many bytes a socket takes or gives at once: in some schedules few.
fn amount(rng: &mut Rng, tiny: bool) -> usize {
    let most = if tiny {
        rng.pick(&[1, 30, 300])
    } else {
        rng.pick(&[30, 300, 200_000, 200_000, 200_000])
    };
    1 + rng.below(most)
}
