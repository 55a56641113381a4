//! UUIDs made from a name: the form of idempotency key that some services insist on.

use crate::platform::sign::hex::to_hex;

/// A name-based UUID (RFC 9562 section 5.5, version 5, name space URL) of `notify:NAME`: the same for the same name, for ever.
pub fn uuid5(name: &str) -> String {
    const URL_SPACE: [u8; 16] = [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
    let mut context = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    context.update(&URL_SPACE);
    context.update(b"notify:");
    context.update(name.as_bytes());
    let digest = context.finish();
    let mut bytes = [0u8; 16];
    bytes.copy_from_slice(&digest.as_ref()[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x50;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = to_hex(&bytes);
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_vector() {
        assert_eq!(uuid5("job1:row7"), "69aea706-66d7-5ca7-9306-90081b6eb4b6");
    }
}
