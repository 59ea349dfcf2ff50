//! The `handover` program: see [`handover::cli`].

fn main() -> std::process::ExitCode {
    handover::cli::main()
}
