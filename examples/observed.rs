//! A network that can be looked at while it runs: pictures are read, resized and written, and resizing is slow.
//!
//! ```text
//! cargo run --features observe --example observed [-- SECONDS [deadlock]]
//! ```
//!
//! It prints `look at http://127.0.0.1:.../`, and runs for so many seconds, or until Ctrl-C. Open that address in a
//! browser: the page shows who waits for whom at which line, and names `resize` as the bottleneck.
//!
//! With `deadlock` the writer finds the 25th picture too large and sends it back to be resized again, while `resize`
//! has the next one for the writer: both send, and neither can receive. After about a second the example prints that
//! sentence, and the page shows the cycle in red. It still does so after the run, until the seconds are over.

use std::{
    env,
    error::Error,
    io::{self, Write},
    thread,
    time::{Duration, Instant},
};

use handover::{
    process::{BlockingIn, BlockingOut, In, Network, OrEnd, Out, ProcessResult, RunError},
    select,
};

type Picture = u64;

/// How long it takes to resize a picture.
const RESIZING: Duration = Duration::from_millis(40);
/// The picture that is sent back, with `deadlock`.
const TOO_LARGE: Picture = 25;

fn network(ends_at: Option<Instant>, deadlocks: bool) -> Network {
    let mut net = Network::new("pictures");
    let (files_out, files_in) = net.channel::<Picture>("files");
    let (resized_out, resized_in) = net.channel::<Picture>("resized");
    let (again_out, again_in) = net.channel::<Picture>("again");
    net.process("read", files_out, async move |files: &Out<Picture>| {
        let mut number = 1;
        while ends_at.is_none_or(|end| Instant::now() < end) {
            files.send(number).await?;
            number += 1;
        }
        Ok(())
    });
    net.thread("resize", (files_in, again_in, resized_out), resize);
    net.process(
        "write",
        (resized_in, again_out),
        async move |(resized, again): &(In<Picture>, Out<Picture>)| {
            while let Some(picture) = resized.next().await? {
                if deadlocks && picture == TOO_LARGE {
                    again.send(picture).await?;
                }
            }
            Ok(())
        },
    );
    net
}

type Resize = (
    BlockingIn<Picture>,
    BlockingIn<Picture>,
    BlockingOut<Picture>,
);

fn resize((files, again, resized): &Resize) -> ProcessResult {
    loop {
        // When one of the two is gone this is the end.
        let picture = select! {
            recv(files) -> picture => picture.or_end()?,
            recv(again) -> picture => picture.or_end()?,
        };
        thread::sleep(RESIZING);
        resized.send(picture)?;
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let seconds: Option<f64> = arguments.next().map(|text| text.parse()).transpose()?;
    let deadlocks = arguments.next().is_some_and(|word| word == "deadlock");
    let ends_at = seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));

    let net = network(ends_at, deadlocks);
    // This line is all that a program needs. Port 0 takes a free one; one of your own is easier to remember.
    let observer = net.serve_observer("127.0.0.1:0")?;
    println!("look at {observer}");
    io::stdout().flush()?;
    match net.run() {
        Ok(()) => {}
        Err(RunError::Deadlock(deadlock)) => println!("{deadlock}"),
        Err(error) => return Err(error.into()),
    }
    while ends_at.is_none_or(|end| Instant::now() < end) {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
