//! Processes that come and go while the network runs.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use handover::process::{Here, In, Network, Out};

use crate::support::{Ledger, WAYS};

const MANY: usize = if cfg!(miri) { 40 } else { 10_000 };

/// The place of one that has ended is another's at once; who ended does not take it away from that one.
#[test]
fn ten_thousand_come_and_go_and_each_has_its_own_place() {
    for way in WAYS {
        let ledger = Ledger::default();
        let ended = Arc::new(AtomicUsize::new(0));
        let mut net = Network::new("crowd");
        let observer = net.observe();
        let (numbers_out, numbers_in) = net.channel::<usize>("numbers");
        for root in 0..2 {
            let (notes, ended) = (ledger.clone(), Arc::clone(&ended));
            let its_own = net.here();
            net.process(
                format!("root {root}"),
                (net.here(), numbers_out.share()),
                async move |(here, numbers): &(Here, Out<usize>)| {
                    for child in 0..MANY / 2 {
                        let (note, ended) = (notes.one(), Arc::clone(&ended));
                        here.start(
                            child,
                            (numbers.parcel(), its_own),
                            async move |(numbers, here): &(Out<usize>, Here)| {
                                let _note = note;
                                numbers.send(child).await?;
                                assert_eq!(here.name(), format!("root {root}/{child}"));
                                ended.fetch_add(1, Ordering::Relaxed);
                                Ok(())
                            },
                        );
                        if child % 4 == 3 {
                            numbers.send(child).await?;
                        }
                    }
                    Ok(())
                },
            );
        }
        drop(numbers_out);
        net.process("sink", numbers_in, async |numbers: &In<usize>| {
            while numbers.recv().await.is_ok() {}
            Ok(())
        });
        way.run(net).unwrap();
        assert_eq!(ended.load(Ordering::Relaxed), MANY, "{way:?}");
        ledger.settle();
        assert!(observer.snapshot().processes.is_empty());
        assert!(observer.snapshot().channels.is_empty());
    }
}
