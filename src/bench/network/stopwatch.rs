//! The times of a ring, and its memory, as its first process sees them.

use std::fs;

use crate::bench::run::{Clocks, Run};

/// What came of a ring. Its token goes around once to see that every process is there, then some laps against the
/// clock, and a last time during which each process ends when it has passed the token on.
#[derive(Debug, Clone, Copy)]
pub struct Lapped {
    /// From nothing to the end of the first lap; one unit for each process.
    pub build: Run,
    /// The laps; one unit for each hop.
    pub laps: Run,
    /// From the last lap's beginning until every process has ended and its memory was given back; one unit for each
    /// process.
    pub end: Run,
    /// How much memory was used more than before, when the first lap had come to its end: each process but the
    /// first is blocked in a receive then. `None` where the system does not tell.
    pub bytes: Option<u64>,
}

/// Takes the times of a ring: made before the ring is, handed to its first process, and got back from that.
#[derive(Debug)]
pub struct Stopwatch {
    size: u64,
    laps: u64,
    bytes_before: Option<u64>,
    clocks: Clocks,
    token: u64,
    build: Option<Run>,
    bytes: Option<u64>,
    lapped: Option<Run>,
}

impl Stopwatch {
    /// For a ring of `size` processes that is about to be made.
    pub fn start(laps: u64, size: usize) -> Self {
        Self {
            size: size as u64,
            laps,
            bytes_before: anonymous_bytes(),
            clocks: Clocks::start(),
            token: 0,
            build: None,
            bytes: None,
            lapped: None,
        }
    }

    /// The token that the first process sends in this lap: each process adds one to it.
    pub fn sends(&self) -> u64 {
        self.token + 1
    }

    /// The token has come back to the first process, at the end of lap `lap` of `laps + 2`.
    ///
    /// # Panics
    ///
    /// If it did not pass each process once.
    pub fn came_back(&mut self, lap: u64, token: u64) {
        assert_eq!(token, self.token + self.size, "the token lost its way");
        self.token = token;
        if lap == 0 {
            self.build = Some(self.clocks.stop(self.size, None));
            self.bytes = anonymous_bytes()
                .zip(self.bytes_before)
                .map(|(now, before)| now.saturating_sub(before));
            self.clocks = Clocks::start();
        } else if lap == self.laps {
            self.lapped = Some(self.clocks.stop(self.laps * self.size, None));
            self.clocks = Clocks::start();
        }
    }

    /// Every process has ended.
    ///
    /// # Panics
    ///
    /// If the first process did not turn all laps.
    pub fn ended(self) -> Lapped {
        let laps = self.laps + 2;
        assert_eq!(self.token, laps * self.size, "laps are missing");
        Lapped {
            build: self.build.expect("the first lap was turned"),
            laps: self.lapped.expect("all laps were turned"),
            end: self.clocks.stop(self.size, None),
            bytes: self.bytes,
        }
    }
}

/// The memory of this program that is not a file's; `None` where the system does not tell.
pub(in crate::bench) fn anonymous_bytes() -> Option<u64> {
    anonymous_bytes_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn anonymous_bytes_in(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_is_read_from_its_line() {
        let status = "VmRSS:\t   900 kB\nRssAnon:\t    88 kB\nRssFile:\t  812 kB\n";
        assert_eq!(anonymous_bytes_in(status), Some(88 * 1024));
        assert_eq!(anonymous_bytes_in("VmRSS:\t   900 kB\n"), None);
    }

    #[test]
    fn a_token_that_skipped_a_process_is_found() {
        let mut watch = Stopwatch::start(1, 3);
        watch.came_back(0, 3);
        assert_eq!(watch.sends(), 4);
        assert!(std::panic::catch_unwind(move || watch.came_back(1, 5)).is_err());
    }

    #[test]
    fn each_part_has_its_units() {
        let mut watch = Stopwatch::start(2, 3);
        for lap in 0..4 {
            watch.came_back(lap, (lap + 1) * 3);
        }
        let lapped = watch.ended();
        let units = [lapped.build, lapped.laps, lapped.end].map(|part| part.units);
        assert_eq!(units, [3, 6, 3]);
    }
}
