//! How many parts a text is sent and charged in, and where it is parted (3GPP TS 23.038, TS 23.040 section 9.2.3.24).
//!
//! No part is over its limit; an escape with its character, and the two halves of a surrogate pair, stay together. The parts of a text
//! joined are the text.

use crate::sms::alphabet::Septets;

/// The alphabet of a whole text; one character outside GSM 7-bit turns it into UCS-2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// GSM 7-bit; a unit is a septet, and a character of the extension table takes two.
    Gsm7,
    /// UCS-2; a unit is 16 bits, and a character beyond the first plane takes two.
    Ucs2,
}

/// How a text is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Counting {
    /// Parts carry an 8-bit reference (6 bytes of header): 160/153 septets, 70/67 units.
    #[default]
    Reference8,
    /// Parts carry a 16-bit reference (7 bytes of header): 160/152 septets, 70/66 units.
    Reference16,
    /// As networks of mainland China charge: 70/67 units of UTF-16, whatever the alphabet.
    Mainland,
}

impl Counting {
    /// Units of a text that fits one part, and of each part of a longer one.
    pub fn limits(self, encoding: Encoding) -> (usize, usize) {
        match (self, encoding) {
            (Counting::Reference8, Encoding::Gsm7) => (160, 153),
            (Counting::Reference16, Encoding::Gsm7) => (160, 152),
            (Counting::Reference8, Encoding::Ucs2) | (Counting::Mainland, _) => (70, 67),
            (Counting::Reference16, Encoding::Ucs2) => (70, 66),
        }
    }

    /// The alphabet that this text is counted in.
    pub fn encoding(self, text: &str) -> Encoding {
        let gsm7 = self != Counting::Mainland && text.chars().all(|letter| Septets::of(letter).is_some());
        if gsm7 { Encoding::Gsm7 } else { Encoding::Ucs2 }
    }
}

/// What a text amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segments {
    /// Its alphabet.
    pub encoding: Encoding,
    /// Septets, or units of 16 bits.
    pub units: usize,
    /// Parts it is sent and charged in; 1 for an empty text.
    pub parts: usize,
    /// Units of each part.
    pub lengths: Vec<usize>,
}

/// Counts a text whose parts carry an 8-bit reference, as nearly all do.
pub fn count(text: &str) -> Segments {
    count_as(text, Counting::Reference8)
}

/// Counts a text in the way that is asked for.
pub fn count_as(text: &str, counting: Counting) -> Segments {
    let encoding = counting.encoding(text);
    let mut lengths = Vec::with_capacity(1);
    walk(text, encoding, counting.limits(encoding), |_, units| lengths.push(units));
    Segments { encoding, units: lengths.iter().sum(), parts: lengths.len(), lengths }
}

/// Counts as mainland China charges: with the signature, which the service puts before the text as `【signature】`.
pub fn count_mainland(text: &str, signature: Option<&str>) -> Segments {
    match signature {
        Some(signature) => count_as(&format!("【{signature}】{text}"), Counting::Mainland),
        None => count_as(text, Counting::Mainland),
    }
}

/// The parts of a text, in order; one for an empty text.
pub fn split(text: &str, counting: Counting) -> Vec<&str> {
    let encoding = counting.encoding(text);
    let mut parts = Vec::with_capacity(1);
    let mut from = 0;
    walk(text, encoding, counting.limits(encoding), |end, _| {
        parts.push(&text[from..end]);
        from = end;
    });
    parts
}

/// Tells the end, in bytes, and the units of each part.
fn walk(text: &str, encoding: Encoding, (single, each): (usize, usize), mut part: impl FnMut(usize, usize)) {
    let size = |letter: char| match encoding {
        Encoding::Gsm7 => Septets::of(letter).map_or(1, Septets::len),
        Encoding::Ucs2 => letter.len_utf16(),
    };
    let total: usize = text.chars().map(size).sum();
    if total <= single {
        return part(text.len(), total);
    }
    let mut units = 0;
    for (at, letter) in text.char_indices() {
        let size = size(letter);
        if units + size > each {
            part(at, units);
            units = 0;
        }
        units += size;
    }
    part(text.len(), units);
}

/// What stands before a part so that a telephone can join them (TS 23.040 sections 9.2.3.24.1 and 9.2.3.24.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// Tells 256 texts of one sender to one number apart: 6 bytes.
    Eight(u8),
    /// Tells 65,536 apart: 7 bytes.
    Sixteen(u16),
}

impl Reference {
    /// How a text with this reference is counted and parted.
    pub fn counting(self) -> Counting {
        match self {
            Reference::Eight(_) => Counting::Reference8,
            Reference::Sixteen(_) => Counting::Reference16,
        }
    }

