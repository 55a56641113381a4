//! One session with the server: connect, greeting, EHLO, TLS, AUTH, QUIT; commands out, replies in, a deadline on each.
//!
//! Invariants: bytes are counted as the kernel takes them, so that "not sent" and "in doubt" are told apart; nothing may wait unread
//! before a TLS handshake; no password leaves without TLS but to loopback.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustls::ClientConfig;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::error::{ErrorKind, Reach, SendError};

use super::auth;
use super::reply::{Malformed, Replies, Reply};
use super::settings::{Login, Mechanism, Proof, Security, Settings};
use super::stream::{self, Stream};
use super::verdict::{self, Phase};

/// Bounds QUIT and RSET, where nothing depends on the answer.
pub(super) const POLITE: Duration = Duration::from_secs(5);
/// For how long a token that a command printed is used again.
const TOKEN_LIFE: Duration = Duration::from_secs(240);

/// The server of an account: how to reach it.
#[derive(Debug)]
pub(super) struct Server {
    pub settings: Arc<Settings>,
    /// `None` where the account never uses TLS.
    pub tls: Option<Arc<ClientConfig>>,
    token: tokio::sync::Mutex<Option<(Instant, SecretString)>>,
}

impl Server {
    pub(super) fn new(settings: Arc<Settings>, tls: Option<Arc<ClientConfig>>) -> Self {
        Server { settings, tls, token: tokio::sync::Mutex::new(None) }
    }
}

/// Why a conversation cannot go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Closed or reset.
    Lost(String),
    /// Nothing moved for so long.
    Stalled(Duration),
    /// What came is not SMTP.
    Malformed(Malformed),
}

impl Trouble {
    fn io(error: &std::io::Error) -> Self {
        Trouble::Lost(error.to_string())
    }

    /// As the failure of what was not sent.
    pub(super) fn unsent(&self, phase: Phase) -> SendError {
        match self {
            // In the middle of a delivery it may be the row's own doing; before that nobody can be sent to.
            Trouble::Lost(why) => SendError::new(ErrorKind::Unreachable, format!("connection lost at {}: {why}", phase.name()))
                .with_reach(phase.is_sending().then_some(Reach::Row)),
            Trouble::Stalled(wait) => {
                SendError::new(ErrorKind::Unreachable, format!("no answer to {} within {wait:?}", phase.name()))
                    .with_reach(phase.is_sending().then_some(Reach::Row))
            }
            Trouble::Malformed(what) => SendError::new(ErrorKind::Unavailable, format!("{what} (at {})", phase.name())),
        }
    }

    /// As the failure of what was sent to its last byte.
    pub(super) fn in_doubt(&self) -> SendError {
        let what = match self {
            Trouble::Lost(why) => format!("connection lost after the message was sent: {why}"),
            Trouble::Stalled(wait) => format!("no answer within {wait:?} after the message was sent"),
            Trouble::Malformed(what) => format!("{what} (after the message was sent)"),
        };
        SendError::new(ErrorKind::InDoubt, what)
    }
}

/// What the server says it can do (RFC 1869), learned anew after TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Extensions {
    pub pipelining: bool,
    pub smtputf8: bool,
    pub chunking: bool,
    pub starttls: bool,
    /// The largest message in bytes; `None` where it does not say.
    pub size: Option<u64>,
    /// Mechanisms of AUTH.
    pub auth: Vec<String>,
    /// Messages that one connection may carry (RFC 9422).
    pub mail_max: Option<usize>,
}

