//! The one table that names the platforms: coded ones, built-in definitions, the user's own definitions.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::account::AccountConfig;
use crate::platform::declared::Declared;
use crate::platform::declared::capability;
use crate::platform::declared::definition::Definition;
use crate::platform::declared::urls::account_of_url;
use crate::platform::definitions::BUILT_IN;
use crate::platform::exec::{self, Exec};
use crate::platform::listing;
use crate::platform::oneoff::{self, OneOff};
use crate::platform::outbox::{self, Outbox};
use crate::platform::{Opening, Platform, email, pool, smpp};
use crate::problem::{Problem, did_you_mean};
use crate::recipient::Addressing;

pub use crate::platform::listing::{Key, Kind, Listed};

/// The coded platforms, which no definition may take the name of.
const CODED: &[&str] = &["smtp", "smpp", "exec", "outbox", pool::NAME];

/// Longest definition file that is read.
const LONGEST: u64 = 1024 * 1024;

/// Opens an account's platform; nothing is connected yet.
///
/// # Errors
/// An unknown platform, with the nearest name; what is wrong with the account or the definition.
pub fn open(account: &AccountConfig, opening: &Opening) -> Result<Arc<dyn Platform>, Problem> {
    match account.platform.as_str() {
        "smtp" => Ok(Arc::new(email::open(account, opening)?)),
        "smpp" => Ok(Arc::new(smpp::open(account, opening)?)),
        "exec" => Ok(Arc::new(Exec::open(account, opening)?)),
        "outbox" => Ok(Arc::new(Outbox::open(account, opening, make_eml(account, opening)?)?)),
        pool::NAME => {
            let what =
                format!("account {} is a pool: it sends through its accounts and has nothing of its own to open", account.name);
            Err(Problem { what, help: Some("name one of the accounts in its `of`".to_owned()), ..Problem::default() })
        }
        name => {
            let definition = find(name, &opening.definitions)?.ok_or_else(|| unknown(account, &opening.definitions))?;
            Ok(Arc::new(Declared::open(Arc::new(definition), account, opening, opening.clock)?))
        }
    }
}

/// Where the addresses of an account's rows are found; no secret is resolved for it.
///
/// # Errors
/// As [`open`], where the platform is unknown or its definition wrong.
pub fn addressing(account: &AccountConfig, definitions: &[PathBuf]) -> Result<Addressing, Problem> {
    match account.platform.as_str() {
        "smtp" => Ok(email::addressing()),
        "smpp" => Ok(smpp::addressing()),
        "exec" => Ok(exec::addressing()),
        "outbox" => Ok(outbox::addressing()),
        name => {
            let definition = find(name, definitions)?.ok_or_else(|| unknown(account, definitions))?;
            Ok(capability::addressing_of(&definition, account))
        }
    }
}

/// Names of the platforms that come with the program.
pub fn names() -> Vec<&'static str> {
    CODED.iter().copied().chain(BUILT_IN.iter().map(|(name, _)| *name)).collect()
}

fn unknown(account: &AccountConfig, folders: &[PathBuf]) -> Problem {
    let listed = platforms(folders);
    let names: Vec<&str> = listed.iter().map(|listed| listed.name.as_str()).collect();
    let help = match did_you_mean(&account.platform, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known platforms: {}", names.join(", ")),
    };
    let what = format!("account {}: no platform is named `{}`", account.name, account.platform);
    Problem { what, help: Some(help), ..Problem::default() }
}

fn make_eml(account: &AccountConfig, opening: &Opening) -> Result<outbox::MakeEml, Problem> {
    let press = email::Press::new(account, &outbox::sender(account, opening)?, opening)?;
    Ok(Arc::new(move |delivery| press.mail(delivery)))
}

