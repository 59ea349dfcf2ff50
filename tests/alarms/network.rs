//! The network of a program, with the test's own people in it, and how it is run.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    thread,
};

use handover::process::{
    BlockingIn, BlockingOut, Deadlock, In, InToken, Network, OnDeadlock, Out, OutToken, Poisoner,
    RunError,
};

use crate::{
    blocking::play_blocking,
    board::{Bell, Board, Canary},
    making::Dice,
    program::{Body, Program, Side},
    stage::play,
    verdict::Graph,
};

/// The name of the guest.
pub(crate) const GUEST: &str = "guest";
/// The names of the busy ones.
pub(crate) const BUSY: [&str; 2] = ["ping", "pong"];

/// Who polls the processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Runner {
    Run,
    Tokio,
    TwoThreads,
    OneOfSeveral,
}

/// What follows when some are deadlocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Return,
    Call,
    Report,
}

/// How a program is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) runner: Runner,
    pub(crate) policy: Policy,
    /// Whether there is a guest, who waits for something outside, so that no deadlock is total before the test wants it.
    pub(crate) guest: bool,
    /// Two that hand messages to and fro all the time, and are never deadlocked; one may be a thread.
    pub(crate) busy: Option<Body>,
    /// How often it is looked, in percent of the moments.
    pub(crate) looks: usize,
}

impl Manner {
    pub(crate) fn draw(dice: &mut Dice, graph: &Graph<'_>) -> Self {
        let mut runner = [
            Runner::Run,
            Runner::Tokio,
            Runner::TwoThreads,
            Runner::OneOfSeveral,
        ][dice.below(4)];
        let policy = [Policy::Return, Policy::Return, Policy::Call, Policy::Report][dice.below(4)];
        let silent = graph.can_stand_still_unreported();
        // Only a run in a task can be ended where nothing is reported and nothing moves.
        if silent && policy != Policy::Return {
            runner = Runner::Tokio;
        }
        let busy = match dice.below(50) {
            0 => Some(Body::Thread),
            1 => Some(Body::Process),
            _ => None,
        };
        Self {
            runner,
            policy,
            busy,
            guest: silent || policy != Policy::Return || dice.chance(30),
            looks: if busy.is_some() {
                100
            } else {
                [0, 5, 30, 100][dice.below(4)]
            },
        }
    }
}

/// How the guest is sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// It ends.
    End,
    /// It waits for nothing at all from then on, which ends the run.
    Hang,
}

/// What the test and the run have in common.
pub(crate) struct Stage {
    pub(crate) board: Board,
    pub(crate) farewell: Mutex<Option<Farewell>>,
    /// Rings when the guest is sent away.
    pub(crate) door: Bell,
    /// Ends a run in a task.
    pub(crate) stop: Bell,
    /// The busy ones are to end.
    is_late: AtomicBool,
    /// What the closure was called with.
    pub(crate) called: Mutex<Vec<Deadlock>>,
}

impl Stage {
    pub(crate) fn new(board: Board) -> Self {
        Self {
            board,
            farewell: Mutex::new(None),
            door: Bell::default(),
            stop: Bell::default(),
            is_late: AtomicBool::new(false),
            called: Mutex::new(Vec::new()),
        }
    }

    /// Sends the guest away, and the busy ones.
    pub(crate) fn send_away(&self, farewell: Farewell) {
        self.is_late.store(true, Ordering::SeqCst);
        self.farewell.lock().unwrap().get_or_insert(farewell);
        self.door.ring();
    }

    async fn be_guest(&self) {
        self.door.rung().await;
        let farewell = *self.farewell.lock().unwrap();
        if farewell == Some(Farewell::Hang) {
            pending::<()>().await;
        }
    }
}

// ---- The network ----

