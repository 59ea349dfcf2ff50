//! Programs played by the runtime: a script as a thread of a network.

use std::sync::atomic::Ordering;

use handover::{
    channel::{RecvError, RecvTimeoutError, SendError, SendTimeoutError},
    process::{BlockingIn, BlockingOut},
    select,
};

use crate::{
    board::{Board, job_of_receiver, job_of_sender},
    model::{Seen, word},
    ports::{Ports, TIMEOUT, choose},
    program::{Act, Op, Program, Side, Step},
};

/// Plays the script of process `me`, which is a thread.
pub(crate) fn play_blocking(
    board: &Board,
    program: &Program,
    me: usize,
    outs: &[BlockingOut<u32>],
    ins: &[BlockingIn<u32>],
) {
    let script = &program.scripts[me];
    let ports = Ports { script, outs, ins };
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
            let heard = |is_poisoned| board.hear(is_poisoned);
            choose!(select, *biased, *timed, ports.guards(guards), heard);
        }
        Step::Accept { channel, inner } => {
            let result = ports.inward(*channel).accept(|_message| {
                accepted();
                do_blocking(board, ports, *inner, false);
            });
            board.hear(result.is_err_and(|error| matches!(error, RecvError::Poisoned(_))));
        }
        Step::TakeOut {
            side,
            channel,
            used,
        } => board.ask(match side {
            Side::Out => job_of_sender(ports.out(*channel).take_out(), *used),
            Side::In => job_of_receiver(ports.inward(*channel).take_out(), *used),
        }),
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
    board.hear(match (op.act, timed) {
        (Act::Send, false) => {
            let sent = ports.out(channel).send(1);
            sent.is_err_and(|error| matches!(error, SendError::Poisoned(..)))
        }
        (Act::Send, true) => {
            let sent = ports.out(channel).send_timeout(1, TIMEOUT);
            sent.is_err_and(|error| matches!(error, SendTimeoutError::Poisoned(..)))
        }
        (_, false) => {
            let got = ports.inward(channel).recv();
            got.is_err_and(|error| matches!(error, RecvError::Poisoned(_)))
        }
        (_, true) => {
            let got = ports.inward(channel).recv_timeout(TIMEOUT);
            got.is_err_and(|error| matches!(error, RecvTimeoutError::Poisoned(_)))
        }
    });
}
