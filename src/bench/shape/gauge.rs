//! What the threads of a run tell the one that watches.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Shared by the threads of one run. Each value stands alone, so relaxed orderings are enough: nothing else is
/// read on the strength of it, and what is reported at the end is read after the threads were joined.
pub struct Gauge {
    /// When the run began: the zero of all times.
    pub start: Instant,
    /// Nothing is to be worked on any more.
    stop: AtomicBool,
    /// When the producer's next unit was or is due; the far future when it has no more.
    next_due_ns: AtomicU64,
    done: AtomicU64,
    /// The most that each channel was seen to hold.
    peaks: Vec<AtomicUsize>,
}

impl Gauge {
    pub fn new(channels: usize) -> Self {
        Self {
            start: Instant::now(),
            stop: AtomicBool::new(false),
            next_due_ns: AtomicU64::new(u64::MAX),
            done: AtomicU64::new(0),
            peaks: (0..channels).map(|_| AtomicUsize::new(0)).collect(),
        }
    }

    /// Nanoseconds since the start.
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The producer's next unit is due then.
    pub fn next_is_due(&self, due_ns: u64) {
        self.next_due_ns.store(due_ns, Ordering::Relaxed);
    }

    /// The producer has sent its last.
    pub fn end_of_input(&self) {
        self.next_due_ns.store(u64::MAX, Ordering::Relaxed);
    }

    /// How late the producer is with its next unit.
    pub fn producer_late(&self) -> Duration {
        let due = self.next_due_ns.load(Ordering::Relaxed);
        Duration::from_nanos(self.now_ns().saturating_sub(due))
    }

    pub fn finish_one(&self) {
        self.done.fetch_add(1, Ordering::Relaxed);
    }

    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// A channel was seen to hold so many.
    pub fn saw_held(&self, channel: usize, held: usize) {
        if let Some(peak) = self.peaks.get(channel) {
            peak.fetch_max(held, Ordering::Relaxed);
        }
    }

    pub fn peaks(&self) -> Vec<usize> {
        let load = |peak: &AtomicUsize| peak.load(Ordering::Relaxed);
        self.peaks.iter().map(load).collect()
    }
}

/// A time in nanoseconds; after 584 years it stands still.
pub fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Bytes of this process that are in memory, where the system tells (Linux).
pub fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