pub(crate) fn build(program: &Arc<Program>, stage: &Arc<Stage>, manner: Manner) -> Network {
    let mut net = Network::new("random");
    let tokens: Vec<(OutToken<u32>, InToken<u32>)> = (0..program.channels)
        .map(|number| net.channel(&format!("c{number}")))
        .collect();
    for (me, script) in program.scripts.iter().enumerate() {
        let outs = script.channels(Side::Out).into_iter();
        let outs: Vec<_> = outs.map(|number| tokens[number].0.share()).collect();
        let ins = script.channels(Side::In).into_iter();
        let ins: Vec<_> = ins.map(|number| tokens[number].1.share()).collect();
        let rights = script.rights.iter();
        let rights: Vec<_> = rights.map(|number| tokens[*number].0.poisoner()).collect();
        let (program, stage) = (Arc::clone(program), Arc::clone(stage));
        match script.body {
            Body::Process => net.process(
                format!("p{me}"),
                (outs, ins, rights),
                async move |ports: &(Vec<Out<u32>>, Vec<In<u32>>, Vec<Poisoner>)| {
                    let playing = play(&stage.board, &program, me, ports);
                    Canary::new(&stage.board, playing).await;
                    Ok(())
                },
            ),
            Body::Thread => net.thread(
                format!("p{me}"),
                (outs, ins, rights),
                move |ports: &(Vec<BlockingOut<u32>>, Vec<BlockingIn<u32>>, Vec<Poisoner>)| {
                    play_blocking(&stage.board, &program, me, ports);
                    Ok(())
                },
            ),
        }
    }
    if manner.guest {
        let stage = Arc::clone(stage);
        net.process(GUEST, (), async move |(): &()| {
            Canary::new(&stage.board, stage.be_guest()).await;
            Ok(())
        });
    }
    if let Some(body) = manner.busy {
        add_busy(&mut net, stage, body);
    }
    let call = {
        let stage = Arc::clone(stage);
        move |deadlock: &Deadlock| stage.called.lock().unwrap().push(deadlock.clone())
    };
    net.on_deadlock(match manner.policy {
        Policy::Return => OnDeadlock::Return,
        Policy::Call => OnDeadlock::Call(Box::new(call)),
        Policy::Report => OnDeadlock::Report,
    });
    net
}

/// Adds two that hand messages to and fro, over two channels, until it is late.
fn add_busy(net: &mut Network, stage: &Arc<Stage>, body: Body) {
    let (there_out, there_in) = net.channel::<u32>("there");
    let (back_out, back_in) = net.channel::<u32>("back");
    let late = Arc::clone(stage);
    net.process(
        BUSY[0],
        (there_out, back_in),
        async move |(there, back): &(Out<u32>, In<u32>)| {
            while !late.is_late.load(Ordering::SeqCst) {
                let _ = there.send(1).await;
                let _ = back.recv().await;
            }
            Ok(())
        },
    );
    let ports = (there_in, back_out);
    match body {
        Body::Process => net.process(
            BUSY[1],
            ports,
            async |(there, back): &(In<u32>, Out<u32>)| {
                while there.recv().await.is_ok() {
                    let _ = back.send(1).await;
                }
                Ok(())
            },
        ),
        Body::Thread => net.thread(
            BUSY[1],
            ports,
            |(there, back): &(BlockingIn<u32>, BlockingOut<u32>)| {
                while there.recv().is_ok() {
                    let _ = back.send(1);
                }
                Ok(())
            },
        ),
    }
}

/// What the run has come to; `None` if it was stopped by the test.
pub(crate) type Ending = Option<Result<(), RunError>>;

fn perform(net: Network, stage: &Stage, runner: Runner) -> Ending {
    match runner {
        Runner::Run => Some(net.run()),
        Runner::TwoThreads => Some(net.run_threads(2)),
        Runner::OneOfSeveral => Some(net.run_threads(1)),
        Runner::Tokio => {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime without drivers").block_on(async {
                tokio::select! {
                    result = net.run_async() => Some(result),
                    () = stage.stop.rung() => None,
                }
            })
        }
    }
}

pub(crate) fn begin(
    net: Network,
    stage: &Arc<Stage>,
    runner: Runner,
) -> Receiver<Result<Ending, String>> {
    let (tell, told) = channel();
    let stage = Arc::clone(stage);
    let run = move || {
        let ending = catch_unwind(AssertUnwindSafe(|| perform(net, &stage, runner)));
        // Nobody listens any more once the test has given the run up.
        let _ = tell.send(ending.map_err(|_| "the run panicked".to_owned()));
    };
    let started = thread::Builder::new().name("run".to_owned()).spawn(run);
    drop(started.expect("a thread can be started"));
    told
}
