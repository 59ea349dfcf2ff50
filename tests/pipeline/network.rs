//! Pipelines as a part of a network: seen by name, and talking to others.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use handover::{
    pattern::{Actor, Address, Context, Handler, InHand, Pipeline, PipelineError},
    process::{Deadlock, In, Network, OnDeadlock, Out, ProcessError, RunError},
};

use super::{ITEMS, SEEDS, delay, not_thirteen};

#[test]
fn its_processes_show_in_the_network_by_name() {
    let mut net = Network::new("house");
    let built = net
        .network("kitchen", |net| {
            Pipeline::from(0..10_u64)
                .named("dishes")
                .stage("wash", 2, |n| n)
                .try_stage("dry", 1, not_thirteen)
                .or_divert(|_| ())
                .collect()
                .build(net)
        })
        .unwrap();
    let names: BTreeSet<String> = net
        .observe()
        .snapshot()
        .processes
        .into_iter()
        .map(|process| process.name)
        .collect();
    let expected = ["dry 1", "dry errors", "sink", "source", "wash 1", "wash 2"];
    let expected = expected.map(|name| format!("kitchen/dishes/{name}"));
    assert_eq!(names, expected.into_iter().collect());
    let ended = net.run();
    let mut done = built.finish(ended).unwrap();
    done.value.sort_unstable();
    assert_eq!(done.value, (0..10).collect::<Vec<_>>());
}

#[test]
fn a_pipeline_whose_network_did_not_run_is_unfinished() {
    let mut net = Network::new("house");
    let built = Pipeline::from(0..10_u64).collect().build(&mut net).unwrap();
    drop(net);
    assert!(matches!(
        built.finish(Ok(())),
        Err(PipelineError::Unfinished { .. })
    ));
}

#[test]
fn no_pipeline_raises_a_false_alarm() {
    let alarms = Arc::new(Mutex::new(Vec::<Deadlock>::new()));
    for seed in 0..SEEDS {
        let mut net = Network::new("quiet");
        let heard = Arc::clone(&alarms);
        net.on_deadlock(OnDeadlock::Call(Box::new(move |deadlock| {
            heard.lock().unwrap().push(deadlock.clone());
        })));
        let built = Pipeline::from(0..40_u64)
            .stage_blocking("slow", 3, move |n| {
                thread::sleep(Duration::from_millis(delay(seed, n)));
                n
            })
            .ordered()
            .stage("quick", 2, |n| n)
            .ordered()
            .collect()
            .build(&mut net)
            .unwrap();
        let ended = net.run_threads(2);
        assert_eq!(built.finish(ended).unwrap().value.len(), 40);
    }
    let alarms = alarms.lock().unwrap();
    assert!(alarms.is_empty(), "{alarms:?}");
}

/// Doubles numbers, for whoever asks.
struct Doubler;

impl Actor for Doubler {
    type Ports = ();
}

impl Handler<u64> for Doubler {
    type Reply = u64;

    async fn handle(
        &mut self,
        number: InHand<'_, u64>,
        _: &Context<'_, Self>,
    ) -> Result<u64, ProcessError> {
        Ok(*number * 2)
    }
}

#[test]
fn stages_and_sinks_talk_to_others_of_their_network() {
    for threads in [1, 3] {
        let mut net = Network::new("house");
        let doubler = Doubler::declare(&mut net, "doubler").spawn(&mut net, (), || Doubler);
        let (out, into) = net.channel::<u64>("numbers");
        let built = Pipeline::from(0..ITEMS)
            .try_stage_ports(
                "double",
                3,
                move || doubler.share(),
                async |doubler: &Address<Doubler>, n: u64| doubler.ask(n).await,
            )
            .ordered()
            .sink_ports(out, async |out: &Out<u64>, n: u64| out.send(n).await)
            .build(&mut net)
            .unwrap();
        let (back_out, back_in) = net.channel::<u64>("back");
        let behind = Pipeline::from_port(back_in)
            .named("behind")
            .fold(0, |sum, n| *sum += n)
            .build(&mut net)
            .unwrap();
        net.process(
            "reader",
            (into, back_out),
            async |(numbers, back): &(In<u64>, Out<u64>)| {
                for n in 0..ITEMS {
                    assert_eq!(numbers.recv().await?, 2 * n);
                    back.send(n).await?;
                }
                assert!(numbers.recv().await.is_err());
                Ok(())
            },
        );
        let ended = if threads == 1 {
            net.run()
        } else {
            net.run_threads(threads)
        };
        built.finish(ended).unwrap();
        assert_eq!(
            behind.finish(Ok(())).unwrap().value,
            (0..ITEMS).sum::<u64>()
        );
    }
}

#[test]
fn an_error_names_the_stage_of_the_pipeline_that_failed() {
    let mut net = Network::new("house");
    let (first, second) = net
        .network("floor", |net| {
            let fine = Pipeline::from(0..10_u64)
                .named("b")
                .stage("a/b 1", 2, |n| n);
            let failing = Pipeline::from(0..)
                .named("ab")
                .try_stage("a/b 1", 2, not_thirteen);
            let first = fine.for_each(drop).build(net)?;
            let second = failing.for_each(drop).build(net)?;
            Ok::<_, PipelineError>((first, second))
        })
        .unwrap();
    match second.finish(net.run()) {
        Err(PipelineError::Failed { stage, process, .. }) => {
            assert_eq!(stage, "a/b 1");
            assert!(process.starts_with("floor/ab/a/b 1 "), "{process}");
        }
        other => panic!("{other:?}"),
    }
    // The other pipeline had no part in it.
    let failed = RunError::Failed {
        process: "floor/ab/a/b 1 2".to_owned(),
        error: ProcessError::msg("13 is bad"),
    };
    match first.finish(Err(failed)) {
        Err(PipelineError::Run(RunError::Failed { process, .. })) => {
            assert_eq!(process, "floor/ab/a/b 1 2");
        }
        other => panic!("{other:?}"),
    }
}
