//! A line between two network namespaces, made of this process: a TUN device at each end, and between them a thread
//! that delays, loses, doubles, reorders and swallows packets. So it needs no module of the kernel's for that.

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use rustix::ioctl::{Setter, ioctl};

/// What the line does to packets, each way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Weather {
    pub delay: Duration,
    /// Up to so much more, each packet for itself: so they overtake each other.
    pub jitter: Duration,
    /// So many of a thousand are lost.
    pub lost: u64,
    /// So many of a thousand come twice.
    pub twice: u64,
    /// Bytes in a second, if there is a limit. What would have to wait for longer than half a second is lost.
    pub rate: Option<u64>,
}

/// More packets than this do not wait.
const PACKETS_MAX: usize = 4096;

#[derive(Debug)]
struct State {
    weather: Weather,
    /// Nothing passes, and nobody is told.
    dark: bool,
    /// It gets dark when so many more packets have passed.
    passes: Option<u64>,
    random: u64,
    lanes: [Lane; 2],
    passed: u64,
}

#[derive(Debug, Default)]
struct Lane {
    packets: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>>,
    count: u64,
    free_at: Option<Instant>,
}

impl State {
    /// `SplitMix64`, as a number of a thousand.
    fn chance(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % 1000
    }

    /// A packet has come to the line.
    fn take(&mut self, lane: usize, packet: &[u8]) {
        if self.passes == Some(0) {
            self.passes = None;
            self.dark = true;
        }
        let Weather {
            delay,
            jitter,
            lost,
            twice,
            rate,
        } = self.weather;
        if self.dark || self.chance() < lost || self.lanes[lane].packets.len() >= PACKETS_MAX {
            return;
        }
        if let Some(passes) = &mut self.passes {
            *passes -= 1;
        }
        self.passed += 1;
        let mut due = Instant::now();
        if let Some(rate) = rate {
            let free_at = self.lanes[lane]
                .free_at
                .map_or(due, |free_at| free_at.max(due));
            if free_at - due > Duration::from_millis(500) {
                return;
            }
            due = free_at + Duration::from_secs_f64(packet.len() as f64 / rate as f64);
            self.lanes[lane].free_at = Some(due);
        }
        let copies = 1 + u64::from(self.chance() < twice);
        for _ in 0..copies {
            let part = u32::try_from(self.chance()).unwrap();
            let due = due + delay + jitter * part / 1000;
            let lane = &mut self.lanes[lane];
            lane.count += 1;
            lane.packets
                .push(Reverse((due, lane.count, packet.to_vec())));
        }
    }
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    over: AtomicBool,
}

/// The line. Its devices go with it.
pub struct Line {
    shared: Arc<Shared>,
    senders: Vec<JoinHandle<()>>,
    files: [Arc<File>; 2],
}

impl Line {
    /// Makes both ends, in this namespace.
    pub fn new(names: [&str; 2], seed: u64) -> io::Result<Self> {
        let files = [Arc::new(tun(names[0])?), Arc::new(tun(names[1])?)];
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                weather: Weather::default(),
                dark: false,
                passes: None,
                random: seed,
                lanes: Default::default(),
                passed: 0,
            }),
            changed: Condvar::new(),
            over: AtomicBool::new(false),
        });
        let mut senders = Vec::new();
        for lane in 0..2 {
            let (file, line) = (Arc::clone(&files[lane]), Arc::clone(&shared));
            // It ends when its device is gone, which nobody waits for.
            std::thread::spawn(move || receive(&file, lane, &line));
            let (file, line) = (Arc::clone(&files[1 - lane]), Arc::clone(&shared));
            senders.push(std::thread::spawn(move || send(&file, lane, &line)));
        }
        Ok(Self {
            shared,
            senders,
            files,
        })
    }

    pub fn set(&self, weather: Weather) {
        self.shared.state.lock().unwrap().weather = weather;
    }

    /// Nothing passes any more, and nobody is told.
    pub fn darken(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.dark = true;
        state.passes = None;
        state.lanes = Default::default();
    }

    /// Lets everything pass.
    pub fn clear_up(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.dark = false;
        state.passes = None;
    }

    /// Lets so many packets pass, both ways together, then none.
    pub fn let_pass(&self, packets: u64) {
        let mut state = self.shared.state.lock().unwrap();
        state.dark = false;
        state.passes = Some(packets);
    }

    pub fn is_dark(&self) -> bool {
        self.shared.state.lock().unwrap().dark
    }

    /// How many packets have passed.
    pub fn passed(&self) -> u64 {
        self.shared.state.lock().unwrap().passed
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.changed.notify_all();
        for sender in self.senders.drain(..) {
            let _ = sender.join();
        }
        let _ = &self.files;
    }
}

fn receive(mut file: &File, lane: usize, shared: &Shared) {
    let mut packet = vec![0; 65_536];
    while !shared.over.load(Ordering::SeqCst) {
        match file.read(&mut packet) {
            Ok(count) => {
                shared.state.lock().unwrap().take(lane, &packet[..count]);
                shared.changed.notify_all();
            }
            // The device is gone with its namespace.
            Err(error) if error.raw_os_error() == Some(77) => return,
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn send(mut file: &File, lane: usize, shared: &Shared) {
    let mut state = shared.state.lock().unwrap();
    while !shared.over.load(Ordering::SeqCst) {
        let now = Instant::now();
        let packets = &mut state.lanes[lane].packets;
        match packets.peek() {
            Some(Reverse((due, ..))) if *due <= now => {
                if let Some(Reverse((_, _, packet))) = packets.pop() {
                    drop(state);
                    // One that is down takes none.
                    let _ = file.write(&packet);
                    state = shared.state.lock().unwrap();
                }
            }
            other => {
                let wait =
                    other.map_or(Duration::from_millis(100), |Reverse((due, ..))| *due - now);
                (state, _) = shared.changed.wait_timeout(state, wait).unwrap();
            }
        }
    }
}

/// `struct ifreq`, as far as it is needed here.
#[repr(C)]
struct Request {
    name: [u8; 16],
    flags: u16,
    rest: [u8; 22],
}

/// Makes a TUN device: IP packets, without a header of their own.
fn tun(name: &str) -> io::Result<File> {
    const TUNSETIFF: rustix::ioctl::Opcode = 0x4004_54ca;
    const IFF_TUN: u16 = 1;
    const IFF_NO_PI: u16 = 0x1000;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let mut request = Request {
        name: [0; 16],
        flags: IFF_TUN | IFF_NO_PI,
        rest: [0; 22],
    };
    request.name[..name.len()].copy_from_slice(name.as_bytes());
    // SAFETY: `TUNSETIFF` reads and writes a `struct ifreq`, which `Request` has the layout and the size of.
    let order = unsafe { Setter::<TUNSETIFF, Request>::new(request) };
    // SAFETY: the file is the device that the order is for.
    unsafe { ioctl(&file, order)? };
    Ok(file)
}
