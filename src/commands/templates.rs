//! `notify templates`: what can be sent.

use serde_json::json;

use super::open;
use crate::cli::{ContentFlags, FlowFlags, Global, TargetFlags, Templates};
use crate::exit::{Exit, Failure};
use crate::job::Settings;
use crate::template::compiled::Template;
use crate::template::source_files::TemplateFiles;

/// Lists or shows.
pub(crate) fn run(global: &Global, args: Templates) -> Result<Exit, Failure> {
    let config = open::open_config(global)?;
    let settings = Settings::new(&config, global, &ContentFlags::default(), &TargetFlags::default(), &FlowFlags::default())?;
    let dirs = settings.template_dirs(&config);
    match args {
        Templates::List { json } => {
            let listed = TemplateFiles::list(&dirs);
            if listed.is_empty() && !json {
                let searched: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
                return Err(Failure::new(Exit::NothingToDo, format!("there are no templates in {}", searched.join(", "))));
            }
            let mut text = String::new();
            for template in &listed {
                if json {
                    text.push_str(&format!("{}\n", json!({ "name": template.name, "path": template.path, "subject": template.title, "forms": template.forms, "broken": template.broken })));
                } else {
                    text.push_str(&format!(
                        "{:<16} {:<28} {}\n",
                        template.name,
                        template.forms.join(" "),
                        template.title.as_deref().unwrap_or("")
                    ));
                }
            }
            open::print(&text);
        }
        Templates::Show { template } => {
            let files = TemplateFiles::find(&template, &dirs).map_err(|problem| Failure::new(Exit::BadInput, problem))?;
            let compiled = Template::compile(&files, &settings.template_options()).map_err(crate::job::bad_input)?;
            let forms: Vec<String> = compiled.forms().iter().map(ToString::to_string).collect();
            let mut text = format!("{}\n{}\nforms: {}\n", files.name, files.path.display(), forms.join(" "));
            if let Some(subject) = compiled.subject_source() {
                text.push_str(&format!("subject: {subject}\n"));
            }
            for variable in compiled.declared() {
                let need = match (&variable.default, variable.required) {
                    (Some(default), _) => format!("default {default}"),
                    (None, true) => "required".to_owned(),
                    (None, false) => "optional".to_owned(),
                };
                let about = variable.description.as_deref().unwrap_or_default();
                text.push_str(&format!("  {:<16} {:<8} {need:<16} {about}\n", variable.name, variable.kind.as_str()));
            }
            open::print(&text);
        }
    }
    Ok(Exit::Done)
}