impl Extensions {
    /// Reads the text of the EHLO reply; the first line is the server's name.
    pub(super) fn parse(text: &str) -> Extensions {
        let mut known = Extensions::default();
        for line in text.lines().skip(1).map(str::trim) {
            // "AUTH=PLAIN LOGIN" is how some old servers write it.
            let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => known.pipelining = true,
                "SMTPUTF8" => known.smtputf8 = true,
                "CHUNKING" => known.chunking = true,
                "STARTTLS" => known.starttls = true,
                "SIZE" => known.size = rest.trim().parse().ok().filter(|size| *size > 0),
                "AUTH" => known.auth.extend(rest.split_whitespace().map(str::to_owned)),
                "LIMITS" => {
                    known.mail_max =
                        rest.split_whitespace().find_map(|l| l.strip_prefix("MAILMAX=")?.parse().ok()).filter(|max| *max > 0);
                }
                _ => {}
            }
        }
        known.auth.dedup();
        known
    }
}

/// An open session.
#[derive(Debug)]
pub(super) struct Conversation {
    pub(super) settings: Arc<Settings>,
    stream: Stream,
    replies: Replies,
    input: Box<[u8]>,
    /// What goes out with the next write.
    pub(super) out: Vec<u8>,
    pub(super) extensions: Extensions,
    /// Deliveries begun.
    pub(super) served: usize,
    /// A transaction is open that RSET must end before the next MAIL.
    pub(super) unfinished: bool,
    greeting: String,
}

impl Conversation {
    /// Opens a session up to the point where MAIL may follow.
    pub(super) async fn open(server: &Server) -> Result<Conversation, SendError> {
        let settings = server.settings.clone();
        let tcp = connect(&settings).await?;
        let mut this = Conversation {
            stream: Stream::Plain(tcp),
            replies: Replies::default(),
            input: vec![0; 8192].into_boxed_slice(),
            out: Vec::with_capacity(8192),
            extensions: Extensions::default(),
            served: 0,
            unfinished: false,
            greeting: String::new(),
            settings,
        };
        if this.settings.security == Security::Implicit {
            this.secure(server).await?;
        }
        let banner = this.session_reply(Phase::Banner).await?;
        if banner.code != 220 {
            return Err(this.refusal(Phase::Banner, &banner));
        }
        this.greeting = banner.shown_text(80);
        this.hello().await?;
        let wants_tls = match this.settings.security {
            Security::Required => true,
            Security::Opportunistic => this.extensions.starttls,
            Security::Demanded => {
                let locked_out = this.settings.login.is_some() && this.extensions.auth.is_empty();
                this.extensions.starttls && (locked_out || this.settings.ca_file.is_some())
            }
            Security::Implicit | Security::None => false,
        };
        if wants_tls {
            this.start_tls(server).await?;
            this.hello().await?;
        }
        if let Some(login) = this.settings.login.clone() {
            this.log_in(server, &login).await?;
        }
        Ok(this)
    }

