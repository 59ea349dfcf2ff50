//! A client that sends what it is told, one request a connection, and networks to look at.

#[allow(dead_code, reason = "not each of the tests that share it")]
pub mod browser;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use handover::process::{BlockingIn, In, Network, ObserverServer, Out, RunError};

/// How long a test waits for a fact.
pub const DEADLINE: Duration = Duration::from_secs(30);

pub struct Answer {
    pub status: u16,
    /// The head, in small letters.
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(':')?;
            Some(value.trim())
        })
    }
}

/// Sends bytes, and reads the answer, or until the server closes the connection; what is no answer is none.
pub fn send(address: SocketAddr, bytes: &[u8]) -> Option<Answer> {
    let mut socket = TcpStream::connect(address).ok()?;
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    socket.set_write_timeout(Some(DEADLINE)).unwrap();
    // A server that has heard enough may close before it has read all.
    let _ = socket.write_all(bytes);
    let mut socket = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if socket.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let mut answer = Answer {
        status: head.split(' ').nth(1)?.parse().ok()?,
        head: head.to_lowercase(),
        body: String::new(),
    };
    let length = answer.header("content-length");
    let length = length.map_or(u64::MAX, |length| length.parse().unwrap());
    let is_empty = bytes.starts_with(b"HEAD ");
    let mut body = socket.take(if is_empty { 0 } else { length });
    body.read_to_string(&mut answer.body).ok()?;
    Some(answer)
}

pub fn request(method: &str, path: &str, host: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

pub fn get(address: SocketAddr, path: &str) -> Answer {
    let request = request("GET", path, &address.to_string(), "");
    send(address, request.as_bytes()).unwrap_or_else(|| panic!("no answer for {path}"))
}

/// Looks until `find` finds something.
pub fn wait_for<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {DEADLINE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// `source` sends jobs to `worker`, which takes one for each [`step`](Self::step) and lives until this is dropped.
pub struct Running {
    steps: Option<mpsc::Sender<()>>,
    run: Option<thread::JoinHandle<Result<(), RunError>>>,
    pub observer: Option<ObserverServer>,
    pub address: SocketAddr,
}

impl Running {
    pub fn new(serve: impl FnOnce(&Network) -> ObserverServer) -> Self {
        let mut net = Network::new("running");
        let (jobs_out, jobs_in) = net.channel::<u32>("jobs");
        net.process("source", jobs_out, async |jobs: &Out<u32>| {
            // Until the worker has gone.
            while jobs.send(1).await.is_ok() {}
            Ok(())
        });
        let (steps, to_do) = mpsc::channel();
        net.thread("worker", jobs_in, move |jobs: &BlockingIn<u32>| {
            while to_do.recv().is_ok() {
                jobs.recv()?;
            }
            Ok(())
        });
        let observer = serve(&net);
        let address = observer.address();
        Self {
            steps: Some(steps),
            run: Some(thread::spawn(move || net.run())),
            observer: Some(observer),
            address,
        }
    }

    pub fn step(&self) {
        self.steps.as_ref().unwrap().send(()).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.steps.take());
        let result = self.run.take().unwrap().join();
        if !thread::panicking() {
            result.unwrap().unwrap();
        }
    }
}

/// A network whose processes `names[0]` and `names[1]` will both send first, and a third that waits because of them;
/// `wait` is awaited before.
pub fn chain(names: [&str; 3], wait: mpsc::Receiver<()>) -> Network {
    let mut net = Network::new("chain");
    let (up_out, up_in) = net.channel::<u32>("up");
    let (down_out, down_in) = net.channel::<u32>("down");
    let (side_out, side_in) = net.channel::<u32>("side");
    net.process(
        names[0],
        (up_out, down_in, side_out),
        async |(up, down, side): &(Out<u32>, In<u32>, Out<u32>)| {
            up.send(1).await?;
            down.recv().await?;
            side.send(3).await?;
            Ok(())
        },
    );
    net.thread(
        names[1],
        (down_out, up_in),
        move |(down, up): &(handover::process::BlockingOut<u32>, BlockingIn<u32>)| {
            let _ = wait.recv();
            down.send(2)?;
            up.recv()?;
            Ok(())
        },
    );
    net.process(names[2], side_in, async |side: &In<u32>| {
        side.recv().await?;
        Ok(())
    });
    net
}
