//! Sends ready mails over lettre's pooled transport, one sender per connection: `lettre-pool ADDRESS CONNECTIONS COUNT BYTES`.
//!
//! Prints the seconds from the first connection to the last reply. Errors end it: a peer that fails is left out.

use std::net::SocketAddr;
use std::time::Instant;

use lettre::address::Envelope;
use lettre::transport::smtp::{AsyncSmtpTransport, PoolConfig};
use lettre::{AsyncTransport, Tokio1Executor};

type Fallible<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Fallible<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, connections, count, bytes] = words.as_slice() else {
        return Err("usage: lettre-pool ADDRESS CONNECTIONS COUNT BYTES".into());
    };
    let (address, connections): (SocketAddr, u32) = (address.parse()?, connections.parse()?);
    let (count, bytes): (u32, usize) = (count.parse()?, bytes.parse()?);
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
        .port(address.port())
        .pool_config(PoolConfig::new().max_size(connections))
        .build();

    let mut mail = b"From: no-reply@corp.example\r\nTo: user@example.com\r\nSubject: Hello\r\n\r\n".to_vec();
    while mail.len() < bytes {
        mail.extend_from_slice(b"A line of a letter that is as long as lines of letters usually are.\r\n");
    }

    let started = Instant::now();
    let senders: Vec<_> = (0..connections)
        .map(|number| {
            let (transport, mail) = (transport.clone(), mail.clone());
            tokio::spawn(async move {
                for n in (number..count).step_by(connections as usize) {
                    let to = format!("user{n}@example.com").parse()?;
                    let envelope = Envelope::new(Some("no-reply@corp.example".parse()?), vec![to])?;
                    transport.send_raw(&envelope, &mail).await?;
                }
                Fallible::Ok(())
            })
        })
        .collect();
    for sender in senders {
        sender.await??;
    }
    println!("{}", started.elapsed().as_secs_f64());
    Ok(())
}
