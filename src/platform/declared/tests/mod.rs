//! The engine against a recording server on loopback, and what the tests of its parts share.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::batch::Verdict;
use crate::delivery::{Delivery, DeliveryId, Envelope};
use crate::message::Body;
use crate::recipient::Position;

const WEBHOOK: &str = include_str!("../../definitions/webhook.yaml");
const SECRET: &str = "tok3n-that-nobody-may-see";

/// 2023-11-14T22:13:20Z, the time of the published vectors.
fn clock() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000)
}

/// What the server does with a request.
#[derive(Clone)]
enum Act {
    /// Answers with these bytes and keeps the connection.
    Say(String),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes.
    Cut,
    /// Closes before it reads.
    CutFirst,
    /// Answers with these bytes and closes in their middle.
    SayAndCut(String),
}

/// A server that records every request and does the same with each.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
}

impl Server {
    async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        let connections = Arc::new(Mutex::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                *count.lock().unwrap() += 1;
                let (act, record) = (act.clone(), Arc::clone(&record));
                tokio::spawn(async move {
                    if matches!(act, Act::CutFirst) {
                        return;
                    }
                    while let Some(request) = read_request(&mut stream).await {
                        record.lock().unwrap().push(request);
                        match &act {
                            Act::Say(reply) => stream.write_all(reply.as_bytes()).await.unwrap(),
                            Act::SayAndCut(reply) => {
                                stream.write_all(reply.as_bytes()).await.unwrap();
                                return;
                            }
                            Act::Hang => tokio::time::sleep(Duration::from_secs(30)).await,
                            Act::Cut | Act::CutFirst => return,
                        }
                    }
                });
            }
        });
        Server { port, seen, connections }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hook/{SECRET}?key=q-{SECRET}", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut tokio::net::TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()));
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
}

fn answer(status: &str, headers: &str, body: &str) -> Act {
    Act::Say(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()))
}

fn platform_of(definition: &str, settings: &str) -> Result<Declared, Problem> {
    let definition = Definition::read(definition, Path::new("x.yaml"))?;
    let settings = serde_yaml::from_str(settings).unwrap();
    let config = AccountConfig {
        name: "hook".into(),
        platform: definition.name.0.clone(),
        limits: None,
        concurrency: None,
        knobs: Default::default(),
        shaping: None,
        settings,
    };
    let opening = Opening { final_timeout: Some(Duration::from_millis(600)), ..Opening::default() };
    Declared::open(Arc::new(definition), &config, &opening, clock)
}

fn webhook(settings: &str) -> Declared {
    platform_of(WEBHOOK, settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn delivery(to: &str, body: Body) -> Delivery {
    let id = DeliveryId::derive("lineage", "key", "hook");
    let envelope = Envelope { id, position: Position::row(0), account: "hook".into(), to: to.into(), attempt: 1 };
    Delivery { envelope, message: Message { subject: Some("Hi \"you\"".into()), body, ..Message::default() } }
}

async fn send(platform: &Declared, delivery: Delivery) -> Verdict {
    platform.send(&Batch::one(delivery)).await.into_inner().remove(0)
}

fn text() -> Body {
    Body::Text("你好 {{secret.bearer}} <b>&\"\n".into())
}

/// The id of every delivery here.
fn id() -> String {
    DeliveryId::derive("lineage", "key", "hook").to_string()
}

const HEAD: &str = "schema: 1
title: T
vars: {token: {secret: true, required: true}, key: {secret: true}, base: {default: \"https://h.example\"}}
addressing: {columns: [to]}
success: {json: /code, eq: 0}
errors: [{when: {json: /code, in: [9]}, class: auth}, {default: permanent}]
";

fn of(rest: &str, settings: &str) -> Declared {
    platform_of(&format!("{HEAD}{rest}"), settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn row(to: &str, body: Body) -> Delivery {
    let id = DeliveryId::derive("lineage", to, "hook");
    let envelope = Envelope { id, position: Position::row(0), account: "hook".into(), to: to.into(), attempt: 1 };
    Delivery { envelope, message: Message { body, ..Message::default() } }
}

/// The body of the request as it would be shown.
fn shown(platform: &Declared, deliveries: Vec<Delivery>) -> (String, Value) {
    let text = platform.show(&Batch::new(deliveries).unwrap()).unwrap().unwrap_or_else(|error| panic!("{error}"));
    let body = text.split("\n\n").nth(1).unwrap_or_default().trim();
    (text.clone(), serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned())))
}

mod built_in;
mod reading;
mod replies;
mod requests;
