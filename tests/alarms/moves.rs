//! The moves from one state of a program to the next.

use crate::{
    model::{At, Custody, LEFT, Left, Model, OUTSIDE, Offer, Outsider, Part, State, small},
    program::{ASIDE_MAX, Act, Op, Side, Step},
};

/// A state that can come next.
pub(crate) struct Move {
    pub(crate) to: State,
    /// Whether it may also never be made: what it needs is there for a moment only.
    pub(crate) may_fail: bool,
}

impl Model<'_> {
    pub(crate) fn moves(&self, state: &State) -> Vec<Move> {
        let mut moves = Moves {
            model: self,
            from: state,
            offers: self.offers(state),
            all: Vec::new(),
        };
        moves.meetings();
        moves.closings();
        moves.wakings();
        for process in 0..state.processes.len() {
            moves.own(process);
        }
        moves.outside();
        moves.all
    }
}

struct Moves<'m, 'a> {
    model: &'m Model<'a>,
    from: &'m State,
    offers: Vec<Offer>,
    all: Vec<Move>,
}

impl Moves<'_, '_> {
    fn push(&mut self, may_fail: bool, change: impl FnOnce(&Model<'_>, &mut State)) {
        let mut to = self.from.clone();
        change(self.model, &mut to);
        self.all.push(Move { to, may_fail });
    }

    fn meetings(&mut self) {
        for send in self.offers.clone() {
            if send.op.act != Act::Send {
                continue;
            }
            for receive in self.offers.clone() {
                let takes = matches!(receive.op.act, Act::Recv | Act::Hold);
                if !takes || is_left(receive.at) || receive.at == send.at {
                    continue;
                }
                let is_poisoned = Model::is_poisoned(self.from, send.op.channel);
                if receive.op.channel == send.op.channel && !is_poisoned {
                    self.push(false, |model, state| meet(model, state, send, receive));
                }
            }
        }
    }

    /// What ends because the other side has gone, or is there.
    fn closings(&mut self) {
        for offer in self.offers.clone() {
            let channel = offer.op.channel;
            let other = match offer.op.side() {
                Side::Out => Side::In,
                Side::In => Side::Out,
            };
            if self.model.is_closed(self.from, other, channel) {
                let well = matches!(offer.op.act, Act::Closed(_));
                self.push(false, |model, state| model.complete(state, offer.at, well));
            } else if offer.op.act == Act::Ready {
                let mut others = self.offers.iter();
                let waits = others.any(|other| {
                    matches!(other.op.act, Act::Recv | Act::Hold) && other.op.channel == channel
                });
                let processes = 0..self.from.processes.len();
                let mut has_waited = processes
                    .filter(|process| self.model.has_just_left(self.from, *process, channel));
                if waits || has_waited.next().is_some() {
                    self.push(!waits, |model, state| model.complete(state, offer.at, true));
                }
            }
        }
    }

    /// A receive that was left is woken for a sender, and does nothing about it. Whoever else waits is woken then, at
    /// last: so that a message is not taken is no end.
    fn wakings(&mut self) {
        for left in self.offers.clone() {
            if !is_left(left.at)
                || left.op.act != Act::Recv
                || Model::is_poisoned(self.from, left.op.channel)
            {
                continue;
            }
            let mut others = self.offers.iter();
            if others.any(|other| other.op.act == Act::Send && other.op.channel == left.op.channel)
            {
                self.push(false, |model, state| {
                    model.complete(state, left.at, false);
                });
            }
        }
    }

    /// What a process does by itself.
    fn own(&mut self, process: usize) {
        let now = self.from.processes[process];
        if now.ended {
            return;
        }
        let is_free = now.parts[0] == Part::Free;
        match self.model.step(self.from, process) {
            None => self.push(false, |model, state| model.end(state, process)),
            Some(Step::Do { timed: true, .. } | Step::Select { timed: true, .. }) if is_free => {
                self.push(false, |model, state| model.advance(state, process));
            }
            Some(Step::DropLeft) => self.push(false, |model, state| {
                for slot in 0..ASIDE_MAX {
                    Model::abandon(state, process, slot);
                }
                model.advance(state, process);
            }),
            Some(Step::Outside) => self.push(false, |model, state| model.advance(state, process)),
            Some(&Step::TakeOut { channel, used, .. }) => {
                let place = (process, usize::from(now.step));
                let number = self.model.taken_out.iter().position(|out| *out == place);
                self.push(false, |model, state| {
                    state.open |= 1 << channel;
                    let number = number.expect("each such step is listed");
                    state.outsiders[number] = if used {
                        Outsider::Uses(Part::Free)
                    } else {
                        Outsider::Drops
                    };
                    model.advance(state, process);
                });
            }
            Some(&Step::Poison(channel)) => self.push(false, |model, state| {
                state.poisoned |= 1 << channel;
                model.advance(state, process);
            }),
            Some(&Step::TakeRight { used, .. }) => {
                let place = (process, usize::from(now.step));
                let number = self.model.taken_out.iter().position(|out| *out == place);
                self.push(false, |model, state| {
                    state.outsiders[number.expect("each such step is listed")] = if used {
                        Outsider::Uses(Part::Free)
                    } else {
                        Outsider::Drops
                    };
                    model.advance(state, process);
                });
            }
            Some(Step::Leave(op)) => self.leave(process, *op),
            _ => {}
        }
    }

    /// A future is polled once: it meets somebody now, or is left.
    fn leave(&mut self, process: usize, op: Op) {
        for other in self.offers.clone() {
            // A receiver may run within the turn of who sends to it; one that takes it into custody may answer at once.
            let meets = match op.act {
                Act::Send => matches!(other.op.act, Act::Recv | Act::Hold) && !is_left(other.at),
                _ => other.op.act == Act::Send,
            };
            let is_poisoned = Model::is_poisoned(self.from, op.channel);
            if !meets || other.op.channel != op.channel || is_poisoned {
                continue;
            }
            // Of several that are there, one that was left may be the one that is woken for a send.
            let left = self.offers.iter().filter(|left| {
                let could = left.op.act == Act::Recv && left.op.channel == op.channel;
                op.act == Act::Send && could && is_left(left.at)
            });
            let woken: Vec<_> = left.map(|left| Some(left.at)).chain([None]).collect();
            for woken in woken {
                self.push(false, |model, state| {
                    if let Some(woken) = woken {
                        model.complete(state, woken, false);
                    }
                    model.advance(state, process);
                    if other.op.act == Act::Hold {
                        hold(state, other.at, None);
                    }
                    model.complete(state, other.at, true);
                });
            }
        }
        let other = match op.side() {
            Side::Out => Side::In,
            Side::In => Side::Out,
        };
        if self.model.is_closed(self.from, other, op.channel) {
            self.push(false, |model, state| model.advance(state, process));
        }
        self.push(false, |model, state| {
            let now = &mut state.processes[process];
            let free = now.left.iter_mut().find(|left| left.is_none());
            let part = Part::Free;
            let step = now.step;
            *free.expect("few are left at a time") = Some(Left { step, part });
            model.advance(state, process);
        });
    }

    fn outside(&mut self) {
        for (number, now) in self.from.outsiders.iter().enumerate() {
            if *now == Outsider::Drops {
                self.push(false, |_, state| state.outsiders[number] = Outsider::Gone);
            }
            let (process, step) = self.model.taken_out[number];
            let step = &self.model.program.scripts[process].steps[step];
            if let (Outsider::Uses(_), Step::TakeRight { channel, .. }) = (now, step) {
                let channel = *channel;
                self.push(false, |_, state| {
                    state.poisoned |= 1 << channel;
                    state.outsiders[number] = Outsider::Gone;
                });
            }
        }
    }
}

/// A message changes hands, or is taken into custody.
fn meet(model: &Model<'_>, state: &mut State, send: Offer, receive: Offer) {
    if receive.op.act != Act::Hold {
        model.complete(state, send.at, true);
        model.complete(state, receive.at, true);
        return;
    }
    let (slot, guard) = (usize::from(send.at.slot), small(send.guard));
    let by = receive.at.process;
    let part = Part::Accepted { by, guard };
    if send.at.process == OUTSIDE {
        state.outsiders[slot] = Outsider::Uses(part);
    } else {
        let sender = &mut state.processes[usize::from(send.at.process)];
        match slot.checked_sub(LEFT) {
            None => sender.parts[slot] = part,
            Some(slot) => {
                if let Some(left) = &mut sender.left[slot] {
                    left.part = part;
                }
            }
        }
    }
    hold(state, receive.at, Some(send.at));
    model.complete(state, receive.at, true);
}

/// Whether it is something that was left.
fn is_left(at: At) -> bool {
    at.process != OUTSIDE && usize::from(at.slot) >= LEFT
}

/// A receiver has a message in custody.
fn hold(state: &mut State, receiver: At, sender: Option<At>) {
    let acceptor = &mut state.processes[usize::from(receiver.process)];
    let free = acceptor.held.iter_mut().find(|held| held.is_none());
    let step = acceptor.step;
    *free.expect("few are held at a time") = Some(Custody { step, sender });
}
