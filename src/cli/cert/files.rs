//! Files that are made whole or not at all, and never lost by mistake.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The certificate of an authority, with it and with each of its peers.
pub const AUTHORITY: &str = "authority.pem";
/// The key of an authority.
pub const AUTHORITY_KEY: &str = "authority.key";
/// The certificate of a peer.
pub const PEER: &str = "peer.pem";
/// The key of a peer.
pub const PEER_KEY: &str = "peer.key";

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Everybody: a certificate.
    All,
    /// Its owner alone: a key.
    Owner,
}

/// A file to be written.
#[derive(Debug)]
pub struct New<'a> {
    /// Its name.
    pub name: &'a str,
    /// What is in it.
    pub text: &'a str,
    /// Who may read it.
    pub readers: Readers,
}

/// Writes files into a directory, which is made if it is not there. Without `force` none is replaced.
///
/// # Errors
/// A sentence. Files that were there are as they were.
pub fn write_all(directory: &Path, files: &[New<'_>], force: bool) -> Result<(), String> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| format!("{} cannot be made: {error}", directory.display()))?;
    if let (false, Some(there)) = (force, first_there(directory, files)) {
        return Err(taken(&there));
    }
    let mut made = Vec::new();
    for file in files {
        let path = directory.join(file.name);
        if let Err(error) = write(&path, file, force) {
            if !force {
                for path in &made {
                    let _ = std::fs::remove_file(path);
                }
            }
            return Err(match error.kind() {
                io::ErrorKind::AlreadyExists => taken(&path),
                _ => format!("{} cannot be written: {error}", path.display()),
            });
        }
        made.push(path);
    }
    Ok(())
}

fn first_there(directory: &Path, files: &[New<'_>]) -> Option<PathBuf> {
    files
        .iter()
        .map(|file| directory.join(file.name))
        .find(|path| path.symlink_metadata().is_ok())
}

fn taken(path: &Path) -> String {
    format!(
        "{} is there already: choose another directory, or add --force to replace it",
        path.display()
    )
}

/// Beside its place first, so that whoever reads meanwhile sees the old file or the new one.
fn write(path: &Path, file: &New<'_>, force: bool) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    let result = fill(&beside, file).and_then(|()| {
        if force {
            std::fs::rename(&beside, path)
        } else {
            // A link is made only where nothing is.
            std::fs::hard_link(&beside, path)
        }
    });
    let _ = std::fs::remove_file(&beside);
    result
}

fn fill(path: &Path, file: &New<'_>) -> io::Result<()> {
    let mode = match file.readers {
        Readers::All => 0o644,
        Readers::Owner => 0o600,
    };
    let mut to: File = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    to.write_all(file.text.as_bytes())?;
    to.sync_all()
}

/// Reads one of them.
///
/// # Errors
/// A sentence.
pub fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path)
        .map_err(|error| format!("{} cannot be read: {error}", path.display()))
}
