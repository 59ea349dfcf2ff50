//! One run of a program by the runtime, looked at from outside all the time, and held to what the model says.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        mpsc::{Receiver, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use handover::process::{Blocked, Deadlock, Observer, RunError};

use crate::{
    board::Board,
    making::Dice,
    network::{BUSY, Ending, Farewell, GUEST, Manner, Policy, Stage, begin, build},
    program::Program,
    verdict::{Graph, living, number},
};

/// How long a report is waited for that may rightly never come: some times as long as the 100 ms within which it must.
const PATIENCE: Duration = Duration::from_millis(500);

/// What was reported at some moment, and what was seen of its members right after.
struct Sighting {
    members: u16,
    words: Vec<u64>,
}

/// How often in a row it is looked at the busy ones.
const HOT_MOMENTS: u32 = 300;

struct Watcher<'a> {
    graph: &'a Graph<'a>,
    stage: &'a Stage,
    observer: Observer,
    manner: Manner,
    dice: Dice,
    sightings: Vec<Sighting>,
    /// Reports that were found to be possible, with what was seen.
    known: HashSet<(Deadlock, Vec<u64>)>,
    /// Since when nothing need move any more.
    rests_since: Option<Instant>,
    /// What stands between the run and its end.
    waits_for: String,
    tally: Tally,
}

/// How often what has come up, so that one sees that the test has tested something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) ended: u64,
    pub(crate) total: u64,
    pub(crate) partial: u64,
    pub(crate) stopped: u64,
    pub(crate) looks: u64,
    pub(crate) sightings: u64,
    /// Sets that were found to be exactly those of the model at rest.
    pub(crate) exact: u64,
    /// Runs that stood still, and about which rightly nothing was said.
    pub(crate) silent: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.ended += other.ended;
        self.total += other.total;
        self.partial += other.partial;
        self.stopped += other.stopped;
        self.looks += other.looks;
        self.sightings += other.sightings;
        self.exact += other.exact;
        self.silent += other.silent;
    }
}

