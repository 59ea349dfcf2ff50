//! The same programs, rehearsed: whatever is chosen, the model allows what comes of it; and of a small program everything
//! that the model allows comes up, if all choices are gone through.
//!
//! `HANDOVER_SEED=S HANDOVER_NETWORKS=1 cargo test --test alarms rehearsed` tries the program of one seed.

use std::{collections::BTreeSet, sync::Arc};

use handover::process::{
    RunError,
    rehearsal::{Choose, Rehearsal, RehearsalError, Rehearsed, Replay, Seeded},
};

use crate::{
    board::Board,
    making::{Dice, program},
    model::Model,
    network::{Manner, Policy, Runner, Stage, build},
    number_in,
    program::{Act, Body, Program, Step},
    seed,
    verdict::{Graph, living},
};

/// How many programs are tried, each by some seeds.
const PROGRAMS: u64 = 800;
const SEEDS: u64 = 8;
const STATES_MAX: usize = 1_500;
/// Of how many small programs, each of which can come to different ends, all runs are gone through until each end was seen.
const SMALL: u64 = 50;
/// How many states a small one has at most, and how many runs are made of it before it is left.
const SMALL_STATES_MAX: usize = 120;
const RUNS_MAX: usize = 2_000;

/// Whether a rehearsal can drive it: no threads, nobody outside, and no future that is polled once, in a turn in which
/// it may have to wait for another.
fn can_be_rehearsed(program: &Program) -> bool {
    program.scripts.iter().all(|script| {
        script.body == Body::Process
            && script.steps.iter().all(|step| {
                !matches!(
                    step,
                    Step::Leave(_)
                        | Step::TakeOut { .. }
                        | Step::TakeRight { .. }
                        | Step::KeepWaker { .. }
                        | Step::Outside
                )
            })
    })
}

/// Whether the model says no more than what the runtime can do. It leaves out who waited first, and so what two operations
/// of one process do that begin at once; which of several guards is looked at first; and that an alternation does not meet
/// a waiting future by a send while another guard can meet at once. And it knows no instants: of two timers of different
/// processes either may be the first, where what is between two awaits takes no time and both are set at one instant.
fn is_exact(program: &Program) -> bool {
    let is_timed = |step: &Step| {
        matches!(
            step,
            Step::Do { timed: true, .. } | Step::Select { timed: true, .. }
        )
    };
    let with_timers = program.scripts.iter();
    let with_timers = with_timers.filter(|script| script.steps.iter().any(is_timed));
    if with_timers.count() > 1 {
        return false;
    }
    let mut steps = program.scripts.iter().flat_map(|script| &script.steps);
    steps.all(|step| {
        let watches = step
            .ops()
            .iter()
            .any(|op| matches!(op.act, Act::Ready | Act::Closed(_)));
        let is_loose = match step {
            Step::Select { guards, biased, .. } => {
                let sends = guards.iter().any(|guard| guard.act == Act::Send);
                *biased || (sends && guards.len() > 1)
            }
            // A poisoning is no await: nobody comes between it and what was done before.
            Step::Join(..) | Step::Poison(_) => true,
            _ => false,
        };
        !watches && !is_loose
    })
}

/// One run; what is seen of it at its end.
fn once(
    program: &Arc<Program>,
    graph: &Graph<'_>,
    policy: Policy,
    rehearsal: &Rehearsal,
    choose: impl Choose + 'static,
) -> (Rehearsed, Vec<u64>) {
    let stage = Arc::new(Stage::new(Board::new(program, graph.first_words())));
    let manner = Manner {
        runner: Runner::Run,
        policy,
        guest: false,
        busy: None,
        looks: 0,
    };
    let run = rehearsal.run(build(program, &stage, manner), choose);
    (run, stage.board.words())
}

/// Whether what has come of a run can be.
fn check(graph: &Graph<'_>, run: &Rehearsed, words: &[u64]) -> Result<(), String> {
    match &run.result {
        Ok(()) if living(words) != 0 => Err(format!("it ended, and some live: {words:x?}")),
        Ok(()) if !graph.can_end() => Err("it ended, which cannot be".to_owned()),
        Ok(()) => Ok(()),
        Err(RehearsalError::Run {
            error: RunError::Deadlock(report),
            ..
        }) => {
            let members = graph.check(report, Some(words))?;
            if report.is_total && members != living(words) {
                return Err(format!("it is called total while others live: {report}"));
            }
            Ok(())
        }
        Err(RehearsalError::Stuck { .. }) => match graph.at_rest(words) {
            Some(knots) if knots.iter().any(|knot| *knot != living(words)) => Ok(()),
            knots => Err(format!(
                "it stands still unreported: {words:x?}, {knots:x?}"
            )),
        },
        Err(error) => Err(error.to_string()),
    }
}

