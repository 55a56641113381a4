//! `notify batch`: a template to every row of a list.

use super::begin::begin;
use super::launch::{self, Order};
use super::oneoff;
use super::open;
use super::open::Scene;
use crate::cli::{Batch, Global};
use crate::exit::{Exit, Failure};
use crate::job::{self, Settings};

/// Sends the list.
pub(crate) async fn run(global: &Global, mut args: Batch) -> Result<Exit, Failure> {
    let mut config = open::open_config(global)?;
    let adopted = oneoff::adopt(&mut config, &mut args.list.target.via)?;
    let scene = Scene { config: &config, global, state_dir: launch::state_dir(global)? };
    let settings =
        Settings { by_url: adopted.names, ..Settings::new(&config, global, &args.list.content, &args.list.target, &args.flow)? };
    let read = job::read_options(&config, &settings, &args.list.input, args.key, job::constants(&args.list.content)?)?;
    let order = Order {
        command: "batch",
        input: job::input(&args.list.rows),
        read,
        template: args.list.content.template,
        settings,
        lineage: None,
        parent: None,
        skip_invalid: args.skip_invalid,
        stream: args.list.input.stream,
        name: None,
        url: adopted.url,
    };
    begin(&scene, order, &args.flow, &args.new).await
}
