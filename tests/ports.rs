//! Structs of ports: the same struct with tokens, with parcels, in a process and in a thread.

#![allow(clippy::unwrap_used, reason = "all of it is tests")]

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use handover::{
    ports,
    process::{Here, In, InThread, Network, Out, ProcessError, ProcessResult, RunError},
};

ports! {
    /// Adds one to whatever comes.
    #[derive(Debug)]
    struct Adder {
        /// What comes.
        from: In<u32>,
        /// What goes.
        to: Out<u32>,
    }
}

ports! {
    /// The same, whatever comes.
    pub type Relay<T> = struct RelayPorts {
        /// Where it takes from.
        pub from: In<T>,
        /// Whom it gives to.
        pub to: Out<T>,
    }
}

ports! {
    struct Office {
        here: Here,
        desk: Relay<&'static str>,
        bells: Vec<Out<u32>>,
        door: Option<In<()>>,
    }
}

async fn add(ports: &Adder) -> ProcessResult {
    while let Ok(number) = ports.from.recv().await {
        ports.to.send(number + 1).await?;
    }
    Ok(())
}

async fn relay<T: Send + 'static>(ports: &Relay<T>) -> ProcessResult {
    while let Ok(message) = ports.from.recv().await {
        ports.to.send(message).await?;
    }
    Ok(())
}

#[test]
fn a_process_a_thread_and_one_that_is_started_have_the_same_struct() {
    let mut net = Network::new("adders");
    let (first_out, first_in) = net.channel("first");
    let (second_out, second_in) = net.channel("second");
    let (third_out, third_in) = net.channel("third");
    let (fourth_out, fourth_in) = net.channel("fourth");
    net.process(
        "process",
        Adder {
            from: first_in,
            to: second_out,
        },
        add,
    );
    net.thread(
        "thread",
        Adder {
            from: second_in,
            to: third_out,
        },
        |ports: &InThread<Adder>| {
            while let Ok(number) = ports.from.recv() {
                ports.to.send(number + 1)?;
            }
            Ok(())
        },
    );
    net.process(
        "starter",
        (net.here(), third_in, fourth_out),
        async |(here, from, to): &(Here, In<u32>, Out<u32>)| {
            let ports = Adder {
                from: from.parcel(),
                to: to.parcel(),
            };
            here.start("child", ports, add);
            Ok(())
        },
    );
    net.process(
        "user",
        (first_out, fourth_in),
        async |(numbers, more): &(Out<u32>, In<u32>)| {
            for number in 0..10 {
                numbers.send(number).await?;
                assert_eq!(more.recv().await?, number + 3);
            }
            Ok(())
        },
    );
    net.run().unwrap();
}

#[test]
fn structs_of_ports_nest_and_have_all_that_a_process_can_have() {
    let rung = Arc::new(AtomicU32::new(0));
    let mut net = Network::new("office");
    let (asked, from) = net.channel("asked");
    let (to, told) = net.channel("told");
    let (bells_out, bells_in): (Vec<_>, Vec<_>) = (0..3)
        .map(|bell| net.channel(&format!("bell {bell}")))
        .unzip();
    let office = Office {
        here: net.here(),
        desk: RelayPorts { from, to },
        bells: bells_out,
        door: None::<handover::process::InToken<()>>,
    };
    net.process("office", office, async |office: &Office| {
        assert_eq!(office.here.name(), "office");
        assert!(office.door.is_none());
        for bell in &office.bells {
            bell.send(1).await?;
        }
        relay(&office.desk).await
    });
    for bell in bells_in {
        let rung = Arc::clone(&rung);
        net.process("porter", bell, async move |bell: &In<u32>| {
            rung.fetch_add(bell.recv().await?, Ordering::Relaxed);
            Ok(())
        });
    }
    net.process(
        "guest",
        (asked, told),
        async |(asked, told): &(Out<&'static str>, In<&'static str>)| {
            asked.send("a room").await?;
            assert_eq!(told.recv().await?, "a room");
            Ok(())
        },
    );
    net.run().unwrap();
    assert_eq!(rung.load(Ordering::Relaxed), 3);
}

#[test]
fn a_process_that_fails_poisons_every_field() {
    let mut net = Network::new("failing");
    let (first_out, first_in) = net.channel("first");
    let (second_out, second_in) = net.channel("second");
    let ports = Adder {
        from: first_in,
        to: second_out,
    };
    net.process("adder", ports, async |_: &Adder| {
        Err(ProcessError::msg("no more paper"))
    });
    let told = Arc::new(AtomicU32::new(0));
    let hears = |error: String, told: &AtomicU32| {
        assert!(error.contains("no more paper"), "{error}");
        told.fetch_add(1, Ordering::Relaxed);
    };
    net.process("source", first_out, {
        let told = Arc::clone(&told);
        async move |out: &Out<u32>| {
            hears(out.send(1).await.unwrap_err().to_string(), &told);
            Ok(())
        }
    });
    net.process("sink", second_in, {
        let told = Arc::clone(&told);
        async move |into: &In<u32>| {
            hears(into.recv().await.unwrap_err().to_string(), &told);
            Ok(())
        }
    });
    assert!(matches!(net.run(), Err(RunError::Failed { .. })));
    assert_eq!(told.load(Ordering::Relaxed), 2);
}

#[test]
fn a_deadlock_names_the_channels_of_the_fields() {
    let mut net = Network::new("stuck");
    let (to, from) = net.channel("loop");
    let ports = Adder { from, to };
    net.process("adder", ports, async |ports: &Adder| {
        ports.to.send(1).await?;
        ports.from.recv().await?;
        Ok(())
    });
    match net.run() {
        Err(RunError::Deadlock(deadlock)) => {
            assert_eq!(deadlock.cycle_names(), ["adder"]);
            assert_eq!(deadlock.cycle[0].waits[0].channel, "loop");
        }
        other => panic!("{other:?}"),
    }
}
