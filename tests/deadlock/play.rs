//! Plays a script, as a process and as a thread.

use std::{any::Any, future::Future, pin::Pin, sync::Arc};

use futures_util::future::{pending, try_join_all};
use handover::{
    channel::{RecvTimeoutError, Select},
    process::{BlockingIn, BlockingOut, In, Network, Out, Poisoner, ProcessError, ProcessResult},
};
use parking_lot::Mutex;

use crate::script::{End, Guard, Script, Step};

/// Ends that were taken out of the network, for as long as the program runs.
pub type Kept = Arc<Mutex<Vec<Box<dyn Any + Send>>>>;
type Ends = (Vec<Out<u32>>, Vec<In<u32>>, Vec<Poisoner>);
type BlockingEnds = (Vec<BlockingOut<u32>>, Vec<BlockingIn<u32>>, Vec<Poisoner>);
type Playing<'a> = Pin<Box<dyn Future<Output = ProcessResult> + Send + 'a>>;

/// Whether the processes are tasks of the network or threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum As {
    Processes,
    Threads,
}

/// Adds the processes of some lines to a network, and their channels.
pub fn add(net: &mut Network, lines: &[&str], how: As) -> Kept {
    let kept = Kept::default();
    let scripts: Vec<Script> = lines.iter().flat_map(|line| Script::all_of(line)).collect();
    let mut channels = std::collections::HashMap::new();
    for name in scripts
        .iter()
        .flat_map(|one| one.outs.iter().chain(&one.ins).chain(&one.poisons))
    {
        channels
            .entry(name.clone())
            .or_insert_with(|| net.channel::<u32>(name));
    }
    for Script {
        name,
        outs,
        ins,
        poisons,
        steps,
    } in scripts
    {
        let outs: Vec<_> = outs.iter().map(|name| channels[name].0.share()).collect();
        let ins: Vec<_> = ins.iter().map(|name| channels[name].1.share()).collect();
        let poisons = poisons.iter().map(|name| channels[name].0.poisoner());
        let poisons: Vec<_> = poisons.collect();
        let kept = Arc::clone(&kept);
        match how {
            As::Processes => net.process(name, (outs, ins, poisons), async move |ends: &Ends| {
                play(&steps, ends, &kept).await
            }),
            As::Threads => net.thread(name, (outs, ins, poisons), move |ends: &BlockingEnds| {
                play_blocking(&steps, ends, &kept)
            }),
        }
    }
    kept
}

fn play<'a>(steps: &'a [Step], ends: &'a Ends, kept: &'a Kept) -> Playing<'a> {
    Box::pin(async move {
        for step in steps {
            play_one(step, ends, kept).await?;
        }
        Ok(())
    })
}

async fn play_one(step: &Step, ends @ (outs, ins, poisons): &Ends, kept: &Kept) -> ProcessResult {
    match step {
        Step::Do(end) => meet(*end, ends).await?,
        Step::Within(End::Out(port), time) => {
            if let Err(error) = outs[*port].send_timeout(1, *time).await
                && !error.is_timeout()
            {
                return Err(error.into());
            }
        }
        Step::Within(End::In(port), time) => {
            if let Err(error) = ins[*port].recv_timeout(*time).await
                && error != RecvTimeoutError::Timeout
            {
                return Err(error.into());
            }
        }
        Step::Accept(port, then) => {
            let held = ins[*port].recv_held().await?;
            play(then, ends, kept).await?;
            let _ = held.release();
        }
        Step::Any(guards) => {
            let mut homes = vec![Some(1); guards.len()];
            let mut select = Select::of_process();
            for ((guard, then), home) in guards.iter().zip(&mut homes) {
                select = match guard {
                    Guard::End(End::Out(port)) => select.send(&outs[*port], home, move |sent| {
                        sent.map(|()| then).map_err(ProcessError::from)
                    }),
                    Guard::End(End::In(port)) => select.recv(&ins[*port], move |got| {
                        got.map(|_| then).map_err(ProcessError::from)
                    }),
                    Guard::After(time) => select.after(*time, move |_| Ok(then)),
                };
            }
            let then = select.wait().await?;
            play(then, ends, kept).await?;
        }
        Step::Both(both) => {
            try_join_all(both.iter().map(|end| meet(*end, ends))).await?;
        }
        Step::While(steps) => while play(steps, ends, kept).await.is_ok() {},
        Step::Times(times, steps) => {
            for _ in 0..*times {
                play(steps, ends, kept).await?;
            }
        }
        Step::Ready(port) => outs[*port].ready().await?,
        Step::Closed(End::Out(port)) => outs[*port].closed().await,
        Step::Closed(End::In(port)) => ins[*port].closed().await,
        Step::Grant(port, credit) => ins[*port].grant(*credit),
        Step::Poison(port) => drop(poisons[*port].poison("bitter")),
        Step::TakeOut(End::Out(port)) => kept.lock().push(Box::new(outs[*port].take_out())),
        Step::TakeOut(End::In(port)) => kept.lock().push(Box::new(ins[*port].take_out())),
        Step::Keep => {}
        Step::Never => pending().await,
    }
    Ok(())
}

