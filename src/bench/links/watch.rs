//! The time of each unit and of all.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{record::Record, row::Order};
use crate::bench::statistics::nanoseconds_each;

/// A minute, in nanoseconds: what takes longer counts as that.
const LONGEST: u64 = 60_000_000_000;

/// Notes the time of each unit; shared by those who send at the same time.
#[derive(Debug)]
pub(super) struct Watch {
    began: Instant,
    times: Histogram<u64>,
}

impl Watch {
    pub(super) fn start() -> Self {
        let times = Histogram::new_with_max(LONGEST, 3).expect("three digits are allowed");
        Self {
            began: Instant::now(),
            times,
        }
    }

    /// A unit took so long.
    pub(super) fn note(&mut self, time: Duration) {
        self.times
            .saturating_record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// All units are done.
    #[expect(
        clippy::cast_precision_loss,
        reason = "nanoseconds of a run, far below 2^52"
    )]
    pub(super) fn stop(self, contender: &str, order: &Order) -> Record {
        let elapsed = self.began.elapsed();
        let at = |quantile| self.times.value_at_quantile(quantile) as f64;
        Record {
            row: order.row.name().to_owned(),
            contender: contender.to_owned(),
            count: order.count,
            ns_per: nanoseconds_each(elapsed, order.count),
            ns_p50: at(0.5),
            ns_p99: at(0.99),
            ns_p999: at(0.999),
            bytes_per: 0.0,
        }
    }
}
