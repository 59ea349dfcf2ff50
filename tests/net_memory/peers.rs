//! Peers that do what they can to fill the memory of the other side.

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use bytes::Bytes;
use handover::{
    net,
    wire::{Frame, Goodbye, Hello, OUTPUT_BYTES_MAX},
};

use crate::{
    ALONE,
    holder::{CHANNELS, limits},
    links::{config, preamble, soon},
    programs::{Part, resident},
};

/// Both buffers of a link, TLS apart, and the program's own pages.
const BUFFERS_BYTES: u64 = 2 * OUTPUT_BYTES_MAX as u64 + (64 << 10);
const SLACK_BYTES: u64 = 1 << 20;

/// For how long a peer goes on.
fn a_while() -> Duration {
    let seconds = std::env::var("HANDOVER_MEMORY_SECONDS").ok();
    seconds.map_or(Duration::from_secs(2), |it| {
        Duration::from_secs(it.parse().unwrap())
    })
}

fn start() -> (Part, SocketAddr) {
    let mut holder = Part::start("holder::holder", &[], &[]);
    let address = holder.answer().parse().unwrap();
    (holder, address)
}

/// Waits until `holder` has a link.
fn await_link(holder: &mut Part) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while holder.ask("links") == "0" {
        assert!(Instant::now() < deadline, "no link came");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The most that the process had allocated, and had in memory, beyond what it had at first, while something went on.
struct Growth {
    process: u32,
    allocated: u64,
    resident: u64,
    most_resident: u64,
}

impl Growth {
    fn of(part: &mut Part) -> Self {
        part.ask("peak");
        Self {
            process: part.id(),
            allocated: part.ask("live").parse().unwrap(),
            resident: resident(part.id()),
            most_resident: 0,
        }
    }

    fn look(&mut self) {
        self.most_resident = self.most_resident.max(resident(self.process));
    }

    /// What was allocated keeps to the bound, and what is in memory to half as much again: the allocator keeps some of
    /// what it was given back, and the pages of the program itself come into memory as it runs.
    fn check(&mut self, part: &mut Part, what: &str, bound: u64) {
        self.look();
        let peak: u64 = part.ask("peak").parse().unwrap();
        let allocated = peak.saturating_sub(self.allocated);
        let resident = self.most_resident.saturating_sub(self.resident);
        let kib = |bytes: u64| bytes / 1024;
        eprintln!(
            "{what}: {} KiB more allocated, of {} KiB; {} KiB more in memory",
            kib(allocated),
            kib(bound),
            kib(resident)
        );
        assert!(allocated <= bound, "{what}: {allocated} bytes of {bound}");
        let pages = bound * 3 / 2 + SLACK_BYTES;
        assert!(resident <= pages, "{what}: {resident} bytes of {pages}");
    }
}

#[test]
fn senders_that_try_on_a_thousand_channels_fill_no_more_than_what_was_granted() {
    let _alone = ALONE.lock();
    let (mut holder, address) = start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let config = config().limits(limits());
        let link = soon("the link", net::dial(address, config)).await.unwrap();
        await_link(&mut holder);
        let empty = Growth::of(&mut holder);
        holder.ask(&format!("receive {CHANNELS}"));
        let message = Bytes::from(vec![7; 1 << 20]);
        for n in 0..CHANNELS {
            let sender = link.sender(&format!("to-{n}")).unwrap();
            let message = message.clone();
            tokio::spawn(async move { while sender.send_async(message.clone()).await.is_ok() {} });
        }
        let quiet = async |growth: &mut Growth| {
            let until = Instant::now() + a_while();
            while Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(20)).await;
                growth.look();
            }
        };
        // The channels themselves.
        let mut growth = empty;
        quiet(&mut growth).await;
        growth.check(
            &mut holder,
            "a thousand channels, nobody waits",
            BUFFERS_BYTES + 2048 * u64::from(CHANNELS),
        );
        let before = link.counters().bytes_written;
        assert!(
            before < 200_000,
            "nothing crossed but the channels' names: {before}"
        );
        // Each waits for a moment: now a message of each may come, and nobody takes it.
        let mut growth = Growth::of(&mut holder);
        holder.ask("wait");
        quiet(&mut growth).await;
        let crossed = link.counters().bytes_written - before;
        eprintln!("what crossed: {} KiB", crossed / 1024);
        assert!(
            crossed > limits().budget_bytes,
            "the budget is used: {crossed}"
        );
        let once = u64::from(CHANNELS) * ((1 << 20) + 1000);
        assert!(crossed < once, "a grant is one message: {crossed}");
        growth.check(
            &mut holder,
            "a thousand channels, a message granted on each",
            // One message beside the budget, whose buffer is copied when it grows.
            limits().budget_bytes + 2 * (1 << 20) + BUFFERS_BYTES,
        );
    });
}

