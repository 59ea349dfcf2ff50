//! Cuts standard input into units: lines, NUL-terminated items, or blocks of lines.
//!
//! # Invariants
//! - What is held is at most one unit of `limit` bytes, and `READ_BYTES` or one block beyond it.
//! - A unit over the limit is counted and skipped, not held; the ones after it are cut as if it were not there.

use std::io::{self, Read};

use super::limits;

/// Where units end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splitting {
    /// After each newline.
    Lines,
    /// After each NUL.
    Nul,
    /// After the last newline within this many bytes.
    Blocks(usize),
}

/// One unit as it was cut.
#[derive(Debug, PartialEq, Eq)]
pub enum Cut {
    /// The unit: a line with its newline (if it had one), an item without its NUL, or a block.
    Unit(Vec<u8>),
    /// A unit of this many bytes, more than the limit.
    Oversized(u64),
}

/// Cuts a byte stream into units.
#[derive(Debug)]
pub struct Units<R> {
    input: R,
    splitting: Splitting,
    limit: usize,
    /// What was read and is not yet in a unit: `held[at..]`.
    held: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> Units<R> {
    /// Cuts `input`; no unit, less its terminator, has more than `limit` bytes.
    pub fn new(input: R, splitting: Splitting, limit: usize) -> Self {
        Self {
            input,
            splitting,
            limit,
            held: Vec::new(),
            at: 0,
            ended: false,
        }
    }

    /// The next unit, `None` at the end. Reads, and so blocks, only when the next unit is not yet held.
    ///
    /// # Errors
    /// What reading gave, other than an interruption.
    pub fn next(&mut self) -> io::Result<Option<Cut>> {
        match self.splitting {
            Splitting::Lines => self.terminated(b'\n', true),
            Splitting::Nul => self.terminated(0, false),
            Splitting::Blocks(size) => self.block(size.min(self.limit)),
        }
    }

    fn terminated(&mut self, terminator: u8, keep: bool) -> io::Result<Option<Cut>> {
        let mut unit = Vec::new();
        loop {
            let rest = &self.held[self.at..];
            let end = rest.iter().position(|byte| *byte == terminator);
            let part = &rest[..end.unwrap_or(rest.len())];
            if unit.len() + part.len() > self.limit {
                let seen = unit.len() as u64;
                drop(unit);
                return self.skip(terminator, seen).map(Some);
            }
            unit.extend_from_slice(part);
            self.at += part.len();
            if end.is_some() {
                self.at += 1;
                if keep {
                    unit.push(terminator);
                }
                return Ok(Some(Cut::Unit(unit)));
            }
            if !self.fill()? {
                return Ok((!unit.is_empty()).then_some(Cut::Unit(unit)));
            }
        }
    }

    fn block(&mut self, size: usize) -> io::Result<Option<Cut>> {
        let mut wanted = size;
        loop {
            while self.held.len() - self.at < wanted && self.fill()? {}
            let rest = &self.held[self.at..];
            if rest.is_empty() {
                return Ok(None);
            }
            let within = &rest[..rest.len().min(wanted)];
            let newline = |byte: &u8| *byte == b'\n';
            let last_unit =
                (self.ended && rest.len() <= wanted.min(self.limit)).then_some(rest.len());
            let end = if wanted > size {
                // A line longer than a block is a block of its own.
                within
                    .iter()
                    .position(newline)
                    .map(|at| at + 1)
                    .or(last_unit)
            } else {
                last_unit.or_else(|| within.iter().rposition(newline).map(|at| at + 1))
            };
            if let Some(end) = end {
                let unit = rest[..end].to_vec();
                self.at += end;
                return Ok(Some(Cut::Unit(unit)));
            }
            if wanted > self.limit {
                return self.skip(b'\n', 0).map(Some);
            }
            wanted = wanted.saturating_mul(2).min(self.limit + 1);
        }
    }

    /// Passes over the rest of a unit of which `seen` bytes are gone already.
    fn skip(&mut self, terminator: u8, mut seen: u64) -> io::Result<Cut> {
        loop {
            let rest = &self.held[self.at..];
            if let Some(end) = rest.iter().position(|byte| *byte == terminator) {
                self.at += end + 1;
                return Ok(Cut::Oversized(seen + end as u64));
            }
            seen += rest.len() as u64;
            self.at = self.held.len();
            if !self.fill()? {
                return Ok(Cut::Oversized(seen));
            }
        }
    }

    /// Reads once more; false at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.held.drain(..self.at);
        self.at = 0;
        if self.held.capacity() > 2 * (self.limit + limits::READ_BYTES) {
            self.held.shrink_to(limits::READ_BYTES);
        }
        let old = self.held.len();
        self.held.resize(old + limits::READ_BYTES, 0);
        let read = loop {
            match self.input.read(&mut self.held[old..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.held.truncate(old + read.as_ref().map_or(0, |n| *n));
        self.ended = matches!(read, Ok(0));
        read.map(|n| n > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in small reads, as a pipe does.
    struct Dribble<'a>(&'a [u8], usize);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(self.1).min(into.len());
            into[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
    }

    fn cut(input: &[u8], splitting: Splitting, limit: usize, step: usize) -> Vec<Cut> {
        let mut units = Units::new(Dribble(input, step), splitting, limit);
        let mut cuts = Vec::new();
        while let Some(cut) = units.next().unwrap() {
            cuts.push(cut);
        }
        cuts
    }

    fn unit(bytes: &[u8]) -> Cut {
        Cut::Unit(bytes.to_vec())
    }

    #[test]
    fn a_line_keeps_its_newline_and_the_last_may_lack_it() {
        let cuts = cut(b"a\n\nbc", Splitting::Lines, 10, 100);
        assert_eq!(cuts, [unit(b"a\n"), unit(b"\n"), unit(b"bc")]);
        assert_eq!(cut(b"", Splitting::Lines, 10, 100), []);
    }

    #[test]
    fn an_item_loses_its_nul() {
        assert_eq!(
            cut(b"a\nb\0\0c", Splitting::Nul, 10, 1),
            [unit(b"a\nb"), unit(b""), unit(b"c")]
        );
    }

    #[test]
    fn a_block_is_cut_at_the_last_line_end_within_its_size() {
        let cuts = cut(b"ab\ncd\nef\ngh", Splitting::Blocks(7), 100, 3);
        assert_eq!(cuts, [unit(b"ab\ncd\n"), unit(b"ef\ngh")]);
        let long = cut(b"abcdefghij\nk\n", Splitting::Blocks(4), 100, 5);
        assert_eq!(long, [unit(b"abcdefghij\n"), unit(b"k\n")]);
    }

    #[test]
    fn an_oversized_unit_is_counted_and_the_next_one_is_whole() {
        for step in [1, 3, 100] {
            for splitting in [Splitting::Lines, Splitting::Blocks(4)] {
                let cuts = cut(b"abcdef\nx\n0123456789", splitting, 5, step);
                assert_eq!(
                    cuts,
                    [Cut::Oversized(6), unit(b"x\n"), Cut::Oversized(10)],
                    "{splitting:?} {step}"
                );
            }
        }
        for splitting in [Splitting::Lines, Splitting::Blocks(4)] {
            assert_eq!(cut(b"abcde\n", splitting, 5, 2), [unit(b"abcde\n")]);
            assert_eq!(cut(b"abcdef", splitting, 5, 2), [Cut::Oversized(6)]);
        }
    }

    #[test]
    fn a_huge_unit_is_not_held() {
        let mut units = Units::new(io::repeat(b'x').take(50 << 20), Splitting::Lines, 1 << 20);
        assert_eq!(units.next().unwrap(), Some(Cut::Oversized(50 << 20)));
        assert!(units.held.capacity() <= 4 << 20);
        assert_eq!(units.next().unwrap(), None);
    }

    proptest! {
        #[test]
        fn the_units_of_any_input_are_that_input(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(0), any::<u8>()], 0..300),
            step in 1usize..50,
            block in 1usize..60,
        ) {
            for splitting in [Splitting::Lines, Splitting::Blocks(block)] {
                let joined: Vec<u8> = cut(&input, splitting, 1000, step).into_iter().flat_map(|cut| match cut {
                    Cut::Unit(bytes) => bytes,
                    Cut::Oversized(_) => unreachable!(),
                }).collect();
                prop_assert_eq!(&joined, &input);
            }
        }

        #[test]
        fn every_unit_obeys_the_limit_and_each_line_is_a_unit(
            input in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'x')], 0..300),
            step in 1usize..50,
            limit in 1usize..20,
        ) {
            let mut lines: Vec<&[u8]> = input.split(|b| *b == b'\n').collect();
            if lines.last().is_some_and(|line| line.is_empty()) {
                lines.pop();
            }
            let cuts = cut(&input, Splitting::Lines, limit, step);
            prop_assert_eq!(cuts.len(), lines.len());
            for (cut, line) in cuts.iter().zip(lines) {
                match cut {
                    Cut::Unit(bytes) => {
                        prop_assert!(line.len() <= limit);
                        prop_assert_eq!(bytes.strip_suffix(b"\n").unwrap_or(bytes), line);
                    }
                    Cut::Oversized(bytes) => {
                        prop_assert!(line.len() > limit);
                        prop_assert_eq!(*bytes, line.len() as u64);
                    }
                }
            }
        }
    }
}
