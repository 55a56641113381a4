//! `--notify-on finish,halt=ACCOUNT`: who is told of what, as it was typed.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::problem::did_you_mean;

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// The run came to its end: every row is settled.
    Finish,
    /// It ended earlier, whatever the reason.
    Halt,
}

impl When {
    const ALL: [(&'static str, When); 2] = [("finish", When::Finish), ("halt", When::Halt)];
}

/// One message at most, when the run ends in that way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// At which end.
    pub when: When,
    /// Through which account.
    pub account: String,
    /// To whom, where the account does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// All that one flag says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notices(pub Vec<Notice>);

impl FromStr for Notices {
    type Err = String;

    /// `finish=ops,halt=oncall`, `finish,halt=ops`, `halt=corp-mail:oncall@corp.example`.
    fn from_str(text: &str) -> Result<Self, String> {
        let form =
            "write finish=ACCOUNT, halt=ACCOUNT or finish,halt=ACCOUNT; ACCOUNT:ADDRESS where the account does not say whom for";
        let (mut notices, mut open) = (Vec::new(), Vec::new());
        for word in text.split(',').map(str::trim) {
            let (name, target) = word.split_once('=').map_or((word, None), |(name, target)| (name.trim(), Some(target.trim())));
            let Some((_, when)) = When::ALL.iter().find(|(known, _)| *known == name) else {
                let near = did_you_mean(name, When::ALL.iter().map(|(known, _)| *known));
                let hint = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return Err(format!("\"{name}\" is not finish or halt{hint} {form}"));
            };
            open.push(*when);
            let Some(target) = target else { continue };
            let (account, to) = target.split_once(':').map_or((target, None), |(account, to)| (account, Some(to)));
            if account.is_empty() || to.is_some_and(str::is_empty) {
                return Err(format!("an account is missing: {form}"));
            }
            let all = open.drain(..).map(|when| Notice { when, account: account.to_owned(), to: to.map(str::to_owned) });
            notices.extend(all);
        }
        if !open.is_empty() {
            return Err(format!("an account is missing: {form}"));
        }
        Ok(Notices(notices))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<(When, String, Option<String>)>, String> {
        text.parse::<Notices>().map(|all| all.0.into_iter().map(|notice| (notice.when, notice.account, notice.to)).collect())
    }

    #[test]
    fn words_without_an_account_belong_to_the_next_one() {
        let of = |when, account: &str, to: Option<&str>| (when, account.to_owned(), to.map(str::to_owned));
        assert_eq!(parse("finish,halt=ops").unwrap(), [of(When::Finish, "ops", None), of(When::Halt, "ops", None)]);
        assert_eq!(parse("finish=ops, halt=oncall").unwrap(), [of(When::Finish, "ops", None), of(When::Halt, "oncall", None)]);
        assert_eq!(parse("halt=mail:a@b.example").unwrap(), [of(When::Halt, "mail", Some("a@b.example"))]);
        for (text, told) in [
            ("finish", "missing"),
            ("", "finish"),
            ("finnish=ops", "did you mean finish?"),
            ("halt=", "missing"),
            ("halt=a:", "missing"),
        ] {
            assert!(parse(text).unwrap_err().contains(told), "{text}");
        }
    }
}