impl Watcher<'_> {
    /// Looks now; what is reported must be possible.
    fn look(&mut self) -> Result<u16, String> {
        self.tally.looks += 1;
        let foreign = self.stage.board.with_wakers_outside();
        let report = if self.dice.chance(80) {
            self.observer.look()
        } else {
            self.observer.snapshot().deadlock
        };
        let Some(report) = report else {
            return Ok(0);
        };
        // What is seen of a run that is being torn down says nothing about the program.
        if self.stage.board.is_torn() {
            return Ok(0);
        }
        let members = self.check(&report)?;
        // Those outside act only between the looks.
        if members & foreign != 0 {
            return Err(format!(
                "somebody outside has a waker of one of them: {report}"
            ));
        }
        Ok(members)
    }

    fn check(&mut self, report: &Deadlock) -> Result<u16, String> {
        let words = self.stage.board.words();
        let mut members = 0;
        for one in report.processes() {
            members |= number(&one.process).map_or(0, |process| 1 << process);
        }
        if report.is_total && living(&words) & !members != 0 {
            return Err(format!("it is called total while others live: {report}"));
        }
        check_busy(report)?;
        let is_guest = |one: &Blocked| one.process == GUEST;
        let farewell = *self.stage.farewell.lock().unwrap();
        if report.processes().any(is_guest) && farewell != Some(Farewell::Hang) {
            return Err(format!("the guest waits for somebody outside: {report}"));
        }
        let mut seen = words.clone();
        for (process, word) in seen.iter_mut().enumerate() {
            *word = if members >> process & 1 == 1 {
                *word
            } else {
                0
            };
        }
        let key = (report.clone(), seen);
        if !self.known.contains(&key) {
            self.graph.check(report, Some(&words))?;
            self.known.insert(key);
        }
        if members != 0 {
            self.tally.sightings += 1;
            self.sightings.push(Sighting { members, words });
        }
        Ok(members)
    }

    /// One of those outside does something.
    fn do_a_job(&mut self) {
        let job = {
            let mut jobs = self.stage.board.jobs.lock().unwrap();
            if jobs.is_empty() {
                return;
            }
            let at = self.dice.below(jobs.len());
            jobs.swap_remove(at)
        };
        if let Some(rest) = job.go_on(&self.stage.board) {
            self.stage.board.jobs.lock().unwrap().push(rest);
        }
    }

    /// If nothing need move any more, helps the run to its end once what must be said was said.
    fn conclude(&mut self, has_concluded: &mut bool) -> Result<(), String> {
        let words = self.stage.board.words();
        let Some(knots) = self.graph.at_rest(&words) else {
            self.rests_since = None;
            self.waits_for = format!("somebody to move: {words:x?}");
            return Ok(());
        };
        let living = living(&words);
        self.waits_for = format!("one of {knots:x?} to be reported, of {living:x}");
        if *has_concluded {
            return Ok(());
        }
        if self.manner.policy == Policy::Return {
            // Where the model cannot tell what is so, as with futures that were left, either will do.
            let rests = self.rests_since.get_or_insert_with(Instant::now);
            let is_over = knots[0] == 0 && rests.elapsed() > PATIENCE;
            if knots == [0] || is_over {
                *has_concluded = true;
                self.tally.silent += u64::from(living != 0);
                self.stage.send_away(if living == 0 {
                    Farewell::End
                } else {
                    Farewell::Hang
                });
            }
            return Ok(());
        }
        let found = self.look()?;
        if !knots.contains(&found) || self.stage.board.words() != words {
            return Ok(());
        }
        *has_concluded = true;
        self.tally.exact += 1;
        self.tally.silent += u64::from(found != living);
        if found == living {
            self.stage.send_away(Farewell::End);
        } else {
            self.stage.stop.ring();
        }
        Ok(())
    }

    fn pause(&mut self, moments: u32) {
        // One that does nothing but look keeps others from looking.
        if self.manner.busy.is_some() && moments < HOT_MOMENTS {
            return;
        }
        match self.dice.below(4) {
            0 => thread::yield_now(),
            1 => std::hint::spin_loop(),
            // Not to wait for anything: the longer it goes on, the less often need be looked.
            _ => thread::park_timeout(Duration::from_micros(20 * u64::from(moments.min(50)))),
        }
    }

    /// Looks until the run has ended.
    fn watch(
        &mut self,
        told: &Receiver<Result<Ending, String>>,
        limit: Duration,
    ) -> Result<Ending, String> {
        let deadline = Instant::now() + limit;
        let mut has_concluded = false;
        for moment in 0.. {
            match told.try_recv() {
                Ok(ending) => return ending,
                Err(TryRecvError::Disconnected) => return Err("the run is gone".to_owned()),
                Err(TryRecvError::Empty) => {}
            }
            if Instant::now() > deadline {
                let found = self.observer.look();
                return Err(format!(
                    "it hangs, waiting for {}; what is found now: {found:?}\n{:#?}",
                    self.waits_for,
                    self.observer.snapshot().processes
                ));
            }
            if self.dice.chance(self.manner.looks) {
                self.look()?;
            }
            if self.dice.chance(30) {
                self.do_a_job();
            }
            self.conclude(&mut has_concluded)?;
            self.pause(moment);
        }
        unreachable!("there is a deadline")
    }

    /// Holds the end of the run to what was seen before, and to the model.
    fn judge(&mut self, ending: Ending) -> Result<(), String> {
        for report in std::mem::take(&mut *self.stage.called.lock().unwrap()) {
            check_busy(&report)?;
            self.graph.check(&report, None)?;
        }
        match ending {
            None => self.tally.stopped += 1,
            Some(Ok(())) => {
                self.tally.ended += 1;
                if !self.graph.can_end() {
                    return Err("it ended, which cannot be".to_owned());
                }
            }
            Some(Err(RunError::Deadlock(report))) => {
                self.tally.total += u64::from(report.is_total);
                self.tally.partial += u64::from(!report.is_total);
                self.check(&report)?;
            }
            Some(Err(error)) => return Err(format!("it failed: {error}")),
        }
        let words = self.stage.board.words();
        for sighting in &self.sightings {
            for (process, (then, now)) in sighting.words.iter().zip(&words).enumerate() {
                if sighting.members >> process & 1 == 1 && then != now {
                    return Err(format!(
                        "p{process} was called deadlocked, and moved on: {then:x} to {now:x}"
                    ));
                }
            }
        }
        Ok(())
    }
}

fn check_busy(report: &Deadlock) -> Result<(), String> {
    let is_busy = |one: &Blocked| BUSY.contains(&one.process.as_str());
    if report.processes().any(is_busy) {
        return Err(format!("the busy ones are never deadlocked: {report}"));
    }
    Ok(())
}

/// Runs a program once; an error says in what the run and the model do not agree.
pub(crate) fn run(
    program: &Arc<Program>,
    graph: &Graph<'_>,
    manner: Manner,
    dice: Dice,
    limit: Duration,
) -> Result<Tally, String> {
    let stage = Arc::new(Stage::new(Board::new(program, graph.first_words())));
    let net = build(program, &stage, manner);
    let mut watcher = Watcher {
        graph,
        stage: &stage,
        observer: net.observe(),
        manner,
        dice,
        sightings: Vec::new(),
        known: HashSet::new(),
        rests_since: None,
        waits_for: String::new(),
        tally: Tally::default(),
    };
    let told = begin(net, &stage, manner.runner);
    let ending = watcher.watch(&told, limit)?;
    // What is outside goes with the run.
    stage.board.jobs.lock().unwrap().clear();
    watcher.judge(ending)?;
    Ok(watcher.tally)
}
