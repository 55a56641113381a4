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
    let adopted = oneoff::adopt(&mut config, &mut args.target.via)?;
    let scene = Scene { config: &config, global, state_dir: launch::state_dir(global)? };
    let settings = Settings { by_url: adopted.names, ..Settings::new(&config, global, &args.content, &args.target, &args.flow)? };
    let read = job::read_options(&config, &settings, &args.input, args.key, job::constants(&args.content)?)?;
    let order = Order {
        command: "batch",
        input: job::input(&args.rows),
        read,
        template: args.content.template,
        settings,
        lineage: None,
        parent: None,
        skip_invalid: args.skip_invalid,
        stream: args.input.stream,
        name: None,
        url: adopted.url,
    };
    begin(&scene, order, &args.flow, &args.new).await
}
