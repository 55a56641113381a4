//! The words of AUTH: PLAIN (RFC 4616), LOGIN and XOAUTH2, and which of them a server and an account have in common.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::settings::Mechanism;

/// `AUTH PLAIN`'s initial response: no authorization identity, user, password.
pub(super) fn plain(user: &str, password: &str) -> String {
    BASE64.encode(format!("\0{user}\0{password}"))
}

/// One answer of `AUTH LOGIN`.
pub(super) fn login(text: &str) -> String {
    BASE64.encode(text)
}

/// `AUTH XOAUTH2`'s initial response.
pub(super) fn xoauth2(user: &str, token: &str) -> String {
    BASE64.encode(format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}"))
}

/// The mechanism to use with a password or token, out of those the server lists.
pub(super) fn choose(wanted: Mechanism, has_token: bool, offered: &[String]) -> Result<Mechanism, String> {
    let offers = |name: &str| offered.iter().any(|mechanism| mechanism.eq_ignore_ascii_case(name));
    let wishes: &[(Mechanism, &str)] = match (wanted, has_token) {
        (Mechanism::Auto | Mechanism::Xoauth2, true) => &[(Mechanism::Xoauth2, "XOAUTH2")],
        (Mechanism::Plain, _) => &[(Mechanism::Plain, "PLAIN")],
        (Mechanism::Login, _) => &[(Mechanism::Login, "LOGIN")],
        _ => &[(Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN")],
    };
    if let Some((mechanism, _)) = wishes.iter().find(|(_, name)| offers(name)) {
        return Ok(*mechanism);
    }
    let wished = wishes.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(" or ");
    Err(match offered {
        [] => "the server offers no authentication here: check url and port, or leave out user and password".to_owned(),
        _ => format!("the server does not offer AUTH {wished}, but {}", offered.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_the_reference() {
        let (user, password) = ("user@example.com", "p@ss word");
        assert_eq!(plain(user, password), "AHVzZXJAZXhhbXBsZS5jb20AcEBzcyB3b3Jk");
        assert_eq!((login(user).as_str(), login(password).as_str()), ("dXNlckBleGFtcGxlLmNvbQ==", "cEBzcyB3b3Jk"));
        assert_eq!(xoauth2(user, "ya29.token"), "dXNlcj11c2VyQGV4YW1wbGUuY29tAWF1dGg9QmVhcmVyIHlhMjkudG9rZW4BAQ==");
    }

    #[test]
    fn the_mechanism_is_one_that_both_know() {
        let offered = |list: &[&str]| list.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>();
        assert_eq!(choose(Mechanism::Auto, false, &offered(&["LOGIN", "plain"])), Ok(Mechanism::Plain));
        assert_eq!(choose(Mechanism::Auto, false, &offered(&["LOGIN"])), Ok(Mechanism::Login));
        assert_eq!(choose(Mechanism::Auto, true, &offered(&["PLAIN", "XOAUTH2"])), Ok(Mechanism::Xoauth2));
        assert!(choose(Mechanism::Plain, false, &offered(&["LOGIN"])).is_err());
        assert!(choose(Mechanism::Auto, true, &[]).is_err());
    }
}
