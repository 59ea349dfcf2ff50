//! Random networks. Half of them begin as a story that can be told to its end (this one sends, that one receives, one
//! after the other) and are then spoilt in a few places: so both ends, good and bad, come up often.

use crate::program::{Act, Body, Op, PROCESSES_MAX, Program, Script, Side, Step};

/// Splitmix64 (Steele, Lea and Flood, 2014).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let drawn = u128::from(self.next()) * n as u128;
        usize::try_from(drawn >> 64).expect("it is below `n`")
    }

    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }
}

/// What a network may have in it; most lack something, so that what they have meets more often.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says of one thing whether there is any"
)]
struct Features {
    threads: bool,
    timers: bool,
    selects: bool,
    custody: bool,
    joins: bool,
    watching: bool,
    leaving: bool,
    outsiders: bool,
    wakers: bool,
    yields: bool,
    poison: bool,
}

impl Features {
    fn draw(dice: &mut Dice) -> Self {
        let mut often = |percent| dice.chance(percent);
        Self {
            threads: often(20),
            timers: often(20),
            selects: often(50),
            custody: often(40),
            joins: often(25),
            watching: often(20),
            leaving: often(15),
            outsiders: often(20),
            wakers: often(20),
            yields: often(30),
            poison: often(25),
        }
    }
}

/// The network of this seed.
pub(crate) fn program(seed: u64) -> Program {
    let mut dice = Dice::new(seed);
    loop {
        let program = Maker::new(&mut dice).make();
        if program.fits() {
            return program;
        }
    }
}

struct Maker<'a> {
    dice: &'a mut Dice,
    has: Features,
    channels: usize,
    bodies: Vec<Vec<Step>>,
}

impl<'a> Maker<'a> {
    fn new(dice: &'a mut Dice) -> Self {
        let has = Features::draw(dice);
        let spread = dice.below(PROCESSES_MAX - 1);
        let processes = 2 + dice.below(spread + 1);
        let channels = 1 + dice.below((processes + 1).min(8));
        Self {
            has,
            channels,
            bodies: vec![Vec::new(); processes],
            dice,
        }
    }

    fn make(mut self) -> Program {
        let processes = self.bodies.len();
        let steps = 2 + self.dice.below(4 + 12 / processes + processes);
        let is_story = self.dice.chance(60);
        for _ in 0..steps {
            if is_story {
                self.meet();
            } else {
                let process = self.dice.below(processes);
                let op = self.op();
                let step = self.dress(op);
                self.bodies[process].push(step);
            }
        }
        if is_story {
            for _ in 0..self.dice.below(4) {
                self.spoil();
            }
        }
        let scripts = (0..processes).map(|process| self.script(process)).collect();
        let mut program = Program {
            channels: self.channels,
            scripts,
        };
        self.trouble(&mut program);
        program
    }

    fn channel(&mut self) -> usize {
        self.dice.below(self.channels)
    }

    fn op(&mut self) -> Op {
        let act = match self.dice.below(12) {
            0..=5 => Act::Send,
            6 if self.has.custody => Act::Hold,
            7 if self.has.watching => Act::Ready,
            8 if self.has.watching => Act::Closed(self.dice.pick(&[Side::Out, Side::In])),
            _ => Act::Recv,
        };
        Op {
            act,
            channel: self.channel(),
        }
    }

    /// A send or a receive.
    fn plain(&mut self) -> Op {
        Op {
            act: self.dice.pick(&[Act::Send, Act::Recv]),
            channel: self.channel(),
        }
    }

    /// One sends and another receives.
    fn meet(&mut self) {
        let processes = self.bodies.len();
        let (from, to) = (self.dice.below(processes), self.dice.below(processes));
        if from == to {
            return;
        }
        let channel = self.channel();
        let act = Act::Send;
        let send = self.dress(Op { act, channel });
        self.bodies[from].push(send);
        let act = if self.has.custody && self.dice.chance(25) {
            Act::Hold
        } else {
            Act::Recv
        };
        let receive = self.dress(Op { act, channel });
        self.bodies[to].push(receive);
    }

    /// The operation as a step, alone or with others.
    fn dress(&mut self, op: Op) -> Step {
        let plain = matches!(op.act, Act::Send | Act::Recv);
        if plain && self.has.selects && self.dice.chance(40) {
            return self.select(op);
        }
        if self.has.joins && self.dice.chance(30) {
            return Step::Join(op, self.plain());
        }
        if op.act == Act::Hold && self.dice.chance(50) {
            let channel = op.channel;
            let inner = self.plain();
            return Step::Accept { channel, inner };
        }
        if plain && self.has.leaving && self.dice.chance(20) {
            return Step::Leave(op);
        }
        Step::Do {
            op,
            timed: plain && self.has.timers && self.dice.chance(30),
        }
    }

