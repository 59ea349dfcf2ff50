//! Prints what each channel of the field does at capacity zero, or at the least it offers, as it is seen now.
//!
//! ```text
//! cargo run --example semantics --features bench             # a table in markdown
//! cargo run --example semantics --features bench -- --json   # the same for programs
//! ```

use std::process::ExitCode;

use handover::bench::semantics::Table;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => false,
        ["--json"] => true,
        _ => {
            eprintln!("semantics: the only option is --json");
            return ExitCode::from(2);
        }
    };
    // Refusals by panic are caught and are answers of the table.
    std::panic::set_hook(Box::new(|_| {}));
    let table = Table::of_the_field();
    if !json {
        print!("{}", table.markdown());
        return ExitCode::SUCCESS;
    }
    match serde_json::to_string_pretty(&table) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("semantics: the table cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}
