//! `notify sink`: the loopback server for trying things out and for tests.

use std::io::Write;
use std::num::NonZeroUsize;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::open;
use crate::cli::Sink;
use crate::exit::{Exit, Failure};
use crate::sink::faults::rule::Faults;
use crate::sink::options::{Bound, Extensions, Options, Record};
use crate::sink::serve::serve;

/// Serves until a signal comes or `--stop-after` is reached.
pub(crate) async fn run(args: Sink) -> Result<Exit, Failure> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    if args.smtp.is_none() && args.smtps.is_none() && args.http.is_none() {
        return Err(usage(
            "nothing to listen on: give --smtp 127.0.0.1:2525, --smtps or --http (port 0 takes a free one)".into(),
        ));
    }
    let auth = match args.auth {
        Some(user) => match std::env::var("NOTIFY_SINK_PASSWORD") {
            Ok(password) => Some((user, password)),
            Err(_) => return Err(usage("--auth needs the password in the environment variable NOTIFY_SINK_PASSWORD".into())),
        },
        None => None,
    };
    let options = Options {
        smtp: args.smtp,
        smtps: args.smtps,
        http: args.http,
        faults: Faults::from_word(&args.faults).map_err(|e| usage(format!("--faults: {e}")))?,
        record: args.ledger.map(Record::Ledger).into_iter().chain(args.save.map(Record::Folder)).collect(),
        extensions: Extensions::without(&args.without.join(",")).map_err(|e| usage(format!("--without: {e}")))?,
        require_auth: auth.is_some(),
        auth,
        cert_out: args.cert_out,
        delay: args.delay.unwrap_or_default(),
        knee: args.knee.map(NonZeroUsize::get),
        pace: args.limit,
        limit: args.stop_after,
        seed: args.seed,
        ..Options::default()
    };
    let (ready, bound) = oneshot::channel::<Bound>();
    let quit = |e: std::io::Error| Failure::new(Exit::Usage, format!("signals cannot be listened for: {e}"));
    let (mut int, mut term) = (signal(SignalKind::interrupt()).map_err(quit)?, signal(SignalKind::terminate()).map_err(quit)?);
    let stop = async move {
        tokio::select! {
            _ = int.recv() => {}
            _ = term.recv() => {}
        }
    };
    let told = tokio::spawn(async move {
        let Ok(bound) = bound.await else { return };
        for (name, address) in [("smtp", bound.smtp), ("smtps", bound.smtps), ("http", bound.http)] {
            if let Some(address) = address {
                open::print(&format!("{name} {address}\n"));
            }
        }
    });
    let counts = serve(options, ready, stop).await.map_err(|e| usage(e.to_string()))?;
    let _ = told.await;
    if args.json {
        open::print(&format!("{}\n", serde_json::to_string(&counts).unwrap_or_default()));
    } else {
        let _ = writeln!(
            std::io::stderr(),
            "{} messages and {} requests taken over {} connections",
            counts.messages,
            counts.requests_taken,
            counts.connections
        );
    }
    Ok(Exit::Done)
}