/// The programs from a seed on that are `fit`, with everything that can come of each, until `try_one` has tried so many.
fn try_each(
    seed: u64,
    count: u64,
    states_max: usize,
    fit: impl Fn(&Program) -> bool,
    mut try_one: impl FnMut(&Arc<Program>, &Graph<'_>) -> Result<bool, String>,
) {
    let mut tried = 0;
    for own in (0..).map(|turn| seed.wrapping_add(turn)) {
        let program = Arc::new(program(own));
        if fit(&program)
            && let Some(graph) = Graph::new(Model::new(&program), states_max)
        {
            match try_one(&program, &graph) {
                Ok(has_tried) => tried += u64::from(has_tried),
                Err(why) => panic!(
                    "{why}\n\nHANDOVER_SEED={own} HANDOVER_NETWORKS=1 tries it again:\n{program}"
                ),
            }
        }
        if tried == count {
            return;
        }
    }
}

fn networks(usual: u64) -> u64 {
    number_in("HANDOVER_NETWORKS").unwrap_or(usual)
}

#[test]
fn whatever_is_chosen_in_a_rehearsal_is_what_the_model_allows() {
    let seed = seed();
    println!("from HANDOVER_SEED={seed}");
    let (mut ended, mut deadlocked, mut hand_overs) = (0_u64, 0_u64, 0);
    try_each(
        seed,
        networks(PROGRAMS),
        STATES_MAX,
        can_be_rehearsed,
        |program, graph| {
            for number in 0..SEEDS {
                let mut dice = Dice::new(seed ^ number);
                let rehearsal = Rehearsal::new()
                    .operations_apart(dice.chance(70))
                    .time_may_pass(dice.chance(50))
                    .looks_between_turns(dice.chance(30));
                let policy = [Policy::Return, Policy::Report][dice.below(2)];
                let run = || once(program, graph, policy, &rehearsal, Seeded::new(number));
                let (one, words) = run();
                check(graph, &one, &words).map_err(|why| format!("{why}\nas {rehearsal:?}"))?;
                let (again, _) = run();
                let end =
                    |run: &Rehearsed| run.result.as_ref().map_err(ToString::to_string).copied();
                if one.hand_overs != again.hand_overs
                    || one.choices != again.choices
                    || (one.time, end(&one)) != (again.time, end(&again))
                {
                    return Err("the same seed has made another run".to_owned());
                }
                hand_overs += one.hand_overs.len();
                ended += u64::from(one.result.is_ok());
                deadlocked += u64::from(one.result.is_err());
            }
            Ok(true)
        },
    );
    println!("{ended} ended, {deadlocked} were deadlocked, after {hand_overs} hand-overs");
    if networks(PROGRAMS) >= PROGRAMS {
        let tenth = PROGRAMS * SEEDS / 10;
        assert!(ended > tenth, "few have ended");
        assert!(deadlocked > tenth, "few were deadlocked");
    }
}

#[test]
fn everything_that_the_model_allows_of_a_small_program_comes_up() {
    // The same programs each time, for where the search says more than the runtime can do is known one case at a time.
    let seed = number_in("HANDOVER_SEED").unwrap_or(14_000);
    println!("from HANDOVER_SEED={seed}");
    let rehearsal = Rehearsal::new().time_may_pass(true);
    let (mut all_runs, mut most, mut ends, mut left) = (0, 0, 0, 0_u64);
    let fit = |program: &Program| can_be_rehearsed(program) && is_exact(program);
    try_each(
        seed,
        networks(SMALL),
        SMALL_STATES_MAX,
        fit,
        |program, graph| {
            let allowed = graph.outcomes();
            if allowed.len() < 2 {
                return Ok(false);
            }
            let (mut found, mut script, mut runs) = (BTreeSet::new(), Some(Vec::new()), 0);
            while let Some(now) = script.filter(|_| found != allowed) {
                if runs == RUNS_MAX {
                    left += 1;
                    return Ok(false);
                }
                let replay = Replay::new(now);
                let (run, words) = once(program, graph, Policy::Report, &rehearsal, replay);
                check(graph, &run, &words)?;
                script = run.next_choices();
                found.insert(words);
                runs += 1;
            }
            all_runs += runs;
            most = most.max(runs);
            ends += allowed.len();
            if found == allowed {
                return Ok(true);
            }
            let missing: Vec<_> = allowed.difference(&found).collect();
            let wrong: Vec<_> = found.difference(&allowed).collect();
            Err(format!(
                "in {runs} runs {missing:x?} never came up, and {wrong:x?} cannot be"
            ))
        },
    );
    println!(
        "{ends} ends in {all_runs} runs, {most} at most of one program; {left} programs would be too many runs"
    );
    if networks(SMALL) >= SMALL {
        assert!(left < 3 * networks(SMALL), "nearly all were left");
    }
}
