//! Words in, exit code out.

use std::process::ExitCode;

use clap::Parser;

use notify::cli::{Cli, Color, LogFormat};
use notify::commands;
use notify::exit::{Exit, Failure};

fn main() -> ExitCode {
    let cli = Cli::parse();
    speak(&cli);
    // ring is the one TLS provider of this program; a second call would only say that it is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            anstream::eprintln!("error: the runtime could not start: {error}");
            return ExitCode::from(Exit::Disk.code());
        }
    };
    let json = cli.wants_json();
    // As a task of its own the flow runs among the workers: its wake-ups stay on their queues instead of crossing threads.
    let ended = runtime.block_on(async { tokio::spawn(commands::run(cli)).await });
    let ended =
        ended.unwrap_or_else(|_| Err(Failure::new(Exit::Disk, "notify itself failed; the journal is whole: notify resume")));
    // A blocking read of stdin or a slow name look-up must not hold up the end.
    runtime.shutdown_timeout(std::time::Duration::from_millis(200));
    match ended {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            if !failure.message.is_empty() {
                if json {
                    let error = serde_json::json!({ "type": "error", "code": failure.exit.code(), "error": failure.message });
                    anstream::eprintln!("{error}");
                } else {
                    anstream::eprintln!("{}error:{} {}", RED, RESET, failure.message);
                }
            }
            ExitCode::from(failure.exit.code())
        }
    }
}

const RED: anstyle::Style = anstyle::AnsiColor::Red.on_default().bold();
const RESET: anstyle::Reset = anstyle::Reset;

/// Colour and log, before anything is said.
fn speak(cli: &Cli) {
    use tracing_subscriber::EnvFilter;
    let forced =
        std::env::var_os("FORCE_COLOR").is_some_and(|v| !v.is_empty() && v != "0") && std::env::var_os("NO_COLOR").is_none();
    match cli.global.color {
        Color::Auto if forced => anstream::ColorChoice::Always.write_global(),
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let level = match cli.global.verbose {
        0 => "notify=warn",
        1 => "notify=info",
        2 => "notify=debug",
        _ => "notify=trace",
    };
    let filter =
        EnvFilter::try_from_env("NOTIFY_LOG").unwrap_or_else(|_| EnvFilter::new(if cli.global.quiet { "off" } else { level }));
    let ansi = matches!(
        anstream::AutoStream::choice(&std::io::stderr()),
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi
    );
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(ansi).with_target(false);
    match cli.global.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
