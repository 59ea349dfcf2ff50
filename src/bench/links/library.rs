//! The programs of C libraries: made if the library is there to make them.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// A program that plays both sides of a contender, made.
#[derive(Debug, Clone)]
pub struct Library {
    /// The contender's name.
    pub name: &'static str,
    pub(super) program: PathBuf,
    /// As the library says it.
    pub version: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum NoLibrary {
    /// Without it, the rest can be measured.
    #[error(
        "{name} is left out: {missing} is not installed (on Debian: apt-get install gcc {package})"
    )]
    NotInstalled {
        /// The contender's name.
        name: &'static str,
        /// What was not found.
        missing: &'static str,
        /// Where Debian has it.
        package: &'static str,
    },
    /// It is there, so this should have worked.
    #[error("the program of {name} could not be made: {complaint}")]
    NotBuilt {
        /// The contender's name.
        name: &'static str,
        /// What was said.
        complaint: String,
    },
}

/// The header by which a library is known to be there, its name for the linker, and where Debian has it.
fn needs(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    match name {
        "zeromq" => Some(("zmq.h", "-lzmq", "libzmq3-dev")),
        "nng" => Some(("nng/nng.h", "-lnng", "libnng-dev")),
        _ => None,
    }
}

impl Library {
    /// Makes the program of the contender `name` from its file in `sources`, in `folder`.
    ///
    /// # Errors
    ///
    /// If there is no compiler or no such library, or if the compiler complains.
    pub fn build(name: &'static str, sources: &Path, folder: &Path) -> Result<Self, NoLibrary> {
        let not_built = |complaint: String| NoLibrary::NotBuilt { name, complaint };
        let Some((header, library, package)) = needs(name) else {
            return Err(not_built("nothing is known of it".into()));
        };
        let not_installed = |missing| NoLibrary::NotInstalled {
            name,
            missing,
            package,
        };
        let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let built = Command::new("cc")
            .args(["-O2", "-std=gnu11", "-Wall", "-o"])
            .arg(&program)
            .arg(sources.join(format!("{name}.c")))
            .arg(library)
            .output()
            .map_err(|_| not_installed("cc"))?;
        if !built.status.success() {
            let complaint = String::from_utf8_lossy(&built.stderr);
            let missing = complaint.contains(&format!("{header}: No such file"))
                || complaint.contains(&format!("cannot find {library}"));
            return Err(if missing {
                not_installed(header)
            } else {
                not_built(complaint.into_owned())
            });
        }
        let version = Command::new(&program)
            .arg("version")
            .output()
            .map_err(|error| not_built(error.to_string()))?;
        Ok(Self {
            name,
            program,
            version: String::from_utf8_lossy(&version.stdout).trim().to_owned(),
        })
    }
}
