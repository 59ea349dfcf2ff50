//! Examples of this package as a person runs them.
#![allow(dead_code)]

use std::{env, process::Command};

/// `cargo run --example`, with `features` or more.
///
/// Where this build has all features it has those, and the same environment: so nothing is built twice.
pub fn example(name: &str, features: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(["run", "--quiet", "--example", name]);
    if cfg!(all(
        feature = "cli",
        feature = "bench",
        feature = "observe",
        feature = "tracing"
    )) {
        command.arg("--all-features");
    } else if !features.is_empty() {
        command.args(["--features", &features.join(",")]);
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    // Cargo gives these to tests, and build scripts run again when they change.
    let given = env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    });
    for name in given {
        command.env_remove(name);
    }
    command.arg("--").current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}
