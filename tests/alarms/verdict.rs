//! All states of a program, which processes can still move from each, and which of them are deadlocked there by the
//! documented rules; and whether what the runtime has said can be true.

use std::collections::{BTreeSet, HashMap};

use handover::process::{Blocked, Deadlock, Waiting};

use crate::{
    model::{Model, OUTSIDE, Part, State, has_ended},
    program::{Act, Op, Side, Step},
};

/// One operation that a process is blocked on: what for, at which channel, and who can release it.
type Wait = (Waiting, usize, u16);

/// Everything that can come of a program.
pub(crate) struct Graph<'a> {
    model: Model<'a>,
    states: Vec<State>,
    words: Vec<Vec<u64>>,
    /// Who can move, now or later, in each state.
    movable: Vec<u16>,
    /// States in which nothing need move any more, by what is seen of them.
    at_rest: HashMap<Vec<u64>, Vec<usize>>,
    can_end: bool,
}

/// What the search knows while it goes on.
struct Search<'m, 'a> {
    model: &'m Model<'a>,
    numbers: HashMap<State, usize>,
    states: Vec<State>,
    words: Vec<Vec<u64>>,
    movable: Vec<u16>,
    at_rest: Vec<usize>,
    most: usize,
}

impl Search<'_, '_> {
    /// Goes through a state and all that can follow; every move brings something forward, so there is no way back.
    fn visit(&mut self, state: &State) -> Option<usize> {
        if let Some(&number) = self.numbers.get(state) {
            return Some(number);
        }
        if self.states.len() == self.most {
            return None;
        }
        let number = self.states.len();
        self.numbers.insert(state.clone(), number);
        self.words.push(self.model.words(state));
        self.movable.push(0);
        self.states.push(state.clone());
        let mut movable = 0;
        let mut rests = true;
        for next in self.model.moves(state) {
            rests &= next.may_fail;
            let may_fail = next.may_fail;
            let next = self.visit(&next.to)?;
            if may_fail {
                continue;
            }
            let pairs = self.words[number].iter().zip(&self.words[next]);
            let moved = pairs
                .enumerate()
                .filter_map(|(process, (a, b))| (a != b).then_some(1 << process))
                .fold(0, |all, one: u16| all | one);
            movable |= moved | self.movable[next];
        }
        self.movable[number] = movable;
        if rests {
            self.at_rest.push(number);
        }
        Some(number)
    }
}

impl<'a> Graph<'a> {
    /// Everything that can come of `model`, unless there are more than `most` states.
    pub(crate) fn new(model: Model<'a>, most: usize) -> Option<Self> {
        let mut search = Search {
            model: &model,
            numbers: HashMap::new(),
            states: Vec::new(),
            words: Vec::new(),
            movable: Vec::new(),
            at_rest: Vec::new(),
            most,
        };
        search.visit(&model.begin())?;
        let Search {
            states,
            words,
            movable,
            at_rest: resting,
            ..
        } = search;
        let mut at_rest: HashMap<Vec<u64>, Vec<usize>> = HashMap::new();
        for number in resting {
            at_rest
                .entry(words[number].clone())
                .or_default()
                .push(number);
        }
        let can_end = at_rest
            .keys()
            .any(|words| words.iter().all(|word| has_ended(*word)));
        Some(Self {
            model,
            states,
            words,
            movable,
            at_rest,
            can_end,
        })
    }

    /// All that can be seen where nothing need move any more.
    pub(crate) fn outcomes(&self) -> BTreeSet<Vec<u64>> {
        self.at_rest.keys().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.states.len()
    }

    /// What is seen before anything has moved.
    pub(crate) fn first_words(&self) -> Vec<u64> {
        self.words[0].clone()
    }

    /// Whether all processes can come to their end.
    pub(crate) fn can_end(&self) -> bool {
        self.can_end
    }

    /// The sets that may be deadlocked where nothing need move any more and this is seen; `None` if something must move.
    pub(crate) fn at_rest(&self, words: &[u64]) -> Option<Vec<u16>> {
        let states = self.at_rest.get(words)?;
        let mut knots: Vec<u16> = states
            .iter()
            .map(|&number| self.knot(&self.states[number]))
            .collect();
        knots.sort_unstable();
        knots.dedup();
        Some(knots)
    }