/// Every platform that an account may name, coded ones first; a definition that cannot be read is listed as broken.
pub fn platforms(folders: &[PathBuf]) -> Vec<Listed> {
    let mut listed = listing::coded();
    listed.extend(built_in().map(|definition| listing::tell(&definition, Kind::Definition)));
    for path in own_files(folders) {
        match read(&path).and_then(|definition| free(definition, &path)) {
            // The nearest folder comes first, and hides the others' files of that name.
            Ok(definition) if listed.iter().any(|listed| listed.name == definition.name.0) => {}
            Ok(definition) => listed.push(listing::tell(&definition, Kind::Own)),
            Err(problem) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                listed.push(listing::broken(name, path.display().to_string(), problem.to_string()));
            }
        }
    }
    listed
}

/// Definition files of the user's that cannot be used: wrong, or with the name of a platform of the program's.
pub fn unusable(folders: &[PathBuf]) -> Vec<Problem> {
    let usable = |path: &PathBuf| read(path).and_then(|definition| free(definition, path));
    own_files(folders).iter().filter_map(|path| usable(path).err()).collect()
}

/// The definitions that come with the program; a test proves that every one of them can be read.
fn built_in() -> impl Iterator<Item = Definition> {
    BUILT_IN.iter().filter_map(|(file, text)| Definition::read(text, Path::new(file)).ok())
}

/// Reads a definition file of the user's, and says which platform it tells.
///
/// # Errors
/// It cannot be read, is wrong (with line and column), or takes a name of the program's.
pub fn own(path: &Path) -> Result<String, Problem> {
    read(path).and_then(|definition| free(definition, path)).map(|definition| definition.name.0)
}

/// The account that a one-off URL stands for (`slack://TOKEN@CHANNEL`): the first platform that has a form of its scheme.
///
/// # Errors
/// No platform has the scheme; the URL lacks a part. Nothing of what stands behind the scheme is repeated: it holds credentials.
pub fn of_url(url: &str, definitions: &[PathBuf]) -> Result<OneOff, Problem> {
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
    if oneoff::CODED.iter().any(|(form, _)| oneoff::scheme(form) == scheme) {
        return oneoff::coded(&scheme, url).map_err(|what| Problem { what, ..Problem::default() });
    }
    let own =
        own_files(definitions).into_iter().filter_map(|path| read(&path).and_then(|definition| free(definition, &path)).ok());
    let mut known: Vec<String> = oneoff::CODED.iter().map(|(form, _)| oneoff::scheme(form).to_owned()).collect();
    for definition in built_in().chain(own) {
        if definition.urls.iter().any(|form| form.scheme().eq_ignore_ascii_case(&scheme)) {
            let (settings, to) = account_of_url(&definition, url)
                .map_err(|what| Problem { what: format!("--via: {what}"), ..Problem::default() })?;
            return Ok(OneOff { platform: definition.name.0, settings, to: to.into_iter().collect() });
        }
        known.extend(definition.urls.iter().map(|form| form.scheme().to_owned()));
    }
    known.dedup();
    let help = match (scheme.as_str(), did_you_mean(&scheme, known.iter().map(String::as_str))) {
        ("http" | "https", _) => "an endpoint of your own is jsons://HOST/PATH, or json:// without TLS".to_owned(),
        (_, Some(near)) => format!("did you mean `{near}://`? Known: {}", known.join(", ")),
        (_, None) => format!("known: {}", known.join(", ")),
    };
    Err(Problem { what: format!("--via: no platform has URLs of the scheme `{scheme}`"), help: Some(help), ..Problem::default() })
}

