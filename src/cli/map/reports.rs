//! What a worker's commands say of their units: progress, which is kept as state, and lines, which are passed on.

use bytes::Bytes;

use super::event::Event;
use super::roster::{Seat, UnitProgress};
use super::run::Run;
use crate::Receiver;
use crate::cli::limits;
use crate::cli::message::{self, Malformed, ReportMeta};

/// Takes reports. A line is taken when the terminal has it: until then the command's next one waits. Returns
/// when the worker sends what is no report.
///
/// A report of a unit that the worker does not have is no fault: its command may have left something behind.
pub async fn pass_on(run: &Run, seat: &Seat, reports: &Receiver<Bytes>) -> Malformed {
    while let Ok(held) = reports.recv_held_async().await {
        let (text, meta) = match message::decode::<ReportMeta>(held.clone(), "report") {
            Ok(decoded) => decoded,
            Err(malformed) => return malformed,
        };
        if text.len() > limits::REPORT_LINE_BYTES {
            return Malformed::Bytes("report of the length that it may have");
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        match meta {
            ReportMeta::Progress {
                number: unit,
                millionths,
            } => {
                let millionths = millionths.min(1_000_000);
                seat.progress.replace(Some(UnitProgress {
                    unit,
                    millionths,
                    text,
                }));
            }
            ReportMeta::Log { number: unit } => run.tell(Event::Log { unit, text }).await,
            ReportMeta::Bad { number: unit } => {
                if run.roster.count_bad_report() == 1 {
                    run.tell(Event::BadReport { unit, why: text }).await;
                }
            }
        }
        drop(held.release());
    }
    std::future::pending().await
}