/// A peer of bytes, which says HELLO and hears the answer.
fn puppet(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let mut bytes = preamble(1, 1);
    Frame::Hello(Hello {
        session: 1,
        incarnation: 2,
        epoch: 1,
        lease_ms: 600_000,
        message_bytes: 1 << 24,
        channels: CHANNELS,
        name: "puppet",
        token: b"",
    })
    .encode(&mut bytes);
    stream.write_all(&bytes).unwrap();
    let mut answer = [0; 10 + 16];
    stream.read_exact(&mut answer).unwrap();
    let length = u32::from_be_bytes(answer[14..18].try_into().unwrap());
    stream.read_exact(&mut vec![0; length as usize]).unwrap();
    stream
}

fn open(channel: u16) -> Frame<'static> {
    let name = format!("to-{channel}");
    Frame::Open {
        channel,
        opening: u64::from(channel) + 1,
        name: name.leak(),
        type_name: "",
        type_version: 0,
    }
}

/// Writes as much as the other side takes, for a while.
fn flood(stream: &mut TcpStream, growth: &mut Growth, mut next: impl FnMut(&mut Vec<u8>)) -> u64 {
    stream
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let until = Instant::now() + a_while();
    let mut written = 0;
    let (mut bytes, mut start) = (Vec::new(), 0);
    while Instant::now() < until {
        if start == bytes.len() {
            bytes.clear();
            start = 0;
            next(&mut bytes);
        }
        match stream.write(&bytes[start..]) {
            Ok(count) => {
                start += count;
                written += count as u64;
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => panic!("{error} after {written} bytes"),
        }
        growth.look();
    }
    written
}

#[test]
fn a_peer_that_says_much_and_reads_nothing_fills_no_more_than_the_buffers() {
    let _alone = ALONE.lock();
    let (mut holder, address) = start();
    let mut stream = puppet(address);
    await_link(&mut holder);
    holder.ask(&format!("receive {CHANNELS}"));
    let mut bytes = Vec::new();
    for channel in 0..CHANNELS {
        open(channel).encode(&mut bytes);
    }
    stream.write_all(&bytes).unwrap();
    holder.ask("wait");
    // It sends too, as much as it is allowed to.
    holder.ask("send 8");
    std::thread::sleep(Duration::from_millis(100));
    let mut growth = Growth::of(&mut holder);
    let mut round = 0;
    let written = flood(&mut stream, &mut growth, |bytes| {
        for _ in 0..500 {
            round += 1;
            Frame::Ping(round).encode(bytes);
            let channel = u16::try_from(round % 8).unwrap();
            Frame::Grant {
                channel,
                messages: round,
                bytes: round << 20,
            }
            .encode(bytes);
            Frame::Revoke { channel }.encode(bytes);
        }
    });
    eprintln!("a peer that reads nothing said {} KiB", written / 1024);
    assert!(written > 1 << 20, "it is heard all the same: {written}");
    growth.check(&mut holder, "a peer that reads nothing", BUFFERS_BYTES);
    is_shown_no_door(&mut stream);
}

#[test]
fn a_peer_that_claims_long_messages_fills_no_more_than_it_was_granted() {
    let _alone = ALONE.lock();
    let (mut holder, address) = start();
    let mut stream = puppet(address);
    await_link(&mut holder);
    holder.ask(&format!("receive {CHANNELS}"));
    let mut bytes = Vec::new();
    for channel in 0..CHANNELS {
        open(channel).encode(&mut bytes);
    }
    stream.write_all(&bytes).unwrap();
    holder.ask("wait");
    let grants = expect_grants(&mut stream, usize::from(CHANNELS));
    let mut growth = Growth::of(&mut holder);
    bytes.clear();
    for (channel, granted) in grants {
        // One message is granted on each, and with it a part of the budget: nothing, if the channels that were open
        // before have it all. Then no more than the message's length may be said.
        let chunk: &[u8] = if granted > 0 { &[7] } else { &[] };
        Frame::Data {
            channel,
            sequence: 1,
            total: 1 << 24,
            chunk,
        }
        .encode(&mut bytes);
    }
    stream.write_all(&bytes).unwrap();
    let mut number = 0;
    let _ = flood(&mut stream, &mut growth, |bytes| {
        number += 1;
        Frame::Ping(number).encode(bytes);
        std::thread::sleep(Duration::from_millis(1));
    });
    is_shown_no_door(&mut stream);
    growth.check(
        &mut holder,
        "a thousand claims of 16 MiB",
        limits().budget_bytes + BUFFERS_BYTES,
    );
}

/// Reads all that the other side has said until now: it broke no rule, so nobody said goodbye.
fn is_shown_no_door(stream: &mut TcpStream) {
    stream
        .set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let mut rest = &bytes[..];
    while let Some((frame, length)) = Frame::decode(rest).unwrap() {
        assert!(!matches!(frame, Frame::Goodbye(_)), "{frame:?}");
        rest = &rest[length..];
    }
    let kind = ended.expect_err("the connection is there").kind();
    let goes_on = matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut);
    assert!(goes_on, "{kind}");
}

