//! Nobody is starved: neither a process by others, nor what else the thread has to do.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use handover::process::{Here, In, Network, Out};

use crate::support::{WAYS, within};

/// A pair that talks without an end runs straight on; it has to give way to the others.
fn busy_pair(net: &mut Network, is_over: &Arc<AtomicBool>) {
    let (out, into) = net.channel::<u32>("tick");
    let is_over = Arc::clone(is_over);
    net.process("busy", out, async move |tick: &Out<u32>| {
        while !is_over.load(Ordering::Acquire) {
            tick.send(1).await?;
        }
        Ok(())
    });
    net.process("idle", into, async |tick: &In<u32>| {
        while tick.recv().await.is_ok() {}
        Ok(())
    });
}

#[test]
fn a_busy_pair_starves_no_other_process() {
    for way in WAYS {
        let mut net = Network::new("busy");
        let is_over = Arc::new(AtomicBool::new(false));
        busy_pair(&mut net, &is_over);
        let (out, into) = net.channel::<u32>("rounds");
        net.process("other", out, async |rounds: &Out<u32>| {
            for round in 0..1000 {
                rounds.send(round).await?;
            }
            Ok(())
        });
        net.process("last", into, async move |rounds: &In<u32>| {
            while rounds.recv().await.is_ok() {}
            is_over.store(true, Ordering::Release);
            Ok(())
        });
        way.run(net).unwrap();
    }
}

#[test]
fn a_busy_pair_does_not_starve_one_that_is_woken_from_outside() {
    for way in WAYS {
        let mut net = Network::new("busy");
        let is_over = Arc::new(AtomicBool::new(false));
        busy_pair(&mut net, &is_over);
        let (tell, told) = tokio::sync::oneshot::channel();
        net.process("patient", (), async move |(): &()| {
            told.await?;
            is_over.store(true, Ordering::Release);
            Ok(())
        });
        let teller = std::thread::spawn(move || tell.send(()));
        way.run(net).unwrap();
        teller.join().unwrap().unwrap();
    }
}

#[test]
fn a_busy_network_does_not_starve_the_tasks_beside_it() {
    let rounds = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rounds);
    within(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut net = Network::new("busy");
        let is_over = Arc::new(AtomicBool::new(false));
        busy_pair(&mut net, &is_over);
        runtime.block_on(async move {
            let beside = tokio::spawn(async move {
                for _ in 0..1000 {
                    tokio::task::yield_now().await;
                    counted.fetch_add(1, Ordering::Relaxed);
                }
                is_over.store(true, Ordering::Release);
            });
            // It ends only because the task beside it ends it.
            net.run_async().await.unwrap();
            beside.await.unwrap();
        });
    });
    assert_eq!(rounds.load(Ordering::Relaxed), 1000);
}

#[test]
fn a_name_tells_where_a_process_was_declared_and_who_started_it() {
    for way in WAYS {
        let mut net = Network::new("names");
        let names = Arc::new(parking_lot::Mutex::new(Vec::new()));
        let here_token = net.here();
        let noted = Arc::clone(&names);
        net.network("left", |left| {
            left.process("root", here_token, async move |here: &Here| {
                noted.lock().push(here.name());
                let again = Arc::clone(&noted);
                here.start("child", here_token, async move |here: &Here| {
                    again.lock().push(here.name());
                    Ok(())
                });
                Ok(())
            });
        });
        way.run(net).unwrap();
        assert_eq!(*names.lock(), ["left/root", "left/root/child"]);
    }
}
