//! The form in which addresses are compared: case folded, domains as the wire has them, numbers without their blanks.

use crate::recipient::Address;

/// The form of an address as a person wrote it: of a mailbox, a domain (`@example.com`), a number, a URL, an id. `None`: nothing in it.
///
/// A URL may be a credential: its form is the host and a hash.
pub fn form(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches('\u{feff}').trim();
    let text = text.strip_prefix("mailto:").unwrap_or(text);
    // Name <local@domain>
    let text = match text.rsplit_once('<') {
        Some((_, rest)) if rest.ends_with('>') => rest.trim_end_matches('>').trim(),
        _ => text,
    };
    if text.is_empty() {
        return None;
    }
    if text.contains("://") {
        return Some(hidden(text));
    }
    if let Some((local, domain)) = text.rsplit_once('@')
        && !domain.is_empty()
    {
        return Some(format!("{}@{}", local.trim().to_lowercase(), ascii(domain)));
    }
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if digits >= 5 && text.chars().all(|letter| letter.is_ascii_digit() || "+-(). /".contains(letter)) {
        let plain: String = text.chars().filter(char::is_ascii_digit).collect();
        let abroad = text.starts_with('+') || plain.starts_with("00");
        return Some(if abroad { format!("+{}", plain.strip_prefix("00").unwrap_or(&plain)) } else { plain });
    }
    Some(text.to_lowercase())
}

/// The forms under which an address may stand in a list: its own, that of its domain, and its hash where it is a credential.
pub(crate) fn forms(to: &Address, secret: bool) -> Vec<String> {
    let Some(own) = form(to.as_str()) else { return Vec::new() };
    let domain = own.rsplit_once('@').map(|(_, domain)| format!("@{domain}"));
    let hash = (secret && !to.as_str().contains("://")).then(|| hidden(to.as_str()));
    std::iter::once(own).chain(domain).chain(hash).collect()
}

/// The form of an address that may be a credential.
pub(crate) fn hidden(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.trim().as_bytes());
    let hash: String = digest.as_ref()[..12].iter().map(|byte| format!("{byte:02x}")).collect();
    match host(text) {
        Some(host) => format!("https://{host}/#{hash}"),
        None => format!("#{hash}"),
    }
}

/// The domain of a mailbox or the host of a URL, as the wire has it.
pub(crate) fn domain(text: &str) -> Option<String> {
    if text.contains("://") {
        return host(text);
    }
    let form = form(text)?;
    form.rsplit_once('@').map(|(_, domain)| domain.to_owned()).filter(|domain| !domain.is_empty())
}

/// The host of a URL, without user and port.
fn host(url: &str) -> Option<String> {
    let (_, rest) = url.trim().split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    let host = match place.strip_prefix('[') {
        Some(six) => six.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    };
    (!host.is_empty()).then(|| ascii(host))
}

/// A domain as the wire has it: punycode, small letters, no dot at its end.
pub(crate) fn ascii(domain: &str) -> String {
    let domain = domain.trim().trim_end_matches('.');
    idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form_however_it_is_written() {
        for (written, told) in [
            ("Ann@Example.COM", "ann@example.com"),
            (" ann@example.com. ", "ann@example.com"),
            ("Ann Lee <Ann@Example.com>", "ann@example.com"),
            ("mailto:ann@example.com", "ann@example.com"),
            ("\u{feff}ann@example.com", "ann@example.com"),
            ("ann@Müller.example", "ann@xn--mller-kva.example"),
            ("ann@XN--MLLER-KVA.example", "ann@xn--mller-kva.example"),
            ("Jörg@example.com", "jörg@example.com"),
            ("@Example.com", "@example.com"),
            ("+86 138-0013-8000", "+8613800138000"),
            ("0086 138 0013 8000", "+8613800138000"),
            ("13800138000", "13800138000"),
            ("ou_AbC", "ou_abc"),
            ("#general", "#general"),
        ] {
            assert_eq!(form(written).as_deref(), Some(told), "{written}");
        }
        for nothing in ["", "  ", "\u{feff}", "<>"] {
            assert_eq!(form(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn what_may_be_a_credential_is_a_hash() {
        let hook = "https://me:pw@Hooks.example.com:8443/services/T0/B0/s3cret";
        let form = form(hook).unwrap();
        assert!(form.starts_with("https://hooks.example.com/#") && !form.contains("s3cret"), "{form}");
        let token = forms(&Address::from("t0ken-of-a-room"), true);
        assert!(token.iter().any(|form| form.starts_with('#')), "{token:?}");
        assert_eq!(forms(&Address::from("A@B.example"), false), ["a@b.example", "@b.example"]);
    }

    #[test]
    fn domains_and_hosts() {
        for (text, told) in [
            ("ann@Example.com", Some("example.com")),
            ("https://Hooks.Example.com:8443/x", Some("hooks.example.com")),
            ("https://user:a@evil.example@good.example/x", Some("good.example")),
            ("http://[::1]:80/x", Some("::1")),
            ("https://good.example\\@evil.example/", Some("good.example")),
            ("+4915112345", None),
            ("webhook:ops", None),
        ] {
            assert_eq!(domain(text).as_deref(), told, "{text}");
        }
    }
}
