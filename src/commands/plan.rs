//! `notify plan`: what a batch would be — rows, requests, the limit that decides, how long, what it costs. Sends nothing, leaves nothing.

use super::check::{Asked, desk};
use super::{oneoff, open};
use crate::cli::{Global, Plan};
use crate::config::defaults::OnInvalid;
use crate::exit::{Exit, Failure};
use crate::job;
use crate::job::planned;

/// Plans the list.
pub(crate) fn run(global: &Global, mut args: Plan) -> Result<Exit, Failure> {
    if args.list.input.stream {
        return Err(Failure::new(Exit::Usage, "a plan needs the whole list: leave out --stream"));
    }
    let mut config = open::open_config(global)?;
    oneoff::adopt(&mut config, &mut args.list.target.via)?;
    let asked = Asked { list: &args.list, key: args.key.clone(), flow: Some(&args.flow) };
    let desk = desk(global, &config, &asked, None)?;
    if desk.spooled.rows == 0 {
        return Err(Failure::new(Exit::NothingToDo, format!("{} has no rows: nothing to do", desk.name)));
    }
    if !global.quiet {
        desk.spooled.notices.iter().for_each(|notice| open::say(notice));
    }
    let told = |bad: &crate::prepare::Bad| open::say(&job::bad_line(&desk.name, bad));
    let found = job::examine(&desk.preparer, &desk.folder, told, |_, _| {})?;
    let (good, bad) = (found.good, found.bad);
    let plan = planned::of(&config, &desk.preparer, found.counts(), found.census, &jiff::Zoned::now());
    match args.flow.json {
        true => open::print(&format!("{}\n", plan.json())),
        false => open::print(&plan.text()),
    }
    planned::guard(args.money.max_cost.as_ref(), &config, &plan)?;
    let skips = args.skip_invalid || config.defaults.on_invalid == Some(OnInvalid::Skip);
    Ok(if bad > 0 && (good == 0 || !skips) { Exit::BadInput } else { Exit::Done })
}
