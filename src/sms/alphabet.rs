//! The two alphabets of short messages as bytes: GSM 7-bit (3GPP TS 23.038 section 6.2.1) and UCS-2, which carries UTF-16.

/// The basic table; a character's place is its code. 0x1B is the escape to the extension table and no character.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', //
    'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω', 'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', //
    ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', //
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', //
    '¡', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', //
    'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', //
    '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', //
    'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

/// The extension table: an escape, then this code.
const EXTENSION: [(char, u8); 10] = [
    ('\u{c}', 0x0a),
    ('^', 0x14),
    ('{', 0x28),
    ('}', 0x29),
    ('\\', 0x2f),
    ('[', 0x3c),
    ('~', 0x3d),
    (']', 0x3e),
    ('|', 0x40),
    ('€', 0x65),
];

const ESCAPE: u8 = 0x1b;

/// A character in GSM 7-bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Septets {
    /// One septet.
    Basic(u8),
    /// The escape and one septet; never parted.
    Escaped(u8),
}

impl Septets {
    /// The character's code; `None` where GSM 7-bit has none.
    pub(super) fn of(letter: char) -> Option<Septets> {
        if letter.is_ascii_alphanumeric() || letter == ' ' {
            return u8::try_from(letter).ok().map(Septets::Basic); // the codes of ASCII, without a search
        }
        if letter == '\u{1b}' {
            return None;
        }
        let basic = BASIC.iter().position(|basic| *basic == letter).and_then(|code| u8::try_from(code).ok());
        let extension = || EXTENSION.iter().find(|(extension, _)| *extension == letter).map(|(_, code)| Septets::Escaped(*code));
        basic.map(Septets::Basic).or_else(extension)
    }

    /// How many septets.
    pub(super) fn len(self) -> usize {
        match self {
            Septets::Basic(_) => 1,
            Septets::Escaped(_) => 2,
        }
    }
}

/// The text in GSM 7-bit, one septet a byte (as SMPP carries it); `None` where a character has no code.
pub fn gsm7(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::with_capacity(text.len());
    for letter in text.chars() {
        match Septets::of(letter)? {
            Septets::Basic(code) => septets.push(code),
            Septets::Escaped(code) => septets.extend([ESCAPE, code]),
        }
    }
    Some(septets)
}

/// Eight septets in seven bytes (TS 23.038 section 6.1.2.1), after `fill` zero bits (0 to 7): 1 behind a header of 6 bytes, so that
/// the text begins at a septet's border; 0 behind one of 7 bytes or none.
pub fn pack(septets: &[u8], fill: u32) -> Vec<u8> {
    let mut packed = Vec::with_capacity(septets.len() * 7 / 8 + 2);
    let (mut bits, mut held) = (0u32, fill.min(7));
    for septet in septets {
        bits |= u32::from(septet & 0x7f) << held;
        held += 7;
        while held >= 8 {
            packed.push((bits & 0xff) as u8);
            bits >>= 8;
            held -= 8;
        }
    }
    if held > 0 && !septets.is_empty() {
        packed.push((bits & 0xff) as u8);
    }
    packed
}

/// The text in UCS-2: UTF-16, high byte first.
pub fn ucs2(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unpacked(packed: &[u8], fill: usize, count: usize) -> Vec<u8> {
        let bit = |at: usize| packed[at / 8] >> (at % 8) & 1;
        (0..count).map(|septet| (0..7).map(|place| bit(fill + septet * 7 + place) << place).sum()).collect()
    }

    #[test]
    fn packing_vector() {
        let hex: String = pack(&gsm7("hellohello").unwrap(), 0).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "e8329bfd4697d9ec37");
        assert!(pack(&[], 1).is_empty());
    }

    #[test]
    fn every_character_has_its_own_code() {
        let all: String = BASIC.iter().filter(|letter| **letter != '\u{1b}').collect();
        let codes: Vec<u8> = (0..128).filter(|code| *code != ESCAPE).collect();
        assert_eq!(gsm7(&all).unwrap(), codes);
        assert_eq!(gsm7("€[x]\u{c}").unwrap(), [0x1b, 0x65, 0x1b, 0x3c, b'x', 0x1b, 0x3e, 0x1b, 0x0a]);
        for none in ["`", "\t", "ç", "á", "’", "–", "\u{1b}", "你", "\0"] {
            assert_eq!(gsm7(none), None, "{none:?}");
        }
    }

    #[test]
    fn ucs2_is_utf16_with_the_high_byte_first() {
        assert_eq!(ucs2("a你😀"), [0, 0x61, 0x4f, 0x60, 0xd8, 0x3d, 0xde, 0x00]);
    }

    proptest! {
        #[test]
        fn what_is_packed_can_be_unpacked(septets in proptest::collection::vec(0u8..128, 0..200), fill in 0u32..8) {
            let packed = pack(&septets, fill);
            let bits = if septets.is_empty() { 0 } else { septets.len() * 7 + fill as usize };
            prop_assert_eq!(packed.len(), bits.div_ceil(8));
            prop_assert_eq!(unpacked(&packed, fill as usize, septets.len()), septets);
        }
    }
}
