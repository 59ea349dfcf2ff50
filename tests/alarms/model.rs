//! What can come of a program, worked out without the runtime: its states, and all moves from one to the next.
//!
//! A move is what changes something for somebody: a message that changes hands, a wait that ends because the other side
//! has gone, a timer, a step that does not wait, something that is done outside. An operation can meet from the moment at
//! which its step is come to: that a task must be scheduled first makes no difference to what is possible.
//!
//! The model says a little more than what the runtime can do: which of several waits first is left open, and a future that
//! was polled once may have been polled too early to meet what could have met it.

use std::hash::{Hash, Hasher};

use crate::program::{ASIDE_MAX, Act, Op, Program, Side, Step};

/// Who is not a process: somebody outside.
pub(crate) const OUTSIDE: u8 = u8::MAX;

/// How far one operation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// It waits, and can meet.
    Free,
    /// Its message is held by that process; it was the guard with this number.
    Accepted { by: u8, guard: u8 },
    /// Done. One that was left, and was woken or met without being polled.
    Over,
}

/// A future that was polled once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) step: u8,
    pub(crate) part: Part,
}

/// A message in custody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Custody {
    pub(crate) step: u8,
    /// Nobody, if the sender has gone.
    pub(crate) sender: Option<At>,
}

/// Where an operation is: of which process, or outside; and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) process: u8,
    pub(crate) slot: u8,
}

/// The first slot of those for what was left.
pub(crate) const LEFT: usize = 2;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// The step that it is at.
    pub(crate) step: u8,
    /// Of a step that accepts: it has a message.
    pub(crate) accepted: bool,
    pub(crate) parts: [Part; 2],
    pub(crate) left: [Option<Left>; ASIDE_MAX],
    pub(crate) held: [Option<Custody>; ASIDE_MAX],
    pub(crate) ended: bool,
}

/// Somebody outside who has an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outsider {
    Nobody,
    /// Is about to use it.
    Uses(Part),
    /// Is about to drop it.
    Drops,
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) processes: Vec<Now>,
    pub(crate) outsiders: Vec<Outsider>,
    /// Channels of which an end was taken out.
    pub(crate) open: u16,
    /// Channels that were poisoned.
    pub(crate) poisoned: u16,
}

impl Hash for State {
    /// Of the most telling parts, since going through all that is derived takes most of the search's time.
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let mut sum = u64::from(self.open) | u64::from(self.poisoned) << 16;
        let mut add = |value: u64| {
            sum = (sum ^ value)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15)
                .rotate_left(23);
        };
        for now in &self.processes {
            let part = |part: Part| match part {
                Part::Free => 1,
                Part::Over => 2,
                Part::Accepted { by, guard } => 3 + (u64::from(by) << 8) + (u64::from(guard) << 4),
            };
            let [first, second] = now.parts;
            let flags = u64::from(now.accepted) << 8 | u64::from(now.ended) << 9;
            add(u64::from(now.step) | flags | part(first) << 16 | part(second) << 32);
            for (slot, left) in (1..).zip(&now.left) {
                if let Some(left) = left {
                    add(part(left.part) << 16 | u64::from(left.step) << 8 | slot);
                }
            }
            for (slot, held) in (5..).zip(&now.held) {
                if let Some(Custody { step, sender }) = held {
                    let sender = sender.map_or(0, |at| {
                        u64::from(at.process) << 8 | u64::from(at.slot) | 1 << 16
                    });
                    add(sender << 16 | u64::from(*step) << 8 | slot);
                }
            }
        }
        for outsider in &self.outsiders {
            add(match outsider {
                Outsider::Nobody => 1,
                Outsider::Uses(Part::Free) => 2,
                Outsider::Uses(_) => 3,
                Outsider::Drops => 4,
                Outsider::Gone => 5,
            });
        }
        hasher.write_u64(sum);
    }
}

/// An operation that can meet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) at: At,
    pub(crate) op: Op,
    pub(crate) guard: usize,
}

