//! `rapport-worker`: relay, sender and jobs, in a process of their own.

use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use entity::clock::Clock;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use worker::config::{ConfigError, Stack};
use worker::health;
use worker::observe::{start_log, start_metrics, stop_signal};
use worker::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rapport's workers: they carry out what was written down, once, and carry on when a machine dies.
///
/// Start as many as you like beside any number of `rapport serve`, all with the same DATABASE_URL and
/// REDIS_URL. Stopping one (SIGTERM) takes half a minute at most: what is under way is finished first.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(flatten)]
    stack: Stack,
    /// Where /healthz, /readyz and /metrics are; port 0 takes any free one.
    #[arg(
        long,
        env = "WORKER_LISTEN",
        default_value = "127.0.0.1:8001",
        value_name = "ADDRESS:PORT"
    )]
    listen: SocketAddr,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rapport-worker: {}", worker::relay::chain(&*error));
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<(), Box<dyn Error>> {
    let stack = cli.stack;
    stack.check()?;
    if stack.redis_url.is_none() {
        let what = "the workers of one process run inside `rapport serve`; set REDIS_URL to run them apart";
        return Err(ConfigError::Refused("REDIS_URL", what.to_owned()).into());
    }
    start_log(&stack)?;
    let figures = start_metrics()?;
    let clock = Clock::system();
    let db = stack.database(&clock).await?;
    let listener = TcpListener::bind(cli.listen).await.map_err(|error| {
        format!(
            "WORKER_LISTEN: {} cannot be listened on ({error}); choose another port",
            cli.listen
        )
    })?;
    let runtime = Runtime::new(&stack, db.clone(), clock, stack.signal()?, stack.files()?, None)?;
    let shutdown = CancellationToken::new();
    let asked = shutdown.clone();
    tokio::spawn(async move {
        drop(stop_signal().await);
        asked.cancel();
    });
    let health = tokio::spawn(health::serve(listener, db.clone(), figures, shutdown.clone()));
    tracing::info!(address = %cli.listen, "working");
    runtime.run(shutdown).await?;
    health.abort();
    db.close().await?;
    Ok(())
}
