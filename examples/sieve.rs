//! How do I build a network that grows while it runs?
//!
//! The sieve of Eratosthenes as a chain of processes (it is in Hoare's first paper on CSP, 1978): numbers flow down
//! the chain, and each filter lets pass what its prime does not divide. What comes out at the end is the next prime,
//! and gets a filter of its own:
//!
//! ```text
//!   numbers ---> not by 2 ---> not by 3 ---> ... ---> sieve
//! ```
//!
//! The process `sieve` makes each channel while the network runs (`Here::channel`) and starts each filter
//! (`Here::start`). The filter gets a share of the end that the sieve has received from so far, and the sending end of
//! the new channel; the sieve gives the old one up, and receives from the new one. So the network knows at all times who
//! holds what, and would name a deadlock here as well as anywhere.
//!
//! The end needs no word: the source ends after its last number, and what is closed to one filter closes the next.
//!
//! ```text
//! cargo run --example sieve             up to 100
//! cargo run --example sieve -- 10000    up to another number
//! ```
//!
//! It prints:
//!
//! ```text
//! 25 primes: 2 3 5 7 11 13 17 19 23 29 31 37 41 43 47 53 59 61 67 71 73 79 83 89 97
//! ```

use std::error::Error;

use handover::process::{Here, In, Network, Out, ProcessResult};

fn main() -> Result<(), Box<dyn Error>> {
    let limit = match std::env::args().nth(1) {
        Some(limit) => limit.parse()?,
        None => 100,
    };
    let mut net = Network::new("primes");
    let primes = net.process_returning("sieve", net.here(), async move |here: &Here| {
        sieve(here, limit).await
    });
    net.run()?;
    let primes: Vec<_> = primes.take()?.iter().map(u32::to_string).collect();
    println!("{} primes: {}", primes.len(), primes.join(" "));
    Ok(())
}

async fn sieve(here: &Here, limit: u32) -> ProcessResult<Vec<u32>> {
    let (numbers, source) = here.channel("numbers");
    here.start("source", numbers, async move |numbers: &Out<u32>| {
        for number in 2..=limit {
            numbers.send(number).await?;
        }
        Ok(())
    });
    let mut last = here.adopt(source);
    let mut primes = Vec::new();
    while let Some(prime) = last.next().await? {
        primes.push(prime);
        let (passed, rest) = here.channel(format!("not by {prime}"));
        here.start(
            format!("filter {prime}"),
            (last.token(), passed),
            async move |ports: &(In<u32>, Out<u32>)| filter(ports, prime).await,
        );
        last = here.adopt(rest);
    }
    Ok(primes)
}

async fn filter((numbers, passed): &(In<u32>, Out<u32>), prime: u32) -> ProcessResult {
    while let Some(number) = numbers.next().await? {
        if number % prime != 0 {
            passed.send(number).await?;
        }
    }
    Ok(())
}
