//! Images that HTML shows from a file: found in the source, read once, and named by content id.

use std::sync::{Arc, LazyLock};

use handlebars::Template as Ast;
use handlebars::template::TemplateElement;
use regex::Regex;

use crate::message::Attachment;
use crate::problem::Problem;
use crate::template::attach::Roots;
use crate::template::compiled::Template;
use crate::template::source_files::TemplateFiles;

/// `src="…"`, `background="…"` of HTML and `![…](…)` of Markdown; the address is group 1 or 2.
static IMAGE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)(?:<img\b[^>]*?\ssrc|\sbackground)\s*=\s*["']([^"']+)["']|!\[[^\]]*\]\(\s*<?([^)\s>]+)"#).ok()
});

/// Reads the images of a fragment and makes its addresses `cid:` ones.
pub(super) fn embed(
    template: &mut Template,
    key: &str,
    files: &TemplateFiles,
    images: &mut Vec<Arc<Attachment>>,
    problems: &mut Vec<Problem>,
) {
    let (Some(fragment), Some(pattern)) = (template.fragments.get(key), IMAGE.as_ref()) else { return };
    let mut renamed: Vec<(String, String)> = Vec::new();
    for found in pattern.captures_iter(&fragment.source) {
        let Some(group) = found.get(1).or_else(|| found.get(2)) else { continue };
        let address = group.as_str();
        if address.contains("{{") || address.starts_with('#') || address.starts_with("//") {
            continue;
        }
        let (file, by_cid) = match address.strip_prefix("cid:") {
            Some(name) => (name, true),
            None if address.contains(':') => continue,
            None => (address, false),
        };
        // An image of a shared layout lies beside the layout, or beside the template.
        let folder = key.split('#').next().and_then(|file| file.rsplit_once('/')).map(|(folder, _)| folder);
        let mut places = vec![file.to_owned()];
        places.extend(folder.map(|folder| format!("{folder}/{file}")));
        if by_cid {
            places.extend(["img", "images", "assets"].iter().map(|folder| format!("{folder}/{file}")));
        }
        let cid = file.rsplit('/').next().unwrap_or(file).replace([' ', '<', '>', '"'], "-");
        let cid = if by_cid { file.to_owned() } else { cid };
        if images.iter().any(|image| image.cid.as_deref() == Some(cid.as_str())) {
            renamed.push((address.to_owned(), cid));
            continue;
        }
        let shared = files.attachments_base.parent();
        let read = places.iter().find_map(|place| {
            template.roots.for_all(place, Some(cid.clone())).ok().or_else(|| {
                // `../layouts/logo.png` lies beside the template's folder, where shared layouts are.
                let place = place.strip_prefix("../").filter(|place| !place.contains(".."))?;
                Roots::new(shared).for_all(place, Some(cid.clone())).ok()
            })
        });
        match read {
            Some(image) => {
                images.push(image);
                renamed.push((address.to_owned(), cid));
            }
            None => {
                let what = format!("the image `{file}` does not exist");
                let help = format!("put it into `{}`, or give a web address", files.place("").display());
                problems.push(fragment.problem_at(group.start(), address.chars().count(), what, Some(help)));
            }
        }
    }
    renamed.retain(|(address, cid)| *address != format!("cid:{cid}"));
    if let (false, Some(ast)) = (renamed.is_empty(), template.registry.get_template(key)) {
        let mut ast = ast.clone();
        rename(&mut ast, &renamed);
        template.registry.register_template(key, ast);
    }
}

fn rename(ast: &mut Ast, renamed: &[(String, String)]) {
    for element in &mut ast.elements {
        match element {
            TemplateElement::RawString(text) => {
                for (address, cid) in renamed {
                    for (open, close) in [("\"", "\""), ("'", "'"), ("(", ")"), ("(", " "), ("<", ">")] {
                        let from = format!("{open}{address}{close}");
                        if text.contains(&from) {
                            *text = text.replace(&from, &format!("{open}cid:{cid}{close}"));
                        }
                    }
                }
            }
            TemplateElement::HelperBlock(call) => {
                call.template.iter_mut().chain(&mut call.inverse).for_each(|inner| rename(inner, renamed))
            }
            TemplateElement::PartialBlock(partial) => partial.template.iter_mut().for_each(|inner| rename(inner, renamed)),
            TemplateElement::DecoratorBlock(decorator) => decorator.template.iter_mut().for_each(|inner| rename(inner, renamed)),
            _ => {}
        }
    }
}
