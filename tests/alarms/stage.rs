//! Programs played by the runtime: a script as a process of a network.

use std::{
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::Poll,
};

use handover::{
    channel::Reason,
    process::{HeldIn, In, Out, Poisoner},
    select_async,
};

use crate::{
    board::{Bell, Board, Job, POISON, job_of_poisoner, job_of_receiver, job_of_sender},
    model::{Seen, word},
    ports::{Ports, TIMEOUT, choose},
    program::{Act, Op, Program, Side, Step},
};

type Outcome<'a> = Option<HeldIn<'a, u32>>;
type Started<'a> = Pin<Box<dyn Future<Output = Outcome<'a>> + Send + 'a>>;

/// A script as it is played by a process.
struct Actor<'a> {
    board: &'a Board,
    me: usize,
    ports: Ports<'a, Out<u32>, In<u32>>,
    seen: Seen,
    held: Vec<(usize, HeldIn<'a, u32>)>,
    left: Vec<Started<'a>>,
}

/// Plays the script of process `me`.
pub(crate) async fn play(
    board: &Board,
    program: &Program,
    me: usize,
    (outs, ins, rights): &(Vec<Out<u32>>, Vec<In<u32>>, Vec<Poisoner>),
) {
    let script = &program.scripts[me];
    let mut actor = Actor {
        board,
        me,
        ports: Ports {
            script,
            rights,
            outs,
            ins,
        },
        seen: Seen::default(),
        held: Vec::new(),
        left: Vec::new(),
    };
    for (at, step) in script.steps.iter().enumerate() {
        actor.perform(at, step).await;
        actor.seen.step = at + 1;
        actor.seen.parts = [false; 2];
        // What is done at once is not seen.
        let next = script.steps.get(at + 1);
        if !next.is_some_and(Step::is_done_at_once) {
            actor.show();
        }
    }
    actor.held.clear();
    actor.left.clear();
    actor.seen = Seen {
        step: script.steps.len(),
        ended: true,
        ..Seen::default()
    };
    actor.show();
}

impl<'a> Actor<'a> {
    fn show(&self) {
        self.board.words[self.me].store(word(self.seen), Ordering::SeqCst);
    }

    async fn perform(&mut self, at: usize, step: &Step) {
        match step {
            Step::Do { op, timed: true } => match op.act {
                Act::Send => {
                    let _ = self.ports.out(op.channel).send_timeout(1, TIMEOUT).await;
                }
                _ => drop(self.ports.inward(op.channel).recv_timeout(TIMEOUT).await),
            },
            Step::Do { op, .. } => {
                let outcome = self.start(*op).await;
                self.keep(at, outcome);
            }
            Step::Select {
                guards,
                timed,
                biased,
            } => {
                let heard = |_poison: Option<&Reason>| {};
                choose!(
                    select_async,
                    *biased,
                    *timed,
                    self.ports.guards(guards),
                    heard
                );
            }
            Step::Join(a, b) => self.join(at, *a, *b).await,
            Step::Accept { channel, inner } => {
                let inner = self.start(*inner);
                let (board, me, mut seen) = (self.board, self.me, self.seen);
                let accepted = self.ports.inward(*channel).accept(async |_message| {
                    seen.parts[0] = true;
                    board.words[me].store(word(seen), Ordering::SeqCst);
                    drop(inner.await);
                });
                let _ = accepted.await;
            }
            Step::Answer { step, back } => self.answer(*step, *back),
            Step::Leave(op) => self.leave(at, *op).await,
            Step::DropLeft => {
                self.left.clear();
                self.seen.left = 0;
            }
            Step::TakeOut {
                side,
                channel,
                used,
            } => self.take_out(*side, *channel, *used),
            Step::Poison(channel) => drop(self.ports.poisoner(*channel).poison(POISON)),
            Step::TakeRight { channel, used } => {
                let right = self.ports.poisoner(*channel).take_out();
                self.board.ask(job_of_poisoner(right, *used));
            }
            Step::KeepWaker { wakes } => {
                let waker = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
                self.board.wakers[self.me].fetch_add(1, Ordering::SeqCst);
                self.board.ask(if *wakes {
                    Job::Wake(self.me, waker)
                } else {
                    Job::Forget(self.me, waker)
                });
            }
            Step::Outside => {
                let bell = Arc::new(Bell::default());
                self.board.ask(Job::Ring(Arc::clone(&bell)));
                bell.rung().await;
            }
            Step::Yield => give_way().await,
        }
    }

    fn start(&self, op: Op) -> Started<'a> {
        let channel = op.channel;
        match op.act {
            Act::Send => {
                let out = self.ports.out(channel);
                Box::pin(async move {
                    let _ = out.send(1).await;
                    None
                })
            }
            Act::Recv => {
                let into = self.ports.inward(channel);
                Box::pin(async move {
                    let _ = into.recv().await;
                    None
                })
            }
            Act::Hold => {
                let into = self.ports.inward(channel);
                Box::pin(async move { into.recv_held().await.ok() })
            }
            Act::Ready => {
                let out = self.ports.out(channel);
                Box::pin(async move {
                    let _ = out.ready().await;
                    None
                })
            }
            Act::Closed(Side::Out) => {
                let out = self.ports.out(channel);
                Box::pin(async move {
                    out.closed().await;
                    None
                })
            }
            Act::Closed(Side::In) => {
                let into = self.ports.inward(channel);
                Box::pin(async move {
                    into.closed().await;
                    None
                })
            }
        }
    }

    fn keep(&mut self, at: usize, outcome: Outcome<'a>) {
        if let Some(held) = outcome {
            self.held.push((at, held));
            self.seen.held |= 1 << at;
        }
    }

    async fn join(&mut self, at: usize, a: Op, b: Op) {
        let mut both = [Some(self.start(a)), Some(self.start(b))];
        poll_fn(|context| {
            for (part, future) in both.iter_mut().enumerate() {
                if let Some(started) = future
                    && let Poll::Ready(outcome) = started.as_mut().poll(context)
                {
                    *future = None;
                    self.keep(at, outcome);
                    self.seen.parts[part] = true;
                    if self.seen.parts != [true; 2] {
                        self.show();
                    }
                }
            }
            if self.seen.parts == [true; 2] {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }

    fn answer(&mut self, step: usize, back: bool) {
        let Some(place) = self.held.iter().position(|(at, _)| *at == step) else {
            return;
        };
        let (_, held) = self.held.swap_remove(place);
        self.seen.held &= !(1 << step);
        if back {
            let _ = held.hand_back();
        } else {
            let _ = held.release();
        }
    }

    async fn leave(&mut self, at: usize, op: Op) {
        let mut future = self.start(op);
        let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await;
        if polled.is_pending() {
            self.left.push(future);
            self.seen.left |= 1 << at;
        }
    }

    fn take_out(&self, side: Side, channel: usize, used: bool) {
        self.board.ask(match side {
            Side::Out => {
                let end = self.ports.out(channel).take_out();
                job_of_sender(end, used)
            }
            Side::In => {
                let end = self.ports.inward(channel).take_out();
                job_of_receiver(end, used)
            }
        });
    }
}

async fn give_way() {
    let mut has_given = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_given, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
