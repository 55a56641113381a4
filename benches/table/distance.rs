//! A TCP proxy that makes every byte arrive later: a round trip of 20 ms on loopback.
//!
//! Each direction has a queue of what was read and when it is due, so that bytes are delayed and never held one after another:
//! what is sent together arrives together.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Pieces under way per direction; a piece is what one read gave, at most 64 KB.
const UNDER_WAY: usize = 256;

/// The proxy; it ends with this value.
pub struct Distance {
    /// Where clients connect.
    pub address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Distance {
    /// `one_way` lies between every client and `server`, in each direction.
    pub fn before(server: SocketAddr, one_way: Duration) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        runtime.spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(server).await else { return };
                    let _ = (near.set_nodelay(true), far.set_nodelay(true));
                    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                    tokio::spawn(carry(near_in, far_out, one_way));
                    carry(far_in, near_out, one_way).await;
                });
            }
        });
        Ok(Distance { address, _runtime: runtime })
    }
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, delay: Duration) {
    let (put, mut take) = mpsc::channel::<(Instant, Vec<u8>)>(UNDER_WAY);
    let reader = async move {
        loop {
            let mut piece = Vec::with_capacity(64 << 10);
            match from.read_buf(&mut piece).await {
                Ok(0) | Err(_) => return,
                Ok(_) if put.send((Instant::now() + delay, piece)).await.is_err() => return,
                Ok(_) => {}
            }
        }
    };
    let writer = async move {
        while let Some((due, piece)) = take.recv().await {
            sleep_until(due).await;
            if to.write_all(&piece).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reader, writer);
}