    fn select(&mut self, op: Op) -> Step {
        let mut guards = vec![op];
        for _ in 0..self.dice.below(4) {
            let other = self.plain();
            let same = guards.iter().filter(|guard| guard.act == other.act);
            if same.count() < 2 && !guards.contains(&other) {
                guards.push(other);
            }
        }
        Step::Select {
            guards,
            timed: self.has.timers && self.dice.chance(25),
            biased: self.dice.chance(20),
        }
    }

    /// Makes some process deviate from the story.
    fn spoil(&mut self) {
        let process = self.dice.below(self.bodies.len());
        let length = self.bodies[process].len();
        if length == 0 {
            return;
        }
        let at = self.dice.below(length);
        match self.dice.below(4) {
            0 if at + 1 < length => self.bodies[process].swap(at, at + 1),
            1 => {
                self.bodies[process].remove(at);
            }
            2 => {
                let again = self.bodies[process][at].clone();
                self.bodies[process].push(again);
            }
            _ => {
                let op = self.op();
                self.bodies[process][at] = self.dress(op);
            }
        }
    }

    fn script(&mut self, process: usize) -> Script {
        let mut steps = std::mem::take(&mut self.bodies[process]);
        let body = if self.has.threads && self.dice.chance(40) {
            Body::Thread
        } else {
            Body::Process
        };
        let mut at = 0;
        while at < steps.len() {
            at += 1;
            let holds = match &steps[at - 1] {
                Step::Accept { .. } => false,
                other => other.ops().iter().any(|op| op.act == Act::Hold),
            };
            if holds && self.dice.chance(80) {
                let to = at + self.dice.below(steps.len() - at + 1);
                let back = self.dice.chance(20);
                insert(&mut steps, to, Step::Answer { step: at - 1, back });
            }
            if matches!(steps[at - 1], Step::Leave(_)) && self.dice.chance(60) {
                let to = at + self.dice.below(steps.len() - at + 1);
                insert(&mut steps, to, Step::DropLeft);
            }
            if self.has.poison && self.dice.chance(8) {
                let poison = Step::Poison(self.channel());
                insert(&mut steps, at - 1, poison);
                at += 1;
            }
            if self.has.yields && self.dice.chance(20) {
                insert(&mut steps, at - 1, Step::Yield);
                at += 1;
            }
        }
        let mut script = Script {
            body,
            ends: Vec::new(),
            rights: Vec::new(),
            steps,
        };
        while body == Body::Thread
            && let Some(at) = script.steps.iter().position(|step| !step.blocks())
        {
            script.remove(at);
        }
        script.equip();
        if self.dice.chance(12) {
            let end = (
                self.dice.pick(&[Side::Out, Side::In]),
                self.dice.below(self.channels),
            );
            if !script.ends.contains(&end) {
                script.ends.push(end);
            }
        }
        if self.has.poison && self.dice.chance(20) {
            let right = self.channel();
            if !script.rights.contains(&right) {
                script.rights.push(right);
            }
        }
        script
    }

    /// What comes from outside of the network.
    fn trouble(&mut self, program: &mut Program) {
        for script in &mut program.scripts {
            if self.has.outsiders && self.dice.chance(25) && !script.ends.is_empty() {
                let (side, channel) = self.dice.pick(&script.ends);
                let at = self.dice.below(script.steps.len() + 1);
                let used = self.dice.chance(60);
                let step = Step::TakeOut {
                    side,
                    channel,
                    used,
                };
                insert(&mut script.steps, at, step);
            }
            if self.has.outsiders && self.dice.chance(15) && !script.rights.is_empty() {
                let channel = self.dice.pick(&script.rights);
                let at = self.dice.below(script.steps.len() + 1);
                let used = self.dice.chance(50);
                insert(&mut script.steps, at, Step::TakeRight { channel, used });
            }
            if self.has.wakers && script.body == Body::Process && self.dice.chance(40) {
                let at = self.dice.below(script.steps.len() + 1);
                let wakes = self.dice.chance(50);
                let step = if self.dice.chance(40) {
                    Step::Outside
                } else {
                    Step::KeepWaker { wakes }
                };
                insert(&mut script.steps, at, step);
            }
        }
    }
}

/// Puts a step in, and lets answers find theirs again.
fn insert(steps: &mut Vec<Step>, at: usize, step: Step) {
    for other in steps.iter_mut() {
        if let Step::Answer { step, .. } = other
            && *step >= at
        {
            *step += 1;
        }
    }
    steps.insert(at, step);
}
