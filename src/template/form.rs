//! Which file of a template is which form: platform, language and format, all from its name.

use std::fmt;

/// How the text of a form is read after rendering, and how values are escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// HTML; values escaped for HTML.
    Html,
    /// Markdown; values come in after parsing.
    Markdown,
    /// Text; values as they are.
    Text,
    /// JSON; values come into the parsed tree.
    Json,
}

impl Format {
    /// The format of a file extension.
    pub(super) fn of_extension(extension: &str) -> Option<Format> {
        match extension {
            "html" | "htm" => Some(Format::Html),
            "md" | "markdown" => Some(Format::Markdown),
            "txt" => Some(Format::Text),
            "json" => Some(Format::Json),
            _ => None,
        }
    }

    /// The extension that it is usually written with.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Html => "html",
            Format::Markdown => "md",
            Format::Text => "txt",
            Format::Json => "json",
        }
    }
}

/// One form of content that a template has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// `email`, `webhook` …; `*` for a single file, which serves every platform.
    pub platform: String,
    /// Language tag of a variant: `zh-CN`.
    pub lang: Option<String>,
    /// Its format.
    pub format: Format,
    /// Its file, as [`crate::template::source_files::TemplateFiles::files`] names it.
    pub file: String,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.lang, self.platform.as_str()) {
            (_, "*") => f.write_str(self.format.as_str()),
            (Some(lang), platform) => write!(f, "{platform}.{lang}.{}", self.format.as_str()),
            (None, platform) => write!(f, "{platform}.{}", self.format.as_str()),
        }
    }
}

/// The form of a file in a template's folder; `None` for files that are no form.
pub(super) fn of_file(name: &str) -> Option<Form> {
    if name.contains('/') {
        return None;
    }
    let stem = name.strip_suffix(".hbs").unwrap_or(name);
    let (rest, extension) = stem.rsplit_once('.')?;
    let format = Format::of_extension(extension)?;
    let (platform, lang) = match rest.split_once('.') {
        Some((platform, lang)) => (platform, Some(lang.to_owned())),
        None => (rest, None),
    };
    (!platform.is_empty()).then(|| Form { platform: platform.to_owned(), lang, format, file: name.to_owned() })
}

/// The form of a template that is a single file.
pub(super) fn of_single(name: &str) -> Option<Form> {
    let stem = name.strip_suffix(".hbs").unwrap_or(name);
    let format = match stem.rsplit_once('.').and_then(|(_, extension)| Format::of_extension(extension)) {
        Some(format) => format,
        // `welcome.hbs`: no format said is text.
        None if name.ends_with(".hbs") => Format::Text,
        None => return None,
    };
    Some(Form { platform: "*".to_owned(), lang: None, format, file: name.to_owned() })
}

/// How well a variant serves a reader: 0 is the reader's own tag, more is further, `None` not at all.
pub(super) fn distance(variant: Option<&str>, wanted: Option<&str>) -> Option<usize> {
    let fold = |tag: &str| tag.trim().replace('_', "-").to_ascii_lowercase();
    match (variant, wanted) {
        (None, _) => Some(usize::MAX),
        (Some(_), None) => None,
        (Some(variant), Some(wanted)) => {
            let (variant, mut wanted) = (fold(variant), fold(wanted));
            let mut steps = 0;
            loop {
                if variant == wanted {
                    return Some(steps);
                }
                let cut = wanted.rfind('-')?;
                wanted.truncate(cut);
                steps += 1;
            }
        }
    }
}
