//! One run of a workload, and the checks that all workloads share.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// What one run of a workload took.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// How often the unit was done: messages, round trips, waits.
    pub units: u64,
    /// From the first send to the last receive.
    pub elapsed: Duration,
    /// Processor time in that time: of all threads of the process, or, for a wait, of the thread that waits.
    pub cpu: Duration,
    /// Of all tasks that took part; `None` for threads.
    pub polls: Option<u64>,
}

/// How many senders (fan-in) or receivers (fan-out) stand on the side that has several.
pub const FAN: usize = 4;

/// The stages of a pipeline, between its first sender and its last receiver.
pub const STAGES: usize = 16;

/// The clocks, from when they were started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    began: Instant,
    cpu: Duration,
}

impl Clocks {
    pub fn start() -> Self {
        Self {
            began: Instant::now(),
            cpu: cpu_time(ClockId::ProcessCPUTime),
        }
    }

    pub fn stop(self, units: u64, polls: Option<u64>) -> Run {
        Run {
            units,
            elapsed: self.began.elapsed(),
            cpu: cpu_time(ClockId::ProcessCPUTime).saturating_sub(self.cpu),
            polls,
        }
    }
}

/// The processor time up to now of what `clock` is for.
pub(super) fn cpu_time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

/// Checks that messages which were dealt out in turn, the first to lane 0, come complete and, within a lane, in
/// order.
#[derive(Debug)]
pub(super) struct Lanes<const COUNT: usize> {
    next: [u64; COUNT],
}

impl<const COUNT: usize> Lanes<COUNT> {
    pub fn new() -> Self {
        Self {
            next: std::array::from_fn(|lane| lane as u64),
        }
    }

    /// Takes note of a message that came on `lane`.
    pub fn arrived(&mut self, lane: usize, number: u64) {
        assert_eq!(number, self.next[lane], "lane {lane} has another order");
        self.next[lane] += COUNT as u64;
    }

    /// Checks that each of `count` messages has come.
    pub fn complete(&self, count: u64) {
        for next in self.next {
            assert!(next >= count, "message {next} of {count} has not come");
        }
    }
}

/// What one receiver of a fan-out got: messages in ascending order, up to the mark of the end.
#[derive(Debug, Default)]
pub(super) struct Share {
    next: u64,
    count: u64,
    sum: u64,
}

/// The message that tells one receiver of a fan-out that there are no more.
pub(super) const END: u64 = u64::MAX;

impl Share {
    /// Takes note of a message; false at the end.
    pub fn goes_on(&mut self, number: u64) -> bool {
        if number == END {
            return false;
        }
        assert!(number >= self.next, "message {number} came late");
        self.next = number + 1;
        self.count += 1;
        self.sum += number;
        true
    }

    /// Checks that all shares together are the numbers below `count`, as far as their count and sum tell.
    pub fn complete(shares: &[Share], count: u64) {
        let all: u64 = shares.iter().map(|share| share.count).sum();
        let sum: u64 = shares.iter().map(|share| share.sum).sum();
        assert_eq!(all, count, "messages were lost or came twice");
        assert_eq!(
            sum,
            count * count.saturating_sub(1) / 2,
            "other messages came"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_that_are_complete_and_in_order_pass() {
        let mut lanes = Lanes::<4>::new();
        for number in [0, 4, 3, 1, 2, 5] {
            lanes.arrived((number % 4) as usize, number);
        }
        lanes.complete(6);
    }

    #[test]
    #[should_panic(expected = "another order")]
    fn a_lane_out_of_order_is_found() {
        let mut lanes = Lanes::<4>::new();
        lanes.arrived(0, 4);
    }

    #[test]
    #[should_panic(expected = "message 5 of 6 has not come")]
    fn a_message_that_did_not_come_is_found() {
        let mut lanes = Lanes::<4>::new();
        for number in [0, 4, 3, 1, 2] {
            lanes.arrived((number % 4) as usize, number);
        }
        lanes.complete(6);
    }

    #[test]
    fn shares_must_be_everything_and_ascending() {
        let share = |numbers: &[u64]| {
            let mut share = Share::default();
            for number in numbers {
                assert!(share.goes_on(*number));
            }
            assert!(!share.goes_on(END));
            share
        };
        Share::complete(&[share(&[0, 3]), share(&[]), share(&[1, 2])], 4);
        let lost = [share(&[0, 3]), share(&[1])];
        assert!(std::panic::catch_unwind(move || Share::complete(&lost, 4)).is_err());
        let twice = [share(&[0, 2]), share(&[0, 2])];
        assert!(std::panic::catch_unwind(move || Share::complete(&twice, 4)).is_err());
        assert!(std::panic::catch_unwind(|| share(&[1, 0])).is_err());
    }
}
