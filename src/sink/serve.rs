//! The doors: binds the addresses, takes connections, ends when told.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::sink::conversation::converse;
use crate::sink::counts::Counts;
use crate::sink::desk::Desk;
use crate::sink::faults::dice::Facts;
use crate::sink::faults::rule::{Effect, Moment};
use crate::sink::http::session::Http;
use crate::sink::options::{Bound, Options, SinkError};
use crate::sink::smtp::session::Smtp;
use crate::sink::tls;
use crate::sink::wire::Wire;

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// What is spoken behind a door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Smtp,
    Smtps,
    Http,
}

/// Serves until `stop` is ready (or the limit is reached), and tells what arrived. `ready` is told the addresses once all are
/// bound; connections that are open at the end are dropped at once.
///
/// # Errors
/// An address that cannot be had or is not loopback, a record that cannot be written (nothing is taken that is not written down).
pub async fn serve(options: Options, ready: oneshot::Sender<Bound>, stop: impl Future<Output = ()>) -> Result<Counts, SinkError> {
    let mut bound = Bound::default();
    let listen = |address: Option<SocketAddr>| match address {
        Some(address) => bind(address, options.allow_remote).map(Some),
        None => Ok(None),
    };
    let (smtp, smtps, http) = (listen(options.smtp)?, listen(options.smtps)?, listen(options.http)?);
    if smtp.is_none() && smtps.is_none() && http.is_none() {
        return Err(SinkError::Nowhere);
    }
    for (listener, slot) in [(&smtp, &mut bound.smtp), (&smtps, &mut bound.smtps), (&http, &mut bound.http)] {
        *slot = listener.as_ref().and_then(|listener| listener.local_addr().ok());
    }
    let needs_tls = smtps.is_some() || (smtp.is_some() && options.extensions.starttls) || options.cert_out.is_some();
    let identity = if needs_tls { Some(tls::identity()?) } else { None };
    if let (Some(path), Some(identity)) = (&options.cert_out, &identity) {
        std::fs::write(path, &identity.ca_pem).map_err(|source| SinkError::Record { path: path.clone(), source })?;
    }
    let desk = Arc::new(Desk::open(options, identity.map(|identity| identity.config))?);
    // Nobody waiting for the addresses is no reason not to serve.
    let _ = ready.send(bound);

    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    let mut number = 0u64;
    loop {
        let (accepted, door) = tokio::select! {
            accepted = accept(smtp.as_ref()) => (accepted, Door::Smtp),
            accepted = accept(smtps.as_ref()) => (accepted, Door::Smtps),
            accepted = accept(http.as_ref()) => (accepted, Door::Http),
            () = &mut stop => break,
            () = desk.over.notified() => {
                // The last replies of other connections are on their way.
                tokio::time::sleep(desk.options.delay + Duration::from_millis(20)).await;
                break;
            }
            // Takes in the dead, so that a long life does not fill memory.
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok(stream) => {
                number += 1;
                connections.spawn(receive(stream, door, number, desk.clone()));
            }
            // Out of descriptors, or a client gone before it was greeted: the next may do better, but not in a hot loop.
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    connections.shutdown().await;
    match desk.failure() {
        Some(error) => Err(error),
        None => Ok(desk.counts()),
    }
}

fn bind(address: SocketAddr, allow_remote: bool) -> Result<TcpListener, SinkError> {
    if !allow_remote && !address.ip().is_loopback() {
        return Err(SinkError::NotLoopback(address));
    }
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restarted sink gets its port back while old connections rest in TIME_WAIT.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| SinkError::Bind { address, source })
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(stream, _)| stream),
        None => std::future::pending().await,
    }
}

/// One connection counted as open, for as long as this lives: also when its task is dropped.
struct Open(Arc<Desk>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn receive(stream: TcpStream, door: Door, number: u64, desk: Arc<Desk>) {
    let open = desk.open.fetch_add(1, Ordering::Relaxed) + 1;
    let _open = Open(desk.clone());
    desk.count(|counts| counts.connections += 1);
    let _ = stream.set_nodelay(true);
    let mut wire = Wire::Plain(stream);
    if desk.down() {
        return wire.cut(true).await;
    }
    if let Some(rule) = desk.dice.strike(Moment::Connect, &Facts::default())
        && rule.effect == Effect::Refuse
    {
        desk.count(|counts| *counts.faults.entry(rule.name.clone()).or_default() += 1);
        return wire.cut(true).await;
    }
    if door == Door::Smtps {
        let Some(config) = desk.tls.clone() else { return };
        match wire.into_tls(config).await {
            Ok(secure) => wire = secure,
            Err(_) => return desk.count(|counts| counts.tls_failed += 1),
        }
        desk.count(|counts| counts.tls += 1);
    }
    let crowded = desk.options.max_connections.is_some_and(|most| open > most);
    match door {
        Door::Http => converse(wire, Http::new(desk.clone(), number, crowded), &desk).await,
        _ => converse(wire, Smtp::new(desk.clone(), number, door == Door::Smtps, crowded), &desk).await,
    }
    // However the conversation ended, it may have been the one that made the number full.
    if desk.full() {
        desk.over.notify_one();
    }
}
