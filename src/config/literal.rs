//! Which literal values of a config are secrets, and how a line or value that holds one is shown.

use super::tree::{Kind, Node};
use crate::problem::did_you_mean;

/// Keys whose literal value is a secret, beside every key that ends in `_` and one of them.
const SECRET: [&str; 13] = [
    "password",
    "passwd",
    "passphrase",
    "pass",
    "secret",
    "token",
    "key",
    "webhook",
    "apikey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
];

/// Keys that end like a secret and are none (`client_key` is the path of a file).
const PUBLIC: [&str; 8] =
    ["idempotency_key", "public_key", "message_key", "dedupe_key", "partition_key", "routing_key", "client_key", "webhook_id"];

/// Keys of which exactly one makes a map a reference to a secret.
pub(crate) const REFERENCE: [&str; 4] = ["env", "file", "cmd", "keyring"];

/// Whether a literal under this key is a secret whatever it says.
pub(crate) fn is_secret_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    if PUBLIC.contains(&key.as_str()) {
        return false;
    }
    SECRET.iter().any(|word| key.strip_suffix(word).is_some_and(|before| before.is_empty() || before.ends_with('_')))
}

/// Whether this text is an address that opens a door by itself: a password or token inside, or a webhook's path. Loopback opens none.
pub(crate) fn is_secret_url(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else { return false };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
    if user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty()) {
        return true;
    }
    if is_loopback(host) {
        return false;
    }
    let path = path.to_ascii_lowercase();
    host.starts_with("hooks.")
        || path.split(['/', '?']).any(|step| step == "hook" || step.contains("hooks") || step.contains("webhook"))
        || path
            .split(['?', '&'])
            .skip(1)
            .any(|pair| pair.split_once('=').is_some_and(|(name, value)| !value.is_empty() && is_secret_query(name)))
}

fn is_secret_query(name: &str) -> bool {
    is_secret_key(name) || matches!(name, "sig" | "sign" | "signature" | "auth")
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => host.split(':').next().unwrap_or(host),
    };
    name == "localhost" || name == "::1" || name.starts_with("127.")
}

/// Whether a value under `key` is a literal secret. References (`{ env: X }`) are not; an empty text is none yet.
pub(crate) fn is_literal(key: &str, node: &Node) -> bool {
    match &node.kind {
        Kind::Text(text) if text.is_empty() => false,
        Kind::Text(text) if key == "webhook" && text.contains("://") => {
            is_secret_url(text) || !is_loopback(text.split_once("://").map_or("", |(_, rest)| rest))
        }
        Kind::Text(text) => is_secret_key(key) || is_secret_url(text),
        Kind::Number(_) => is_secret_key(key),
        _ => false,
    }
}

/// Whether a map is a reference to a secret.
pub(crate) fn is_reference(node: &Node) -> bool {
    matches!(node.entries(), [only] if REFERENCE.contains(&only.key.as_str()))
}

/// The value as it may be shown: literal secrets as `***`, addresses with a secret as scheme and host, a command as its first word.
pub(crate) fn masked(key: &str, node: &Node) -> Node {
    let kind = match &node.kind {
        Kind::Text(text) if is_literal(key, node) => Kind::Text(match text.split_once("://") {
            Some((scheme, rest)) if !is_secret_key(key) || key == "webhook" => {
                let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
                let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
                format!("{scheme}://{host}/***")
            }
            _ => "***".to_owned(),
        }),
        Kind::Number(_) if is_literal(key, node) => Kind::Text("***".to_owned()),
        Kind::Map(entries) if is_reference(node) => {
            let mut entries = entries.clone();
            for entry in entries.iter_mut().filter(|entry| entry.key == "cmd") {
                entry.node.kind = Kind::Text(first_word(&entry.node));
            }
            Kind::Map(entries)
        }
        Kind::Map(entries) => {
            let mut entries = entries.clone();
            for entry in &mut entries {
                // Keys inside a secret's block (`token: { value: x }`) are as secret as the block.
                let inside = if is_secret_key(key) { key } else { &entry.key };
                entry.node = masked(inside, &entry.node);
                if entry.key.ends_with("_cmd") {
                    entry.node.kind = Kind::Text(first_word(&entry.node));
                }
            }
            Kind::Map(entries)
        }
        Kind::List(items) => Kind::List(items.iter().map(|item| masked(key, item)).collect()),
        other => other.clone(),
    };
    Node { at: node.at, kind }
}