    /// One line about the session, for `check`.
    pub(super) fn described(&self) -> String {
        let known = &self.extensions;
        let mut words = Vec::new();
        for (has, name) in [(known.pipelining, "PIPELINING"), (known.chunking, "CHUNKING"), (known.smtputf8, "SMTPUTF8")] {
            words.extend(has.then(|| name.to_owned()));
        }
        words.extend(known.size.map(|size| format!("SIZE {size}")));
        let parts = [
            format!("220 {} ready", self.greeting.split_whitespace().next().unwrap_or(&self.settings.host)),
            self.stream.tls_version().unwrap_or("no TLS").to_owned(),
            words.join(" "),
            self.settings
                .login
                .as_ref()
                .map_or("no authentication".to_owned(), |login| format!("authenticated as {}", login.user)),
        ];
        parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    async fn hello(&mut self) -> Result<(), SendError> {
        let name = self.settings.ehlo_name.clone();
        let reply = self.session_command(Phase::Ehlo, &format!("EHLO {name}")).await?;
        if reply.code == 250 {
            self.extensions = Extensions::parse(&reply.text);
            self.extensions.pipelining &= self.settings.pipelining;
            return Ok(());
        }
        if reply.class() != 5 {
            return Err(self.refusal(Phase::Ehlo, &reply));
        }
        self.extensions = Extensions::default();
        let reply = self.session_command(Phase::Ehlo, &format!("HELO {name}")).await?;
        if reply.code == 250 { Ok(()) } else { Err(self.refusal(Phase::Ehlo, &reply)) }
    }

    async fn start_tls(&mut self, server: &Server) -> Result<(), SendError> {
        if !self.extensions.starttls {
            let what = format!(
                "{} does not offer STARTTLS, and TLS is required: use smtps://, or tls: none on a trusted network",
                self.settings.host
            );
            return Err(SendError::new(ErrorKind::Misconfigured, what));
        }
        let reply = self.session_command(Phase::StartTls, "STARTTLS").await?;
        if reply.code != 220 {
            return Err(self.refusal(Phase::StartTls, &reply));
        }
        // Whatever arrived with the 220 came in clear and would be taken for the server's word under TLS (response injection).
        if !self.replies.is_empty() {
            let what = "bytes followed the reply to STARTTLS in clear: someone may be tampering with the connection";
            return Err(SendError::new(ErrorKind::Misconfigured, what));
        }
        self.secure(server).await
    }

    async fn secure(&mut self, server: &Server) -> Result<(), SendError> {
        let stream = std::mem::replace(&mut self.stream, Stream::Gone);
        let (Stream::Plain(tcp), Some(config)) = (stream, server.tls.clone()) else {
            return Err(SendError::new(ErrorKind::Misconfigured, "TLS is not set up for this account"));
        };
        let wait = self.settings.timeout;
        self.stream = match timeout(wait, stream::handshake(config, &self.settings.host, tcp)).await {
            Ok(done) => done?,
            Err(_) => return Err(Trouble::Stalled(wait).unsent(Phase::StartTls)),
        };
        self.replies = Replies::default();
        self.extensions = Extensions::default();
        Ok(())
    }

    async fn log_in(&mut self, server: &Server, login: &Login) -> Result<(), SendError> {
        if self.stream.tls_version().is_none() && !self.settings.is_loopback() {
            return Err(SendError::new(
                ErrorKind::Misconfigured,
                "the password is not sent without TLS: use smtps:// or smtp+starttls://",
            ));
        }
        let has_token = matches!(login.proof, Proof::Token(_));
        let mechanism = auth::choose(login.mechanism, has_token, &self.extensions.auth)
            .map_err(|what| SendError::new(ErrorKind::Misconfigured, what))?;
        let secret = match &login.proof {
            Proof::Password(password) => password.clone(),
            Proof::Token(_) => self.token(server, login).await?,
        };
        let secret = secret.expose_secret();
        let mut reply = match mechanism {
            Mechanism::Xoauth2 => {
                let command = format!("AUTH XOAUTH2 {}", auth::xoauth2(&login.user, secret));
                let reply = self.session_command(Phase::Auth, &command).await?;
                // 334 carries the reason of a refusal; an empty line asks for the refusal itself.
                if reply.code == 334 { self.session_command(Phase::Auth, "").await? } else { reply }
            }
            Mechanism::Oauthbearer => {
                let command = format!("AUTH OAUTHBEARER {}", self.oauthbearer(login, secret));
                let reply = self.session_command(Phase::Auth, &command).await?;
                // The same, and the line holds one control-A (RFC 7628 section 3.2.3).
                if reply.code == 334 { self.session_command(Phase::Auth, "AQ==").await? } else { reply }
            }
            Mechanism::CramMd5 => {
                let reply = self.session_command(Phase::Auth, "AUTH CRAM-MD5").await?;
                // What is no challenge is answered by a star, which ends the attempt (RFC 4954 section 4).
                let answer = || auth::cram_md5(&login.user, secret, &reply.text).unwrap_or_else(|| "*".to_owned());
                if reply.code == 334 { self.session_command(Phase::Auth, &answer()).await? } else { reply }
            }
            Mechanism::Login => {
                let mut reply = self.session_command(Phase::Auth, "AUTH LOGIN").await?;
                for answer in [login.user.as_str(), secret] {
                    if reply.code == 334 {
                        reply = self.session_command(Phase::Auth, &auth::login(answer)).await?;
                    }
                }
                reply
            }
            Mechanism::Plain | Mechanism::Auto => {
                let command = format!("AUTH PLAIN {}", auth::plain(&login.user, secret));
                self.session_command(Phase::Auth, &command).await?
            }
        };
        self.out.fill(0);
        self.out.clear();
        if reply.code == 235 {
            return Ok(());
        }
        if has_token {
            *server.token.lock().await = None;
        }
        // Some servers repeat the command that they refuse.
        for hidden in [
            secret.to_owned(),
            auth::login(secret),
            auth::plain(&login.user, secret),
            auth::xoauth2(&login.user, secret),
            self.oauthbearer(login, secret),
        ] {
            if !hidden.is_empty() {
                reply.text = reply.text.replace(&hidden, "***");
            }
        }
        Err(self.refusal(Phase::Auth, &reply))
    }

    fn oauthbearer(&self, login: &Login, token: &str) -> String {
        auth::oauthbearer(&login.user, &self.settings.host, self.settings.port, token)
    }

    async fn token(&self, server: &Server, login: &Login) -> Result<SecretString, SendError> {
        let Proof::Token(source) = &login.proof else {
            return Err(SendError::new(ErrorKind::Misconfigured, "no token"));
        };
        let mut kept = server.token.lock().await;
        if let Some((since, token)) = kept.as_ref()
            && since.elapsed() < TOKEN_LIFE
        {
            return Ok(token.clone());
        }
        let source = source.clone();
        // A command may take long: off the runtime, and bounded.
        let resolved = timeout(self.settings.timeout, tokio::task::spawn_blocking(move || source.resolve())).await;
        let token = match resolved {
            Ok(Ok(Ok(token))) => token,
            Ok(Ok(Err(what))) => return Err(SendError::new(ErrorKind::Unauthorized, format!("oauth2: {what}"))),
            Ok(Err(_)) | Err(_) => {
                return Err(SendError::new(
                    ErrorKind::Unauthorized,
                    format!("oauth2: no token within {:?}", self.settings.timeout),
                ));
            }
        };
        *kept = Some((Instant::now(), token.clone()));
        Ok(token)
    }

    /// Says goodbye; bounded, and without consequence.
    pub(super) async fn quit(mut self) {
        let _ = timeout(POLITE, async {
            self.out.clear();
            self.out.extend_from_slice(b"QUIT\r\n");
            if self.flush(POLITE).await.is_ok() {
                let _ = self.reply(POLITE).await;
            }
        })
        .await;
    }

    async fn session_command(&mut self, phase: Phase, command: &str) -> Result<Reply, SendError> {
        self.out.clear();
        self.out.extend_from_slice(command.as_bytes());
        self.out.extend_from_slice(b"\r\n");
        let wait = self.settings.timeout;
        self.flush(wait).await.map_err(|(trouble, _)| trouble.unsent(phase))?;
        self.session_reply(phase).await
    }

    async fn session_reply(&mut self, phase: Phase) -> Result<Reply, SendError> {
        let wait = self.settings.timeout;
        self.reply(wait).await.map_err(|trouble| trouble.unsent(phase))
    }

    /// What a reply that is not the hoped-for one means, in the opening.
    fn refusal(&self, phase: Phase, reply: &Reply) -> SendError {
        match reply.class() {
            4 | 5 => verdict::refusal(phase, reply),
            _ => SendError::new(ErrorKind::Unavailable, format!("the server answered {} to {}", reply.code, phase.name())),
        }
    }

    /// The next whole reply.
    pub(super) async fn reply(&mut self, within: Duration) -> Result<Reply, Trouble> {
        if let Some(reply) = self.replies.next().map_err(Trouble::Malformed)? {
            return Ok(reply);
        }
        let (stream, replies, input) = (&mut self.stream, &mut self.replies, &mut self.input);
        let read = async {
            loop {
                match stream.read(input).await {
                    Ok(0) => return Err(Trouble::Lost("the server closed the connection".to_owned())),
                    Ok(count) => replies.extend(&input[..count]),
                    Err(error) => return Err(Trouble::io(&error)),
                }
                if let Some(reply) = replies.next().map_err(Trouble::Malformed)? {
                    return Ok(reply);
                }
            }
        };
        timeout(within, read).await.unwrap_or(Err(Trouble::Stalled(within)))
    }

    /// Writes out what is gathered. On trouble says how many bytes of it may have left; under TLS those that the session took count,
    /// since they may be in the kernel's hands.
    pub(super) async fn flush(&mut self, within: Duration) -> Result<(), (Trouble, usize)> {
        let mut sent = 0;
        while sent < self.out.len() {
            match timeout(within, self.stream.write(&self.out[sent..])).await {
                Ok(Ok(0)) => return Err((Trouble::Lost("the connection takes no more bytes".to_owned()), sent)),
                Ok(Ok(count)) => sent += count,
                Ok(Err(error)) => return Err((Trouble::io(&error), sent)),
                Err(_) => return Err((Trouble::Stalled(within), sent)),
            }
        }
        match timeout(within, self.stream.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err((Trouble::io(&error), sent)),
            Err(_) => return Err((Trouble::Stalled(within), sent)),
        }
        self.out.clear();
        Ok(())
    }

    /// What the server has said, at hand already, though nothing was asked: a refusal in its own words, or that it is out of step.
    pub(super) fn early_word(&mut self, phase: Phase) -> Option<SendError> {
        let lost = match self.stream.read(&mut self.input).now_or_never() {
            None => None,
            Some(Ok(0)) => Some(Trouble::Lost("the server closed the connection".to_owned())),
            Some(Ok(count)) => {
                self.replies.extend(&self.input[..count]);
                None
            }
            Some(Err(error)) => Some(Trouble::io(&error)),
        };
        if self.replies.is_empty() {
            return lost.map(|trouble| trouble.unsent(phase));
        }
        match self.replies.next() {
            Ok(Some(reply)) if matches!(reply.class(), 4 | 5) => Some(verdict::refusal(phase, &reply)),
            Ok(_) => {
                let what = format!("the server spoke out of turn before {}", phase.name());
                Some(SendError::new(ErrorKind::Unavailable, what))
            }
            Err(what) => Some(Trouble::Malformed(what).unsent(phase)),
        }
    }

    /// Resolves when the server speaks or leaves though nothing was asked.
    pub(super) async fn disturbed(&mut self) {
        if self.replies.is_empty() {
            let _ = self.stream.read(&mut self.input).await;
        }
    }
}

/// Resolves the name and tries its addresses in turn, all within one deadline.
async fn connect(settings: &Settings) -> Result<TcpStream, SendError> {
    let (host, port) = (settings.host.as_str(), settings.port);
    let unreachable = |what: String| SendError::new(ErrorKind::Unreachable, what);
    let attempt = async {
        let addresses: Vec<_> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| unreachable(format!("{host}: the name could not be resolved: {error}")))?
            .collect();
        // One address that swallows packets must leave time for the others.
        let share = settings.timeout / u32::try_from(addresses.len().clamp(1, 4)).unwrap_or(1);
        let mut last = unreachable(format!("{host}: the name has no address"));
        for address in addresses {
            match timeout(share, stream::connect(settings, address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = unreachable(format!("{host}:{port}: {error}")),
                Err(_) => last = unreachable(format!("{host}:{port}: no connection within {share:?}")),
            }
        }
        Err(last)
    };
    match timeout(settings.timeout, attempt).await {
        Ok(done) => done,
        Err(_) => Err(unreachable(format!("{host}:{port}: no connection within {:?}", settings.timeout))),
    }
}
