//! The words of AUTH: PLAIN (RFC 4616), LOGIN, CRAM-MD5 (RFC 2195), XOAUTH2 and OAUTHBEARER (RFC 7628), and which of them a server
//! and an account have in common.

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

/// `AUTH OAUTHBEARER`'s initial response. In the user's name `,` and `=` are written as RFC 5801 section 4 has it.
pub(super) fn oauthbearer(user: &str, host: &str, port: u16, token: &str) -> String {
    let user = user.replace('=', "=3D").replace(',', "=2C");
    BASE64.encode(format!("n,a={user},\u{1}host={host}\u{1}port={port}\u{1}auth=Bearer {token}\u{1}\u{1}"))
}

/// The answer to the challenge of `AUTH CRAM-MD5`, which comes in base64; `None` where it is none.
pub(super) fn cram_md5(user: &str, password: &str, challenge: &str) -> Option<String> {
    let challenge = BASE64.decode(challenge.trim()).ok()?;
    Some(BASE64.encode(format!("{user} {}", hmac_md5(password.as_bytes(), &challenge))))
}

/// HMAC-MD5 (RFC 2104) in hexadecimal: broken for much, good enough for an answer that nobody can use again.
fn hmac_md5(key: &[u8], message: &[u8]) -> String {
    let mut block = [0u8; 64];
    if key.len() > block.len() {
        block[..16].copy_from_slice(&md5::compute(key).0);
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let padded = |pad: u8, rest: &[u8]| md5::compute([block.map(|byte| byte ^ pad).as_slice(), rest].concat());
    format!("{:x}", padded(0x5c, &padded(0x36, message).0))
}

/// The mechanism to use with a password or token, out of those the server lists.
pub(super) fn choose(wanted: Mechanism, has_token: bool, offered: &[String]) -> Result<Mechanism, String> {
    let offers = |name: &str| offered.iter().any(|mechanism| mechanism.eq_ignore_ascii_case(name));
    let wishes: &[(Mechanism, &str)] = match (wanted, has_token) {
        (Mechanism::Auto, true) => &[(Mechanism::Xoauth2, "XOAUTH2"), (Mechanism::Oauthbearer, "OAUTHBEARER")],
        (Mechanism::Xoauth2, _) => &[(Mechanism::Xoauth2, "XOAUTH2")],
        (Mechanism::Oauthbearer, _) => &[(Mechanism::Oauthbearer, "OAUTHBEARER")],
        (Mechanism::CramMd5, _) => &[(Mechanism::CramMd5, "CRAM-MD5")],
        (Mechanism::Plain, _) => &[(Mechanism::Plain, "PLAIN")],
        (Mechanism::Login, _) => &[(Mechanism::Login, "LOGIN")],
        (Mechanism::Auto, false) => &[(Mechanism::Plain, "PLAIN"), (Mechanism::Login, "LOGIN"), (Mechanism::CramMd5, "CRAM-MD5")],
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
        let bearer = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c210cC5leGFtcGxlLmNvbQFwb3J0PTU4NwFhdXRoPUJlYXJlciB5YTI5LnRva2VuAQE=";
        assert_eq!(oauthbearer(user, "smtp.example.com", 587, "ya29.token"), bearer);
    }

    /// The example of RFC 2195.
    #[test]
    fn a_challenge_is_answered_without_the_password() {
        let challenge = "<1896.697170952@postoffice.reston.mci.net>";
        assert_eq!(hmac_md5(b"tanstaaftanstaaf", challenge.as_bytes()), "b913a602c7eda7a495b4e6e7334d3890");
        let answer = cram_md5("tim", "tanstaaftanstaaf", &BASE64.encode(challenge)).unwrap();
        assert_eq!(answer, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
        assert_eq!(cram_md5("tim", "x", "%%%"), None);
        // RFC 2202, test case 6: a key longer than a block.
        let long = hmac_md5(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(long, "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
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