/// The last word of the other side, and whether the connection ends after it.
fn last_word(stream: &mut TcpStream) -> Goodbye {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let mut rest = &bytes[..];
    while let Some((frame, length)) = Frame::decode(rest).unwrap() {
        if let Frame::Goodbye(goodbye) = frame {
            return goodbye;
        }
        rest = &rest[length..];
    }
    panic!("it ended without a word: {ended:?}");
}

#[test]
fn a_peer_that_ignores_credit_is_cut_off_with_the_reason() {
    let _alone = ALONE.lock();
    for granted in [false, true] {
        let (mut holder, address) = start();
        let mut stream = puppet(address);
        await_link(&mut holder);
        holder.ask("receive 1");
        let mut bytes = Vec::new();
        open(0).encode(&mut bytes);
        stream.write_all(&bytes).unwrap();
        if granted {
            holder.ask("wait");
            expect_grants(&mut stream, 1);
        }
        let mut growth = Growth::of(&mut holder);
        // Without a grant the first is too much, and after it the second.
        let chunk = vec![7; 1 << 16];
        bytes.clear();
        for sequence in 1..=3 {
            Frame::Data {
                channel: 0,
                sequence,
                total: 1 << 16,
                chunk: &chunk,
            }
            .encode(&mut bytes);
        }
        stream.write_all(&bytes).unwrap();
        let goodbye = last_word(&mut stream);
        assert!(
            goodbye.reason().contains("without credit"),
            "it is told why: {goodbye}"
        );
        let end = holder.ask("ended");
        assert!(end.contains("without credit"), "and so is this side: {end}");
        growth.look();
        growth.check(&mut holder, "a peer without credit", BUFFERS_BYTES);
    }
}

/// Reads until so many channels have been granted a message, each with so many bytes.
fn expect_grants(stream: &mut TcpStream, channels: usize) -> BTreeMap<u16, u64> {
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut grants = BTreeMap::new();
    let mut received = Vec::new();
    while grants.len() < channels {
        let mut some = [0; 4096];
        let count = stream.read(&mut some).unwrap();
        received.extend_from_slice(&some[..count]);
        while let Some((frame, length)) = Frame::decode(&received).unwrap() {
            if let Frame::Grant { channel, bytes, .. } = frame {
                grants.insert(channel, bytes);
            }
            received.drain(..length);
        }
    }
    grants
}
