//! The values that options take: sizes, durations, numbers of jobs, when to halt.

use std::time::Duration;

use super::limits;

/// Reads a size in bytes: a number, and `k`, `M` or `G` for powers of 1024.
pub fn size(text: &str) -> Result<usize, String> {
    let (digits, shift) = match text.char_indices().last() {
        Some((at, 'k' | 'K')) => (&text[..at], 10),
        Some((at, 'm' | 'M')) => (&text[..at], 20),
        Some((at, 'g' | 'G')) => (&text[..at], 30),
        _ => (text, 0),
    };
    let number: usize = digits.parse().map_err(|_| {
        format!("{text:?} is no size: write a number of bytes, such as 65536, 64k or 1M")
    })?;
    let bytes = number
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{text} is too large"))?;
    if bytes == 0 {
        return Err("a size of 0 bytes holds nothing".into());
    }
    Ok(bytes)
}

/// Reads the most bytes that a unit or a result may have.
pub fn limit(text: &str) -> Result<usize, String> {
    let bytes = size(text)?;
    if bytes > limits::UNIT_BYTES_MAX {
        return Err(format!(
            "{text} is more than the largest limit, {}",
            bytes_in_words(limits::UNIT_BYTES_MAX)
        ));
    }
    Ok(bytes)
}

/// Reads a duration: a number of seconds, or a number with `ms`, `s`, `m`, `h` or `d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let seconds = match &text[unit_at..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => f64::NAN,
    };
    let number: f64 = text[..unit_at].parse().unwrap_or(f64::NAN);
    match Duration::try_from_secs_f64(number * seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(format!(
            "{text:?} is no duration: write for example 10s, 500ms, 2m or 1h"
        )),
    }
}

/// Reads the silence after which the other side is given up.
pub fn lease(text: &str) -> Result<Duration, String> {
    let lease = duration(text)?;
    if (limits::LEASE_MIN..=limits::LEASE_MAX).contains(&lease) {
        return Ok(lease);
    }
    Err(format!(
        "a lease of {text} is out of range: from {} to {}",
        time_in_words(limits::LEASE_MIN),
        time_in_words(limits::LEASE_MAX)
    ))
}

/// Reads a number of jobs: `N`, or `N%` of the cores.
pub fn jobs(text: &str) -> Result<usize, String> {
    let wrong = || {
        format!("{text:?} is no number of jobs: write for example 4, or 50% for half of the cores")
    };
    let jobs = if let Some(percent) = text.strip_suffix('%') {
        let percent: usize = percent.parse().map_err(|_| wrong())?;
        (percent.saturating_mul(cores()) / 100).max(1)
    } else {
        text.parse().map_err(|_| wrong())?
    };
    if jobs > limits::WORKERS {
        return Err(format!(
            "{jobs} jobs are more than the {} that one run can have",
            limits::WORKERS
        ));
    }
    Ok(jobs)
}

/// The cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// When failed units end the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Halt {
    /// How the run ends.
    pub when: HaltWhen,
    /// After how many failed units.
    pub failures: u64,
}

/// How failed units end the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HaltWhen {
    /// They do not.
    Never,
    /// No further unit is taken; those in hand are finished.
    Soon,
    /// What runs is killed.
    Now,
}

/// Reads `never`, `soon` or `now`, the last two with `,fail=N` if so wished.
pub fn halt(text: &str) -> Result<Halt, String> {
    let wrong = || {
        format!("{text:?} is no way to halt: write never, soon or now, or for example soon,fail=3")
    };
    let (when, failures) = match text.split_once(",fail=") {
        Some((when, number)) => (
            when,
            number.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?,
        ),
        None => (text, 1),
    };
    let when = match when {
        "never" => HaltWhen::Never,
        "soon" => HaltWhen::Soon,
        "now" => HaltWhen::Now,
        _ => return Err(wrong()),
    };
    Ok(Halt { when, failures })
}

/// A number of bytes as a person writes it: `16 MiB`, `300 bytes`.
pub fn bytes_in_words(bytes: usize) -> String {
    match bytes {
        b if b >= 1 << 30 && b.is_multiple_of(1 << 30) => format!("{} GiB", b >> 30),
        b if b >= 1 << 20 && b.is_multiple_of(1 << 20) => format!("{} MiB", b >> 20),
        b if b >= 1 << 10 && b.is_multiple_of(1 << 10) => format!("{} KiB", b >> 10),
        1 => "1 byte".into(),
        b => format!("{b} bytes"),
    }
}

/// A part of a whole, given in millionths, as a person writes it: `40%`, `0.5%`.
pub fn part_in_words(millionths: u32) -> String {
    let percent = f64::from(millionths) / 10_000.0;
    let text = format!("{percent:.1}");
    format!("{}%", text.trim_end_matches(".0"))
}

/// A time as a person writes it: `350 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`.
pub fn time_in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => {
            let text = format!("{:.1}", time.as_secs_f64());
            format!("{} s", text.trim_end_matches(".0"))
        }
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Text that may come from another machine, such that it cannot steer a terminal: control characters are
/// written out.
pub fn printable(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            clean.extend(character.escape_default());
        } else {
            clean.push(character);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_binary_suffixes() {
        assert_eq!(size("300"), Ok(300));
        assert_eq!(size("64k"), Ok(65536));
        assert_eq!(size("2M"), Ok(2 << 20));
        for wrong in ["", "0", "k", "-1", "1.5M", "99999999999999G", "5q"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn durations_have_units_and_default_to_seconds() {
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5m"), Ok(Duration::from_secs(90)));
        for wrong in [
            "",
            "0",
            "s",
            "-1s",
            "10 s",
            "1e3",
            "NaN",
            "99999999999999999999999d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn jobs_are_a_number_or_a_share_of_the_cores() {
        assert_eq!(jobs("3"), Ok(3));
        assert_eq!(jobs("100%"), Ok(cores()));
        assert_eq!(jobs("1%").map(|n| n > 0), Ok(true));
        for wrong in ["", "x", "-1", "5000", "%"] {
            assert!(jobs(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_halt_may_count_failures() {
        assert_eq!(
            halt("now"),
            Ok(Halt {
                when: HaltWhen::Now,
                failures: 1
            })
        );
        assert_eq!(
            halt("soon,fail=3"),
            Ok(Halt {
                when: HaltWhen::Soon,
                failures: 3
            })
        );
        for wrong in ["", "later", "now,fail=0", "now,fail=x"] {
            assert!(halt(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_and_sizes_read_like_words() {
        assert_eq!(time_in_words(Duration::from_millis(350)), "350 ms");
        assert_eq!(time_in_words(Duration::from_secs(10)), "10 s");
        assert_eq!(time_in_words(Duration::from_millis(2540)), "2.5 s");
        assert_eq!(time_in_words(Duration::from_secs(200)), "3 min 20 s");
        assert_eq!(bytes_in_words(16 << 20), "16 MiB");
        assert_eq!(bytes_in_words(1), "1 byte");
        assert_eq!(bytes_in_words(1000), "1000 bytes");
    }
}