    /// The user data header of part `index` (from 1) of `total`.
    pub fn header(self, index: u8, total: u8) -> Vec<u8> {
        match self {
            Reference::Eight(reference) => vec![5, 0x00, 3, reference, total, index],
            Reference::Sixteen(reference) => {
                let [high, low] = reference.to_be_bytes();
                vec![6, 0x08, 4, high, low, total, index]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vectors() {
        use Encoding::{Gsm7, Ucs2};
        let repeat = |text: &str, times| text.repeat(times);
        let cases: Vec<(String, Encoding, Vec<usize>)> = vec![
            (String::new(), Gsm7, vec![0]),
            (repeat("a", 160), Gsm7, vec![160]),
            (repeat("a", 161), Gsm7, vec![153, 8]),
            (repeat("a", 306), Gsm7, vec![153, 153]),
            (repeat("a", 307), Gsm7, vec![153, 153, 1]),
            (repeat("€", 80), Gsm7, vec![160]),
            (repeat("€", 81), Gsm7, vec![152, 10]),
            (format!("{}€{}", repeat("a", 152), repeat("a", 10)), Gsm7, vec![152, 12]),
            ("[x]".to_owned(), Gsm7, vec![5]),
            ("é".to_owned(), Gsm7, vec![1]),
            ("Ç".to_owned(), Gsm7, vec![1]),
            ("á".to_owned(), Ucs2, vec![1]),
            ("ç".to_owned(), Ucs2, vec![1]),
            ("`".to_owned(), Ucs2, vec![1]),
            ("a\tb".to_owned(), Ucs2, vec![3]),
            (format!("{}’", repeat("a", 99)), Ucs2, vec![67, 33]),
            (repeat("你", 70), Ucs2, vec![70]),
            (repeat("你", 71), Ucs2, vec![67, 4]),
            (repeat("你", 134), Ucs2, vec![67, 67]),
            (repeat("你", 135), Ucs2, vec![67, 67, 1]),
            (repeat("😀", 35), Ucs2, vec![70]),
            (repeat("😀", 36), Ucs2, vec![66, 6]),
            (format!("{}😀{}", repeat("你", 66), repeat("你", 4)), Ucs2, vec![66, 6]),
            ("👨‍👩‍👧‍👦".to_owned(), Ucs2, vec![11]),
        ];
        for (text, encoding, lengths) in cases {
            let expected = Segments { encoding, units: lengths.iter().sum(), parts: lengths.len(), lengths };
            assert_eq!(count(&text), expected, "{text}");
            assert_eq!(split(&text, Counting::Reference8).len(), expected.parts, "{text}");
        }
    }

    #[test]
    fn a_wider_reference_leaves_less_room() {
        assert_eq!(count_as(&"a".repeat(160), Counting::Reference16).lengths, [160]);
        assert_eq!(count_as(&"a".repeat(305), Counting::Reference16).lengths, [152, 152, 1]);
        assert_eq!(count_as(&"你".repeat(133), Counting::Reference16).lengths, [66, 66, 1]);
        assert_eq!(Reference::Eight(0xab).header(1, 2), [5, 0, 3, 0xab, 2, 1]);
        assert_eq!(Reference::Sixteen(0xabcd).header(2, 3), [6, 8, 4, 0xab, 0xcd, 3, 2]);
        assert_eq!(Reference::Sixteen(1).counting(), Counting::Reference16);
        assert_eq!(Reference::Eight(1).counting(), Counting::Reference8);
    }

    #[test]
    fn mainland_counts_characters_and_the_signature() {
        assert_eq!(count_mainland(&"a".repeat(70), None).lengths, [70]);
        assert_eq!(count_mainland(&"a".repeat(71), None).lengths, [67, 4]);
        assert_eq!(count_mainland(&"a".repeat(66), Some("阿里云")).lengths, [67, 4]);
        let fits = count_mainland(&"a".repeat(64), Some("公司"));
        assert_eq!((fits.units, fits.parts), (68, 1));
    }

    #[test]
    fn a_part_ends_before_what_would_be_torn() {
        let text = format!("{}😀{}", "你".repeat(66), "你".repeat(4));
        assert_eq!(split(&text, Counting::Reference8), ["你".repeat(66), format!("😀{}", "你".repeat(4))]);
        assert_eq!(split("", Counting::Mainland), [""]);
    }

    proptest! {
        #[test]
        fn parts_join_to_the_text_and_none_is_over_its_limit(
            text in proptest::collection::vec(proptest::sample::select(vec!['a', ' ', '€', '[', 'é', 'ç', '你', '😀', '\n', '`']), 0..700),
            plain in any::<bool>(),
            counting in proptest::sample::select(vec![Counting::Reference8, Counting::Reference16, Counting::Mainland]),
        ) {
            let text: String = text.into_iter().filter(|letter| !plain || Septets::of(*letter).is_some()).collect();
            let (segments, parts) = (count_as(&text, counting), split(&text, counting));
            prop_assert_eq!(parts.concat(), text.as_str());
            prop_assert_eq!(parts.len(), segments.parts);
            let (single, each) = counting.limits(segments.encoding);
            let limit = if parts.len() == 1 { single } else { each };
            for (part, length) in parts.iter().zip(&segments.lengths) {
                let units = match segments.encoding {
                    Encoding::Gsm7 => crate::sms::alphabet::gsm7(part).unwrap().len(),
                    Encoding::Ucs2 => crate::sms::alphabet::ucs2(part).len() / 2,
                };
                prop_assert_eq!(units, *length);
                prop_assert!(units <= limit);
                prop_assert!(units > 0 || text.is_empty());
            }
            // Nothing is wasted: a part is short of its limit by one unit at most, but for the last.
            for length in segments.lengths.iter().rev().skip(1) {
                prop_assert!(*length + 1 >= each);
            }
        }
    }
}
