//! What a fault is: when it may strike, whom, how often, and what it does.

use std::sync::Arc;
use std::time::Duration;

/// The rules of `--faults`, in the order written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Faults {
    /// What may strike.
    pub rules: Vec<Arc<Rule>>,
    /// When the whole server is down: how long after the start, and for how long.
    pub down: Vec<(Duration, Duration)>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// As counted in `Counts::faults` and named in ledger lines.
    pub name: String,
    /// When.
    pub moment: Moment,
    /// What happens.
    pub effect: Effect,
    /// Its share of all tries at that moment, 0 to 1. Rules of one moment share one draw: 30 % and 5 % leave 65 % alone.
    pub share: f64,
    /// Only at the first so many tries of each address (or path).
    pub first: Option<u32>,
    /// Only where all of these match.
    pub only: Vec<Only>,
}

/// A point of a conversation where something can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Moment {
    /// A connection was accepted.
    Connect,
    /// The greeting.
    Banner,
    /// EHLO or HELO.
    Ehlo,
    /// STARTTLS.
    StartTls,
    /// AUTH, once the credentials are in.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// The DATA command (before 354).
    Data,
    /// The final dot, or the chunk that is LAST: the verdict about a message.
    Dot,
    /// An HTTP request that is complete.
    Http,
    /// Any reply, of either protocol.
    Reply,
}

impl Moment {
    /// How many there are.
    pub(crate) const COUNT: usize = Moment::Reply as usize + 1;

    /// What a rule of that moment may look at.
    pub(crate) fn fields(self) -> &'static [Field] {
        match self {
            Moment::Connect | Moment::Banner | Moment::Reply => &[],
            Moment::Ehlo | Moment::StartTls | Moment::Auth => &[Field::Helo],
            Moment::Mail => &[Field::From, Field::Helo],
            Moment::Rcpt | Moment::Data | Moment::Dot => &[Field::Rcpt, Field::From, Field::Helo],
            Moment::Http => &[Field::Path, Field::Body],
        }
    }
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The connection is closed before a word.
    Refuse,
    /// This SMTP reply instead of the right one; 421 ends the connection.
    Reply {
        /// 200 to 599.
        code: u16,
        /// What follows the code.
        text: String,
    },
    /// The connection is cut instead of a reply; at the dot: nothing was taken.
    Cut {
        /// With RST.
        reset: bool,
    },
    /// The message was taken, then the connection is cut instead of the reply.
    CutTaken {
        /// With RST.
        reset: bool,
    },
    /// The message was taken and the client told, then the connection is cut.
    CutAfterReply {
        /// With RST.
        reset: bool,
    },
    /// The right reply after so long, and nothing else done meanwhile; at the dot the message is taken first.
    Stall(Duration),
    /// The right reply so much later; the conversation goes on.
    Late(Duration),
    /// The right reply byte by byte, with this pause between.
    Drip(Duration),
    /// The right reply in three lines.
    Multiline,
    /// A line that is not SMTP instead of the reply; at the dot the message was taken.
    Garbage,
    /// A reply line that does not end for 4 MB; at the dot the message was taken.
    Endless,
    /// More in clear behind the 220 of STARTTLS (response injection).
    Inject,
    /// 354 to DATA although no recipient was taken; the lone dot is then refused.
    DataAnyway,
    /// An HTTP answer.
    Http(HttpFault),
}

/// How an HTTP answer goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpFault {
    /// Status of the answer.
    pub status: u16,
    /// Headers beside Content-Type and Content-Length.
    pub headers: Vec<(String, String)>,
    /// The answer's body.
    pub body: String,
    /// Whether the request counts as taken all the same.
    pub taken: bool,
    /// Whether and how the answer leaves.
    pub way: Way,
}

/// The way an HTTP answer takes, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It leaves.
    Answer,
    /// The connection is cut instead.
    Cut {
        /// With RST.
        reset: bool,
    },
    /// It leaves after so long.
    Hang(Duration),
    /// Bytes that are not HTTP leave instead.
    Garbage,
    /// It leaves with a body of so many bytes.
    Oversize(usize),
    /// It leaves, and the connection is cut before its end.
    Truncated,
}

/// A condition on whom a rule strikes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Only {
    /// What is looked at.
    pub field: Field,
    /// `*` stands for any run of characters, `?` for one; case does not matter.
    pub glob: String,
}

/// What a condition can look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A recipient; any one of a message's.
    Rcpt,
    /// The sender in MAIL FROM.
    From,
    /// The name in EHLO.
    Helo,
    /// Path and query of a request.
    Path,
    /// Body of a request.
    Body,
}

impl Field {
    /// Every field.
    pub(crate) const ALL: [Field; 5] = [Field::Rcpt, Field::From, Field::Helo, Field::Path, Field::Body];

    /// As written in a rule.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Field::Rcpt => "rcpt",
            Field::From => "from",
            Field::Helo => "helo",
            Field::Path => "path",
            Field::Body => "body",
        }
    }
}
