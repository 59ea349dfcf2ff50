//! Programs played by the runtime: a script as a thread of a network.

use std::sync::atomic::Ordering;

use handover::{
    channel::Reason,
    process::{BlockingIn, BlockingOut, Poisoner},
    select,
};

use crate::{
    board::{Board, POISON, job_of_poisoner, job_of_receiver, job_of_sender, poison_of},
    model::{Seen, word},
    ports::{Ports, TIMEOUT, choose},
    program::{Act, Op, Program, Side, Step},
};

/// Plays the script of process `me`, which is a thread.
pub(crate) fn play_blocking(
    board: &Board,
    program: &Program,
    me: usize,
    (outs, ins, rights): &(Vec<BlockingOut<u32>>, Vec<BlockingIn<u32>>, Vec<Poisoner>),
) {
    let script = &program.scripts[me];
    let ports = Ports {
        script,
        rights,
        outs,
        ins,
    };
    let mut seen = Seen::default();
    let mut show = |change: &dyn Fn(&mut Seen)| {
        change(&mut seen);
        board.words[me].store(word(seen), Ordering::SeqCst);
    };
    for (at, step) in script.steps.iter().enumerate() {
        perform_blocking(board, &ports, step, &mut || {
            show(&|seen| seen.parts[0] = true);
        });
        if board.is_torn() {
            return;
        }
        show(&|seen| {
            seen.step = at + 1;
            seen.parts = [false; 2];
        });
    }
    show(&|seen| {
        seen.step = script.steps.len();
        seen.ended = true;
    });
}

fn perform_blocking(
    board: &Board,
    ports: &Ports<'_, BlockingOut<u32>, BlockingIn<u32>>,
    step: &Step,
    accepted: &mut dyn FnMut(),
) {
    match step {
        Step::Do { op, timed } => do_blocking(board, ports, *op, *timed),
        Step::Select {
            guards,
            timed,
            biased,
        } => {
            let heard = |poison: Option<&Reason>| board.hear(poison);
            choose!(select, *biased, *timed, ports.guards(guards), heard);
        }
        Step::Accept { channel, inner } => {
            let result = ports.inward(*channel).accept(|_message| {
                accepted();
                do_blocking(board, ports, *inner, false);
            });
            board.hear(poison_of(&result));
        }
        Step::TakeOut {
            side,
            channel,
            used,
        } => board.ask(match side {
            Side::Out => job_of_sender(ports.out(*channel).take_out(), *used),
            Side::In => job_of_receiver(ports.inward(*channel).take_out(), *used),
        }),
        Step::Poison(channel) => drop(ports.poisoner(*channel).poison(POISON)),
        Step::TakeRight { channel, used } => {
            let right = ports.poisoner(*channel).take_out();
            board.ask(job_of_poisoner(right, *used));
        }
        other => unreachable!("a thread cannot {other}"),
    }
}

fn do_blocking(
    board: &Board,
    ports: &Ports<'_, BlockingOut<u32>, BlockingIn<u32>>,
    op: Op,
    timed: bool,
) {
    let channel = op.channel;
    match (op.act, timed) {
        (Act::Send, false) => board.hear(poison_of(&ports.out(channel).send(1))),
        (Act::Send, true) => {
            board.hear(poison_of(&ports.out(channel).send_timeout(1, TIMEOUT)));
        }
        (_, false) => board.hear(poison_of(&ports.inward(channel).recv())),
        (_, true) => board.hear(poison_of(&ports.inward(channel).recv_timeout(TIMEOUT))),
    }
}