    /// Whether there is a state in which nothing need move, and which is not a deadlock of all that have not ended: by
    /// the rules, nobody says anything then.
    pub(crate) fn can_stand_still_unreported(&self) -> bool {
        let mut at_rest = self.at_rest.iter();
        at_rest.any(|(words, states)| {
            let mut states = states.iter();
            states.any(|&number| self.knot(&self.states[number]) != living(words))
        })
    }

    /// Whether some state is at rest with somebody deadlocked.
    pub(crate) fn can_deadlock(&self) -> bool {
        let mut states = self.at_rest.values().flatten();
        states.any(|&number| self.knot(&self.states[number]) != 0)
    }

    // ---- The rules ----

    /// Whether somebody has a part in the channel whom the network does not know.
    fn is_open(&self, state: &State, channel: usize) -> bool {
        state.open >> channel & 1 == 1 || self.model.is_poisoner_outside(state, channel)
    }

    /// What a process is blocked on; `None` if it is not certain that it is blocked on that alone.
    fn blocked_on(&self, state: &State, process: usize) -> Option<Vec<(Op, Part)>> {
        let now = &state.processes[process];
        if now.ended {
            return None;
        }
        let timed = match self.model.step(state, process)? {
            Step::Do { timed, .. } | Step::Select { timed, .. } => *timed,
            Step::Join(..) | Step::Accept { .. } => false,
            _ => return None,
        };
        if timed && now.parts[0] == Part::Free {
            return None;
        }
        let current = self.model.current(state, process);
        let mut ops: Vec<_> = current
            .into_iter()
            .map(|(op, _, part)| (op, part))
            .collect();
        for left in now.left.iter().flatten() {
            let op = self.model.left_op(process, *left);
            match (left.part, op.act) {
                // It was woken, and is not looked at: it wakes nobody again. Where somebody outside has a part in the
                // channel, it is not certain that the process has heard of it.
                (Part::Over, Act::Recv) if !self.is_open(state, op.channel) => {}
                (Part::Over, _) => return None,
                (part, _) => ops.push((op, part)),
            }
        }
        Some(ops)
    }

    /// What a process waits for, and who can release it; `None` if that is not certain, or if somebody can whom the
    /// network does not know.
    ///
    /// An operation is released by whoever has an opposite end, or may poison the channel; what was accepted, by its
    /// acceptor alone. Who may poison it and is blocked on it is not named: it will not do it.
    fn waits(&self, state: &State, process: usize) -> Option<Vec<Wait>> {
        let me: u16 = 1 << process;
        let wait = |(op, part): (Op, Part)| {
            let channel = op.channel;
            if self.is_open(state, channel) {
                return None;
            }
            let (senders, receivers) = (
                self.model.holders(state, Side::Out, channel),
                self.model.holders(state, Side::In, channel),
            );
            let (waiting, opposite) = match (op.act, part) {
                (_, Part::Accepted { by: OUTSIDE, .. }) => return None,
                (_, Part::Accepted { by, .. }) => {
                    return Some((Waiting::Accepted, channel, 1 << by));
                }
                (Act::Send, _) => (Waiting::Send, receivers),
                (Act::Recv | Act::Hold, _) => (Waiting::Receive, senders),
                (Act::Ready, _) => (Waiting::Demand, receivers),
                // It is not to be seen for which side one waits that has ends of both.
                (Act::Closed(_), _) if senders & receivers & me != 0 => {
                    (Waiting::Closing, senders | receivers)
                }
                (Act::Closed(Side::Out), _) => (Waiting::Closing, receivers),
                (Act::Closed(Side::In), _) => (Waiting::Closing, senders),
            };
            let hears_of_it = opposite == 0 || Model::is_poisoned(state, channel);
            let poisoners = self.model.poisoners(state, channel) & !me;
            (!hears_of_it).then_some((waiting, channel, opposite | poisoners))
        };
        let ops = self.blocked_on(state, process)?;
        ops.into_iter().map(wait).collect()
    }

    /// What is to be told of a process that is deadlocked.
    fn told(&self, state: &State, process: usize) -> Option<Vec<Wait>> {
        Some(sorted(self.waits(state, process)?))
    }

