//! Two processes, the network between them, and a schedule of what happens to them.

use std::time::Duration;

use handover::wire::{Goodbye, INPUT_BYTES_MIN, Link, OUTPUT_BYTES_MAX, Settings};

use crate::{
    ledger::Ledger,
    network::Connection,
    owner::{Habits, Session},
    rng::Rng,
};

const LEASE: Duration = Duration::from_millis(1600);

/// What a link may hold beside messages: an input buffer as long as the longest frame.
const BUFFER_BYTES: u64 = 100_000;

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

    // ---- The dialer ----

    fn dial(&mut self) {
        let over = |session: &Session| session.concluded && session.connection.is_none();
        if self.dialer.as_ref().is_some_and(over) {
            self.dialer = None;
        }
        let index = self.connections.len();
        match &mut self.dialer {
            None => {
                self.numbers += 1;
                let settings = self.settings(0, self.numbers);
                let mut link = Link::dialer(settings);
                link.tick(self.now);
                self.dialer = Some(Session::new(link, self.numbers, index));
                self.deeds.sessions += 1;
            }
            Some(session) => {
                session.link.tick(self.now);
                if session.link.peer().is_none() {
                    // A first handshake that fails is begun anew, with another session.
                    self.hang_up();
                    self.dialer = None;
                    return;
                }
                if !session.link.reconnect() {
                    return;
                }
                let old = session.connection.replace(index);
                if let Some(old) = old {
                    // What it had written is still delivered.
                    let old = &mut self.connections[old];
                    old.up.closed = true;
                    old.dialed = false;
                    old.down.dead = true;
                }
            }
        }
        let mut listener = Link::listener(self.settings(1, 0));
        listener.tick(self.now);
        let mut connection = Connection::new(&mut self.rng);
        if self.healed {
            connection.heal(self.now);
        }
        self.connections.push(connection);
        self.accepted.push(Accepted::New(Box::new(listener)));
        self.deeds.connections += 1;
    }

    /// The dialer lets go of its connection.
    fn hang_up(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        session.link.disconnected();
        if let Some(index) = session.connection.take() {
            let connection = &mut self.connections[index];
            connection.up.closed = true;
            connection.dialed = false;
            connection.down.dead = true;
        }
    }

    fn dialer_writes(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        let Some(index) = session.connection else {
            return;
        };
        session.link.tick(self.now);
        let most = amount(&mut self.rng, self.tiny);
        let output = session.link.output();
        assert!(output.len() < 2 * OUTPUT_BYTES_MAX, "no output piles up");
        let offered = &output[..most.min(output.len())];
        let count = self.connections[index].up.write(offered, &mut self.ledger);
        session.link.wrote(count);
        if session.concluded && session.link.is_finished() {
            self.hang_up();
        }
    }

    fn dialer_reads(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        let Some(index) = session.connection else {
            return;
        };
        session.link.tick(self.now);
        let most = amount(&mut self.rng, self.tiny);
        let space = session.link.input();
        let most = most.min(space.len());
        match self.connections[index]
            .down
            .read(&mut space[..most], self.now)
        {
            Some(count) => {
                session.link.received(count);
                self.dialer_hears();
            }
            None => self.hang_up(),
        }
    }

    fn dialer_hears(&mut self) {
        let Some(session) = &mut self.dialer else {
            return;
        };
        let mut refused = false;
        while let Some(event) = session.link.poll_event().expect("the peer keeps the rules") {
            refused |= matches!(event, handover::wire::Event::Goodbye(_));
            self.deeds.lost += u64::from(matches!(event, handover::wire::Event::Lost(_)));
            self.deeds.resumed += u64::from(matches!(event, handover::wire::Event::Resumed));
            session.hear(event, &mut self.ledger, &mut self.rng, &self.habits);
        }
        if (refused && !session.link.is_over())
            || (session.concluded && session.link.lost().is_some())
        {
            self.hang_up();
        }
    }

    fn dialer_acts(&mut self) {
        if let Some(session) = &mut self.dialer {
            session.link.tick(self.now);
            for _ in 0..3 {
                session.act(self.now, &mut self.ledger, &mut self.rng, &self.habits);
            }
        }
    }

    // ---- The listener ----

    /// A connection of which the listener has the other end.
    fn any_accepted(&mut self) -> Option<usize> {
        // Mostly the newest: the older ones are seldom there.
        let count = self.accepted.len();
        let back = self.rng.pick(&[0, 0, 0, 0, 0, 0, 1, 2]);
        let index = count.checked_sub(1 + back)?;
        (!matches!(self.accepted[index], Accepted::Gone)).then_some(index)
    }

    fn listener_writes(&mut self) {
        if let Some(index) = self.any_accepted() {
            let most = amount(&mut self.rng, self.tiny);
            self.listener_writes_on(index, most);
        }
    }

    fn listener_writes_on(&mut self, index: usize, most: usize) {
        let (link, concluded) = match &mut self.accepted[index] {
            Accepted::New(link) => (&mut **link, false),
            Accepted::Session(session) => {
                let session = &mut self.listener[*session];
                (&mut session.link, session.concluded)
            }
            Accepted::Gone => return,
        };
        link.tick(self.now);
        let output = link.output();
        assert!(output.len() < 2 * OUTPUT_BYTES_MAX, "no output piles up");
        let offered = &output[..most.min(output.len())];
        let count = self.connections[index]
            .down
            .write(offered, &mut self.ledger);
        link.wrote(count);
        let refused = matches!(self.accepted[index], Accepted::New(_));
        let link = match &self.accepted[index] {
            Accepted::New(link) => &**link,
            Accepted::Session(session) => &self.listener[*session].link,
            Accepted::Gone => return,
        };
        if link.is_finished() && (refused || concluded) {
            self.listener_hangs_up(index);
        }
    }

    fn listener_hangs_up(&mut self, index: usize) {
        if let Accepted::Session(session) = self.accepted[index] {
            let session = &mut self.listener[session];
            session.link.disconnected();
            session.connection = None;
        }
        self.accepted[index] = Accepted::Gone;
        self.connections[index].down.closed = true;
        self.connections[index].up.dead = true;
    }

    fn listener_reads(&mut self) {
        if let Some(index) = self.any_accepted() {
            let most = amount(&mut self.rng, self.tiny);
            self.listener_reads_on(index, most);
        }
    }

    fn listener_reads_on(&mut self, index: usize, most: usize) {
        let link = match &mut self.accepted[index] {
            Accepted::New(link) => &mut **link,
            Accepted::Session(session) => &mut self.listener[*session].link,
            Accepted::Gone => return,
        };
        link.tick(self.now);
        let space = link.input();
        let most = most.min(space.len());
        let Some(count) = self.connections[index]
            .up
            .read(&mut space[..most], self.now)
        else {
            self.listener_hangs_up(index);
            return;
        };
        link.received(count);
        match &self.accepted[index] {
            Accepted::Session(session) => self.listener_hears(*session),
            Accepted::New(_) => self.greeted(index),
            Accepted::Gone => {}
        }
    }

    /// A new connection may have said for which session it is.
    fn greeted(&mut self, index: usize) {
        let Accepted::New(mut link) = std::mem::replace(&mut self.accepted[index], Accepted::Gone)
        else {
            return;
        };
        let event = link.poll_event().expect("the peer keeps the rules");
        self.accepted[index] = match event {
            Some(handover::wire::Event::Welcome) => {
                let number = link.peer().unwrap().session;
                self.listener.push(Session::new(*link, number, index));
                Accepted::Session(self.listener.len() - 1)
            }
            Some(handover::wire::Event::Resume(wanted)) => {
                let known = |session: &Session| session.number == wanted.session;
                match self.listener.iter().position(known) {
                    Some(session) => self.resume(session, *link, index),
                    None => {
                        link.goodbye(Goodbye::unknown_session());
                        Accepted::New(link)
                    }
                }
            }
            _ => Accepted::New(link),
        };
        if let Accepted::Session(session) = self.accepted[index] {
            self.listener_hears(session);
        }
    }

    fn resume(&mut self, place: usize, link: Link, index: usize) -> Accepted {
        let session = &mut self.listener[place];
        session.link.tick(self.now);
        match session.link.resume(link) {
            Ok(()) => {
                if let Some(old) = session.connection.replace(index) {
                    self.accepted[old] = Accepted::Gone;
                    self.connections[old].down.closed = true;
                }
                Accepted::Session(place)
            }
            Err(refused) => Accepted::New(refused),
        }
    }

    fn listener_hears(&mut self, place: usize) {
        let session = &mut self.listener[place];
        while let Some(event) = session.link.poll_event().expect("the peer keeps the rules") {
            self.deeds.lost += u64::from(matches!(event, handover::wire::Event::Lost(_)));
            session.hear(event, &mut self.ledger, &mut self.rng, &self.habits);
        }
        if session.concluded
            && session.link.lost().is_some()
            && let Some(index) = session.connection
        {
            self.listener_hangs_up(index);
        }
    }

    fn listener_acts(&mut self) {
        if let Some(session) = self.listener.last_mut() {
            session.link.tick(self.now);
            for _ in 0..3 {
                session.act(self.now, &mut self.ledger, &mut self.rng, &self.habits);
            }
        }
    }

    // ---- What must hold ----

    fn check(&self) {
        let bound = self.habits.budget + u64::from(self.habits.limits_message);
        for session in self.dialer.iter().chain(&self.listener) {
            assert!(session.link.bytes_reserved() <= bound, "the budget is kept");
            let held = session.link.bytes_held() as u64;
            let buffer = if self.habits.message_bytes > 1000 {
                BUFFER_BYTES
            } else {
                INPUT_BYTES_MIN as u64
            };
            assert!(held <= buffer + bound, "little is held: {held}");
        }
    }

    /// The network heals, and the owners wait: everything has to be settled.
    fn rest(&mut self) {
        for connection in &mut self.connections {
            connection.heal(self.now);
        }
        self.tiny = false;
        self.healed = true;
        let mut quiet = 0;
        for _ in 0..600 {
            let moved = self.calm();
            quiet = if moved { 0 } else { quiet + 1 };
            if quiet >= 3 && self.is_settled() {
                return;
            }
            if quiet > 0 {
                self.now += LEASE / 16;
                self.tick();
            }
        }
        panic!(
            "it does not come to rest: {} messages are open",
            self.ledger.open_messages()
        );
    }

    /// Carries all that there is, once; returns whether there was something.
    fn calm(&mut self) -> bool {
        let before = self.traffic();
        let unconnected = |session: &Session| session.connection.is_none() && !session.concluded;
        if self.dialer.as_ref().is_some_and(unconnected) {
            self.dial();
        }
        if let Some(index) = self.dialer.as_ref().and_then(|session| session.connection)
            && self.connections[index].is_dead()
            && self.rng.one_in(20)
        {
            // Somebody found out.
            self.hang_up();
        }
        self.dialer_writes();
        self.dialer_reads();
        for index in self.accepted.len().saturating_sub(4)..self.accepted.len() {
            self.listener_reads_on(index, usize::MAX);
            self.listener_writes_on(index, usize::MAX);
        }
        let now = self.now;
        for session in self.dialer.iter_mut().chain(&mut self.listener) {
            session.link.tick(now);
            session.wind_up(now, &mut self.ledger);
        }
        self.check();
        before != self.traffic()
    }

    fn traffic(&self) -> (u64, usize) {
        let sessions = self.dialer.iter().chain(&self.listener);
        let bytes = sessions.map(|session| {
            let counters = session.link.counters();
            counters.bytes_read + counters.bytes_written
        });
        (bytes.sum(), self.connections.len())
    }

    fn is_settled(&self) -> bool {
        let well = |session: &Session| {
            let mut connection = session.connection.map(|index| &self.connections[index]);
            connection = connection.filter(|connection| !connection.is_dead());
            session.concluded || (connection.is_some() && session.link.is_connected())
        };
        let mut sessions = self.dialer.iter().chain(&self.listener);
        self.dialer.as_ref().is_none_or(well)
            && sessions.all(|session| session.concluded || session.is_settled())
    }

    /// A session that is alive still works: a message crosses it each way on each channel, old and new.
    fn probe(&mut self) {
        let alive = |session: &Session| !session.concluded && session.link.is_connected();
        let Some(number) = self
            .dialer
            .as_ref()
            .filter(|session| alive(session))
            .map(|s| s.number)
        else {
            return;
        };
        let mut listener = self.listener.iter();
        let Some(place) = listener.position(|session| session.number == number && alive(session))
        else {
            return;
        };
        // Neither side has said its last word.
        let before = self
            .ledger
            .messages()
            .filter(|message| message.taken == 1)
            .count();
        let mut expected = 0;
        for session in self.dialer.iter_mut().chain(self.listener.get_mut(place)) {
            if session.link.is_parting() {
                return;
            }
            for _ in 0..50 {
                if session.outs() < 3 {
                    session.open(&mut self.ledger, &mut self.rng);
                }
            }
            assert_eq!(session.outs(), 3, "names and numbers are free again");
        }
        self.rest();
        let lives = self.dialer.as_ref().is_some_and(alive) && alive(&self.listener[place]);
        if !lives {
            return;
        }
        for session in self.dialer.iter_mut().chain(self.listener.get_mut(place)) {
            // A new channel may have been denied.
            expected += session.outs();
            assert!(session.has_all_credit(), "who waits is granted");
            for index in 0..session.outs() {
                assert!(session.send_on(index, 9, &mut self.ledger));
            }
        }
        self.rest();
        let after = self
            .ledger
            .messages()
            .filter(|message| message.taken == 1)
            .count();
        let lives = self.dialer.as_ref().is_some_and(alive) && alive(&self.listener[place]);
        if lives {
            assert_eq!(after - before, expected, "each channel still works");
        }
    }

    fn count(&mut self) {
        use crate::ledger::Told;
        use handover::wire::{Outcome, Settlement};
        for message in self.ledger.messages() {
            self.deeds.messages += 1;
            assert!(message.taken <= 1);
            match message.told.expect("each message has an outcome") {
                Told::Settled(Settlement::Taken) => self.deeds.taken += 1,
                Told::Settled(Settlement::Returned | Settlement::Declined)
                | Told::Concluded(Outcome::NotTaken) => {
                    assert_eq!(message.taken, 0, "what was returned is never taken");
                    self.deeds.returned += 1;
                }
                Told::Settled(Settlement::InDoubt) | Told::Concluded(Outcome::InDoubt) => {
                    self.deeds.in_doubt += 1;
                }
                Told::Nobody => {}
            }
        }
    }
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
