//! A small language for processes, so that a program is a few lines that can be run in every way there is.
//!
//! | written | means |
//! |---|---|
//! | `up!` `up?` | sends, receives |
//! | `up!50ms` `up?50ms` | likewise, for so long at most; goes on in either case |
//! | `ask?{ .. }` | accepts: its sender is released after the block |
//! | `[up!{..} \| down? \| 50ms]` | alternation: one of them, then its block |
//! | `(up! & down?)` | both at once |
//! | `*{ .. }` `3{ .. }` | until something in it fails; so many times |
//! | `up!ready` `up!closed` `up?closed` | waits for demand, for the other side to go |
//! | `up?+2` | grants credit |
//! | `up#` `up#keep` | poisons; has the right to, and does nothing with it |
//! | `up!out` `up?out` | takes an end out of the network, for as long as the program runs |
//! | `up!keep` `up?keep` | holds that end, and does nothing with it |
//! | `@` | waits for nothing |
//!
//! Before the colon stands the name. With `name*3` there are three of it, with `{i}` for the number of each, `{i+1}`
//! for the one after it, and `{next}` for that in a ring.

use std::{iter::Peekable, str::Chars, time::Duration};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Out(usize),
    In(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Do(End),
    Within(End, Duration),
    Accept(usize, Vec<Step>),
    Any(Vec<(Guard, Vec<Step>)>),
    Both(Vec<End>),
    While(Vec<Step>),
    Times(usize, Vec<Step>),
    Ready(usize),
    Closed(End),
    Grant(usize, usize),
    Poison(usize),
    TakeOut(End),
    Keep,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    End(End),
    After(Duration),
}

/// One process: its name, the channels that it has ends of and may poison, and what it does.
#[derive(Debug, Clone)]
pub struct Script {
    pub name: String,
    pub outs: Vec<String>,
    pub ins: Vec<String>,
    pub poisons: Vec<String>,
    pub steps: Vec<Step>,
}

impl Script {
    /// The processes of a line.
    pub fn all_of(line: &str) -> Vec<Self> {
        let (name, body) = line.split_once(':').expect("a name and a colon");
        let Some((name, count)) = name.split_once('*') else {
            return vec![Self::parse(name, body)];
        };
        let count: usize = count.parse().expect("how many there are");
        let one = |i: usize| {
            let body = body
                .replace("{i}", &i.to_string())
                .replace("{i+1}", &(i + 1).to_string())
                .replace("{next}", &(i % count + 1).to_string());
            Self::parse(&format!("{name}-{i}"), &body)
        };
        (1..=count).map(one).collect()
    }

    fn parse(name: &str, body: &str) -> Self {
        let mut parser = Parser {
            rest: body.chars().peekable(),
            outs: Vec::new(),
            ins: Vec::new(),
            poisons: Vec::new(),
        };
        let steps = parser.steps(None);
        Self {
            name: name.to_owned(),
            outs: parser.outs,
            ins: parser.ins,
            poisons: parser.poisons,
            steps,
        }
    }

    /// Whether a thread can do it: each step has a form that blocks.
    pub fn can_block(&self) -> bool {
        fn all(steps: &[Step]) -> bool {
            steps.iter().all(|step| match step {
                // A thread that sleeps for ever is no process that nobody can wake.
                Step::Never
                | Step::Both(_)
                | Step::Ready(_)
                | Step::Closed(_)
                | Step::Grant(..) => false,
                Step::Accept(_, steps) | Step::While(steps) | Step::Times(_, steps) => all(steps),
                Step::Any(guards) => guards.iter().all(|(_, then)| all(then)),
                Step::Do(_)
                | Step::Within(..)
                | Step::Poison(_)
                | Step::TakeOut(_)
                | Step::Keep => true,
            })
        }
        all(&self.steps)
    }
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    outs: Vec<String>,
    ins: Vec<String>,
    poisons: Vec<String>,
}

