//! Asks a program for a snapshot: one `GET` over HTTP, with a limit on everything.

use std::net::ToSocketAddrs;
use std::time::Duration;

use ureq::{Agent, Error};

use crate::cli::{limits, values};
use crate::process::Snapshot;

/// Asks one program.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    addr: String,
    url: String,
    time: Duration,
}

/// Why there is no snapshot. Each is a sentence about the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Nobody is there.
    #[error("there is no program at {addr}: {reason}")]
    Unreachable {
        /// Where.
        addr: String,
        /// What the system says.
        reason: String,
    },
    /// Somebody is there, and says nothing.
    #[error(
        "{addr} has not answered within {}",
        values::time_in_words(*.time)
    )]
    NoAnswer {
        /// Where.
        addr: String,
        /// How long it had.
        time: Duration,
    },
    /// Somebody else is there, or the observer refuses.
    #[error("{addr} answers with status {status}: is it the address given to serve_observer?")]
    Refused {
        /// Where.
        addr: String,
        /// The status of HTTP.
        status: u16,
    },
    /// It is more than may be read.
    #[error(
        "the snapshot of {addr} has more than {} bytes: the network is too large to be shown",
        limits::SNAPSHOT_BYTES
    )]
    TooLarge {
        /// Where.
        addr: String,
    },
    /// It is something else, or from a program of another version.
    #[error("what {addr} answers is no snapshot that this version can read: {reason}")]
    NotASnapshot {
        /// Where.
        addr: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Client {
    /// Will ask the one at `addr`: `HOST:PORT`, a port of this machine, or the address of its pages.
    ///
    /// # Errors
    /// A sentence, if it is no address.
    pub fn new(addr: &str) -> Result<Self, String> {
        Self::within(addr, limits::SNAPSHOT_TIME)
    }

    /// As [`new`](Self::new), with another limit of time for an answer.
    ///
    /// # Errors
    /// A sentence, if it is no address.
    pub fn within(addr: &str, time: Duration) -> Result<Self, String> {
        let plain = addr.strip_prefix("http://").unwrap_or(addr);
        let plain = plain.strip_suffix('/').unwrap_or(plain);
        let addr = match plain.parse::<u16>() {
            Ok(port) => format!("127.0.0.1:{port}"),
            Err(_) => plain.to_owned(),
        };
        let how = "write HOST:PORT, such as 127.0.0.1:7070";
        if addr.contains(['/', '@', '?', '#', '\\']) {
            return Err(format!("{addr:?} is no address ({how})"));
        }
        match addr.to_socket_addrs().map(|mut found| found.next()) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(format!("{addr:?} means no address ({how})")),
            Err(error) => return Err(format!("{addr:?} is no address: {error} ({how})")),
        }
        let config = Agent::config_builder()
            // Of the environment's proxies none could reach a program's own loopback.
            .proxy(None)
            .max_redirects(0)
            .http_status_as_error(true)
            .user_agent(concat!("handover-top/", env!("CARGO_PKG_VERSION")))
            .accept("application/json")
            .max_response_header_size(limits::ANSWER_HEAD_BYTES)
            .timeout_global(Some(time))
            .build();
        Ok(Self {
            agent: config.into(),
            url: format!("http://{addr}/snapshot.json"),
            addr,
            time,
        })
    }

    /// Whom it asks.
    pub fn addr(&self) -> &str {
        &self.addr
    }

    /// Asks for a snapshot. Blocks for at most as long as it was made for.
    ///
    /// # Errors
    /// If there is none.
    pub fn fetch(&self) -> Result<Snapshot, FetchError> {
        let mut response = self.agent.get(&self.url).call().map_err(|e| self.why(e))?;
        if response.status() != 200 {
            return Err(FetchError::Refused {
                addr: self.addr.clone(),
                status: response.status().as_u16(),
            });
        }
        let body = response.body_mut().with_config();
        let body = body.limit(limits::SNAPSHOT_BYTES).read_to_vec();
        let body = body.map_err(|error| self.why(error))?;
        serde_json::from_slice(&body).map_err(|error| self.not_a_snapshot(&error))
    }

    fn why(&self, error: Error) -> FetchError {
        let addr = self.addr.clone();
        match error {
            Error::Timeout(_) => FetchError::NoAnswer {
                addr,
                time: self.time,
            },
            Error::StatusCode(status) => FetchError::Refused { addr, status },
            Error::BodyExceedsLimit(_) => FetchError::TooLarge { addr },
            Error::Io(error) => self.unreachable(&error),
            Error::HostNotFound | Error::ConnectionFailed => self.unreachable(&error),
            other => self.not_a_snapshot(&other),
        }
    }

    fn unreachable(&self, reason: &dyn std::error::Error) -> FetchError {
        FetchError::Unreachable {
            addr: self.addr.clone(),
            reason: values::printable(&reason.to_string()),
        }
    }

    fn not_a_snapshot(&self, reason: &dyn std::error::Error) -> FetchError {
        FetchError::NotASnapshot {
            addr: self.addr.clone(),
            reason: values::printable(&reason.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port_or_a_port() {
        let addr = |text: &str| Client::new(text).map(|client| client.addr().to_owned());
        for same in ["7070", "127.0.0.1:7070", "http://127.0.0.1:7070/"] {
            assert_eq!(addr(same).as_deref(), Ok("127.0.0.1:7070"), "{same}");
        }
        assert_eq!(addr("[::1]:80").as_deref(), Ok("[::1]:80"));
        for wrong in [
            "",
            "nowhere",
            "70000",
            "127.0.0.1:7070/x?y",
            "a@127.0.0.1:1",
        ] {
            assert!(addr(wrong).is_err(), "{wrong}");
        }
    }

    /// What a client makes of an answer.
    fn fetched(answer: Vec<u8>) -> Result<Snapshot, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap() == 1 {
                head.push(byte[0]);
            }
            // The client may go in the middle of what it does not want.
            let _ = stream.write_all(&answer);
            String::from_utf8(head).unwrap()
        });
        let result = Client::new(&addr).unwrap().fetch();
        let head = server.join().unwrap();
        assert!(
            head.starts_with("GET /snapshot.json HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.to_lowercase().contains(&format!("host: {addr}\r\n")),
            "{head}"
        );
        result
    }

    fn answer(status: &str, body: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
    }

    #[test]
    fn a_snapshot_is_fetched() {
        let body = r#"{"network":"n","age_ms":5,"is_running":true,"processes":[],"channels":[],
            "deadlock":null,"bottleneck":null}"#;
        assert_eq!(fetched(answer("200 OK", body)).unwrap().network, "n");
    }

    #[test]
    fn whatever_else_is_answered_is_told_in_a_sentence() {
        let refused = fetched(answer("404 Not Found", "")).unwrap_err();
        assert!(
            matches!(refused, FetchError::Refused { status: 404, .. }),
            "{refused}"
        );
        let moved = answer("302 Found\r\nLocation: http://127.0.0.1:1/", "");
        let moved = fetched(moved).unwrap_err();
        assert!(
            !matches!(moved, FetchError::Unreachable { .. }),
            "it went there: {moved}"
        );
        let other = fetched(answer("200 OK", r#"{"\u001b[31m":1}"#)).unwrap_err();
        assert!(matches!(other, FetchError::NotASnapshot { .. }), "{other}");
        assert!(!other.to_string().contains('\u{1b}'));
        let noise = fetched(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()).unwrap_err();
        assert!(matches!(noise, FetchError::NotASnapshot { .. }), "{noise}");
    }

    #[test]
    fn an_answer_without_end_is_not_read_to_its_end() {
        let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        endless.resize(
            usize::try_from(limits::SNAPSHOT_BYTES).unwrap() + 1000,
            b' ',
        );
        let error = fetched(endless).unwrap_err();
        assert!(matches!(error, FetchError::TooLarge { .. }), "{error}");
        let mut head = b"HTTP/1.1 200 OK\r\nX: ".to_vec();
        head.resize(4 * limits::ANSWER_HEAD_BYTES, b'x');
        head.extend(b"\r\n\r\n{}");
        let error = fetched(head).unwrap_err();
        assert!(matches!(error, FetchError::NotASnapshot { .. }), "{error}");
    }

    #[test]
    fn a_port_where_nobody_listens_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        drop(listener);
        let error = Client::new(&addr).unwrap().fetch().unwrap_err();
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
    }
}
