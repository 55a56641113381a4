//! How faults are written: `451@30%, cut-after-data@2%, 550:rcpt=*@bad.example, http-429[retry=2]*1`.
//!
//! ```text
//! faults = fault *( ("," / space) fault )
//! fault  = name [ "=" value ] [ "[" words "]" ] [ "*" tries ] [ "@" percent "%" ] [ ":" field "=" glob *( "&" field "=" glob ) ]
//! ```
//! The guide (`docs/guides/sink.md`) tells every name; the table here is what it is made from.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::problem::{Problem, did_you_mean};
use crate::sink::faults::rule::{Effect, Faults, Field, HttpFault, Moment, Only, Rule, Way};

/// One fault as typed, before it means something. The file form fills the same draft.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) words: Option<String>,
    pub(crate) tries: Option<u32>,
    pub(crate) rate: Option<String>,
    pub(crate) only: Vec<(String, String)>,
}

/// What is wrong with a fault, and what to write instead.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wrong {
    pub(crate) what: String,
    pub(crate) help: Option<String>,
}

fn wrong<T>(what: impl Into<String>, help: &str) -> Result<T, Wrong> {
    Err(Wrong { what: what.into(), help: Some(help.to_owned()) })
}

/// What a draft turns into.
pub(crate) enum Meaning {
    Rule(Rule),
    Down(Duration, Duration),
}

impl FromStr for Faults {
    type Err = Problem;

    /// Reads a comma- or space-separated list.
    ///
    /// # Errors
    /// The first fault that is not understood, with its place and what was perhaps meant.
    fn from_str(list: &str) -> Result<Self, Problem> {
        let mut faults = Faults::default();
        for (start, word) in split(list) {
            match draft(word).and_then(|draft| draft.meaning()) {
                Ok(meaning) => faults.add(meaning),
                Err(wrong) => {
                    return Err(Problem {
                        what: wrong.what,
                        line: Some(1),
                        column: Some(list[..start].chars().count() + 1),
                        width: word.chars().count(),
                        text: Some(list.replace(['\n', '\r'], " ")),
                        help: wrong.help,
                        path: None,
                    });
                }
            }
        }
        Ok(faults)
    }
}

impl Faults {
    pub(crate) fn add(&mut self, meaning: Meaning) {
        match meaning {
            Meaning::Rule(rule) => self.rules.push(Arc::new(rule)),
            Meaning::Down(start, length) => self.down.push((start, length)),
        }
    }
}