impl Parser<'_> {
    fn skip(&mut self) {
        while self.rest.next_if(|c| c.is_whitespace()).is_some() {}
    }

    fn eat(&mut self, what: char) -> bool {
        self.rest.next_if_eq(&what).is_some()
    }

    fn word(&mut self, is_part: impl Fn(char) -> bool) -> String {
        let mut word = String::new();
        while let Some(c) = self.rest.next_if(|&c| is_part(c)) {
            word.push(c);
        }
        word
    }

    fn steps(&mut self, end: Option<char>) -> Vec<Step> {
        let mut steps = Vec::new();
        loop {
            self.skip();
            if self.rest.peek().copied() == end {
                self.rest.next();
                return steps;
            }
            let step = self.step();
            steps.push(step);
        }
    }

    fn block(&mut self) -> Vec<Step> {
        if self.eat('{') {
            self.steps(Some('}'))
        } else {
            Vec::new()
        }
    }

    fn step(&mut self) -> Step {
        match self.rest.peek() {
            Some('*') => {
                self.rest.next();
                Step::While(self.block())
            }
            Some('@') => {
                self.rest.next();
                Step::Never
            }
            Some('[') => self.alternation(),
            Some('(') => self.both(),
            Some(c) if c.is_ascii_digit() => {
                let times = self.word(|c| c.is_ascii_digit()).parse().expect("a number");
                Step::Times(times, self.block())
            }
            _ => {
                let name = self.name();
                if self.eat('#') {
                    return self.rest_of_poison(&name);
                }
                let end = self.end_of(&name);
                self.rest_of_operation(end)
            }
        }
    }

    fn name(&mut self) -> String {
        self.word(|c| c.is_alphanumeric() || c == '-')
    }

    fn end(&mut self) -> End {
        let name = self.name();
        self.end_of(&name)
    }

    fn rest_of_poison(&mut self, name: &str) -> Step {
        let right = place(&mut self.poisons, name);
        match self.word(char::is_alphanumeric).as_str() {
            "" => Step::Poison(right),
            "keep" => Step::Keep,
            other => panic!("`{name}#` or `{name}#keep`, and not `{other}`"),
        }
    }

    fn end_of(&mut self, name: &str) -> End {
        match self.rest.next() {
            Some('!') => End::Out(place(&mut self.outs, name)),
            Some('?') => End::In(place(&mut self.ins, name)),
            other => panic!("`!` or `?` after `{name}`, and not {other:?}"),
        }
    }

    fn rest_of_operation(&mut self, end: End) -> Step {
        if let (End::In(port), Some('{')) = (end, self.rest.peek()) {
            return Step::Accept(port, self.block());
        }
        if self.eat('+') {
            let credit = self.word(|c| c.is_ascii_digit()).parse().expect("a number");
            let End::In(port) = end else {
                panic!("a receiver grants")
            };
            return Step::Grant(port, credit);
        }
        let word = self.word(char::is_alphanumeric);
        match (word.as_str(), end) {
            ("", _) => Step::Do(end),
            ("ready", End::Out(port)) => Step::Ready(port),
            ("closed", _) => Step::Closed(end),
            ("out", _) => Step::TakeOut(end),
            ("keep", _) => Step::Keep,
            (time, _) => Step::Within(end, duration(time)),
        }
    }

    fn alternation(&mut self) -> Step {
        let mut guards = Vec::new();
        while !self.eat(']') {
            self.rest.next();
            self.skip();
            let guard = if self.rest.peek().is_some_and(char::is_ascii_digit) {
                Guard::After(duration(&self.word(char::is_alphanumeric)))
            } else {
                Guard::End(self.end())
            };
            let then = self.block();
            guards.push((guard, then));
            self.skip();
        }
        Step::Any(guards)
    }

    fn both(&mut self) -> Step {
        let mut ends = Vec::new();
        while !self.eat(')') {
            self.rest.next();
            self.skip();
            ends.push(self.end());
            self.skip();
        }
        Step::Both(ends)
    }
}

/// The place of a name among those that are known; it is known from now on.
fn place(names: &mut Vec<String>, name: &str) -> usize {
    let known = names.iter().position(|other| other == name);
    known.unwrap_or_else(|| {
        names.push(name.to_owned());
        names.len() - 1
    })
}

fn duration(text: &str) -> Duration {
    let number = text.strip_suffix("ms").map(str::parse);
    match number {
        Some(Ok(number)) => Duration::from_millis(number),
        _ => panic!("a time, and not `{text}`"),
    }
}
