//! `notify platforms new`: the beginning of a definition, which can be sent with as it is.

use super::super::open;
use crate::exit::{Exit, Failure};
use crate::platform::registry;

const TEXT: &str = r##"# NAME: what it is, in one line. See docs/adding-a-platform.md for every key.
# Try it: notify preview rows.csv --via my-NAME --platform-file NAME.yaml --show-request
schema: 1
name: NAME
title: "NAME"
family: chat                  # chat, sms, email, push, paging or webhook
docs:
  - https://example.com/api   # where the facts below were read

# Files of a template that are looked for, as NAME.json, NAME.md or NAME.txt.
template: [NAME, chat]

# What an account says. Secrets are never shown, and are {{secret.token}} below.
vars:
  token: {secret: true, required: true, about: "the API's token"}
  base: {default: "https://api.example.com", about: "another host"}

# Columns that may hold the address of a row, in order of preference.
addressing:
  columns: [NAME, to]

# What a JSON template or a row's columns may carry beside subject and text: json, list or number say how a text is read.
fields:
  blocks: {json: true, about: "rich content"}

# Refused before it is sent.
message:
  max: {text: {chars: 4000}}

request:
  method: POST
  url: "{{base}}/messages"
  auth: [{bearer: "{{secret.token}}"}]
  omit_empty: true            # keys that came out empty are left out
  # The first kind whose needs are there is sent.
  kinds:
    rich:
      needs: [blocks]
      json: {to: "{{to}}", title: "{{title}}", text: "{{text}}", blocks: {$ref: blocks}}
    text:
      json: {to: "{{to}}", title: "{{title}}", text: "{{text}}"}

# When a reply means that the message was taken. A 2xx alone says little; prefer what the body says.
success: {all: [{status: 2xx}, {json: /ok, eq: true}]}
id: /id
code: /error/code
detail: /error/message

# What other replies mean: the first that matches. Classes: rate, auth, gone, permanent, config, transient, unknown.
errors:
  - {when: {status: 429}, class: rate, scope: account, wait: [{header: Retry-After}, {const: 1s}]}
  - {when: {status: [401, 403]}, class: auth}
  - {when: {json: /error/code, eq: no_such_room}, class: gone}
  - default: permanent

limits:
  - {per: account, max: 10, every: 1s}
concurrency: 4

# A key that the service remembers, if it has one; without it what is in doubt is never sent again by itself.
# idempotency: {header: Idempotency-Key, format: uuid, ttl: 24h, honoured: always}

# Several deliveries in one request, if it can do that.
# batch: {mode: list, max: 100, at: /messages}
# results: {mode: by_index, path: /results, ok: {json: /status, eq: sent}}

# The harmless call of `notify platforms check`.
check:
  request: {method: GET, url: "{{base}}/me", auth: [{bearer: "{{secret.token}}"}]}
  success: {status: 200}

# URLs for --via.
urls:
  - {form: "NAME://TOKEN@ROOM", vars: {token: user}, to: host}
"##;

/// Prints it under that name.
pub(super) fn print(name: &str) -> Result<Exit, Failure> {
    let good = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !good {
        return Err(Failure::new(Exit::Usage, format!("\"{name}\" cannot be a platform's name: use a-z, 0-9 and -")));
    }
    if registry::names().contains(&name) {
        let what = format!("platform {name} comes with notify\n  = help: give yours another name, such as my-{name}");
        return Err(Failure::new(Exit::Usage, what));
    }
    open::print(&TEXT.replace("NAME", name));
    Ok(Exit::Done)
}
