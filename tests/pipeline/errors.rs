//! What an error of an item leads to, and where it is named.

use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

use handover::pattern::{Pipeline, PipelineError};

use super::{Bad, ITEMS, not_thirteen, run_on};

#[test]
fn the_first_error_ends_the_run_and_names_its_stage() {
    for threads in [1, 3] {
        let failed = Pipeline::from(0_u64..)
            .named("numbers")
            .stage("copy", 2, |n| n)
            .try_stage("check", 3, not_thirteen)
            .for_each(drop);
        match run_on(threads, failed) {
            Err(PipelineError::Failed {
                stage,
                process,
                error,
            }) => {
                assert_eq!(stage, "check");
                assert!(process.starts_with("numbers/check "), "{process}");
                assert_eq!(error.to_string(), "13 is bad");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn errors_can_go_another_way() {
    for threads in [1, 3] {
        let errors = Arc::new(Mutex::new(Vec::new()));
        let taken = Arc::clone(&errors);
        let done = Pipeline::from(0..ITEMS)
            .try_stage(
                "check",
                3,
                |n| if n % 10 == 3 { Err(Bad(n)) } else { Ok(n) },
            )
            .ordered()
            .or_divert(move |error| {
                let bad: &Bad = error.downcast_ref().unwrap();
                taken.lock().unwrap().push(bad.0);
            })
            .collect();
        let done = run_on(threads, done).unwrap();
        let expected: Vec<u64> = (0..ITEMS).filter(|n| n % 10 != 3).collect();
        assert_eq!(done.value, expected);
        let mut errors = errors.lock().unwrap().clone();
        errors.sort_unstable();
        let expected: Vec<u64> = (0..ITEMS).filter(|n| n % 10 == 3).collect();
        assert_eq!(errors, expected);
        assert_eq!(
            done.report.stage("check").unwrap().diverted,
            expected.len() as u64
        );
    }
}

#[test]
fn when_nobody_takes_diverted_errors_any_more_the_next_one_ends_the_run() {
    let failed = Pipeline::from(0..ITEMS)
        .try_stage_blocking("check", 1, |n| if n > 20 { Err(Bad(n)) } else { Ok(n) })
        .or_divert(|_| ControlFlow::Break(()))
        .for_each(drop)
        .run();
    match failed {
        Err(PipelineError::Failed { stage, error, .. }) => {
            assert_eq!(stage, "check");
            assert_eq!(error.to_string(), "22 is bad");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_panic_in_a_stage_is_the_runs_error_by_name() {
    for threads in [1, 2] {
        let quick = |n: u64| {
            assert_ne!(n, 7, "seven");
            n
        };
        let panicking = [
            Pipeline::from(0..ITEMS).stage("work", 2, quick).collect(),
            Pipeline::from(0..ITEMS)
                .stage_blocking("work", 2, quick)
                .ordered()
                .collect(),
        ];
        for panicking in panicking {
            match run_on(threads, panicking) {
                Err(PipelineError::Panicked { stage, message, .. }) => {
                    assert_eq!(stage, "work");
                    assert!(message.contains("seven"), "{message}");
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn an_error_of_the_sink_is_named_too() {
    let failed = Pipeline::from(0..ITEMS)
        .sink(|n| not_thirteen(n).map(drop))
        .run();
    match failed {
        Err(PipelineError::Failed { stage, .. }) => assert_eq!(stage, "sink"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stage_without_workers_is_an_error_that_says_so() {
    let failed = Pipeline::from(0..ITEMS)
        .stage("idle", 0, |n| n)
        .collect()
        .run();
    assert_eq!(
        failed.unwrap_err().to_string(),
        "stage `idle` has 0 workers; give it 1 at least"
    );
    let failed = Pipeline::from(0..ITEMS)
        .stage("sink", 1, |n| n)
        .collect()
        .run();
    assert!(matches!(failed, Err(PipelineError::SameName { .. })));
}
