//! The `Key: value` lines that may stand at the top of a template of one file, up to an empty line.

use crate::problem::{Problem, did_you_mean};
use crate::template::fragment::Fragment;
use crate::template::front::{Front, KNOWN, Located, REFUSED, allowed};

/// Splits header lines off the text: what they say, and the body with the line it begins on. `None` if there are none.
pub(super) fn split(file: &Fragment, problems: &mut Vec<Problem>) -> Option<(Front, Fragment)> {
    let first = file.source.lines().next()?;
    let (name, _) = field(first)?;
    let known = KNOWN.iter().any(|k| k.eq_ignore_ascii_case(name));
    let starts = known || allowed(name).is_ok() || REFUSED.iter().any(|(f, _)| f.eq_ignore_ascii_case(name)) || {
        // `Subjet: …` is a mistake; `Note: the office is closed` is text.
        did_you_mean(name, KNOWN).is_some() && name.chars().count() > 3
    };
    if !starts {
        return None;
    }
    let mut front = Front::default();
    let count = read(file, file.source.lines(), 1, &mut front, problems);
    let body_at: usize = file.source.split_inclusive('\n').take(count).map(str::len).sum();
    let body = Fragment { source: file.source[body_at..].to_owned(), line: file.line + count, lead: 0, ..file.clone() };
    Some((front, body))
}

/// Reads header lines up to an empty one; says how many lines that were, the empty one included.
pub(super) fn read<'a>(
    file: &Fragment,
    lines: impl Iterator<Item = &'a str>,
    first: usize,
    front: &mut Front,
    problems: &mut Vec<Problem>,
) -> usize {
    let mut fields: Vec<(String, Located)> = Vec::new();
    let mut count = 0;
    for (i, line) in lines.enumerate() {
        count = i + 1;
        if line.trim().is_empty() {
            break;
        }
        let number = first + i;
        if line.starts_with([' ', '\t'])
            && let Some((_, last)) = fields.last_mut()
        {
            // A folded line goes on with one space, as in a mail.
            last.text.push(' ');
            last.text.push_str(line.trim());
            continue;
        }
        match field(line) {
            Some((name, value)) => {
                let lead = line[..line.len() - value.len()].chars().count();
                fields.push((name.to_owned(), Located { text: value.trim_end().to_owned(), line: file.file_line(number), lead }));
            }
            None => {
                let what = "this line is neither a header (`Name: value`) nor empty".to_owned();
                let help = "an empty line ends the headers; the text begins after it".to_owned();
                problems.push(file.problem(number, 1, line.chars().count(), what, Some(help)));
                break;
            }
        }
    }
    for (name, located) in fields {
        if let Err((what, help)) = front.set(&name, located.clone()) {
            problems.push(file.problem(located.line + 1 - file.line, 1, name.chars().count(), what, help));
        }
    }
    count
}

/// `Name: value`, if the line has that form. Trailing spaces stay with the value.
pub(super) fn field(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once(':')?;
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    (word && !name.starts_with('-') && (value.is_empty() || value.starts_with([' ', '\t']))).then(|| (name, value.trim_start()))
}
