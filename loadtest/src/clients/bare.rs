//! The yardstick: a handler that answers fixed bytes, with nothing between it and the socket but axum.
//!
//! It has a runtime of its own, with as many threads as a server would have, so that it shares the machine with the
//! clients as a server in another process does.

use std::io;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::http::{Whole, fields};

/// Fields that the server library writes itself, or that belong to one connection.
const NOT_COPIED: &[&str] = &["connection", "content-length", "date", "keep-alive", "transfer-encoding"];

/// A running yardstick; it stops when this is dropped.
#[derive(Debug)]
pub struct Bare {
    address: SocketAddr,
    _stop: DropGuard,
}

impl Bare {
    /// Answers each path with the headers and the body of an answer that was read before.
    pub fn start(answers: &[(&str, &Whole)]) -> io::Result<Self> {
        let mut router = Router::new();
        for (path, whole) in answers {
            let (headers, body) = (copied(&whole.head), Bytes::from(whole.body.clone()));
            let path = path.split('?').next().unwrap_or_default();
            router = router.route(path, get(move || std::future::ready((headers.clone(), body.clone()))));
        }
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        // A runtime cannot be dropped inside another one, so it lives and ends on a thread of its own.
        std::thread::Builder::new().name("bare-handler".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    served = serve(listener, router) => {
                        if let Err(error) = served {
                            tracing::error!(%error, "the bare handler stopped");
                        }
                    }
                    () = stopped.cancelled() => {}
                }
            });
        })?;
        Ok(Self { address, _stop: stop.drop_guard() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: std::net::TcpListener, router: Router) -> io::Result<()> {
    axum::serve(TcpListener::from_std(listener)?, router).await
}

fn copied(head: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields(head) {
        let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else { continue };
        if !NOT_COPIED.contains(&name.as_str()) {
            headers.append(name, value);
        }
    }
    headers
}
