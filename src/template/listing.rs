//! What templates there are: the lines of `notify templates list`.

use std::path::PathBuf;

use crate::template::compiled::{Options, Template};
use crate::template::source_files::{self, TemplateFiles};

/// One template that could be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Its name, for `--template`.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its subject as written, or nothing.
    pub title: Option<String>,
    /// Its forms as file names: `email.html`, `webhook.json`; a single file's format alone.
    pub forms: Vec<String>,
    /// It does not compile: how many problems it has.
    pub broken: usize,
}

impl TemplateFiles {
    /// Every template in the folders; a name in an earlier folder hides the later ones.
    pub fn list(search: &[PathBuf]) -> Vec<Listing> {
        let mut list = Vec::new();
        for name in Self::names(search) {
            let Some(path) = search.iter().find_map(|folder| source_files::candidates(folder, &name).into_iter().next()) else {
                continue;
            };
            let compiled = TemplateFiles::find(&path.to_string_lossy(), &[])
                .map_err(|problem| vec![problem])
                .and_then(|files| Template::compile(&files, &Options::default()));
            list.push(match compiled {
                Ok(template) => Listing {
                    name,
                    path,
                    title: template.subject_source().map(str::to_owned),
                    forms: template.forms().iter().map(ToString::to_string).collect(),
                    broken: 0,
                },
                Err(problems) => Listing { name, path, title: None, forms: Vec::new(), broken: problems.len() },
            });
        }
        list
    }
}
