//! What `tracing` is told of a network: who runs, who fails, and deadlock.

#![allow(clippy::unwrap_used)]

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt::{Debug, Write},
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use handover::process::{In, Network, OnDeadlock, Out, ProcessError};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};

/// Keeps what it is told, each event with the fields of the span that it was in.
#[derive(Clone, Default)]
struct Ear(Arc<Heard>);

#[derive(Default)]
struct Heard {
    spans: Mutex<HashMap<u64, String>>,
    events: Mutex<Vec<String>>,
    next: AtomicU64,
}

thread_local! {
    /// The spans that this thread is in.
    static ENTERED: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

struct Fields<'a>(&'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, "{}={value:?} ", field.name());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = write!(self.0, "{}={value} ", field.name());
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("handover::process") || metadata.target() == "user"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let number = self.0.next.fetch_add(1, Ordering::Relaxed) + 1;
        let mut fields = String::new();
        span.record(&mut Fields(&mut fields));
        self.0.spans.lock().unwrap().insert(number, fields);
        Id::from_u64(number)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let mut spans = self.0.spans.lock().unwrap();
        values.record(&mut Fields(spans.get_mut(&span.into_u64()).unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = String::new();
        if let Some(span) = ENTERED.with_borrow(|entered| entered.last().copied()) {
            let _ = write!(
                text,
                "[{}] ",
                self.0.spans.lock().unwrap()[&span].trim_end()
            );
        }
        let _ = write!(text, "{} ", event.metadata().level());
        event.record(&mut Fields(&mut text));
        self.0.events.lock().unwrap().push(text);
    }

    fn enter(&self, span: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let left = ENTERED.with_borrow_mut(Vec::pop);
        assert_eq!(left, Some(span.into_u64()));
    }
}

/// What is told of `network` while `run` runs it, on whichever thread.
fn heard(network: &str, run: impl FnOnce()) -> Vec<String> {
    static EAR: OnceLock<Ear> = OnceLock::new();
    let ear = EAR.get_or_init(|| {
        let ear = Ear::default();
        tracing::subscriber::set_global_default(ear.clone()).unwrap();
        ear
    });
    run();
    let is_of = format!("network={network}");
    let events = ear.0.events.lock().unwrap();
    let of_it = events.iter().filter(|event| event.contains(&is_of));
    of_it.cloned().collect()
}

#[test]
fn what_a_process_logs_bears_its_name() {
    let events = heard("sums", || {
        let mut net = Network::new("sums");
        let (out, into) = net.channel::<u32>("numbers");
        net.process("source", out, async |out: &Out<u32>| {
            out.send(1).await?;
            tracing::info!(target: "user", "sent");
            Ok(())
        });
        net.process("sink", into, async |into: &In<u32>| {
            into.recv().await?;
            tracing::info!(target: "user", "taken");
            Ok(())
        });
        net.run().unwrap();
    });
    for expected in [
        "[network=sums process=source] DEBUG message=process began ",
        "[network=sums process=source] INFO message=sent ",
        "[network=sums process=sink] INFO message=taken ",
        "[network=sums process=sink] DEBUG message=process ended ",
    ] {
        let count = events.iter().filter(|event| *event == expected).count();
        assert_eq!(count, 1, "{expected}: {events:#?}");
    }
    assert_eq!(events.len(), 6, "{events:#?}");
}

#[test]
fn a_failure_and_a_panic_are_errors_with_the_name_and_the_reason() {
    let events = heard("failing", || {
        let mut net = Network::new("failing");
        net.process("one", (), async |(): &()| {
            Err(ProcessError::msg("no more paper"))
        });
        net.process("other", (), async |(): &()| panic!("on fire"));
        net.run().unwrap_err();
    });
    let errors: Vec<_> = events.iter().filter(|e| e.contains("ERROR")).collect();
    assert_eq!(errors.len(), 2, "{events:#?}");
    for (error, words) in [
        (
            errors[0],
            ["process=one", "no more paper", "process failed"],
        ),
        (errors[1], ["process=other", "on fire", "process panicked"]),
    ] {
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
}

#[test]
fn a_deadlock_is_one_error_with_its_sentence() {
    let events = heard("alone", || {
        let mut net = Network::new("alone");
        net.on_deadlock(OnDeadlock::Report);
        let (out, into) = net.channel::<u32>("self");
        net.process(
            "narcissus",
            (out, into),
            async |(out, into): &(Out<u32>, In<u32>)| {
                out.send(1).await?;
                into.recv().await?;
                Ok(())
            },
        );
        net.run().unwrap_err();
    });
    let told: Vec<_> = events.iter().filter(|e| e.contains("deadlock: ")).collect();
    assert_eq!(told.len(), 1, "{events:#?}");
    assert!(
        told[0].contains("narcissus (sending on \"self\" at tracing.rs:"),
        "{told:?}"
    );
    assert!(
        told[0].contains("network=alone processes=1 is_total=true"),
        "{told:?}"
    );
}

#[test]
fn an_attached_process_has_a_span_too() {
    let events = heard("mixed", || {
        let mut net = Network::new("mixed");
        let (out, into) = net.channel::<u32>("numbers");
        net.process("host", out, async |out: &Out<u32>| {
            out.send(1).await?;
            Ok(())
        });
        let attached = net.attach("guest", into, async |into: &In<u32>| {
            into.recv().await?;
            tracing::info!(target: "user", "taken");
            Ok(())
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let both = async { tokio::join!(net.run_async(), attached) };
        let (run, guest) = runtime.unwrap().block_on(both);
        run.unwrap();
        guest.unwrap();
    });
    let taken = "[network=mixed process=guest] INFO message=taken ";
    assert!(events.iter().any(|event| event == taken), "{events:#?}");
}
