//! Medians, quartiles and ratios.

use std::time::Duration;

/// The middle of some values, and how far they spread: half of them lie between the quartiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Spread {
    /// Of values in any order; `None` if there are none.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Some(Self {
            low: quantile(&values, 0.25)?,
            median: quantile(&values, 0.5)?,
            high: quantile(&values, 0.75)?,
        })
    }
}

/// The value below which `share` of the sorted values lie, between two of them in proportion; `None` if there are
/// none.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index among few values"
)]
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = sorted.len().checked_sub(1)? as f64 * share;
    let below = sorted[place.floor() as usize];
    let above = sorted[place.ceil() as usize];
    Some(below + (above - below) * place.fract())
}

/// Each value as a multiple of ours in the same round.
pub fn ratios(values: &[f64], ours: &[f64]) -> Vec<f64> {
    values
        .iter()
        .zip(ours)
        .map(|(value, ours)| value / ours)
        .collect()
}

/// Nanoseconds for one of so many units.
#[expect(
    clippy::cast_precision_loss,
    reason = "times and counts far below 2^52"
)]
pub fn nanoseconds_each(time: Duration, units: u64) -> f64 {
    time.as_nanos() as f64 / units.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> (f64, f64, f64) {
        let spread = Spread::of(values.iter().copied()).unwrap();
        (spread.low, spread.median, spread.high)
    }

    #[test]
    fn the_median_of_an_odd_number_is_the_middle_one() {
        assert_eq!(spread(&[5.0, 1.0, 3.0]), (2.0, 3.0, 4.0));
        assert_eq!(spread(&[9.0, 1.0, 7.0, 3.0, 5.0]), (3.0, 5.0, 7.0));
    }

    #[test]
    fn between_two_values_the_quantile_lies_in_proportion() {
        assert_eq!(spread(&[4.0, 1.0, 3.0, 2.0]), (1.75, 2.5, 3.25));
        assert_eq!(spread(&[10.0, 20.0]), (12.5, 15.0, 17.5));
    }

    #[test]
    fn one_value_has_no_spread_and_none_has_no_median() {
        assert_eq!(spread(&[7.0]), (7.0, 7.0, 7.0));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn a_ratio_is_taken_within_its_round() {
        // A round in which everything was twice as slow does not change a ratio.
        assert_eq!(
            ratios(&[10.0, 20.0, 30.0], &[5.0, 10.0, 10.0]),
            [2.0, 2.0, 3.0]
        );
        // The ratio of the medians would be 4.
        let rival = [1.0, 8.0, 8.0];
        let ours = [1.0, 2.0, 8.0];
        let ratio = Spread::of(ratios(&rival, &ours)).unwrap();
        assert!((ratio.median - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_unit_takes_its_share_of_the_time() {
        assert!((nanoseconds_each(Duration::from_micros(3), 4) - 750.0).abs() < 1e-9);
        assert!(nanoseconds_each(Duration::ZERO, 0).abs() < 1e-9);
    }
}
