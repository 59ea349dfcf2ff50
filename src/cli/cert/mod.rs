//! `handover cert`: makes the certificates by which peers know each other, and shows what is in one.
//!
//! An authority and its peers, and no more: no revocation, no requests, no chains. Whoever has more has an
//! authority already, and its certificates do as well.

mod files;
mod make;
mod options;
mod show;

use std::process::ExitCode;

pub use self::options::CertOptions;
use self::options::What;

/// Runs `handover cert`.
pub fn main(options: &CertOptions) -> ExitCode {
    let result = match &options.what {
        What::Authority(options) => make::authority(options),
        What::Peer(options) => make::peer(options),
        What::Show(options) => show::show(options),
    };
    match result {
        Ok(text) => {
            use std::io::Write;
            // The reader may have gone, and the files are made.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(sentence) => {
            eprintln!("handover: {sentence}");
            ExitCode::from(2)
        }
    }
}

/// A moment as it is written for people.
fn moment(seconds: i64) -> String {
    match time::OffsetDateTime::from_unix_timestamp(seconds) {
        Ok(at) => format!(
            "{} {:02}:{:02}:{:02} UTC",
            day(at),
            at.hour(),
            at.minute(),
            at.second()
        ),
        Err(_) => format!("{seconds} seconds after 1970"),
    }
}

fn day(at: time::OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        at.year(),
        u8::from(at.month()),
        at.day()
    )
}
