//! A program that shows itself: a real network, and a little server in place of the one that the library has.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use handover::process::{BlockingIn, BlockingOut, In, Network, Observer, Out, RunError};

use crate::support::eventually;

/// What is served under `/snapshot.json`.
pub type Page = Arc<dyn Fn() -> String + Send + Sync>;

/// Serves a page until it is dropped.
pub struct Server {
    pub addr: SocketAddr,
    is_over: Arc<AtomicBool>,
    requests: Arc<Mutex<u64>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub fn start(page: Page) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), page)
    }

    /// Serves at an address that another server may have had until now.
    pub fn start_at(addr: SocketAddr, page: Page) -> Self {
        let listener = eventually("the address to be free", || TcpListener::bind(addr).ok());
        let addr = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(0));
        let (over, count) = (Arc::clone(&is_over), Arc::clone(&requests));
        let thread = thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if over.load(Ordering::Acquire) {
                    return;
                }
                // A client may go in the middle.
                if answer(stream, &page).is_ok() {
                    *count.lock().unwrap() += 1;
                }
            }
        });
        Self {
            addr,
            is_over,
            requests,
            thread: Some(thread),
        }
    }

    /// How often it was asked for a page.
    pub fn requests(&self) -> u64 {
        *self.requests.lock().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        // Wakes the thread, whose listener is closed then.
        let _ = TcpStream::connect(self.addr);
        let _ = self.thread.take().unwrap().join();
    }
}

fn answer(mut stream: TcpStream, page: &Page) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.set_write_timeout(Some(Duration::from_secs(10)))?;
    let mut head = Vec::new();
    let mut part = [0; 512];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut part)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => head.extend_from_slice(&part[..read]),
        }
    }
    let (status, body) = if head.starts_with(b"GET /snapshot.json HTTP/1.1\r\n") {
        ("200 OK", page())
    } else {
        ("404 Not Found", String::new())
    };
    let length = body.len();
    let kind = "Content-Type: application/json\r\nConnection: close";
    write!(
        stream,
        "HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// A page that is always the same.
pub fn fixed(text: impl Into<String>) -> Page {
    let text = text.into();
    Arc::new(move || text.clone())
}

/// A pipeline whose collector is slow, and that deadlocks when it is told to: then the collector asks the producer for
/// something while the producer waits for a worker to take a job.
pub struct Pipeline {
    pub observer: Observer,
    shall_deadlock: Arc<AtomicBool>,
    run: Option<JoinHandle<Result<(), RunError>>>,
}

impl Pipeline {
    pub fn start() -> Self {
        let shall_deadlock = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&shall_deadlock);
        let mut net = Network::new("pipeline");
        let (jobs_out, jobs_in) = net.channel::<u32>("jobs");
        let (results_out, results_in) = net.channel::<u32>("results");
        let (more_out, more_in) = net.channel::<u32>("more");
        net.process(
            "producer",
            (jobs_out, more_in),
            async |(jobs, _): &(Out<u32>, In<u32>)| {
                loop {
                    jobs.send(1).await?;
                }
            },
        );
        net.process(
            "worker",
            (jobs_in, results_out),
            async |(jobs, results): &(In<u32>, Out<u32>)| {
                loop {
                    let job = jobs.recv().await?;
                    results.send(job * 2).await?;
                }
            },
        );
        net.thread(
            "collector",
            (results_in, more_out),
            move |(results, more): &(BlockingIn<u32>, BlockingOut<u32>)| {
                loop {
                    results.recv()?;
                    if told.load(Ordering::Acquire) {
                        more.send(1)?;
                    }
                    // Slow, at something that the network does not see.
                    thread::sleep(Duration::from_millis(5));
                }
            },
        );
        let observer = net.observe();
        let run = thread::spawn(move || net.run());
        Self {
            observer,
            shall_deadlock,
            run: Some(run),
        }
    }

    /// The page that shows it.
    pub fn page(&self) -> Page {
        let observer = self.observer.clone();
        Arc::new(move || serde_json::to_string(&observer.snapshot()).unwrap())
    }

    /// Ends it, in a deadlock.
    pub fn deadlock(&mut self) {
        self.shall_deadlock.store(true, Ordering::Release);
        if let Some(run) = self.run.take() {
            let result = run.join().unwrap();
            assert!(matches!(result, Err(RunError::Deadlock(_))), "{result:?}");
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.deadlock();
        }
    }
}
