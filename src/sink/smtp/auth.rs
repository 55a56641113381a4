//! AUTH on the server's side: PLAIN, LOGIN and XOAUTH2 (RFC 4954, 4616; Google's page for the last), one line at a time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Where an exchange stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The credentials of PLAIN come next.
    Plain,
    /// The user of LOGIN comes next.
    LoginUser,
    /// The password of LOGIN comes next.
    LoginPassword { user: String },
    /// The token line of XOAUTH2 comes next.
    XOauth2,
    /// XOAUTH2 was refused with a 334; the client's empty line comes next, then 535.
    XOauth2Refused,
}

/// What follows from a line.
pub(crate) enum Next {
    /// Ask on: the step, and what stands behind 334.
    Ask(Step, &'static str),
    /// The credentials are in.
    Given { user: String, secret: String, xoauth2: bool },
    /// Not base64, or not what the mechanism says: 501.
    Malformed,
    /// Mechanism unknown: 504.
    Unknown,
    /// XOAUTH2's second part of a refusal: 535 now.
    Refuse,
}

/// `{"status":"400","schemes":"Bearer","scope":"mail"}`
pub(crate) const XOAUTH2_REFUSAL: &str = "eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=";

/// `AUTH mechanism [initial response]`.
pub(crate) fn begin(rest: &str) -> Next {
    let (mechanism, initial) = rest.split_once(' ').map_or((rest, None), |(name, initial)| (name, Some(initial)));
    let (step, challenge) = match mechanism.to_ascii_uppercase().as_str() {
        "PLAIN" => (Step::Plain, ""),
        "LOGIN" => (Step::LoginUser, "VXNlcm5hbWU6"),
        "XOAUTH2" => (Step::XOauth2, ""),
        _ => return Next::Unknown,
    };
    match initial {
        None => Next::Ask(step, challenge),
        // RFC 4954: a lone `=` is an empty initial response.
        Some("=") => go_on(step, ""),
        Some(initial) => go_on(step, initial),
    }
}

/// The client's answer to a 334.
pub(crate) fn go_on(step: Step, line: &str) -> Next {
    if step == Step::XOauth2Refused {
        return Next::Refuse;
    }
    let Some(text) = STANDARD.decode(line).ok().and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Next::Malformed;
    };
    match step {
        Step::Plain => {
            let mut parts = text.split('\0');
            match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(_), Some(user), Some(secret), None) => {
                    Next::Given { user: user.to_owned(), secret: secret.to_owned(), xoauth2: false }
                }
                _ => Next::Malformed,
            }
        }
        Step::LoginUser => Next::Ask(Step::LoginPassword { user: text }, "UGFzc3dvcmQ6"),
        Step::LoginPassword { user } => Next::Given { user, secret: text, xoauth2: false },
        Step::XOauth2 => {
            let given = text.strip_suffix("\u{1}\u{1}").and_then(|text| {
                let (user, token) = text.split_once('\u{1}')?;
                Some((user.strip_prefix("user=")?, token.strip_prefix("auth=Bearer ")?))
            });
            match given {
                Some((user, token)) => Next::Given { user: user.to_owned(), secret: token.to_owned(), xoauth2: true },
                None => Next::Malformed,
            }
        }
        Step::XOauth2Refused => Next::Refuse,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(next: Next) -> (String, String) {
        match next {
            Next::Given { user, secret, .. } => (user, secret),
            _ => panic!("not given"),
        }
    }

    #[test]
    fn published_vectors_are_read() {
        let plain = given(begin("PLAIN AHVzZXJAZXhhbXBsZS5jb20AcEBzcyB3b3Jk"));
        assert_eq!(plain, ("user@example.com".into(), "p@ss word".into()));
        let Next::Ask(step, challenge) = begin("login dXNlckBleGFtcGxlLmNvbQ==") else { panic!("asks on") };
        assert_eq!(challenge, "UGFzc3dvcmQ6");
        assert_eq!(given(go_on(step, "cEBzcyB3b3Jk")), plain);
        let token = given(begin("XOAUTH2 dXNlcj11c2VyQGV4YW1wbGUuY29tAWF1dGg9QmVhcmVyIHlhMjkudG9rZW4BAQ=="));
        assert_eq!(token, ("user@example.com".into(), "ya29.token".into()));
    }

    #[test]
    fn nonsense_is_malformed() {
        assert!(matches!(begin("PLAIN !!!"), Next::Malformed));
        assert!(matches!(begin("PLAIN YQ=="), Next::Malformed));
        assert!(matches!(begin("CRAM-MD5"), Next::Unknown));
    }
}
