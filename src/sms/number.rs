//! Telephone numbers: read as people write them, judged by what Google's libphonenumber knows of each country, written as platforms want.
//!
//! Strict where a mistake costs money: letters, extensions and lists of numbers are refused, and so is what no network has. The data
//! are those of the build; a range that was opened since is refused until the crate is updated.

use std::fmt;

use rlibphonenumber::{PHONE_NUMBER_UTIL, ParseError, PhoneNumberType, Region};

/// A valid number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Number {
    country: i32,
    national: String,
    region: Option<String>,
    textable: bool,
}

impl Number {
    /// With plus and country code (ITU-T E.164): `+8613900001234`.
    pub fn e164(&self) -> String {
        format!("+{}{}", self.country, self.national)
    }

    /// With country code, without the plus: `8613900001234`.
    pub fn digits(&self) -> String {
        format!("{}{}", self.country, self.national)
    }

    /// Without country code or trunk prefix: `13900001234`.
    pub fn national(&self) -> &str {
        &self.national
    }

    /// The country code: 86.
    pub fn country(&self) -> i32 {
        self.country
    }

    /// The country, two letters (ISO 3166-1): `CN`; `None` for a number of no country (satellites, freephone of the world).
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// Whether a short message may reach it: false where the numbering plan says that it is a fixed line, a freephone, a pager or
    /// the like.
    pub fn is_mobile_or_unknown(&self) -> bool {
        self.textable
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}{}", self.country, self.national)
    }
}

/// Reads a number. `region` (two letters, `CN`) is whose national numbers are meant where there is no `+`; digits of full width and
/// the usual spaces, hyphens, dots and brackets are taken.
///
/// # Errors
/// One sentence that does not repeat the number.
pub fn parse(text: &str, region: Option<&str>) -> Result<Number, String> {
    let region = region.map(known).transpose()?;
    let plain = plain(text)?;
    let digits = plain.trim_start_matches('+').len();
    if digits == 0 {
        return Err("there is no telephone number".to_owned());
    }
    let counted = format!("a number of {digits} digit{}", if digits == 1 { "" } else { "s" });
    if region.is_none() && !plain.starts_with('+') {
        return Err(format!("{counted} without its country: write +CC…, or say of which region numbers are"));
    }
    let wrong = |of: Option<Region>| {
        let of = of.map_or_else(|| "any country".to_owned(), |region| region.to_string());
        let help = if plain.starts_with('+') { "a digit is missing, wrong or too many" } else { "write +CC…" };
        format!("{counted} is not a valid number of {of}: {help}")
    };
    let number = PHONE_NUMBER_UTIL.parse(&plain, region).map_err(|error| match error {
        ParseError::InvalidCountryCode if plain.starts_with('+') => "no country has the code that follows the +".to_owned(),
        _ => wrong(region.filter(|_| !plain.starts_with('+'))),
    })?;
    if !PHONE_NUMBER_UTIL.is_valid_number(&number) {
        let of = PHONE_NUMBER_UTIL.get_region_for_country_code(number.country_code);
        let given = region.filter(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(*region) == Some(number.country_code));
        return Err(wrong(given.or(of)));
    }
    let region = PHONE_NUMBER_UTIL.get_region_for_number(&number).filter(|region| *region != Region::World);
    let kind = PHONE_NUMBER_UTIL.get_number_type(&number);
    Ok(Number {
        country: number.country_code,
        national: number.get_national_significant_number(),
        region: region.map(|region| region.to_string()),
        textable: matches!(kind, PhoneNumberType::Mobile | PhoneNumberType::FixedLineOrMobile | PhoneNumberType::Unknown),
    })
}

/// A region that has telephone numbers.
fn known(code: &str) -> Result<Region, String> {
    let region = Region::from_code(code.trim()).ok().filter(|region| *region != Region::World);
    region
        .filter(|region| PHONE_NUMBER_UTIL.get_country_code_for_region(*region).is_some())
        .ok_or_else(|| format!("\"{code}\" is no region: write two letters, such as CN or US"))
}

