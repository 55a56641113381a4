//! Every key that a config may have: the one table behind the check, `config show` and the reference page.

use crate::problem::did_you_mean;

/// A key, what it takes and what holds without it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name inside its block.
    pub name: &'static str,
    /// What it takes, for a person.
    pub takes: &'static str,
    /// What holds without it; empty where nothing does.
    pub default: &'static str,
}

const fn key(name: &'static str, takes: &'static str, default: &'static str) -> Key {
    Key { name, takes, default }
}

/// Keys of the file itself.
pub const TOP: [Key; 8] = [
    key("version", "1", "1"),
    key("defaults", "keys", ""),
    key("accounts", "accounts by name", ""),
    key("profiles", "profiles by name", ""),
    key("templates", "a folder or a list of folders", "./templates"),
    key("platforms", "a folder or a list of folders", "~/.config/notify/platforms"),
    key("recovery", "keys", ""),
    key("scheduler", "keys", ""),
];

/// Keys of the file that are understood by later versions: accepted, and told by `config check`.
pub const LATER: [Key; 6] = [
    key("events", "keys", ""),
    key("batch_events", "keys", ""),
    key("alerts", "keys", ""),
    key("weights", "keys", ""),
    key("on_status", "keys", ""),
    key("on_complete", "keys", ""),
];

/// Keys of `defaults:`.
pub const DEFAULTS: [Key; 40] = [
    key("via", "an account", "outbox"),
    key("concurrency", "auto, a number above 0, or keys", "auto"),
    key("batch_size", "a number above 0", "as many as the platform takes; 100"),
    key("rate", "a rate such as 10/s", ""),
    key("wait_quota", "true or false", "false"),
    key("priority", "low, normal, high or critical", "normal"),
    key("strict_priority", "true or false", "false"),
    key("on_error", "continue, abort or retry", "continue"),
    key("on_invalid", "refuse or skip", "refuse"),
    key("in_doubt", "ask, skip or resend", "ask"),
    key("dedupe", "key, address or off", "address"),
    key("retries", "a number, or keys", ""),
    key("timeout", "a length of time", "30s"),
    key("final_timeout", "a length of time", "10m for smtp, 60s for HTTP"),
    key("grace", "a length of time", "30s"),
    key("max_wait", "a length of time", "15m"),
    key("deadline", "a length of time", ""),
    key("confirm_above", "a number", "1"),
    key("max_cost", "an amount such as 1000, or 1000 CNY", ""),
    key("lenient", "true or false", "false"),
    key("from", "a sender", "the account's"),
    key("reply_to", "an address", "the account's"),
    key("on_result", "a line for sh", ""),
    key("on_finish", "a line for sh", ""),
    key("notify_on", "finish=ACCOUNT,halt=ACCOUNT", ""),
    key("metrics_file", "a file", ""),
    key("metrics_listen", "an address, or a port of this machine", ""),
    key("halt_on_failures", "a share such as 5%, or a number above 0", ""),
    key("halt_min", "a number", "50"),
    key("canary", "a number above 0", ""),
    key("hold", "a length of time", "1m"),
    key("window", "windows such as Mon-Fri 08:00-18:00", ""),
    key("tz", "a time zone", "this machine's"),
    key("tz_column", "a column", "_tz"),
    key("expires", "a length of time", ""),
    key("lock", "wait, fail or skip", "fail"),
    key("duplicate_days", "a number", "7"),
    key("redirect_to", "an address", ""),
    key("allow_domain", "a domain or a list of them", ""),
    key("suppress_gone", "true or false", "false"),
];

/// Keys of `defaults.retries:`.
pub const RETRIES: [Key; 4] = [
    key("max", "a number", "3"),
    key("delay", "a length of time", "1s"),
    key("factor", "a number from 1", "2.0"),
    key("max_delay", "a length of time", "5m"),
];

/// Keys of `scheduler:`.
pub const SCHEDULER: [Key; 2] = [key("strategy", "weighted or strict", "weighted"), key("weights", "keys", "")];

/// Keys of `scheduler.weights:`.
pub const WEIGHTS: [Key; 4] = [
    key("low", "a number from 1 to 1000", "1"),
    key("normal", "a number from 1 to 1000", "2"),
    key("high", "a number from 1 to 1000", "4"),
    key("critical", "a number from 1 to 1000", "8"),
];

/// Rules of `recovery:`, with its keys; the defaults are those of the founding design.
pub const RECOVERY: [(&str, [Key; 3]); 2] = [
    (
        "network",
        [
            key("over", "a share from 0 to 1", "0.8"),
            key("action", "none, retry_all, selective, throttle or circuit_break", "retry_all"),
            key("delay", "a length of time", "5m"),
        ],
    ),
    (
        "rate_limit",
        [
            key("over", "a share from 0 to 1", "0.5"),
            key("action", "none, retry_all, selective, throttle or circuit_break", "throttle"),
            key("delay", "a length of time", "10m"),
        ],
    ),
];

/// Keys of every account, whatever its platform.
pub const ACCOUNT: [Key; 5] = [
    key("platform", "a platform", ""),
    key("limits", "a list of rates", "the platform's"),
    key("concurrency", "auto, a number above 0, or keys", "auto"),
    key("cost", "an amount and its currency, such as 0.045 CNY, or keys", ""),
    key("shaping", "off, or a list of rules", "presets of the big mail providers"),
];

/// Keys of a rate that is written as keys.
pub const LIMIT: [Key; 4] = [
    key("rate", "a rate such as 14/s", ""),
    key("per", "account, domain or address", "account"),
    key("burst", "a number above 0", "rate/100"),
    key("of", "deliveries or requests", "deliveries"),
];

/// Keys of a profile: those of the file, except `version` and `profiles`.
pub const PROFILE: [&str; 6] = ["defaults", "accounts", "templates", "platforms", "recovery", "scheduler"];

/// A key of a profile that stands for that of its `defaults`.
pub const REDIRECT: &str = "redirect_to";

/// Whether the table has that key.
pub(crate) fn has(table: &[Key], name: &str) -> bool {
    table.iter().any(|key| key.name == name)
}

/// The names of a table.
pub(crate) fn names(table: &[Key]) -> impl Iterator<Item = &'static str> + Clone {
    table.iter().map(|key| key.name)
}

/// What to do about an unknown key: the nearest known one, or the block it belongs to, or all that there are.
pub(crate) fn help(name: &str, known: &[&'static str], block: &str) -> String {
    if let Some(near) = did_you_mean(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    let homes: [(&str, &[Key]); 4] =
        [("defaults", &DEFAULTS), ("defaults.retries", &RETRIES), ("an account", &ACCOUNT), ("the file itself", &TOP)];
    if let Some((home, _)) = homes.iter().find(|(home, table)| *home != block && has(table, name)) {
        return match *home {
            "the file itself" => format!("`{name}` belongs to the file itself: write it at the beginning of a line"),
            "an account" => format!("`{name}` belongs to an account: write it under `accounts:`, below the account's name"),
            home => format!("`{name}` belongs to `{home}:`"),
        };
    }
    format!("these are known: {}", known.join(", "))
}
