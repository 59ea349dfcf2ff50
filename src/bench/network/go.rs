//! Go's program: made if there is a Go to make it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The program, made.
#[derive(Debug, Clone)]
pub struct Go {
    pub(super) program: PathBuf,
    /// As `go version` says it.
    pub version: String,
}

/// Why there is no program of Go's.
#[derive(Debug, thiserror::Error)]
pub enum NoGo {
    /// Without Go, the rest can be measured.
    #[error("Go is not installed: goroutines are left out (on Debian: apt install golang-go)")]
    NotInstalled,
    /// There is Go, so this should have worked.
    #[error("`go build {source_file}` failed: {complaint}")]
    NotBuilt {
        /// The file that it was to be made of.
        source_file: String,
        /// What Go said.
        complaint: String,
    },
}

impl Go {
    /// Makes the program from `source`, one file, in `folder`.
    ///
    /// # Errors
    ///
    /// If there is no Go, or if it complains.
    pub fn build(source: &Path, folder: &Path) -> Result<Self, NoGo> {
        let version = Command::new("go").arg("version").output();
        let version = version.map_err(|_| NoGo::NotInstalled)?;
        let version = String::from_utf8_lossy(&version.stdout).trim().to_owned();
        let program = folder.join(format!("network-go{}", std::env::consts::EXE_SUFFIX));
        let not_built = |complaint: String| NoGo::NotBuilt {
            source_file: source.display().to_string(),
            complaint,
        };
        let built = Command::new("go")
            .arg("build")
            .arg("-o")
            .args([&program, source])
            .output()
            .map_err(|error| not_built(error.to_string()))?;
        if !built.status.success() {
            return Err(not_built(
                String::from_utf8_lossy(&built.stderr).into_owned(),
            ));
        }
        Ok(Self { program, version })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, process, time::Duration};

    use super::*;
    use crate::bench::network::{Means, Order, Programs, Runner, contenders};

    #[test]
    fn goroutines_keep_the_checks_of_what_they_take_part_in() {
        let folder = std::env::temp_dir().join(format!("handover-go-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/network.go");
        let go = match Go::build(&source, &folder) {
            Ok(go) => go,
            Err(nothing @ NoGo::NotInstalled) => {
                fs::remove_dir_all(folder).unwrap();
                return eprintln!("nothing was tested: {nothing}");
            }
            Err(not_built) => panic!("{not_built}"),
        };
        let runner = Programs {
            here: PathBuf::from("/nowhere/at/all"),
            go: Some(go),
            limit: Duration::from_mins(1),
        };
        let mut runs = 0;
        for one in contenders() {
            if matches!(one.means, Means::Here(_)) {
                continue;
            }
            for workload in one.workloads {
                let order = Order {
                    workload: *workload,
                    count: 37,
                    size: 5,
                };
                let record = runner.run(&one, &order).unwrap();
                assert_eq!(record.end_ns_per.is_some(), workload.is_of_a_ring());
                assert_eq!(record.bytes_per.is_some(), workload.is_of_a_ring());
                runs += 1;
            }
        }
        assert!(runs >= 6, "{runs}");
        fs::remove_dir_all(folder).unwrap();
    }
}