/// `pass …`: arguments of a command may be secrets themselves.
fn first_word(command: &Node) -> String {
    let words: Vec<&str> = match &command.kind {
        Kind::Text(text) => text.split_whitespace().collect(),
        Kind::List(items) => items.iter().filter_map(Node::text).collect(),
        _ => Vec::new(),
    };
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first, ..] => format!("{first} …"),
    }
}

/// A line of a config file as it may be shown in an error. Works on the text alone, because a line is also shown when its file cannot be
/// read as YAML; hides too much rather than too little. What stands before `column` keeps its width so that a mark still fits.
pub(crate) fn veil(line: &str, column: usize) -> String {
    let mut chars: Vec<char> = line.chars().collect();
    let mut at = 0;
    while at < chars.len() {
        let opens_word = at == 0 || !(chars[at - 1].is_alphanumeric() || matches!(chars[at - 1], '_' | '-' | '.'));
        let hidden = opens_word.then(|| secret_from(&chars, at)).flatten();
        match hidden {
            Some((start, end)) => {
                let width = if start + 1 < column { end - start } else { 3 };
                chars.splice(start..end, std::iter::repeat_n('*', width));
                at = start + width;
            }
            None => at += 1,
        }
    }
    chars.into_iter().collect()
}

/// The span of a secret that the word at `at` announces or is.
fn secret_from(chars: &[char], at: usize) -> Option<(usize, usize)> {
    let word_end = at + chars[at..].iter().take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-')).count();
    let word: String = chars[at..word_end].iter().collect();
    // `key: value`, `"key": value`, and `key = value` of somebody who thinks of INI files.
    let mut after = word_end;
    if matches!(chars.get(after), Some('"' | '\'')) {
        after += 1;
    }
    while chars.get(after) == Some(&' ') {
        after += 1;
    }
    if !word.is_empty() && matches!(chars.get(after), Some(':' | '=')) && (is_secret_key(&word) || nearly_secret(&word)) {
        let start = after + 1 + chars[after + 1..].iter().take_while(|c| c.is_whitespace()).count();
        // A reference is shown, so that its own mistakes can be; `|` opens lines that follow and hides itself.
        let reference = chars.get(start) == Some(&'{') && {
            let inside: String =
                chars[start + 1..].iter().skip_while(|c| !c.is_alphanumeric()).take_while(|c| c.is_alphanumeric()).collect();
            did_you_mean(&inside, REFERENCE).is_some()
        };
        if start < chars.len() && !reference && chars[start] != '#' {
            return Some((start, value_end(chars, start)));
        }
    }
    // An address with a secret inside, or a long word that looks like no word.
    let end = at + chars[at..].iter().take_while(|c| !c.is_whitespace() && !matches!(c, '"' | '\'' | ',')).count();
    let run: String = chars[at..end].iter().collect();
    if run.contains("://") && is_secret_url(&run) {
        return Some((at + run.find("://").map_or(0, |i| run[..i].chars().count()) + 3, end));
    }
    let opaque = run.chars().count() >= 24
        && !run.contains("://")
        && !run.contains('@')
        && run.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '_' | '-' | '=' | '.'))
        && run.chars().any(|c| c.is_ascii_digit())
        && run.chars().any(|c| c.is_ascii_alphabetic());
    opaque.then_some((at, end))
}

fn nearly_secret(word: &str) -> bool {
    did_you_mean(word, ["password", "passphrase", "secret", "token", "webhook", "api_key"]).is_some()
}