/// Digits of ASCII, a plus before them where there is one; nothing else.
fn plain(text: &str) -> Result<String, String> {
    let mut plain = String::with_capacity(16);
    for letter in text.trim().chars() {
        match letter {
            '0'..='9' => plain.push(letter),
            '\u{ff10}'..='\u{ff19}' => plain.extend(char::from_digit(u32::from(letter) - 0xff10, 10)),
            '+' | '\u{ff0b}' if plain.is_empty() => plain.push('+'),
            ' ' | '\t' | '\u{a0}' | '\u{2000}'..='\u{200f}' | '\u{202a}'..='\u{202f}' | '\u{2060}'..='\u{2069}' | '\u{3000}' => {}
            '\u{feff}' => {} // a phone's address book copies invisible marks along
            '-' | '.' | '/' | '(' | ')' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
            '\u{ff08}' | '\u{ff09}' | '\u{ff0d}' | '\u{ff0e}' | '\u{ff0f}' => {}
            '+' | '\u{ff0b}' => return Err("a + in the middle: one cell holds one telephone number".to_owned()),
            ',' | ';' | '、' | '，' | '；' => return Err(format!("a {letter:?}: one cell holds one telephone number")),
            _ => return Err(format!("a telephone number is of digits, and {letter:?} is none")),
        }
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_as_people_write_them() {
        let cases = [
            ("+8613900001234", None),
            ("+86 139-0000-1234", Some("US")),
            ("13900001234", Some("CN")),
            ("139 0000 1234", Some("cn")),
            ("8613900001234", Some("CN")),
            ("008613900001234", Some("CN")),
            ("１３９００００１２３４", Some("CN")),
            ("＋８６（139）0000－1234", None),
            ("\u{202d}+86 139 0000 1234\u{202c}", None),
        ];
        for (text, region) in cases {
            let number = parse(text, region).unwrap_or_else(|what| panic!("{text}: {what}"));
            assert_eq!(number.e164(), "+8613900001234", "{text}");
            assert_eq!(number.to_string(), number.e164());
            assert_eq!(number.digits(), "8613900001234");
            assert_eq!(number.national(), "13900001234");
            assert_eq!((number.country(), number.region()), (86, Some("CN")));
            assert!(number.is_mobile_or_unknown());
        }
    }

    #[test]
    fn other_countries() {
        let e164 = |text, region| parse(text, Some(region)).map(|number| number.e164());
        assert_eq!(e164("07400 123456", "GB").as_deref(), Ok("+447400123456"));
        assert_eq!(e164("+44 (0)7400 123456", "CN").as_deref(), Ok("+447400123456"));
        assert_eq!(e164("(201) 555-0123", "US").as_deref(), Ok("+12015550123"));
        assert_eq!(e164("9123 4567", "HK").as_deref(), Ok("+85291234567"));
        // Italy keeps the zero of a fixed line.
        let rome = parse("06 1234 5678", Some("IT")).unwrap();
        assert_eq!((rome.e164().as_str(), rome.is_mobile_or_unknown()), ("+390612345678", false));
        assert!(!parse("010 8888 8888", Some("CN")).unwrap().is_mobile_or_unknown());
        let freephone = parse("+800 1234 5678", None).unwrap();
        assert_eq!((freephone.region(), freephone.is_mobile_or_unknown()), (None, false));
    }

    #[test]
    fn what_is_no_number_is_told_and_not_repeated() {
        let cases = [
            ("12345678", Some("CN"), "a number of 8 digits is not a valid number of CN: write +CC…"),
            ("12", Some("CN"), "a number of 2 digits is not a valid number of CN: write +CC…"),
            ("1", Some("CN"), "a number of 1 digit is not a valid number of CN: write +CC…"),
            (
                "+86 139 0000 123",
                None,
                "a number of 12 digits is not a valid number of CN: a digit is missing, wrong or too many",
            ),
            ("12345678", Some("CA"), "a number of 8 digits is not a valid number of CA: write +CC…"),
            ("+999 1234567", None, "no country has the code that follows the +"),
            ("13900001234", None, "a number of 11 digits without its country: write +CC…, or say of which region numbers are"),
            ("13900001234", Some("XX"), "\"XX\" is no region: write two letters, such as CN or US"),
            ("13900001234", Some("China"), "\"China\" is no region: write two letters, such as CN or US"),
            ("13900001234", Some("001"), "\"001\" is no region: write two letters, such as CN or US"),
            ("", Some("CN"), "there is no telephone number"),
            ("+", None, "there is no telephone number"),
            ("1-800-FLOWERS", Some("US"), "a telephone number is of digits, and 'F' is none"),
            ("8.61E+12", Some("CN"), "a telephone number is of digits, and 'E' is none"),
            ("13900001234+13900005678", Some("CN"), "a + in the middle: one cell holds one telephone number"),
            ("13900001234,13900005678", Some("CN"), "a ',': one cell holds one telephone number"),
        ];
        for (text, region, expected) in cases {
            assert_eq!(parse(text, region).unwrap_err(), expected, "{text}");
        }
        assert!(parse(&"1".repeat(5000), Some("CN")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_what_is_taken_is_stable(text in "[+0-9 ()\\-]{0,24}|\\PC{0,24}", region in proptest::option::of("[A-Z]{2}")) {
            if let Ok(number) = parse(&text, region.as_deref()) {
                prop_assert_eq!(parse(&number.e164(), None), Ok(number));
            }
        }
    }
}