async fn meet(end: End, (outs, ins, _): &Ends) -> ProcessResult {
    match end {
        End::Out(port) => outs[port].send(1).await?,
        End::In(port) => drop(ins[port].recv().await?),
    }
    Ok(())
}

fn play_blocking(steps: &[Step], ends: &BlockingEnds, kept: &Kept) -> ProcessResult {
    for step in steps {
        play_one_blocking(step, ends, kept)?;
    }
    Ok(())
}

fn play_one_blocking(
    step: &Step,
    ends @ (outs, ins, poisons): &BlockingEnds,
    kept: &Kept,
) -> ProcessResult {
    match step {
        Step::Do(End::Out(port)) => outs[*port].send(1)?,
        Step::Do(End::In(port)) => drop(ins[*port].recv()?),
        Step::Within(End::Out(port), time) => {
            if let Err(error) = outs[*port].send_timeout(1, *time)
                && !error.is_timeout()
            {
                return Err(error.into());
            }
        }
        Step::Within(End::In(port), time) => {
            if let Err(error) = ins[*port].recv_timeout(*time)
                && error != RecvTimeoutError::Timeout
            {
                return Err(error.into());
            }
        }
        Step::Accept(port, then) => ins[*port].accept(|_| play_blocking(then, ends, kept))??,
        Step::Any(guards) => {
            let mut homes = vec![Some(1); guards.len()];
            let mut select = Select::of_thread();
            for ((guard, then), home) in guards.iter().zip(&mut homes) {
                select = match guard {
                    Guard::End(End::Out(port)) => select.send(&outs[*port], home, move |sent| {
                        sent.map(|()| then).map_err(ProcessError::from)
                    }),
                    Guard::End(End::In(port)) => select.recv(&ins[*port], move |got| {
                        got.map(|_| then).map_err(ProcessError::from)
                    }),
                    Guard::After(time) => select.after(*time, move |_| Ok(then)),
                };
            }
            let then = select.block()?;
            play_blocking(then, ends, kept)?;
        }
        Step::While(steps) => while play_blocking(steps, ends, kept).is_ok() {},
        Step::Times(times, steps) => {
            for _ in 0..*times {
                play_blocking(steps, ends, kept)?;
            }
        }
        Step::Poison(port) => drop(poisons[*port].poison("bitter")),
        Step::TakeOut(End::Out(port)) => kept.lock().push(Box::new(outs[*port].take_out())),
        Step::TakeOut(End::In(port)) => kept.lock().push(Box::new(ins[*port].take_out())),
        Step::Keep => {}
        Step::Both(_) | Step::Ready(_) | Step::Closed(_) | Step::Grant(..) | Step::Never => {
            unreachable!("a thread has no such operation")
        }
    }
    Ok(())
}