    /// The largest set of processes of which each operation can be released only by others of it.
    fn knot(&self, state: &State) -> u16 {
        let waits: Vec<_> = (0..state.processes.len())
            .map(|process| self.waits(state, process))
            .collect();
        let mut members: u16 = 0;
        for (process, waits) in waits.iter().enumerate() {
            members |= u16::from(waits.is_some()) << process;
        }
        loop {
            let mut left = members;
            for (process, waits) in waits.iter().enumerate() {
                let mut waits = waits.iter().flatten();
                if waits.any(|(_, _, releasers)| releasers & !members != 0) {
                    left &= !(1 << process);
                }
            }
            if left == members {
                return members;
            }
            members = left;
        }
    }

    // ---- What the runtime says ----

    /// Whether what was reported can be true: there is a state that can be come to, and in which each of its processes
    /// (but the guests, which are not of the program) is blocked on just that, can be released by just those, is
    /// deadlocked by the rules, and can never move again. `seen` is what was seen of all processes afterwards.
    pub(crate) fn check(&self, report: &Deadlock, seen: Option<&[u64]>) -> Result<u16, String> {
        let mut members = 0;
        let mut blocked: Vec<(usize, Vec<Wait>)> = Vec::new();
        for one in report.processes() {
            if let Some(process) = number(&one.process) {
                members |= 1 << process;
                blocked.push((process, sorted(waits_of(one))));
            }
        }
        check_cycle(report)?;
        if members == 0 {
            return Ok(0);
        }
        let mut why = "no state that can be come to is like that";
        for (at, state) in self.states.iter().enumerate() {
            let is_like = blocked.iter().all(|(process, reported)| {
                let word = self.words[at][*process];
                seen.is_none_or(|seen| seen[*process] == word)
                    && self.told(state, *process).as_ref() == Some(reported)
            });
            if !is_like {
                continue;
            }
            if self.knot(state) & members != members {
                why =
                    "where it is like that, somebody outside of the set could release one of them";
            } else if self.movable[at] & members != 0 {
                why = "where it is like that, one of them can still move";
            } else {
                return Ok(members);
            }
        }
        Err(format!("{why}: {report}"))
    }
}

/// Those that have not ended.
pub(crate) fn living(words: &[u64]) -> u16 {
    let living = words.iter().enumerate();
    let living = living.filter_map(|(process, word)| (!has_ended(*word)).then_some(1 << process));
    living.fold(0, |all, one: u16| all | one)
}

/// The number of a process of the program, by its name.
pub(crate) fn number(name: &str) -> Option<usize> {
    name.strip_prefix('p')?.parse().ok()
}

fn waits_of(blocked: &Blocked) -> Vec<Wait> {
    let wait = |wait: &handover::process::Wait| {
        let channel = wait.channel.strip_prefix('c').and_then(|n| n.parse().ok());
        let releasers = wait.waits_for.iter().filter_map(|name| number(name));
        (
            wait.operation,
            channel.expect("channels are named by their numbers"),
            releasers.fold(0, |all, one| all | 1 << one),
        )
    };
    let waits = blocked.waits.iter().filter(|wait| !wait.is_stranded);
    waits.map(wait).collect()
}

fn sorted(mut waits: Vec<Wait>) -> Vec<Wait> {
    waits.sort_by_key(|(waiting, channel, releasers)| (*channel, *releasers, *waiting as u8));
    waits
}

/// Each of the cycle waits for the next, and it is empty only if somebody waits for nobody.
fn check_cycle(report: &Deadlock) -> Result<(), String> {
    let cycle = &report.cycle;
    for (one, next) in cycle.iter().zip(cycle.iter().cycle().skip(1)) {
        if !one.waits_for().contains(&next.process.as_str()) {
            let (one, next) = (&one.process, &next.process);
            return Err(format!(
                "{one} does not wait for {next}, as the cycle says: {report}"
            ));
        }
    }
    if !cycle.is_empty() {
        return Ok(());
    }
    let mut all = report.processes();
    if all.any(|one| one.waits_for().is_empty()) {
        return Ok(());
    }
    Err(format!("there is a cycle, and none is named: {report}"))
}
