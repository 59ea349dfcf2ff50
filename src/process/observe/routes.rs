//! What is where, and how it is sent.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    http::{HeaderValue, header},
};

use super::{
    super::{page, report::Deadlock, snapshot::Snapshot},
    hosts::Hosts,
    source::Source,
};

const TEXT: &str = "text/plain; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

/// What the network is shown as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Text,
    Dot,
    DeadlockJson,
    DeadlockText,
    Metrics,
}

/// How many there are.
pub(super) const FORMATS: usize = 6;

impl Format {
    fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/snapshot.json" => Self::Json,
            "/snapshot.txt" => Self::Text,
            "/graph.dot" => Self::Dot,
            "/deadlock.json" => Self::DeadlockJson,
            "/deadlock.txt" => Self::DeadlockText,
            "/metrics" => Self::Metrics,
            _ => return None,
        })
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Json | Self::DeadlockJson => "application/json",
            Self::Text | Self::DeadlockText => TEXT,
            Self::Dot => "text/vnd.graphviz; charset=utf-8",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    pub(super) fn make(self, snapshot: &Snapshot) -> String {
        let deadlock = snapshot.deadlock.as_ref();
        match self {
            Self::Json => snapshot.to_json(),
            Self::Text => snapshot.to_string(),
            Self::Dot => snapshot.to_dot(),
            Self::DeadlockJson => deadlock.map_or_else(|| "null".to_owned(), Deadlock::to_json),
            // Told apart from all others, as on the page that shows it.
            Self::DeadlockText => snapshot
                .distinct()
                .deadlock
                .as_ref()
                .map(|it| format!("{it}\n"))
                .unwrap_or_default(),
            Self::Metrics => snapshot.to_prometheus(),
        }
    }
}

pub(super) type Answer = Response<Full<Bytes>>;

/// Answers a request, of which nothing but the head is read.
pub(super) fn answer<B>(request: &Request<B>, hosts: Hosts, source: &mut Source) -> Answer {
    if !hosts.allow(request.uri(), request.headers()) {
        let why = "Ask under the address that the program has printed: other names are refused, so that no page of \
                   somebody else's can read this one through your browser.\n";
        return of(
            StatusCode::MISDIRECTED_REQUEST,
            TEXT,
            Bytes::from_static(why.as_bytes()),
        );
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let why = Bytes::from_static(b"There is nothing here that could be changed.\n");
        let mut answer = of(StatusCode::METHOD_NOT_ALLOWED, TEXT, why);
        let allowed = HeaderValue::from_static("GET, HEAD");
        answer.headers_mut().insert(header::ALLOW, allowed);
        return answer;
    }
    let path = request.uri().path();
    if path == "/" {
        page()
    } else if let Some(format) = Format::at(path) {
        of(StatusCode::OK, format.content_type(), source.get(format))
    } else {
        let what = "There are /, /snapshot.json, /snapshot.txt, /graph.dot, /deadlock.json, /deadlock.txt and \
                    /metrics.\n";
        of(
            StatusCode::NOT_FOUND,
            TEXT,
            Bytes::from_static(what.as_bytes()),
        )
    }
}

fn of(status: StatusCode, content_type: &'static str, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; frame-ancestors 'none'",
        ),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        "cross-origin-resource-policy",
        HeaderValue::from_static("same-origin"),
    );
    answer
}

/// The page may load nothing from outside, and runs no script but its own: names of processes cannot become code.
fn page() -> Answer {
    let nonce = page::nonce();
    let mut answer = of(StatusCode::OK, HTML, Bytes::from(page::live(&nonce)));
    let policy = format!(
        "{}; connect-src 'self'; frame-ancestors 'none'",
        page::policy(&nonce)
    );
    if let Ok(policy) = HeaderValue::try_from(policy) {
        answer
            .headers_mut()
            .insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    answer
}