/// The words of a list with their places; commas and spaces inside brackets belong to the word.
fn split(list: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let (mut start, mut depth) = (0, 0usize);
    for (at, c) in list.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            c if depth == 0 && (c == ',' || c.is_whitespace()) => {
                words.push((start, &list[start..at]));
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    words.push((start, &list[start..]));
    words.retain(|(_, word)| !word.is_empty());
    words
}

/// Takes a word apart by its signs.
pub(crate) fn draft(word: &str) -> Result<Draft, Wrong> {
    let cut = |text: &str| text.find(['=', '[', '*', '@', ':']).unwrap_or(text.len());
    let mut draft = Draft { name: word[..cut(word)].to_ascii_lowercase(), ..Draft::default() };
    let mut rest = &word[draft.name.len()..];
    while let Some(sign) = rest.chars().next() {
        if !['=', '[', '*', '@', ':'].contains(&sign) {
            return wrong(format!("`{rest}` in `{word}` is out of place"), "faults are split by commas or spaces");
        }
        let tail = &rest[1..];
        match sign {
            '[' => {
                // The last bracket, so that a JSON array may stand inside.
                let Some(end) = tail.rfind(']') else {
                    return wrong(format!("`{word}` opens a bracket and does not close it"), "write `451[4.7.1 try later]`");
                };
                draft.words = Some(tail[..end].to_owned());
                rest = &tail[end + 1..];
            }
            ':' => {
                for pair in tail.split('&') {
                    let Some((field, glob)) = pair.split_once('=') else {
                        return wrong(
                            format!("`{pair}` is no condition"),
                            "write `field=pattern`, as in `550:rcpt=*@bad.example` or `http-401:path=/x*`",
                        );
                    };
                    draft.only.push((field.to_owned(), glob.to_owned()));
                }
                rest = "";
            }
            sign => {
                let end = cut(tail);
                let (text, after) = tail.split_at(end);
                match sign {
                    '=' => draft.value = Some(text.to_owned()),
                    '@' => draft.rate = Some(text.to_owned()),
                    _ => match text.parse() {
                        Ok(tries) if tries > 0 => draft.tries = Some(tries),
                        _ => {
                            return wrong(
                                format!("`*{text}` in `{word}` is no number of tries"),
                                "write `451*3`: the first three tries of each address",
                            );
                        }
                    },
                }
                rest = after;
            }
        }
    }
    Ok(draft)
}

/// The names without a number in them, for "did you mean".
const NAMES: &[&str] = &[
    "refuse",
    "grey",
    "late",
    "drip",
    "multiline",
    "down",
    "data-anyway",
    "starttls-inject",
    "cut-before-data",
    "cut-after-data",
    "cut-after-reply",
    "cut-banner",
    "cut-ehlo",
    "cut-starttls",
    "cut-auth",
    "cut-mail",
    "cut-rcpt",
    "cut-data",
    "stall-banner",
    "stall-ehlo",
    "stall-starttls",
    "stall-auth",
    "stall-mail",
    "stall-rcpt",
    "stall-data",
    "stall-dot",
    "garbage-dot",
    "endless-dot",
    "banner-554",
    "banner-421",
    "ehlo-502",
    "auth-535",
    "mail-451",
    "rcpt-450",
    "rcpt-550",
    "data-451",
    "http-500",
    "http-503",
    "http-429",
    "http-error-body",
    "http-empty",
    "http-html",
    "http-hang",
    "http-cut-before",
    "http-cut-after",
    "http-garbage",
    "http-oversize",
    "http-truncated",
    "http-redirect",
];

fn moment_named(word: &str) -> Option<Moment> {
    Some(match word {
        "banner" => Moment::Banner,
        "ehlo" => Moment::Ehlo,
        "starttls" => Moment::StartTls,
        "auth" => Moment::Auth,
        "mail" => Moment::Mail,
        "rcpt" => Moment::Rcpt,
        "data" => Moment::Data,
        "dot" => Moment::Dot,
        _ => return None,
    })
}

impl Draft {
    /// What the draft asks for.
    pub(crate) fn meaning(&self) -> Result<Meaning, Wrong> {
        if self.name == "down" {
            const HELP: &str = "write `down=5s@10s`: down for 5 s, 10 s after the start";
            let (Some(length), Some(start)) = (&self.value, &self.rate) else {
                return wrong("`down` needs a length and a start", HELP);
            };
            return match (duration(start), duration(length)) {
                (Some(start), Some(length)) => Ok(Meaning::Down(start, length)),
                _ => wrong(format!("`down={length}@{start}` is not two times"), HELP),
            };
        }
        let (moment, effect) = self.effect()?;
        let share = match &self.rate {
            None => 1.0,
            Some(rate) => match rate.strip_suffix('%').and_then(|number| number.parse::<f64>().ok()) {
                Some(percent) if (0.0..=100.0).contains(&percent) => percent / 100.0,
                _ => return wrong(format!("`@{rate}` is no share"), "write a percentage from 0% to 100%, as in `451@30%`"),
            },
        };
        let mut only = Vec::new();
        for (name, glob) in &self.only {
            let fields = moment.fields();
            match fields.iter().find(|field| field.as_str() == name) {
                Some(field) => only.push(Only { field: *field, glob: glob.clone() }),
                None => {
                    let known: Vec<&str> = fields.iter().map(|field| field.as_str()).collect();
                    let what = if Field::ALL.iter().any(|field| field.as_str() == name) {
                        format!("`{name}` is not known yet when `{}` strikes", self.name)
                    } else {
                        format!("`{name}` is nothing a fault can look at")
                    };
                    return Err(Wrong {
                        what,
                        help: Some(if known.is_empty() {
                            format!("`{}` takes no condition", self.name)
                        } else {
                            format!("`{}` can look at {}", self.name, known.join(", "))
                        }),
                    });
                }
            }
        }
        if moment == Moment::Reply && self.tries.is_some() {
            return wrong(format!("`{}` cannot be counted", self.name), "it strikes replies, not addresses: give it a share");
        }
        // Grey is a counted 451 by its meaning.
        let first = self.tries.or((self.name == "grey").then_some(1));
        Ok(Meaning::Rule(Rule { name: self.name.clone(), moment, effect, share, first, only }))
    }

    fn effect(&self) -> Result<(Moment, Effect), Wrong> {
        let name = self.name.as_str();
        let words = self.words.as_deref();
        let reset = match words {
            _ if !name.contains("cut-") => false,
            None => false,
            Some("rst") => true,
            Some(other) => return wrong(format!("`[{other}]` says nothing about a cut"), "write `[rst]` to cut with a reset"),
        };
        let simple = match name {
            "refuse" => Some((Moment::Connect, Effect::Refuse)),
            "grey" => Some((Moment::Rcpt, Effect::Reply { code: 451, text: text(words, "4.7.1 greylisted, try again") })),
            "multiline" => Some((Moment::Reply, Effect::Multiline)),
            "data-anyway" => Some((Moment::Data, Effect::DataAnyway)),
            "starttls-inject" => Some((Moment::StartTls, Effect::Inject)),
            "cut-before-data" | "cut-before-dot" => Some((Moment::Dot, Effect::Cut { reset })),
            "cut-after-data" | "cut-after-dot" => Some((Moment::Dot, Effect::CutTaken { reset })),
            "cut-after-reply" => Some((Moment::Dot, Effect::CutAfterReply { reset })),
            _ => None,
        };
        if let Some(simple) = simple {
            return self.no_value().map(|()| simple);
        }
        match name {
            "late" => return Ok((Moment::Reply, Effect::Late(self.wait(Duration::from_millis(20))?))),
            "drip" => return Ok((Moment::Reply, Effect::Drip(self.wait(Duration::from_millis(1))?))),
            _ => {}
        }
        if let Some(rest) = name.strip_prefix("http-") {
            return Ok((Moment::Http, Effect::Http(self.http(rest)?)));
        }
        if let Some(code) = code(name) {
            return self.no_value().map(|()| (Moment::Dot, Effect::Reply { code, text: text(words, usual(code)) }));
        }
        if let Some((verb, place)) = name.split_once('-') {
            if let Some(moment) = moment_named(place) {
                match verb {
                    "cut" if moment != Moment::Dot => return self.no_value().map(|()| (moment, Effect::Cut { reset })),
                    "stall" => return Ok((moment, Effect::Stall(self.wait(Duration::from_secs(30))?))),
                    "garbage" => return self.no_value().map(|()| (moment, Effect::Garbage)),
                    "endless" => return self.no_value().map(|()| (moment, Effect::Endless)),
                    _ => {}
                }
            }
            if let (Some(moment), Some(code)) = (moment_named(verb), code(place)) {
                return self.no_value().map(|()| (moment, Effect::Reply { code, text: text(words, usual(code)) }));
            }
        }
        Err(Wrong {
            what: format!("`{name}` is not a fault"),
            help: Some(match did_you_mean(name, NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "a fault is a reply code (`451@30%`), one at a phase (`rcpt-550`), `cut-…`, `stall-…`, `late`, `drip`, \
                         `grey`, `refuse`, `down=5s@10s` or `http-…`"
                    .to_owned(),
            }),
        })
    }

    fn http(&self, rest: &str) -> Result<HttpFault, Wrong> {
        let name = &self.name;
        let mut fault =
            HttpFault { status: 200, headers: Vec::new(), body: r#"{"ok":true}"#.to_owned(), taken: true, way: Way::Answer };
        let words = self.words.as_deref();
        let reset = words == Some("rst");
        match rest {
            "error-body" => {
                fault.taken = false;
                fault.body = r#"{"ok":false,"error":"simulated"}"#.to_owned();
            }
            "empty" => fault.body.clear(),
            "html" => {
                fault.headers.push(("content-type".to_owned(), "text/html".to_owned()));
                fault.body = "<!doctype html><title>Sign in</title><p>Please sign in to the network.</p>".to_owned();
            }
            "hang" => fault.way = Way::Hang(self.wait(Duration::from_secs(30))?),
            "cut-before" => (fault.taken, fault.way) = (false, Way::Cut { reset }),
            "cut-after" => fault.way = Way::Cut { reset },
            "garbage" => fault.way = Way::Garbage,
            "truncated" => fault.way = Way::Truncated,
            "oversize" => {
                let size = self.value.as_deref().map_or(Some(16 << 20), bytes);
                match size {
                    Some(size) if size <= 1 << 30 => fault.way = Way::Oversize(size),
                    _ => return wrong(format!("`{name}` needs a size up to 1G"), "write `http-oversize=16M`"),
                }
            }
            "redirect" => {
                fault.status = 302;
                fault.taken = false;
                fault.body.clear();
                fault.headers.push(("location".to_owned(), words.unwrap_or("/elsewhere").to_owned()));
            }
            other => {
                let status = other.parse().ok().filter(|status| (200..=599).contains(status));
                let Some(status) = status else {
                    let near = did_you_mean(name, NAMES.iter().copied()).unwrap_or("http-500");
                    return wrong(format!("`{name}` is not a fault"), &format!("did you mean `{near}`?"));
                };
                fault.status = status;
                fault.taken = status < 300;
                if status >= 300 {
                    fault.body = format!(r#"{{"ok":false,"error":"simulated {status}"}}"#);
                }
            }
        }
        if !matches!(rest, "hang" | "oversize") {
            self.no_value()?;
        }
        if !matches!(rest, "redirect" | "cut-before" | "cut-after") {
            self.http_words(&mut fault)?;
        }
        Ok(fault)
    }

    /// `retry=2;taken;body={"code":9499}`: the body is last, because it may hold anything.
    fn http_words(&self, fault: &mut HttpFault) -> Result<(), Wrong> {
        let mut rest = self.words.as_deref().unwrap_or_default().trim();
        while !rest.is_empty() {
            if let Some(body) = rest.strip_prefix("body=") {
                body.clone_into(&mut fault.body);
                return Ok(());
            }
            if rest.starts_with('{') {
                rest.clone_into(&mut fault.body);
                return Ok(());
            }
            let (word, after) = rest.split_once(';').unwrap_or((rest, ""));
            match word.trim().split_once('=') {
                Some(("retry", wait)) => fault.headers.push(("retry-after".to_owned(), wait.to_owned())),
                Some(("type", kind)) => fault.headers.push(("content-type".to_owned(), kind.to_owned())),
                None if word.trim() == "taken" => fault.taken = true,
                None if word.trim() == "not-taken" => fault.taken = false,
                _ => {
                    return wrong(
                        format!("`{word}` says nothing about an answer"),
                        "known are `retry=2`, `type=text/plain`, `taken`, `not-taken` and, last, `body=…`, split by `;`",
                    );
                }
            }
            rest = after.trim_start();
        }
        Ok(())
    }

    fn no_value(&self) -> Result<(), Wrong> {
        match &self.value {
            None => Ok(()),
            Some(value) => wrong(format!("`{}` takes no `={value}`", self.name), "a share is written `@30%`, a count `*3`"),
        }
    }

    fn wait(&self, usual: Duration) -> Result<Duration, Wrong> {
        match self.value.as_deref() {
            None => Ok(usual),
            Some(value) => match duration(value) {
                Some(wait) if wait <= Duration::from_secs(86_400) => Ok(wait),
                _ => wrong(format!("`{value}` is no time"), "write `20ms`, `30s` or `5m`"),
            },
        }
    }
}

fn text(words: Option<&str>, usual: &str) -> String {
    // A reply is one line whatever a file says.
    words.unwrap_or(usual).replace(['\r', '\n'], " ")
}

fn code(word: &str) -> Option<u16> {
    if word.len() != 3 {
        return None;
    }
    word.parse().ok().filter(|code| (200..=599).contains(code))
}

/// What a server usually says with that code.
fn usual(code: u16) -> &'static str {
    match code {
        200..=299 => "2.0.0 ok",
        300..=399 => "go on",
        421 => "4.3.2 service shutting down",
        450 => "4.2.0 mailbox busy, try again",
        451 => "4.3.0 try again later",
        452 => "4.3.1 no room now",
        454 => "4.7.0 not now",
        400..=499 => "4.0.0 not now",
        500..=504 => "5.5.1 not understood",
        530 => "5.7.0 authentication required",
        535 => "5.7.8 authentication refused",
        550 => "5.1.1 no such user",
        552 => "5.3.4 too big",
        553 => "5.1.3 bad address",
        554 => "5.7.1 refused",
        _ => "5.0.0 refused",
    }
}

fn duration(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(split);
    let scale = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number.parse::<f64>().ok()? * scale).ok()
}

fn bytes(text: &str) -> Option<usize> {
    let (number, scale) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    number.parse::<usize>().ok()?.checked_mul(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(word: &str) -> Rule {
        let faults: Faults = word.parse().unwrap_or_else(|problem| panic!("{word}: {problem}"));
        assert_eq!(faults.rules.len(), 1, "{word}");
        (*faults.rules[0]).clone()
    }

    #[test]
    fn every_form_is_understood() {
        let secs = Duration::from_secs;
        let reply = |code, text: &str| Effect::Reply { code, text: text.to_owned() };
        for (word, moment, effect) in [
            ("451@30%", Moment::Dot, reply(451, "4.3.0 try again later")),
            ("550[5.7.1 not you, ever]@1%", Moment::Dot, reply(550, "5.7.1 not you, ever")),
            ("cut-after-data@2%", Moment::Dot, Effect::CutTaken { reset: false }),
            ("cut-before-data[rst]", Moment::Dot, Effect::Cut { reset: true }),
            ("cut-after-reply", Moment::Dot, Effect::CutAfterReply { reset: false }),
            ("rcpt-450@1%", Moment::Rcpt, reply(450, "4.2.0 mailbox busy, try again")),
            ("rcpt-550:rcpt=*@bad.example", Moment::Rcpt, reply(550, "5.1.1 no such user")),
            ("mail-451", Moment::Mail, reply(451, "4.3.0 try again later")),
            ("stall-banner", Moment::Banner, Effect::Stall(secs(30))),
            ("stall-dot=1.5s@1%", Moment::Dot, Effect::Stall(Duration::from_millis(1500))),
            ("late=20ms@10%", Moment::Reply, Effect::Late(Duration::from_millis(20))),
            ("drip", Moment::Reply, Effect::Drip(Duration::from_millis(1))),
            ("banner-554", Moment::Banner, reply(554, "5.7.1 refused")),
            ("auth-535", Moment::Auth, reply(535, "5.7.8 authentication refused")),
            ("refuse*3", Moment::Connect, Effect::Refuse),
            ("grey", Moment::Rcpt, reply(451, "4.7.1 greylisted, try again")),
            ("garbage-dot", Moment::Dot, Effect::Garbage),
            ("endless-ehlo", Moment::Ehlo, Effect::Endless),
            ("starttls-inject", Moment::StartTls, Effect::Inject),
            ("data-anyway", Moment::Data, Effect::DataAnyway),
        ] {
            let rule = one(word);
            assert_eq!((rule.moment, rule.effect), (moment, effect), "{word}");
        }
        assert_eq!(one("grey").first, Some(1));
        assert_eq!(one("refuse*3").first, Some(3));
        assert!((one("451@0.5%").share - 0.005).abs() < 1e-9);
    }

    #[test]
    fn http_faults_say_status_body_and_whether_taken() {
        for (word, status, taken, way) in [
            ("http-500@1%", 500, false, Way::Answer),
            ("http-500[taken]", 500, true, Way::Answer),
            ("http-429[retry=2]", 429, false, Way::Answer),
            ("http-error-body", 200, false, Way::Answer),
            ("http-empty", 200, true, Way::Answer),
            ("http-hang=1s", 200, true, Way::Hang(Duration::from_secs(1))),
            ("http-cut-before", 200, false, Way::Cut { reset: false }),
            ("http-cut-after[rst]", 200, true, Way::Cut { reset: true }),
            ("http-garbage", 200, true, Way::Garbage),
            ("http-oversize=2M", 200, true, Way::Oversize(2 << 20)),
            ("http-redirect", 302, false, Way::Answer),
            ("http-truncated", 200, true, Way::Truncated),
        ] {
            match one(word).effect {
                Effect::Http(fault) => assert_eq!((fault.status, fault.taken, fault.way), (status, taken, way), "{word}"),
                other => panic!("{word}: {other:?}"),
            }
        }
        let Effect::Http(fault) = one(r#"http-200[not-taken;body={"code":9499,"ids":[1, 2]}]@5%:path=/open*"#).effect else {
            panic!("not http");
        };
        assert_eq!(fault.body, r#"{"code":9499,"ids":[1, 2]}"#);
        assert!(!fault.taken);
        let Effect::Http(fault) = one("http-429[retry=2]").effect else { panic!("not http") };
        assert_eq!(fault.headers, [("retry-after".to_owned(), "2".to_owned())]);
    }

    #[test]
    fn lists_are_split_outside_brackets() {
        let faults: Faults = "451[4.7.1 a, b]@30%, 421@5%  down=5s@10s,\n550*2:rcpt=*@x&from=me@*".parse().expect("good");
        assert_eq!(faults.rules.iter().map(|rule| rule.name.as_str()).collect::<Vec<_>>(), ["451", "421", "550"]);
        assert_eq!(faults.down, [(Duration::from_secs(10), Duration::from_secs(5))]);
        assert_eq!(faults.rules[2].only.len(), 2);
        assert_eq!("".parse::<Faults>().expect("nothing is fine"), Faults::default());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (list, column, says) in [
            ("451@30%,cut-afterdata", 9, "did you mean `cut-after-data`?"),
            ("451@30", 1, "percentage"),
            ("451@130%", 1, "percentage"),
            ("451*x", 1, "first three tries"),
            ("451*0", 1, "first three tries"),
            ("mail-451:rcpt=*@x", 1, "can look at from, helo"),
            ("late*2", 1, "give it a share"),
            ("stall-dot=soon", 1, "`20ms`, `30s` or `5m`"),
            ("451[oops", 1, "4.7.1 try later"),
            ("550:rcpt", 1, "field=pattern"),
            ("down=5s", 1, "down=5s@10s"),
            ("banner-554:rcpt=x", 1, "takes no condition"),
            ("http-999", 1, "did you mean"),
            ("http-429[again=2]", 1, "retry=2"),
            ("cut-mail[hard]", 1, "[rst]"),
            ("451=3", 1, "`*3`"),
            ("999", 1, "reply code"),
            ("[]\u{1f300}", 1, "out of place"),
        ] {
            let problem = list.parse::<Faults>().expect_err(list);
            assert_eq!(problem.column, Some(column), "{list}");
            assert!(problem.to_string().contains(says), "{list}: {problem}");
        }
    }

    #[test]
    fn every_name_of_the_table_means_something() {
        for name in NAMES.iter().filter(|name| **name != "down") {
            one(name);
        }
    }

    proptest::proptest! {
        #[test]
        fn nothing_typed_makes_it_panic(list in "\\PC{0,60}") {
            let _ = list.parse::<Faults>();
        }

        #[test]
        fn nothing_like_a_fault_makes_it_panic(list in "(late|451|http-|cut-|\\[|\\]|[@*:=&%,; ]|5s|x){0,12}") {
            let _ = list.parse::<Faults>();
        }
    }
}