/// Where a value that starts at `start` ends: its closing quote, or `,` `}` of flow style, or a remark, or the line.
fn value_end(chars: &[char], start: usize) -> usize {
    if let quote @ ('"' | '\'') = chars[start] {
        let mut at = start + 1;
        while at < chars.len() {
            match chars[at] {
                '\\' if quote == '"' => at += 1,
                c if c == quote && chars.get(at + 1) == Some(&quote) && quote == '\'' => at += 1,
                c if c == quote => return at + 1,
                _ => {}
            }
            at += 1;
        }
        return chars.len();
    }
    // Only in flow style does a comma end a value, and a brace before it says which style this is.
    let flow = chars[..start].contains(&'{');
    (start..chars.len())
        .find(|&at| (flow && matches!(chars[at], '}' | ',')) || (chars[at] == ' ' && chars.get(at + 1) == Some(&'#')))
        .unwrap_or(chars.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(key: &str, text: &str) -> bool {
        let node = Node { at: Default::default(), kind: Kind::Text(text.to_owned()) };
        is_literal(key, &node)
    }

    #[test]
    fn which_literals_are_secrets() {
        for (key, text) in [
            ("password", "x"),
            ("Secret", "x"),
            ("key", "x"),
            ("api_key", "x"),
            ("X-Api-Key", "x"),
            ("access_token", "x"),
            ("Authorization", "Bearer x"),
            ("webhook", "https://open.feishu.cn/open-apis/bot/v2/x"),
            ("url", "smtp://me:pw@mail.example.com"),
            ("url", "https://hooks.slack.com/services/T0/B0/x"),
            ("url", "https://chat.example.com/hooks/abc"),
            ("url", "https://oapi.dingtalk.com/robot/send?access_token=abc"),
            ("proxy", "http://me:pw@proxy:3128"),
        ] {
            assert!(literal(key, text), "{key}: {text}");
        }
        for (key, text) in [
            ("password", ""),
            ("user", "robot"),
            ("keyboard", "x"),
            ("monkey", "x"),
            ("idempotency_key", "X-Request-Id"),
            ("url", "smtps://smtp.example.com:465"),
            ("url", "smtp://me@mail.example.com"),
            ("url", "http://127.0.0.1:8080/webhook"),
            ("url", "https://corp.example/u/{{token}}"),
            ("webhook", "http://localhost:1/x"),
            ("from", "Corp <no-reply@corp.example>"),
        ] {
            assert!(!literal(key, text), "{key}: {text}");
        }
    }

    #[test]
    fn a_line_hides_its_secrets_and_keeps_its_columns() {
        for (line, column, shown) in [
            ("    password: hunter2", 5, "    password: ***"),
            ("    pasword: hunter2 # mine", 5, "    pasword: *** # mine"),
            ("a: { password: 'hun,ter''2', prot: x }", 30, "a: { password: ************, prot: x }"),
            ("a: { prot: x, password: hunter2 }", 6, "a: { prot: x, password: ***}"),
            ("  \"token\": \"hunter2\\\"x\"", 3, "  \"token\": ***"),
            ("password: hunter2, and more", 1, "password: ***"),
            ("  password: { evn: X }", 15, "  password: { evn: X }"),
            ("  password: { env: X }", 3, "  password: { env: X }"),
            ("  url: smtp://me:hunter2@mail.example.com", 3, "  url: smtp://***"),
            ("  prot: https://hooks.slack.com/services/T0/B0/hunter2", 3, "  prot: https://***"),
            ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 1, "***"),
            ("  user: robot@corp.example", 3, "  user: robot@corp.example"),
            ("secret=hunter2", 1, "secret=***"),
            ("  password: { value: hunter2 }", 3, "  password: ***"),
        ] {
            let veiled = veil(line, column);
            assert_eq!(veiled, shown, "{line}");
            assert!(!veiled.contains("unter2"), "{veiled}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "[a-z:{} '\"\\\\#=@/]{0,20}(password|token|secret)?[:= {'\"\\\\]{0,6}[a-z/@]{0,9}", column in 0usize..50) {
            let _ = veil(&line, column);
        }
    }
}
