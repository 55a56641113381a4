//! Everything that a template is made of, as text, found on disk once: a run keeps it, so that an edited template cannot change the run.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::problem::{Problem, did_you_mean};
use crate::template::form;

/// Largest text file that belongs to a template.
const MOST_TEXT: u64 = 2 << 20;
/// Most files that a template's folder may hold: more is a folder given by mistake.
const MOST_FILES: usize = 500;
const ENDINGS: [&str; 11] =
    [".md", ".html", ".txt", ".json", ".md.hbs", ".html.hbs", ".txt.hbs", ".json.hbs", ".hbs", ".mjml", ".mjml.hbs"];

/// The files of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateFiles {
    /// Its name: `welcome`.
    pub name: String,
    /// The file or folder, absolute.
    pub path: PathBuf,
    /// SHA-256 in hex over all files, partials, layouts and images included.
    pub digest: String,
    /// Name relative to `attachments_base`, and text. Partials and layouts beside a template's folder are `../partials/…`.
    pub files: Vec<(String, String)>,
    /// The folder that attachments and images are looked for in, absolute.
    pub attachments_base: PathBuf,
}

impl TemplateFiles {
    /// Finds a template by name in the folders, nearest first, or by path.
    ///
    /// # Errors
    /// None of that name (the nearest names are told), two in one folder, or a file that is not UTF-8 or too large.
    pub fn find(name_or_path: &str, search: &[PathBuf]) -> Result<Self, Problem> {
        let plain = !name_or_path.contains(['/', '\\']);
        if plain {
            for folder in search {
                let found = candidates(folder, name_or_path);
                match found.as_slice() {
                    [] => {}
                    [one] => return read(one),
                    several => {
                        let list: Vec<String> = several.iter().map(|path| format!("`{}`", path.display())).collect();
                        return Err(Problem {
                            what: format!("two templates are called `{name_or_path}`: {}", list.join(" and ")),
                            help: Some("give the path of the one that is meant".to_owned()),
                            ..Problem::default()
                        });
                    }
                }
            }
        }
        let path = Path::new(name_or_path);
        if path.exists() && (!plain || path.is_dir() || form::of_single(name_or_path).is_some()) {
            return read(path);
        }
        if let (false, Some(parent), Some(name)) = (plain, path.parent(), path.file_name().and_then(|n| n.to_str()))
            && let [one] = candidates(parent, name).as_slice()
        {
            return read(one);
        }
        let known: Vec<String> = Self::names(search);
        let near = did_you_mean(name_or_path, known.iter().map(String::as_str));
        let mut places: Vec<String> = Vec::new();
        for folder in search {
            let place = format!("`{}`", folder.display());
            if !places.contains(&place) {
                places.push(place);
            }
        }
        let help = match (near, known.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, false) => format!("there are: {}", known.join(", ")),
            (None, true) => "`notify templates list` shows where they are looked for; a path to a file works too".to_owned(),
        };
        Err(Problem {
            what: format!(
                "there is no template `{name_or_path}` (looked in {})",
                if places.is_empty() { "no folder".to_owned() } else { places.join(", ") }
            ),
            help: Some(help),
            ..Problem::default()
        })
    }

    /// The text of one file.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.files.iter().find(|(file, _)| file == name).map(|(_, text)| text.as_str())
    }

    /// Where a file of the template stands on disk, shown from the current directory where that is shorter.
    pub fn place(&self, name: &str) -> PathBuf {
        let mut path = self.attachments_base.clone();
        for part in name.split('/') {
            if part == ".." {
                path.pop();
            } else {
                path.push(part);
            }
        }
        match std::env::current_dir() {
            Ok(here) => path.strip_prefix(&here).map(Path::to_owned).unwrap_or(path),
            Err(_) => path,
        }
    }

    /// Whether the template is one file.
    pub fn single(&self) -> bool {
        self.path != self.attachments_base
    }

    /// A template that is not on disk: one file of that name and text.
    pub fn from_text(file_name: &str, text: &str) -> Self {
        let base = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        let files = vec![(file_name.to_owned(), text.to_owned())];
        let name = file_name.split('.').next().unwrap_or(file_name).to_owned();
        TemplateFiles { name, path: base.join(file_name), digest: digest(&files, &[]), files, attachments_base: base }
    }

    /// The names of all templates in the folders, each once, in alphabetical order.
    pub(super) fn names(search: &[PathBuf]) -> Vec<String> {
        let mut names: Vec<String> = search.iter().flat_map(|folder| entries(folder)).filter_map(|path| name_of(&path)).collect();
        names.sort();
        names.dedup();
        names
    }
}

/// What in `folder` answers to a name.
pub(super) fn candidates(folder: &Path, name: &str) -> Vec<PathBuf> {
    let exact = folder.join(name);
    if exact.is_dir() && is_template_folder(&exact) || exact.is_file() && form::of_single(name).is_some() {
        return vec![exact];
    }
    ENDINGS.iter().map(|ending| folder.join(format!("{name}{ending}"))).filter(|path| path.is_file()).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(read) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = read.filter_map(Result::ok).map(|entry| entry.path()).take(MOST_FILES).collect();
    paths.sort();
    paths
}

/// The name that a path would be called by, if it is a template.
fn name_of(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    if path.is_dir() {
        return is_template_folder(path).then(|| name.to_owned());
    }
    form::of_single(name)?;
    let stem = name.strip_suffix(".hbs").unwrap_or(name);
    let ending = stem.rsplit_once('.').filter(|(_, extension)| form::Format::of_extension(extension).is_some());
    Some(ending.map_or(stem, |(stem, _)| stem).to_owned())
}

