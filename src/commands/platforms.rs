//! `notify platforms`: what can be sent with, and whether an account's credentials work.

use super::open;
use crate::cli::{Global, Platforms};
use crate::exit::{Exit, Failure};
use crate::platform::{Opening, registry};

/// Lists, shows or checks.
pub(crate) async fn run(global: &Global, args: Platforms) -> Result<Exit, Failure> {
    let config = open::open_config(global)?;
    match args {
        Platforms::List { json } => {
            let mut text = String::new();
            for platform in registry::platforms(&config.definitions) {
                if json {
                    text.push_str(&format!("{}\n", serde_json::to_string(&platform).unwrap_or_default()));
                } else {
                    text.push_str(&format!("{:<12} {}\n", platform.name, platform.title));
                }
            }
            open::print(&text);
            Ok(Exit::Done)
        }
        Platforms::Show { platform } => {
            let all = registry::platforms(&config.definitions);
            match all.iter().find(|listed| listed.name == platform) {
                Some(listed) => {
                    open::print(&listed.to_string());
                    Ok(Exit::Done)
                }
                None => {
                    let hint = crate::job::hint(&platform, all.iter().map(|listed| listed.name.as_str()));
                    Err(Failure::new(Exit::NothingToDo, format!("no platform is called {platform}{hint}")))
                }
            }
        }
        Platforms::Check { account } => {
            let found = config.account(&account).map_err(|problem| Failure::new(Exit::BadConfig, problem))?;
            let opening = Opening { definitions: config.definitions.clone(), ..Opening::default() };
            let platform = registry::open(found, &opening).map_err(|problem| Failure::new(Exit::BadConfig, problem))?;
            match platform.check().await {
                Ok(line) => {
                    open::print(&format!("{account}: {line}\n"));
                    Ok(Exit::Done)
                }
                Err(error) => Err(Failure::new(Exit::BadConfig, format!("{account}: {error}"))),
            }
        }
    }
}