pub(crate) struct Model<'a> {
    pub(crate) program: &'a Program,
    pub(crate) taken_out: Vec<(usize, usize)>,
}

impl<'a> Model<'a> {
    pub(crate) fn new(program: &'a Program) -> Self {
        Self {
            program,
            taken_out: program.taken_out(),
        }
    }

    pub(crate) fn begin(&self) -> State {
        let fresh = Now {
            step: 0,
            accepted: false,
            parts: [Part::Free; 2],
            left: [None; ASIDE_MAX],
            held: [None; ASIDE_MAX],
            ended: false,
        };
        let mut state = State {
            processes: vec![fresh; self.program.scripts.len()],
            outsiders: vec![Outsider::Nobody; self.taken_out.len()],
            open: 0,
            poisoned: 0,
        };
        for process in 0..state.processes.len() {
            self.go_on(&mut state, process);
        }
        state
    }

    pub(crate) fn step(&self, state: &State, process: usize) -> Option<&'a Step> {
        let step = usize::from(state.processes[process].step);
        self.program.scripts[process].steps.get(step)
    }

    /// Which processes have this end.
    pub(crate) fn holders(&self, state: &State, side: Side, channel: usize) -> u16 {
        let scripts = self.program.scripts.iter().zip(&state.processes);
        let holders = scripts.enumerate().filter_map(|(process, (script, now))| {
            (!now.ended && script.has(side, channel)).then_some(1 << process)
        });
        holders.fold(0, |all, one: u16| all | one)
    }

    /// Which processes may poison this channel.
    pub(crate) fn poisoners(&self, state: &State, channel: usize) -> u16 {
        let scripts = self.program.scripts.iter().zip(&state.processes);
        let able = scripts.enumerate().filter_map(|(process, (script, now))| {
            (!now.ended && script.may_poison(channel)).then_some(1 << process)
        });
        able.fold(0, |all, one: u16| all | one)
    }

    /// Whether somebody outside may poison this channel.
    pub(crate) fn is_poisoner_outside(&self, state: &State, channel: usize) -> bool {
        let mut outside = self.taken_out.iter().zip(&state.outsiders);
        outside.any(|(&(process, step), now)| {
            let has_it = !matches!(now, Outsider::Nobody | Outsider::Gone);
            let step = &self.program.scripts[process].steps[step];
            has_it && matches!(step, Step::TakeRight { channel: of, .. } if *of == channel)
        })
    }

    pub(crate) fn is_poisoned(state: &State, channel: usize) -> bool {
        state.poisoned >> channel & 1 == 1
    }

    /// Whether who is on the other side hears that nobody is on this one.
    pub(crate) fn is_closed(&self, state: &State, side: Side, channel: usize) -> bool {
        let outside = self.taken_out.iter().zip(&state.outsiders);
        let mut outside =
            outside.filter(|(_, now)| !matches!(now, Outsider::Nobody | Outsider::Gone));
        if Self::is_poisoned(state, channel) {
            return true;
        }
        self.holders(state, side, channel) == 0
            && !outside.any(|(&(process, step), _)| {
                matches!(self.program.scripts[process].steps[step],
                    Step::TakeOut { side: own, channel: of, .. } if own == side && of == channel)
            })
    }

    // ---- Who can meet ----

    /// The operation of something left.
    pub(crate) fn left_op(&self, process: usize, left: Left) -> Op {
        match &self.program.scripts[process].steps[usize::from(left.step)] {
            Step::Leave(op) => *op,
            other => unreachable!("{other} leaves nothing"),
        }
    }

    /// The operations of the step that a process is at, which are not done, and how far they are.
    pub(crate) fn current(&self, state: &State, process: usize) -> Vec<(Op, usize, Part)> {
        let now = &state.processes[process];
        let [first, second] = now.parts;
        let Some(step) = self.step(state, process) else {
            return Vec::new();
        };
        let mut all = match step {
            Step::Do { op, .. } => vec![(*op, 0, first)],
            Step::Select { guards, .. } => match first {
                Part::Accepted { guard, .. } => vec![(guards[usize::from(guard)], 0, first)],
                _ => guards.iter().map(|guard| (*guard, 0, first)).collect(),
            },
            Step::Join(a, b) => vec![(*a, 0, first), (*b, 1, second)],
            Step::Accept { inner, .. } if now.accepted => vec![(*inner, 1, second)],
            Step::Accept { channel, .. } => {
                let act = Act::Hold;
                let channel = *channel;
                vec![(Op { act, channel }, 0, first)]
            }
            _ => Vec::new(),
        };
        all.retain(|(_, _, part)| *part != Part::Over);
        all
    }

    pub(crate) fn offers(&self, state: &State) -> Vec<Offer> {
        let mut offers = Vec::new();
        for (process, now) in state.processes.iter().enumerate() {
            let at = |slot: usize| At {
                process: small(process),
                slot: small(slot),
            };
            for (guard, (op, slot, part)) in self.current(state, process).into_iter().enumerate() {
                if part == Part::Free {
                    let at = at(slot);
                    offers.push(Offer { at, op, guard });
                }
            }
            for (slot, left) in now.left.iter().enumerate() {
                if let Some(left) = left
                    && left.part == Part::Free
                {
                    let op = self.left_op(process, *left);
                    let at = at(LEFT + slot);
                    offers.push(Offer { at, op, guard: 0 });
                }
            }
        }
        for (number, (&(process, step), now)) in
            self.taken_out.iter().zip(&state.outsiders).enumerate()
        {
            if let (Outsider::Uses(Part::Free), Step::TakeOut { side, channel, .. }) =
                (now, &self.program.scripts[process].steps[step])
            {
                let act = if *side == Side::Out {
                    Act::Send
                } else {
                    Act::Recv
                };
                let channel = *channel;
                offers.push(Offer {
                    at: At {
                        process: OUTSIDE,
                        slot: small(number),
                    },
                    op: Op { act, channel },
                    guard: 0,
                });
            }
        }
        offers
    }

    // ---- What changes ----

    /// Whether it has just left an alternation that could receive from this channel, or has been accepted at another
    /// guard of it: until it has heard that it was met elsewhere, it is there for all to see.
    pub(crate) fn has_just_left(&self, state: &State, process: usize, channel: usize) -> bool {
        let now = &state.processes[process];
        let receives = |op: &Op| op.act == Act::Recv && op.channel == channel;
        let could_receive = |step: Option<&Step>| matches!(step, Some(Step::Select { guards, .. }) if guards.iter().any(receives));
        let is_accepted = matches!(now.parts[0], Part::Accepted { .. });
        let before = &self.program.scripts[process].steps[..usize::from(now.step)];
        let mut before = before.iter().rev().filter(|step| !step.is_done_at_once());
        could_receive(before.next()) || is_accepted && could_receive(self.step(state, process))
    }

    /// The operation there is done, well or not.
    pub(crate) fn complete(&self, state: &mut State, at: At, well: bool) {
        let slot = usize::from(at.slot);
        if at.process == OUTSIDE {
            state.outsiders[slot] = Outsider::Drops;
            return;
        }
        let process = usize::from(at.process);
        if slot >= LEFT {
            if let Some(left) = &mut state.processes[process].left[slot - LEFT] {
                left.part = Part::Over;
            }
            return;
        }
        match self.step(state, process) {
            Some(Step::Join(..)) => {
                let parts = &mut state.processes[process].parts;
                parts[slot] = Part::Over;
                if *parts == [Part::Over; 2] {
                    self.advance(state, process);
                }
            }
            Some(Step::Accept { .. }) if !state.processes[process].accepted && well => {
                state.processes[process].accepted = true;
            }
            Some(Step::Accept { .. }) => {
                let step = state.processes[process].step;
                self.answer(state, process, step);
                self.advance(state, process);
            }
            _ => self.advance(state, process),
        }
    }

    pub(crate) fn advance(&self, state: &mut State, process: usize) {
        let now = &mut state.processes[process];
        now.step += 1;
        now.parts = [Part::Free; 2];
        now.accepted = false;
        self.go_on(state, process);
    }

    /// What changes nothing for anybody, or releases one who can do nothing else meanwhile, is done at once: so there are
    /// fewer states, and nothing that could come of them is missing.
    fn go_on(&self, state: &mut State, process: usize) {
        loop {
            match self.step(state, process) {
                Some(&Step::Answer { step, .. }) => self.answer(state, process, small(step)),
                Some(step) if step.is_done_at_once() => {}
                Some(_) => return,
                None => break,
            }
            state.processes[process].step += 1;
        }
        let mut left = state.processes[process].left.iter().flatten();
        if left.all(|left| left.part == Part::Over) {
            self.end(state, process);
        }
    }

    /// Answers for what was taken into custody in this step, if anything was.
    pub(crate) fn answer(&self, state: &mut State, process: usize, step: u8) {
        let held = &mut state.processes[process].held;
        let of_step = |held: &&mut Option<Custody>| held.is_some_and(|held| held.step == step);
        let custody = held.iter_mut().find(of_step).and_then(Option::take);
        if let Some(sender) = custody.and_then(|custody| custody.sender) {
            self.complete(state, sender, true);
        }
    }

    /// A left future goes: whoever holds its message keeps it.
    pub(crate) fn abandon(state: &mut State, process: usize, slot: usize) {
        let Some(left) = state.processes[process].left[slot].take() else {
            return;
        };
        if let Part::Accepted { by, .. } = left.part {
            let gone = At {
                process: small(process),
                slot: small(LEFT + slot),
            };
            let held = state.processes[usize::from(by)].held.iter_mut().flatten();
            for custody in held.filter(|custody| custody.sender == Some(gone)) {
                custody.sender = None;
            }
        }
    }

    pub(crate) fn end(&self, state: &mut State, process: usize) {
        for custody in state.processes[process].held.into_iter().flatten() {
            self.answer(state, process, custody.step);
        }
        for slot in 0..ASIDE_MAX {
            Self::abandon(state, process, slot);
        }
        state.processes[process].ended = true;
    }

    /// What one can see of a process from outside: its step, and what it has in hand.
    pub(crate) fn word(&self, state: &State, process: usize) -> u64 {
        let now = &state.processes[process];
        let bit = |at: u8| 1_u64 << at;
        let held = now.held.iter().flatten();
        let accepts = |step: u8| {
            let steps = &self.program.scripts[process].steps;
            matches!(steps[usize::from(step)], Step::Accept { .. })
        };
        let held = held.filter(|custody| !accepts(custody.step));
        let is_join = matches!(self.step(state, process), Some(Step::Join(..)));
        let done = |part: usize| is_join && now.parts[part] == Part::Over;
        word(Seen {
            step: usize::from(now.step),
            parts: [now.accepted || done(0), done(1)],
            held: held.fold(0, |all, custody| all | bit(custody.step)),
            left: now
                .left
                .iter()
                .flatten()
                .fold(0, |all, left| all | bit(left.step)),
            ended: now.ended,
        })
    }

    pub(crate) fn words(&self, state: &State) -> Vec<u64> {
        let all = 0..state.processes.len();
        all.map(|process| self.word(state, process)).collect()
    }
}

/// What can be seen of a process.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    pub(crate) step: usize,
    pub(crate) parts: [bool; 2],
    pub(crate) held: u64,
    pub(crate) left: u64,
    pub(crate) ended: bool,
}

/// As one word.
pub(crate) fn word(seen: Seen) -> u64 {
    seen.step as u64
        | u64::from(seen.parts[0]) << 8
        | u64::from(seen.parts[1]) << 9
        | u64::from(seen.ended) << 10
        | seen.held << 16
        | seen.left << 32
}

/// Whether it is the word of one that has ended.
pub(crate) fn has_ended(word: u64) -> bool {
    word >> 10 & 1 == 1
}

pub(crate) fn small(number: usize) -> u8 {
    u8::try_from(number).expect("there are few of everything")
}
