//! `--results DIR`: each unit's output in files, of any size, whole or not there.
//!
//! While a unit runs its files are in `DIR/.NUMBER.part`, which becomes `DIR/NUMBER` when it is finished.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cli::message::{PieceKind, ResultMeta};
use crate::cli::values;

/// The directory.
#[derive(Debug)]
pub struct Results(PathBuf);

impl Results {
    /// Makes the directory, which must be new or empty.
    ///
    /// # Errors
    /// If it is not, or cannot be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        if fs::read_dir(path)?.next().is_some() {
            return Err(io::Error::other("it is not empty"));
        }
        Ok(Self(path.into()))
    }

    fn part(&self, number: u64) -> PathBuf {
        self.0.join(format!(".{number}.part"))
    }

    /// Takes a piece of a unit's output.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn piece(&self, number: u64, kind: PieceKind, piece: &[u8]) -> io::Result<()> {
        let part = self.part(number);
        let name = match kind {
            PieceKind::Start => {
                match fs::remove_dir_all(&part) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
                fs::create_dir(&part)?;
                File::create(part.join("stdout"))?;
                File::create(part.join("stderr"))?;
                return Ok(());
            }
            PieceKind::Finished => return Ok(()),
            PieceKind::Stdout => "stdout",
            PieceKind::Stderr => "stderr",
        };
        OpenOptions::new()
            .append(true)
            .open(part.join(name))?
            .write_all(piece)
    }

    /// Takes the end of a unit: the rest of its standard output, and its status.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(&self, meta: &ResultMeta, rest: &[u8]) -> io::Result<()> {
        let part = self.part(meta.number);
        if !part.exists() {
            self.piece(meta.number, PieceKind::Start, &[])?;
        }
        if !rest.is_empty() {
            self.piece(meta.number, PieceKind::Stdout, rest)?;
        }
        let time = values::time_in_words(Duration::from_micros(meta.run_us));
        let status = format!(
            "{}\nattempts: {}\ntime: {time}\n",
            meta.outcome, meta.attempts
        );
        fs::write(part.join("status"), status)?;
        fs::rename(part, self.0.join(meta.number.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::message::Outcome;

    #[test]
    fn a_unit_has_its_files_only_when_it_is_finished_and_a_new_run_begins_anew() {
        let root = std::env::temp_dir().join(format!("handover-results-{}", std::process::id()));
        let results = Results::create(&root).unwrap();
        results.piece(7, PieceKind::Start, b"").unwrap();
        results.piece(7, PieceKind::Stdout, b"lost").unwrap();
        results.piece(7, PieceKind::Start, b"").unwrap();
        results.piece(7, PieceKind::Stdout, b"one ").unwrap();
        results.piece(7, PieceKind::Stdout, b"two ").unwrap();
        assert!(!root.join("7").exists());
        let meta = ResultMeta {
            number: 7,
            outcome: Outcome::Exited(3),
            started_us: 0,
            run_us: 2_000_000,
            work_us: 0,
            attempts: 2,
            output_bytes: 0,
        };
        results.finish(&meta, b"three").unwrap();
        assert_eq!(fs::read(root.join("7/stdout")).unwrap(), b"one two three");
        assert_eq!(fs::read(root.join("7/stderr")).unwrap(), b"");
        assert_eq!(
            fs::read(root.join("7/status")).unwrap(),
            b"exit status 3\nattempts: 2\ntime: 2 s\n"
        );
        assert!(
            Results::create(&root).is_err(),
            "a directory with results is not written to again"
        );
        fs::remove_dir_all(root).unwrap();
    }
}
