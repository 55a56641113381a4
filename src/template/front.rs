//! What a template says besides its text: subject, sender, headers, attachments, variables; and which headers it may set.

use crate::problem::did_you_mean;
use crate::template::variable::Variable;

pub(super) const KNOWN: [&str; 6] = ["Subject", "From", "Reply-To", "Attachment", "Layout", "Lang"];
/// Fields that a template may set besides `List-…` and `X-…`.
const PLAIN: [&str; 9] = [
    "Auto-Submitted",
    "Feedback-ID",
    "Importance",
    "Priority",
    "Precedence",
    "Organization",
    "Keywords",
    "Sensitivity",
    "Comments",
];
/// Fields that the program writes itself, and why a template may not.
pub(super) const REFUSED: [(&str, &str); 9] = [
    ("To", "each row names its own recipient"),
    ("Cc", "use the column `_cc`"),
    ("Bcc", "use the column `_bcc`"),
    ("Date", "it is set when the message is sent"),
    ("Message-ID", "it is derived from run and row"),
    ("Content-Type", "it follows from the file's format"),
    ("Content-Transfer-Encoding", "it is chosen for the content"),
    ("MIME-Version", "it is always 1.0"),
    ("Sender", "it is the account's"),
];

/// Whether a field may be set by a template; the error says why not.
pub(super) fn allowed(name: &str) -> Result<(), (String, Option<String>)> {
    if let Some((field, why)) = REFUSED.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)) {
        return Err((format!("`{field}:` cannot be set by a template"), Some((*why).to_owned())));
    }
    let lower = name.to_ascii_lowercase();
    let form = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if form && (lower.starts_with("x-") || lower.starts_with("list-") || PLAIN.iter().any(|p| p.eq_ignore_ascii_case(name))) {
        return Ok(());
    }
    let near = did_you_mean(name, KNOWN.iter().chain(PLAIN.iter()).copied());
    let help = near.map_or_else(|| "own fields begin with `X-`".to_owned(), |near| format!("did you mean `{near}`?"));
    Err((format!("`{name}:` is not a header that a template may set"), Some(help)))
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Located {
    pub(super) text: String,
    /// Line of the file, from 1.
    pub(super) line: usize,
    /// Characters before it on that line.
    pub(super) lead: usize,
}

/// Everything that is said.
#[derive(Debug, Clone, Default)]
pub(super) struct Front {
    /// By language; `None` is for everybody else.
    pub(super) subject: Vec<(Option<String>, Located)>,
    pub(super) from: Option<Located>,
    pub(super) reply_to: Option<Located>,
    pub(super) layout: Option<Located>,
    pub(super) headers: Vec<(String, Located)>,
    pub(super) attachments: Vec<Located>,
    pub(super) variables: Vec<Variable>,
}

type Refusal = (String, Option<String>);

impl Front {
    /// Sets what a header line says.
    pub(super) fn set(&mut self, name: &str, value: Located) -> Result<(), Refusal> {
        let once = |slot: &mut Option<Located>| match slot {
            Some(_) => Err((format!("`{name}:` stands twice"), Some("keep one of them".to_owned()))),
            None => {
                *slot = Some(value.clone());
                Ok(())
            }
        };
        match name.to_ascii_lowercase().as_str() {
            "subject" if self.subject.is_empty() => self.subject.push((None, value)),
            "subject" => return Err(("`Subject:` stands twice".to_owned(), Some("keep one of them".to_owned()))),
            "from" => return once(&mut self.from),
            "reply-to" | "reply_to" => return once(&mut self.reply_to),
            "layout" => return once(&mut self.layout),
            "attachment" | "attachments" => self.attachments.push(value),
            "lang" => {}
            _ => {
                allowed(name)?;
                self.headers.push((name.to_owned(), value));
            }
        }
        Ok(())
    }
}