fn is_template_folder(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if matches!(name, "partials" | "layouts") || name.starts_with('.') {
        return false;
    }
    entries(path).iter().any(|file| {
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        file.is_file() && (name == "template.yaml" || name == "template.yml" || form::of_file(name).is_some())
    })
}

fn read(path: &Path) -> Result<TemplateFiles, Problem> {
    let failed = |what: String| Problem { what, path: Some(path.to_owned()), ..Problem::default() };
    let path = std::path::absolute(path).map_err(|e| failed(format!("the template cannot be read: {e}")))?;
    // `templates/./welcome` and links lead to one and the same place.
    let path = fs::canonicalize(&path).map_err(|e| failed(format!("the template cannot be read: {e}")))?;
    let file_name = path.file_name().and_then(|name| name.to_str()).unwrap_or("template").to_owned();
    let mut files = Vec::new();
    let mut others = Vec::new();
    let (name, base, beside) = if path.is_dir() {
        gather(&path, "", 0, &mut files, &mut others)?;
        if let Some(beside) = path.parent() {
            for shared in ["partials", "layouts"] {
                gather(&beside.join(shared), &format!("../{shared}/"), 1, &mut files, &mut others)?;
            }
        }
        (file_name.clone(), path.clone(), true)
    } else {
        let base = path.parent().map_or_else(|| PathBuf::from("/"), Path::to_owned);
        files.push((file_name.clone(), text_of(&path)?));
        for shared in ["partials", "layouts"] {
            gather(&base.join(shared), &format!("{shared}/"), 1, &mut files, &mut others)?;
        }
        (name_of(&path).unwrap_or_else(|| file_name.clone()), base, false)
    };
    if beside && !files.iter().any(|(name, _)| form::of_file(name).is_some()) {
        let mjml = others.iter().any(|(name, _)| name.ends_with(".mjml") || name.ends_with(".mjml.hbs"));
        return Err(Problem {
            what: if mjml {
                "MJML is not read by this build".to_owned()
            } else {
                "the template's folder has no content in it".to_owned()
            },
            path: Some(path),
            help: Some(
                if mjml { "compile it to email.html first" } else { "add email.html, email.md or email.txt, or webhook.json" }
                    .to_owned(),
            ),
            ..Problem::default()
        });
    }
    if !beside && form::of_single(&file_name).is_none() {
        return Err(Problem {
            what: format!("`{file_name}` is not a template"),
            path: Some(path),
            help: Some("templates end in .md, .html, .txt or .json, with or without .hbs after it".to_owned()),
            ..Problem::default()
        });
    }
    files.sort();
    others.sort();
    Ok(TemplateFiles { name, digest: digest(&files, &others), files, attachments_base: base, path })
}

/// Text files of a folder into `files`, digests of all others into `others`.
fn gather(
    folder: &Path,
    prefix: &str,
    depth: usize,
    files: &mut Vec<(String, String)>,
    others: &mut Vec<(String, String)>,
) -> Result<(), Problem> {
    for path in entries(folder) {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if name.starts_with('.') || name.ends_with('~') {
            continue;
        }
        if files.len() + others.len() >= MOST_FILES {
            return Err(Problem {
                what: format!("the folder holds more than {MOST_FILES} files, so it is hardly a template"),
                path: Some(folder.to_owned()),
                ..Problem::default()
            });
        }
        let relative = format!("{prefix}{name}");
        if path.is_dir() {
            if depth < 4 {
                gather(&path, &format!("{relative}/"), depth + 1, files, others)?;
            }
        } else if is_text(name) && (depth > 0 || name.starts_with("template.y") || form::of_file(name).is_some()) {
            files.push((relative, text_of(&path)?));
        } else if let Ok(bytes) = fs::read(&path) {
            others.push((relative, hex(ring::digest::digest(&ring::digest::SHA256, &bytes).as_ref())));
        }
    }
    Ok(())
}

fn is_text(name: &str) -> bool {
    let stem = name.strip_suffix(".hbs").unwrap_or(name);
    name.ends_with(".hbs")
        || matches!(stem, "template.yaml" | "template.yml")
        || stem.rsplit_once('.').is_some_and(|(_, extension)| form::Format::of_extension(extension).is_some())
}

fn text_of(path: &Path) -> Result<String, Problem> {
    let failed = |what: String, help: Option<&str>| Problem {
        what,
        path: Some(path.to_owned()),
        help: help.map(str::to_owned),
        ..Problem::default()
    };
    let size = fs::metadata(path).map_err(|e| failed(format!("the file cannot be read: {e}"), None))?.len();
    if size > MOST_TEXT {
        return Err(failed(format!("the file has {size} bytes; a template may have 2 MiB"), None));
    }
    let bytes = fs::read(path).map_err(|e| failed(format!("the file cannot be read: {e}"), None))?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    match std::str::from_utf8(bytes) {
        // One kind of line end, so that lines count the same everywhere.
        Ok(text) => Ok(text.replace("\r\n", "\n")),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            Err(Problem {
                line: Some(line),
                ..failed("the file is not UTF-8".to_owned(), Some("save it as UTF-8 (an editor's \"Save with encoding\")"))
            })
        }
    }
}

fn digest(files: &[(String, String)], others: &[(String, String)]) -> String {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for (name, text) in files.iter().chain(others) {
        for part in [name, text] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part.as_bytes());
        }
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
