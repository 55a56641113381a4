//! Names that are ours: header fields that nobody else may set, and the holes of return paths and unsubscribe links.

/// Variable of `return_path`.
pub(super) const DELIVERY_ID: &str = "{{delivery_id}}";
/// Variables of `unsubscribe`.
pub(super) const TOKEN: &str = "{{token}}";
pub(super) const ADDRESS: &str = "{{address}}";

/// Fields that are made here and cannot be set by `headers:` or a template.
const OURS: [&str; 14] = [
    "from",
    "sender",
    "to",
    "cc",
    "bcc",
    "reply-to",
    "subject",
    "date",
    "message-id",
    "mime-version",
    "return-path",
    "received",
    "dkim-signature",
    "resent-to",
];

/// Whether the field is made here.
pub(super) fn is_ours(name: &str) -> bool {
    OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours))
        || name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
}
