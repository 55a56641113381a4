//! A template against the columns of a list: what no column provides, with its place, before anything is rendered.

use std::collections::HashSet;

use crate::message::Wants;
use crate::problem::{Problem, did_you_mean};
use crate::template::compiled::{RESERVED, Slot, Template};
use crate::template::form::Format;
use crate::template::uses::{self, Use};
use crate::template::variable::Variable;

impl Template {
    /// Variables that no column provides, and a form that the platform wants and the template lacks. `columns` are the input's columns
    /// and the variables of the command line.
    pub fn check_columns(&self, columns: &[String], wants: &Wants) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(column) = self.attach_column.as_ref().filter(|column| !columns.contains(column)) {
            let near = did_you_mean(column, columns.iter().map(String::as_str));
            problems.push(Problem {
                what: format!("there is no column `{column}` to take attachments from"),
                help: Some(near.map_or_else(|| told(columns), |near| format!("did you mean `{near}`?"))),
                ..Problem::default()
            });
        }
        if self.from_rows {
            return problems;
        }
        if self.choose(wants, None).is_none() && !self.bodies.iter().any(|body| body.form.lang.is_some()) {
            problems.push(self.lacks(wants));
            return problems;
        }
        if !self.strict {
            return problems;
        }
        let mut seen = HashSet::new();
        let mut names = HashSet::new();
        for used in self.uses(Some(wants)) {
            let provided =
                columns.contains(&used.name) || RESERVED.contains(&used.name.as_str()) || used.name.starts_with("_meta.");
            let declared = self.declared.iter().find(|variable| variable.name == used.name);
            if provided || used.optional || declared.is_some_and(|v| !v.required || v.default.is_some()) {
                continue;
            }
            let Some(fragment) = self.fragments.get(&used.key) else { continue };
            names.insert(used.name.clone());
            if seen.insert((fragment.path.clone(), fragment.line, used.at, used.name.clone())) {
                let near = did_you_mean(&used.name, columns.iter().map(String::as_str));
                let help = near.map_or_else(|| told(columns), |near| format!("did you mean `{near}`?"));
                let what = format!("no column provides the variable `{}`", used.name);
                problems.push(fragment.problem_at(used.at, used.name.chars().count(), what, Some(help)));
            }
        }
        for variable in &self.declared {
            if variable.required
                && variable.default.is_none()
                && !columns.contains(&variable.name)
                && !names.contains(&variable.name)
                && let Some(yaml) = &self.yaml
            {
                let near = did_you_mean(&variable.name, columns.iter().map(String::as_str));
                let line = variable.line + 1 - yaml.line;
                let text = yaml.source.lines().nth(line - 1).unwrap_or_default();
                let column = text.find(&variable.name).map_or(1, |at| text[..at].chars().count() + 1);
                problems.push(yaml.problem(
                    line,
                    column,
                    variable.name.chars().count(),
                    format!("no column provides the variable `{}`, which the template requires", variable.name),
                    Some(near.map_or_else(|| told(columns), |near| format!("did you mean `{near}`?"))),
                ));
            }
        }
        problems.sort_by(|a, b| (&a.path, a.line, a.column).cmp(&(&b.path, b.line, b.column)));
        once(problems)
    }

    /// That the platform wants a form which there is not.
    pub(super) fn lacks(&self, wants: &Wants) -> Problem {
        let (what, file) = match wants {
            Wants::Email => ("email".to_owned(), "email.html, email.md or email.txt".to_owned()),
            Wants::Named(names) => {
                let name = names.first().map_or("text", String::as_str);
                (format!("`{name}`"), format!("{name}.json, {name}.md or {name}.txt"))
            }
        };
        let has: Vec<String> = self.forms.iter().map(ToString::to_string).collect();
        Problem {
            what: format!("the template `{}` has no content for {what} (it has {})", self.files.name, has.join(", ")),
            path: Some(self.files.place("")),
            help: Some(format!("add {file}")),
            ..Problem::default()
        }
    }

    /// What the row is read for: the headers, and the forms that this platform may get (all forms without one).
    fn uses(&self, wants: Option<&Wants>) -> Vec<Use> {
        let mut keys: Vec<&str> = Vec::new();
        let slots = self.subject.iter().map(|(_, slot)| slot).chain(&self.from).chain(&self.reply_to);
        for slot in slots.chain(self.headers.iter().map(|(_, slot)| slot)).chain(&self.per_row) {
            if let Slot::Rendered(key) = slot {
                keys.push(key);
            }
        }
        let serving = wants.map(|wants| self.serving(wants));
        for (i, body) in self.bodies.iter().enumerate() {
            if serving.as_ref().is_none_or(|serving| serving.contains(&i)) {
                keys.push(&body.key);
                keys.extend(body.layout.as_deref());
            }
        }
        keys.into_iter().flat_map(|key| uses::of(&self.registry, &self.fragments, key)).collect()
    }

    /// Learns from its own fragments what every row is assumed to have, and warns of what is never read.
    pub(super) fn learn(&mut self) {
        let uses = self.uses(None);
        let names: HashSet<&str> = uses.iter().map(|used| used.name.as_str()).collect();
        let mut assumed: Vec<String> =
            RESERVED.iter().filter(|name| names.contains(*name)).map(|name| (*name).to_owned()).collect();
        assumed.extend(names.iter().filter(|name| name.starts_with("_meta.")).map(|name| (*name).to_owned()));
        let unused: Vec<Variable> = self.declared.iter().filter(|v| !names.contains(v.name.as_str())).cloned().collect();
        drop(names);
        self.assumed = assumed;
        for variable in unused {
            if let Some(yaml) = &self.yaml {
                let what = format!("`{}` is declared and never used", variable.name);
                self.warnings.push(yaml.problem(
                    variable.line + 1 - yaml.line,
                    1,
                    1,
                    what,
                    Some("take it out of `variables`".to_owned()),
                ));
            }
        }
        let email = self
            .bodies
            .iter()
            .any(|body| matches!(body.form.platform.as_str(), "email" | "*") && body.form.format != Format::Json);
        if email && self.subject.is_empty() {
            self.warnings.push(Problem {
                what: "the template has no subject".to_owned(),
                path: Some(self.files.place(if self.files.single() { &self.forms[0].file } else { "template.yaml" })),
                help: Some("add `Subject: …` (or `subject:` in template.yaml), or send with `--subject`".to_owned()),
                ..Problem::default()
            });
        }
    }
}

