//! The services of the table `batches` on loopback: they take messages in the form of the real ones, count the rows in them, and answer
//! as those do when all is well.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::Url;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What was taken since it was last asked.
#[derive(Debug, Default)]
pub struct Taken {
    /// Requests with messages.
    pub requests: u64,
    /// Requests for a token.
    pub tokens: u64,
    /// Addressees in those requests.
    pub rows: u64,
    /// Each of them once.
    pub different: HashSet<String>,
    /// The first request that was not understood.
    pub wrong: Option<String>,
}

/// All services at one address; they end with this value.
pub struct Services {
    pub address: SocketAddr,
    taken: Arc<Mutex<Taken>>,
    _runtime: tokio::runtime::Runtime,
}

impl Services {
    pub fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let taken = Arc::new(Mutex::new(Taken::default()));
        let shared = Arc::clone(&taken);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Ok(Services { address, taken, _runtime: runtime })
    }

    /// The counts, which begin anew.
    pub fn taken(&self) -> Taken {
        std::mem::take(&mut self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One connection, one request after another.
async fn serve(mut stream: TcpStream, taken: Arc<Mutex<Taken>>) {
    let mut bytes: Vec<u8> = Vec::with_capacity(64 << 10);
    loop {
        let (reply, used) = loop {
            match request(&bytes) {
                Ok(Some((asked, used))) => break (answer(&asked, &taken), used),
                Ok(None) => {}
                Err(_) => return,
            }
            match stream.read_buf(&mut bytes).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        bytes.drain(..used);
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

struct Asked<'a> {
    path: &'a str,
    /// The cloud's name of the call, where it stands in a header field.
    action: &'a str,
    body: &'a [u8],
}

/// The first request of the bytes and how many of them it is; `None` while it is not whole.
fn request(bytes: &[u8]) -> Result<Option<(Asked<'_>, usize)>, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; 64];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(begins) = head.parse(bytes)? else { return Ok(None) };
    let field = |names: &[&str]| {
        let field = head.headers.iter().find(|field| names.iter().any(|name| field.name.eq_ignore_ascii_case(name)));
        field.and_then(|field| std::str::from_utf8(field.value).ok()).unwrap_or_default()
    };
    let length: usize = field(&["content-length"]).parse().unwrap_or_default();
    let action = field(&["x-tc-action", "x-acs-action"]);
    let path = head.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    let ends = begins + length;
    Ok(bytes.get(begins..ends).map(|body| (Asked { path, action, body }, ends)))
}

/// The reply, once the rows are counted.
fn answer(asked: &Asked<'_>, taken: &Mutex<Taken>) -> Vec<u8> {
    let understood = take(asked);
    let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
    let (status, body) = match understood {
        Some((people, body)) => {
            taken.requests += u64::from(!people.is_empty());
            taken.tokens += u64::from(people.is_empty());
            taken.rows += people.len() as u64;
            taken.different.extend(people);
            ("200 OK", body)
        }
        None => {
            taken.wrong.get_or_insert_with(|| format!("{} {}", asked.path, asked.action));
            ("404 Not Found", json!({}))
        }
    };
    let body = body.to_string();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Every service tells a name for what it took; that it is always the same is nothing to the client.
const NAME: &str = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";

fn postmark(to: &str) -> Value {
    json!({"To": to, "SubmittedAt": "2026-03-09T07:25:01.4178645-05:00", "MessageID": NAME, "ErrorCode": 0, "Message": "OK"})
}

/// Whom the request is for (nobody: it asks for a token), and what the service says to it.
fn take(asked: &Asked<'_>) -> Option<(Vec<String>, Value)> {
    let read = || serde_json::from_slice::<Value>(asked.body).ok();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let texts = |value: &Value| value.as_array()?.iter().map(text).collect::<Option<Vec<String>>>();
    let name = NAME;
    Some(match (asked.path, asked.action) {
        ("/open-apis/auth/v3/tenant_access_token/internal", _) => {
            (Vec::new(), json!({"code": 0, "msg": "ok", "tenant_access_token": "t-g1044ghJRUIJJ5ELRZAQ", "expire": 7200}))
        }
        ("/open-apis/im/v1/messages", _) => {
            (vec![text(&read()?["receive_id"])?], json!({"code": 0, "msg": "success", "data": {"message_id": name}}))
        }
        ("/open-apis/message/v4/batch_send/", _) => {
            let said = json!({"code": 0, "msg": "ok", "data": {"message_id": name, "invalid_open_ids": []}});
            (texts(&read()?["open_ids"])?, said)
        }
        ("/email", _) => {
            let to = text(&read()?["To"])?;
            let said = postmark(&to);
            (vec![to], said)
        }
        ("/email/batch", _) => {
            let people: Vec<String> = read()?.as_array()?.iter().map(|mail| text(&mail["To"])).collect::<Option<_>>()?;
            let said = people.iter().map(|to| postmark(to)).collect();
            (people, said)
        }
        ("/emails", _) => (texts(&read()?["to"])?, json!({"id": name})),
        ("/emails/batch", _) => {
            let people: Vec<String> = read()?.as_array()?.iter().map(|mail| text(&mail["to"][0])).collect::<Option<_>>()?;
            let said: Value = people.iter().map(|_| json!({"id": name})).collect();
            (people, json!({"data": said}))
        }
        ("/", "SendSms") => {
            let people = texts(&read()?["PhoneNumberSet"])?;
            let each = |number: &String| {
                json!({"SerialNo": name, "PhoneNumber": number, "Fee": 1, "SessionContext": "", "Code": "Ok", "Message": "send success",
                    "IsoCode": "CN"})
            };
            let each: Value = people.iter().map(each).collect();
            (people, json!({"Response": {"SendStatusSet": each, "RequestId": name}}))
        }
        ("/", "SendBatchSms") => {
            let form = Url::parse(&format!("http://localhost/?{}", std::str::from_utf8(asked.body).ok()?)).ok()?;
            let (_, numbers) = form.query_pairs().find(|(key, _)| key == "PhoneNumberJson")?;
            (
                texts(&serde_json::from_str(&numbers).ok()?)?,
                json!({"Code": "OK", "Message": "OK", "BizId": name, "RequestId": name}),
            )
        }
        _ => return None,
    })
}
