//! Names, by which reports tell processes and channels apart.

use handover::process::{In, Network, Out, ProcessError, RunError};

#[test]
fn the_second_of_a_name_gets_a_number() {
    let mut net = Network::new("names");
    let observer = net.observe();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let (out, into) = net.channel::<u32>("numbers");
        net.process("worker", into, async |_: &In<u32>| Ok(()));
        tokens.push(out);
    }
    // One that has such a name by itself.
    net.process("worker (4)", (), async |(): &()| Ok(()));
    net.process("worker", tokens, async |_: &Vec<Out<u32>>| Ok(()));
    net.network("cellar", |cellar| {
        cellar.process("worker", (), async |(): &()| Ok(()));
        cellar.process("worker", (), async |(): &()| Ok(()));
    });
    let snapshot = observer.snapshot();
    let processes: Vec<_> = snapshot.processes.iter().map(|one| &*one.name).collect();
    assert_eq!(
        processes,
        [
            "worker",
            "worker (2)",
            "worker (3)",
            "worker (4)",
            "worker (5)",
            "cellar/worker",
            "cellar/worker (2)"
        ]
    );
    let channels: Vec<_> = snapshot.channels.iter().map(|one| &*one.name).collect();
    assert_eq!(channels, ["numbers", "numbers (2)", "numbers (3)"]);
    net.run().unwrap();
}

#[test]
fn the_one_that_fails_is_named_by_its_number() {
    let mut net = Network::new("names");
    net.process("worker", (), async |(): &()| Ok(()));
    net.process("worker", (), async |(): &()| Err(ProcessError::msg("no")));
    match net.run() {
        Err(RunError::Failed { process, .. }) => assert_eq!(process, "worker (2)"),
        other => panic!("{other:?}"),
    }
}
