//! `notify platforms`: what can be sent with, and whether an account's credentials work.

use std::path::Path;

use super::open;
use crate::cli::{Global, Platforms};
use crate::config::Config;
use crate::config::account::AccountConfig;
use crate::exit::{Exit, Failure};
use crate::job::accounts::members_of;
use crate::platform::listing::Listed;
use crate::platform::{Opening, pool, registry};

mod page;
mod screen;
mod skeleton;

/// Lists, shows, checks, or begins a new one.
pub(crate) async fn run(global: &Global, args: Platforms) -> Result<Exit, Failure> {
    // These two look at nothing of the user's.
    match args {
        Platforms::New { name } => return skeleton::print(&name),
        Platforms::Docs { dir } => return docs(&dir),
        _ => {}
    }
    let config = open::open_config(global)?;
    match args {
        Platforms::List { family, json } => list(&config, family.as_deref(), json),
        Platforms::Show { platform, json, markdown } => {
            let all = registry::platforms(&config.definitions);
            let Some(listed) = all.iter().find(|listed| listed.name == platform) else {
                let hint = crate::job::hint(&platform, all.iter().map(|listed| listed.name.as_str()));
                return Err(Failure::new(Exit::NothingToDo, format!("no platform is called {platform}{hint}")));
            };
            open::print(&match (json, markdown) {
                (true, _) => format!("{}\n", serde_json::to_string_pretty(listed).unwrap_or_default()),
                (_, true) => page::of(listed),
                _ => screen::of(listed),
            });
            Ok(Exit::Done)
        }
        Platforms::Check { account, .. } => check(&config, account.as_deref()).await,
        Platforms::New { .. } | Platforms::Docs { .. } => Ok(Exit::Done),
    }
}

fn list(config: &Config, family: Option<&str>, json: bool) -> Result<Exit, Failure> {
    let mut all = registry::platforms(&config.definitions);
    if let Some(family) = family {
        let mut families: Vec<String> = all.iter().map(|listed| listed.family.clone()).collect();
        families.sort();
        families.dedup();
        all.retain(|listed| listed.family == family);
        if all.is_empty() {
            let hint = crate::job::hint(family, families.iter().map(String::as_str));
            let what = format!("no platform is of the family {family}{hint}\n  = help: one of {}", families.join(", "));
            return Err(Failure::new(Exit::NothingToDo, what));
        }
    }
    let mut text = String::new();
    let width = all.iter().map(|listed| listed.name.len()).max().unwrap_or_default();
    for platform in &all {
        if json {
            text.push_str(&format!("{}\n", serde_json::to_string(platform).unwrap_or_default()));
        } else {
            text.push_str(&screen::line(platform, width));
        }
    }
    open::print(&text);
    Ok(Exit::Done)
}

/// Every account that is meant; a pool has nothing of its own to check.
async fn check(config: &Config, name: Option<&str>) -> Result<Exit, Failure> {
    let bad = |problem| Failure::new(Exit::BadConfig, problem);
    let mut accounts: Vec<&AccountConfig> = Vec::new();
    match name {
        Some(name) => accounts.extend(members_of(config, name)?),
        None => accounts.extend(config.accounts.values().filter(|account| account.platform != pool::NAME)),
    }
    let opening = Opening { definitions: config.definitions.clone(), ..Opening::default() };
    let mut refused: Vec<String> = Vec::new();
    for account in &accounts {
        let opened = registry::open(account, &opening).map_err(|problem| config.locate(account, problem));
        let platform = match (opened, name) {
            (Ok(platform), _) => platform,
            (Err(problem), Some(_)) if accounts.len() == 1 => return Err(bad(problem)),
            (Err(problem), _) => {
                refused.push(problem.to_string());
                continue;
            }
        };
        match platform.check().await {
            Ok(line) => open::print(&format!("{}: {line}\n", account.name)),
            Err(error) => refused.push(format!("{}: {error}", account.name)),
        }
        platform.close().await;
    }
    if refused.is_empty() { Ok(Exit::Done) } else { Err(Failure::new(Exit::BadConfig, refused.join("\n"))) }
}

/// A page for each platform of the program, and one that lists them.
fn docs(dir: &Path) -> Result<Exit, Failure> {
    let told = |path: &Path, error: &std::io::Error| {
        Failure::new(Exit::Disk, format!("{}: {}", path.display(), crate::job::reason(error)))
    };
    std::fs::create_dir_all(dir).map_err(|error| told(dir, &error))?;
    let all: Vec<Listed> = registry::platforms(&[]);
    let pages = all.iter().map(|listed| (format!("{}.md", listed.name), page::of(listed)));
    for (name, text) in pages.chain([("README.md".to_owned(), page::index(&all))]) {
        let path = dir.join(name);
        std::fs::write(&path, text).map_err(|error| told(&path, &error))?;
    }
    Ok(Exit::Done)
}
