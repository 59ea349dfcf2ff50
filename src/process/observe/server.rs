//! The thread that serves: a few connections at a time, one request each, and an end to each of them.

use std::{convert::Infallible, future::ready, io, net::TcpListener, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::TcpStream,
    sync::oneshot,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{hosts::Hosts, routes, source::Source};
use crate::{
    channel::Sender,
    sync::{Arc, Mutex},
};

/// How many connections there are at a time; others wait in the system's own list, which is as short.
pub(super) const CONNECTIONS_MAX: usize = 16;
/// How large the head of a request may be, in bytes. What follows the head is not read.
pub(super) const REQUEST_MAX: usize = 16 * 1024;
/// How many lines the head may have.
const HEADERS_MAX: usize = 64;
/// How long a client has for the head.
const HEAD_TIME: Duration = Duration::from_secs(2);
/// How long a connection lasts at most: a client that reads slowly gets no more.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// How long nobody is let in when the system has no more to give.
const SHORTAGE_TIME: Duration = Duration::from_millis(50);

/// Serves until `stopped`; tells when it begins, or why it cannot.
pub(super) fn run(
    listener: TcpListener,
    source: Source,
    hosts: Hosts,
    stopped: oneshot::Receiver<()>,
    tell: &Sender<io::Result<()>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever has started this thread waits for it.
            let _ = tell.send(Err(error));
            return;
        }
    };
    runtime.block_on(async {
        match tokio::net::TcpListener::from_std(listener) {
            Ok(listener) => {
                if tell.send_async(Ok(())).await.is_ok() {
                    serve(listener, source, hosts, stopped).await;
                }
            }
            Err(error) => {
                let _ = tell.send_async(Err(error)).await;
            }
        }
    });
}

async fn serve(
    listener: tokio::net::TcpListener,
    source: Source,
    hosts: Hosts,
    mut stopped: oneshot::Receiver<()>,
) {
    let source = Arc::new(Mutex::new(source));
    // Dropped at the end, which ends what is left of them.
    let mut connections = JoinSet::new();
    loop {
        let has_room = connections.len() < CONNECTIONS_MAX;
        tokio::select! {
            biased;
            _ = &mut stopped => return,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept(), if has_room => match accepted {
                Ok((socket, _)) => {
                    connections.spawn(connection(socket, Arc::clone(&source), hosts));
                }
                Err(_) => sleep(SHORTAGE_TIME).await,
            },
        }
    }
}

async fn connection(socket: TcpStream, source: Arc<Mutex<Source>>, hosts: Hosts) {
    let service = service_fn(move |request| {
        let answer = routes::answer(&request, hosts, &mut source.lock());
        ready(Ok::<_, Infallible>(answer))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .keep_alive(false)
        .max_buf_size(REQUEST_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(socket), service);
    // However it ends, the client hears of it.
    let _ = timeout(CONNECTION_TIME, connection).await;
}