/// One problem for each thing that is wrong, at its first place; the other places are told beside it.
fn once(problems: Vec<Problem>) -> Vec<Problem> {
    let mut kept: Vec<(Problem, Vec<String>)> = Vec::new();
    for problem in problems {
        match kept.iter_mut().find(|(first, _)| first.what == problem.what) {
            Some((_, places)) => {
                let path = problem.path.as_deref().map(|path| path.display().to_string()).unwrap_or_default();
                places.push(format!("{path}:{}:{}", problem.line.unwrap_or(1), problem.column.unwrap_or(1)));
            }
            None => kept.push((problem, Vec::new())),
        }
    }
    let join = |(mut problem, places): (Problem, Vec<String>)| {
        if !places.is_empty() {
            let also = format!("it also stands at {}", places.join(", "));
            problem.help = Some(problem.help.map_or_else(|| also.clone(), |help| format!("{help}\n  = note: {also}")));
        }
        problem
    };
    kept.into_iter().map(join).collect()
}

fn told(columns: &[String]) -> String {
    let shown: Vec<&str> = columns.iter().map(String::as_str).take(12).collect();
    let more = if columns.len() > 12 { ", …" } else { "" };
    format!("the columns are: {}{more}; `-V name=value` sets one for all rows", shown.join(", "))
}
