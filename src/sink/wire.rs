//! The bytes' way: a TCP connection, in clear or in TLS, and the ways to end it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait for the client's own end after ours.
const LINGER: Duration = Duration::from_millis(500);

/// One type for both, because STARTTLS turns the one into the other in the middle of a conversation.
pub(crate) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// The same connection in TLS.
    pub(crate) async fn into_tls(self, config: Arc<ServerConfig>) -> io::Result<Wire> {
        match self {
            Wire::Plain(stream) => match timeout(HANDSHAKE, TlsAcceptor::from(config).accept(stream)).await {
                Ok(stream) => Ok(Wire::Tls(Box::new(stream?))),
                Err(_) => Err(io::ErrorKind::TimedOut.into()),
            },
            Wire::Tls(_) => Ok(self),
        }
    }

    fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Wire::Plain(stream) => stream,
            Wire::Tls(stream) => stream.get_mut().0,
        }
    }

    /// Ends politely: TLS says goodbye, then the stream ends.
    pub(crate) async fn close(mut self) {
        let _ = timeout(LINGER, self.shutdown()).await;
        self.drain().await;
    }

    /// Ends as a network does: no goodbye. With `reset`, what the client has not read yet is lost too (RST).
    pub(crate) async fn cut(mut self, reset: bool) {
        if reset {
            let _ = self.tcp().set_zero_linger();
        } else {
            let _ = self.tcp().shutdown().await;
            self.drain().await;
        }
    }

    /// Reads away what still comes: closing with unread input would send RST, which can destroy replies on their way.
    async fn drain(&mut self) {
        let mut rest = [0u8; 4096];
        let _ = timeout(LINGER, async { while matches!(self.tcp().read(&mut rest).await, Ok(1..)) {} }).await;
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Wire::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Wire::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
