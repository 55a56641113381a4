//! What a cell must look like before it is taken for an address: what people and Excel do to addresses, told in their words.
//!
//! Only damage is looked for here. Whether an address is well formed for its platform is asked of the platform, without I/O, before the
//! first send.

/// Column names (folded) that hold telephone numbers whatever the account.
const PHONES: [&str; 11] =
    ["phone", "mobile", "tel", "telephone", "cell", "phone_number", "手机", "手机号", "手机号码", "电话", "电话号码"];

/// Columns (folded) taken for `email` where no column has that name.
pub(crate) const EMAIL_SYNONYMS: [&str; 5] = ["邮箱", "邮件", "电子邮件", "电子邮箱", "邮箱地址"];

/// Columns (folded) taken for `phone` where no column has that name.
pub(crate) const PHONE_SYNONYMS: [&str; 5] = ["手机", "手机号", "手机号码", "电话", "电话号码"];

/// Whether a column of that name holds telephone numbers.
pub(crate) fn names_phones(column: &str) -> bool {
    PHONES.contains(&column.trim().to_lowercase().as_str())
}

/// Whether a column of that name holds email addresses and nothing else.
fn names_emails(column: &str) -> bool {
    let column = column.trim().to_lowercase();
    column == "email" || column == "mail" || EMAIL_SYNONYMS.contains(&column.as_str())
}

/// White space and the invisible characters that come along when an address is copied from a page.
fn invisible(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{202a}'..='\u{202e}')
}

/// The address without what stands around it; empty where there is none.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches(invisible)
}

/// What is wrong with an address (already trimmed, not empty) that stands in `column`; `phone` where the account sends to numbers.
pub(crate) fn fault(address: &str, column: &str, phone: bool) -> Option<String> {
    let wide = address.chars().find_map(|c| match c {
        '＠' | '﹫' => Some((c, '@')),
        '．' | '。' | '｡' => Some((c, '.')),
        '，' => Some((c, ',')),
        '；' => Some((c, ';')),
        '＋' => Some((c, '+')),
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32).map(|plain| (c, plain)),
        _ => None,
    });
    if let Some((wide, plain)) = wide {
        return Some(format!("`{}` has the full-width character `{wide}`: write `{plain}`", shown(address)));
    }
    if address.chars().any(char::is_control) {
        return Some(format!("the address `{}` holds a line break or another control character", shown(address)));
    }
    if let Some(c) = address.chars().find(|c| invisible(*c) && !c.is_whitespace()) {
        return Some(format!("the address `{}` holds an invisible character (U+{:04X}): type it anew", shown(address), c as u32));
    }
    if phone || names_phones(column) {
        return excel(address).or_else(|| {
            let digits = address.chars().filter(char::is_ascii_digit).count();
            (phone && digits > 15).then(|| format!("`{}` has {digits} digits; 15 is the most (E.164)", shown(address)))
        });
    }
    if names_emails(column) {
        return email(address);
    }
    None
}

/// The cell as a message may quote it: on one line, what cannot be seen made visible, and not without end.
fn shown(text: &str) -> String {
    const MOST: usize = 80;
    let mut out: String = text
        .chars()
        .take(MOST)
        .map(|c| match c {
            c if c.is_control() => '\u{2424}',
            c if invisible(c) && !c.is_whitespace() => '\u{fffd}',
            c => c,
        })
        .collect();
    if text.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}

/// Mistakes in an email address that need no grammar to be seen.
fn email(address: &str) -> Option<String> {
    let bare = match (address.rfind('<'), address.ends_with('>')) {
        (Some(open), true) => &address[open + 1..address.len() - 1],
        _ => address,
    };
    if bare.matches('@').count() > 1 && !bare.starts_with('"') {
        return Some(format!(
            "`{}` is more than one address: a row is one recipient (JSON rows may have a list in `to`)",
            shown(bare)
        ));
    }
    let Some((local, domain)) = bare.rsplit_once('@') else {
        return Some(format!("`{}` is not an email address: it has no `@`", shown(bare)));
    };
    if local.is_empty() || domain.is_empty() {
        return Some(format!("`{}` has nothing on one side of its `@`", shown(bare)));
    }
    if bare.contains(char::is_whitespace) && !local.starts_with('"') {
        return Some(format!("`{}` has a space in it", shown(bare)));
    }
    if domain.starts_with('.') || domain.ends_with('.') || domain.contains("..") || domain.contains(',') {
        return Some(format!("`{}` is not an email address: `{}` is not a domain", shown(bare), shown(domain)));
    }
    None
}

/// What a spreadsheet did to a telephone number, if it did.
pub(crate) fn excel(text: &str) -> Option<String> {
    const AGAIN: &str = "format the column as text in the spreadsheet, mend it there and export again";
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some((mantissa, exponent)) = plain.split_once(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b',');
        if digits(mantissa) && digits(exponent) {
            return Some(format!("a spreadsheet made `{text}` of this number and its digits are lost: {AGAIN}"));
        }
    }
    if let Some((whole, rest)) = plain.rsplit_once('.')
        && whole.len() >= 7
        && whole.bytes().all(|b| b.is_ascii_digit())
        && !rest.is_empty()
        && rest.bytes().all(|b| b == b'0')
    {
        return Some(format!(
            "a spreadsheet made a decimal number `{text}` of this number, so leading zeros and `+` are lost: {AGAIN}"
        ));
    }
    if text.starts_with('\'') || text.starts_with('=') {
        return Some(format!("`{text}` carries a spreadsheet's mark: {AGAIN}"));
    }
    if text.starts_with('#') {
        return Some(format!("`{text}` is a spreadsheet's error or a column too narrow: {AGAIN}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_seen_and_good_addresses_pass() {
        let table = [
            ("zoe@example.com", "email", false, None),
            ("Zoë Müller <zoe@example.com>", "email", false, None),
            ("\"odd one\"@example.com", "email", false, None),
            ("zoe＠example.com", "to", false, Some("full-width")),
            ("zoe@example。com", "email", false, Some("full-width")),
            ("zoe@exam\u{200b}ple.com", "to", false, Some("U+200B")),
            ("zoe@example.com\nBcc: x@y", "to", false, Some("control")),
            ("zoe.example.com", "email", false, Some("no `@`")),
            ("zoe@", "email", false, Some("nothing on one side")),
            ("zoe @example.com", "邮箱", false, Some("space")),
            ("a@example.com; b@example.com", "email", false, Some("more than one")),
            ("zoe@example..com", "email", false, Some("not a domain")),
            ("https://hooks.example.com/x?a=1", "webhook", false, None),
            ("+12025550123", "phone", true, None),
            ("00123456789", "to", true, None),
            ("8.61381E+12", "to", true, Some("digits are lost")),
            ("1.38E+10", "手机", false, Some("digits are lost")),
            ("1,38E+10", "手机", false, Some("digits are lost")),
            ("13800000000.0", "phone", true, Some("decimal")),
            ("'13800000000", "phone", true, Some("mark")),
            ("########", "mobile", false, Some("too narrow")),
            ("1380000000013800", "phone", true, Some("16 digits")),
            ("1.38E+10", "code", false, None),
        ];
        for (address, column, phone, expected) in table {
            let found = fault(address, column, phone);
            match expected {
                None => assert_eq!(found, None, "{address}"),
                Some(part) => assert!(found.as_deref().is_some_and(|what| what.contains(part)), "{address}: {found:?}"),
            }
        }
        assert_eq!(trim("\u{feff} a@b \u{a0}\u{200b}"), "a@b");
    }
}
