//! `--via URL`: an account that lives as long as one command. Its name is remembered with the run, its secrets nowhere.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::config::Config;
use crate::config::account::AccountConfig;
use crate::exit::{Exit, Failure};
use crate::job::Settings;
use crate::journal::folder::Manifest;
use crate::platform::oneoff::OneOff;
use crate::platform::registry;
use crate::route::THEN;

/// Holds a URL where the command line should not.
pub(crate) const VARIABLE: &str = "NOTIFY_VIA";

/// Longest file that `--via @FILE` reads.
const LONGEST: u64 = 64 * 1024;

/// What the URLs of a command came to.
#[derive(Default)]
pub(crate) struct Adopted {
    /// Names of the accounts, in the order of the URLs.
    pub names: Vec<String>,
    /// Whom messages are for, where they say so.
    pub to: Vec<String>,
    /// The text of all URLs as it was given; a secret.
    pub url: Option<String>,
}

/// The URL or `@FILE` of the environment; a name of an account there is the config's matter.
pub(crate) fn of_environment() -> Option<String> {
    std::env::var(VARIABLE).ok().filter(|via| via.contains("://") || via.starts_with('@'))
}

/// Puts the accounts of the URLs in `--via` into the config; the flag then names them.
///
/// # Errors
/// An unknown scheme or a part that is missing: exit 2. Nothing of the URL is repeated.
pub(crate) fn adopt(config: &mut Config, via: &mut Option<String>) -> Result<Adopted, Failure> {
    let mut adopted = Adopted::default();
    let Some(text) = written(via.as_deref())? else { return Ok(adopted) };
    let mut steps = Vec::new();
    for step in text.split(THEN).map(str::trim) {
        if !step.contains("://") {
            steps.push(step.to_owned());
            continue;
        }
        let one = read(config, step)?;
        let taken = |name: &str| config.accounts.contains_key(name);
        let mut name = one.platform.clone();
        if taken(&name) {
            name.push_str("-url");
        }
        for number in 2.. {
            if !taken(&name) {
                break;
            }
            name = format!("{}-url-{number}", one.platform);
        }
        adopted.to.extend(one.to.iter().cloned());
        put(config, &name, one);
        steps.push(name.clone());
        adopted.names.push(name);
    }
    *via = Some(steps.join(&THEN.to_string()));
    adopted.url = Some(text).filter(|_| !adopted.names.is_empty());
    Ok(adopted)
}

/// The accounts of a run's URLs, from the same URLs given once more.
///
/// # Errors
/// None is given, or others; or the run was not sent through any: exit 2.
pub(crate) fn adopt_again(
    config: &mut Config,
    via: Option<&str>,
    settings: &Settings,
    manifest: &Manifest,
) -> Result<(), Failure> {
    let usage = |what: String| Err(Failure::new(Exit::Usage, what));
    let run = &manifest.id;
    if settings.by_url.is_empty() {
        return match via {
            None => Ok(()),
            Some(_) => usage(format!("run {run} was sent through accounts of the config: --via is for runs through a URL")),
        };
    }
    let again = format!("notify resume {run} --via URL");
    let Some(text) = written(via)? else {
        let what = format!(
            "run {run} was sent through a URL, which is not kept because of the secrets in it\n  = help: give it once more: {again}"
        );
        return usage(what);
    };
    let urls: Vec<&str> = text.split(THEN).map(str::trim).filter(|step| step.contains("://")).collect();
    if urls.len() != settings.by_url.len() {
        return usage(format!("run {run} was sent through {} of URLs, not {}: {again}", settings.by_url.len(), urls.len()));
    }
    for (url, name) in urls.into_iter().zip(&settings.by_url) {
        let one = read(config, url)?;
        if let Some(platform) = manifest.platforms.get(name).filter(|platform| **platform != one.platform) {
            return usage(format!("run {run} was sent through {platform}, and the URL is one of {}", one.platform));
        }
        put(config, name, one);
    }
    Ok(())
}

fn read(config: &Config, url: &str) -> Result<OneOff, Failure> {
    registry::of_url(url, &config.definitions).map_err(|problem| Failure::new(Exit::Usage, problem))
}

fn put(config: &mut Config, name: &str, one: OneOff) {
    config.adopt(AccountConfig {
        name: Arc::from(name),
        platform: one.platform,
        limits: None,
        concurrency: None,
        knobs: Default::default(),
        shaping: None,
        settings: one.settings,
    });
}

/// The text of `--via`, of the file that it names, or of the environment; `None` where there is neither, or the config's own will do.
pub(crate) fn written(via: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(text) = via.map(str::to_owned).or_else(of_environment) else { return Ok(None) };
    let Some(path) = text.strip_prefix('@') else { return Ok(Some(text)) };
    let told = |what: &str| Failure::new(Exit::Usage, format!("--via @{path}: {what}"));
    let mut content = String::new();
    let file = std::fs::File::open(Path::new(path)).map_err(|error| told(&crate::job::reason(&error)))?;
    file.take(LONGEST + 1).read_to_string(&mut content).map_err(|error| told(&crate::job::reason(&error)))?;
    match content.trim() {
        "" => Err(told("the file is empty")),
        text if text.len() as u64 > LONGEST || text.contains('\n') => Err(told("write one URL into the file")),
        text => Ok(Some(text.to_owned())),
    }
}