/// A definition by name: the program's own, then the user's.
fn find(name: &str, folders: &[PathBuf]) -> Result<Option<Definition>, Problem> {
    if let Some((file, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Definition::read(text, Path::new(file)).map(Some);
    }
    let mut first_problem = None;
    for path in own_files(folders) {
        match read(&path).and_then(|definition| free(definition, &path)) {
            Ok(definition) if definition.name.0 == name => return Ok(Some(definition)),
            Ok(_) => {}
            // A broken file may be the one that is meant; a broken file of another name is not this account's matter.
            Err(problem) if path.file_stem().is_some_and(|stem| stem == name) => {
                first_problem.get_or_insert(problem);
            }
            Err(_) => {}
        }
    }
    first_problem.map_or(Ok(None), Err)
}

/// A definition of the user's must not pass itself off as one of the program's.
fn free(definition: Definition, path: &Path) -> Result<Definition, Problem> {
    let name = definition.name.0.as_str();
    let built_in = BUILT_IN.iter().any(|(known, _)| *known == name);
    if built_in || CODED.contains(&name) {
        let what = format!("platform {name} comes with notify and cannot be replaced by a definition");
        let help = Some(format!("give yours another name, such as name: my-{name}"));
        return Err(Problem { what, help, path: Some(path.to_owned()), ..Problem::default() });
    }
    Ok(definition)
}

fn own_files(folders: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        if folder.is_file() {
            files.push(folder.clone());
            continue;
        }
        let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        let mut found: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml")).collect();
        found.sort();
        files.append(&mut found);
    }
    files
}

fn read(path: &Path) -> Result<Definition, Problem> {
    let unread = |what: String| Problem { what, path: Some(path.to_owned()), ..Problem::default() };
    let length = std::fs::metadata(path).map_err(|error| unread(format!("the definition cannot be read: {error}")))?.len();
    if length > LONGEST {
        return Err(unread("the definition is longer than 1 MiB".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| unread(format!("the definition cannot be read: {error}")))?;
    Definition::read(&text, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(platform: &str, settings: &str) -> AccountConfig {
        let settings = serde_yaml::from_str(settings).unwrap();
        AccountConfig {
            name: "a".into(),
            platform: platform.into(),
            limits: None,
            concurrency: None,
            knobs: Default::default(),
            shaping: None,
            settings,
        }
    }

    #[test]
    fn the_built_in_definitions_are_good() {
        for (file, text) in BUILT_IN {
            let definition = Definition::read(text, Path::new(file)).unwrap_or_else(|problem| panic!("{problem}"));
            assert_eq!(definition.name.0.as_str(), *file);
        }
        let names: Vec<String> = platforms(&[]).into_iter().map(|listed| listed.name).collect();
        assert_eq!(names[..5], ["smtp", "smpp", "exec", "outbox", "pool"]);
    }

    #[test]
    fn an_unknown_platform_is_told_with_the_nearest() {
        let problem = open(&account("webhok", "{}"), &Opening::default()).unwrap_err();
        assert_eq!(problem.help.as_deref(), Some("did you mean `webhook`?"));
    }

    #[test]
    fn a_users_definition_is_found_and_cannot_shadow_a_built_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let text = "schema: 1\nname: NAME\ntitle: T\naddressing: {columns: [to]}\nrequest: {method: POST, url: \"https://h/x\", json: {to: \"{{to}}\"}}\nsuccess: {status: 2xx}\n";
        std::fs::write(folder.path().join("mine.yaml"), text.replace("NAME", "mine")).unwrap();
        std::fs::write(folder.path().join("webhook.yaml"), text.replace("NAME", "webhook")).unwrap();
        std::fs::write(folder.path().join("broken.yaml"), "schema: 1\nnam: x\n").unwrap();
        let opening = Opening { definitions: vec![folder.path().to_owned()], ..Opening::default() };
        let mine = open(&account("mine", "{}"), &opening).unwrap();
        assert_eq!(mine.capability().addressing.columns, ["to"]);
        let hook = open(&account("webhook", "{url: \"https://h/x\"}"), &opening).unwrap();
        assert!(hook.capability().addressing.fixed.is_some(), "the built-in one");
        let broken = open(&account("broken", "{}"), &opening).unwrap_err();
        assert_eq!((broken.line, broken.help.as_deref()), (Some(2), Some("did you mean `name`?")), "{broken}");
        let listed = platforms(&opening.definitions);
        assert_eq!(listed.iter().filter(|listed| listed.broken.is_some()).count(), 2, "broken.yaml and webhook.yaml");
        let told: Vec<String> = unusable(&opening.definitions).iter().map(ToString::to_string).collect();
        assert!(told.len() == 2 && told[0].contains("`nam` is not known") && told[1].contains("my-webhook"), "{told:?}");
    }
}
