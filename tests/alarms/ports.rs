//! The ports of a script, and alternations over them, of processes as of threads.

use std::time::Duration;

use handover::process::Poisoner;

use crate::program::{Act, Op, Script, Side};

/// How long a timed step waits.
pub(crate) const TIMEOUT: Duration = Duration::from_micros(300);

/// The ports of a process, by the numbers of their channels.
pub(crate) struct Ports<'a, O, I> {
    pub(crate) script: &'a Script,
    /// The rights, by their place in the script.
    pub(crate) rights: &'a [Poisoner],
    pub(crate) outs: &'a [O],
    pub(crate) ins: &'a [I],
}

impl<'a, O, I> Ports<'a, O, I> {
    fn find(&self, side: Side, channel: usize) -> usize {
        let channels = self.script.channels(side);
        let at = channels.iter().position(|own| *own == channel);
        at.expect("a script has the ends that it uses")
    }

    pub(crate) fn poisoner(&self, channel: usize) -> &'a Poisoner {
        let mut rights = self.script.rights.iter();
        let at = rights.position(|own| *own == channel);
        &self.rights[at.expect("a script has the rights that it uses")]
    }

    pub(crate) fn out(&self, channel: usize) -> &'a O {
        &self.outs[self.find(Side::Out, channel)]
    }

    pub(crate) fn inward(&self, channel: usize) -> &'a I {
        &self.ins[self.find(Side::In, channel)]
    }

    /// The ports of the guards that receive, and of those that send.
    pub(crate) fn guards(&self, guards: &[Op]) -> (Vec<&'a I>, Vec<&'a O>) {
        let of = |act| guards.iter().filter(move |guard| guard.act == act);
        (
            of(Act::Recv).map(|op| self.inward(op.channel)).collect(),
            of(Act::Send).map(|op| self.out(op.channel)).collect(),
        )
    }
}

/// An alternation over at most two that receive and two that send; `$heard` is told of each result.
macro_rules! alternation {
    ($select:ident {$($bias:tt)*} {$($timer:tt)*} $recvs:ident $sends:ident $heard:ident) => {{
        let (mut first, mut second) = (Some(1), ($sends.len() > 1).then_some(1));
        match (&$recvs[..], &$sends[..]) {
            ([r, rest @ ..], [s, others @ ..]) => {
                let (more, other) = (rest.first().unwrap_or(r), others.first().unwrap_or(s));
                $select! {
                    $($bias)*
                    recv(r) -> it => $heard($crate::board::poison_of(&it)),
                    send(s, &mut first) -> it => $heard($crate::board::poison_of(&it)),
                    recv(more) -> it, if !rest.is_empty() =>
                        $heard($crate::board::poison_of(&it)),
                    send(other, &mut second) -> it => $heard($crate::board::poison_of(&it)),
                    $($timer)*
                }
            }
            ([r, rest @ ..], []) => {
                let more = rest.first().unwrap_or(r);
                $select! {
                    $($bias)*
                    recv(r) -> it => $heard($crate::board::poison_of(&it)),
                    recv(more) -> it, if !rest.is_empty() =>
                        $heard($crate::board::poison_of(&it)),
                    $($timer)*
                }
            }
            ([], [s, others @ ..]) => {
                let other = others.first().unwrap_or(s);
                $select! {
                    $($bias)*
                    send(s, &mut first) -> it => $heard($crate::board::poison_of(&it)),
                    send(other, &mut second) -> it => $heard($crate::board::poison_of(&it)),
                    $($timer)*
                }
            }
            ([], []) => {}
        }
    }};
}

/// As [`alternation`], with the choice and the timer that the step has.
macro_rules! choose {
    ($select:ident, $biased:expr, $timed:expr, $guards:expr, $heard:ident) => {{
        let (recvs, sends) = $guards;
        match ($biased, $timed) {
            (false, false) => $crate::ports::alternation!($select {} {} recvs sends $heard),
            (true, false) => $crate::ports::alternation!($select {biased;} {} recvs sends $heard),
            (false, true) => $crate::ports::alternation!($select {} {after($crate::ports::TIMEOUT) => {}} recvs sends $heard),
            (true, true) => $crate::ports::alternation!($select {biased;} {after($crate::ports::TIMEOUT) => {}} recvs sends $heard),
        }
    }};
}

pub(crate) use {alternation, choose};
