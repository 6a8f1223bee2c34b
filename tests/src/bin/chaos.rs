//! `chaos`: kills, freezes and restarts Rapport under load, and judges what is left.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use entity::clock::Clock;
use tests::chaos::judge::judge;
use tests::chaos::report::Report;
use tests::chaos::run::{Options, run};
use tests::stack::{chain, command, interrupted, scratch};

/// Runs Rapport as in production — PostgreSQL, Redis, a mail server, two APIs, two workers, all on
/// this machine — while clients keep recording payments, and strikes at random: kill -9, SIGSTOP,
/// graceful restarts, FLUSHALL, refused, cut and unanswered mails. When the faults are over it
/// waits until everything is done and judges the result by invariants alone: every acknowledged
/// payment exists once and has one receipt and one mail (or one message in doubt, listed with the
/// reason), numbers have no gaps, the ledger balances.
///
/// The seed decides every fault, its moment, and what the clients ask for, so the same seed strikes
/// the same way again; how the processes interleave in between stays theirs.
///
/// Exit code 0: right. 1: an invariant is broken; the directory with all logs, data, delivered
/// mails and facts.json is kept. 2: the run could not be brought to its end.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Decides everything that is left to chance; taken from the clock when absent, and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// How long faults strike. Starting up and finishing come on top, about a minute together.
    #[arg(long, default_value_t = 2.0)]
    minutes: f64,
    /// Payments per second, all clients together.
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    /// Clients that record payments at the same time.
    #[arg(long, default_value_t = 8)]
    clients: u64,
    /// Customers, each with three invoices from the start.
    #[arg(long, default_value_t = 30)]
    customers: usize,
    /// Strike the optimised build. Without it the development build is struck, which the tests have
    /// built already: slower documents, the same code.
    #[arg(long)]
    release: bool,
    /// Keep the directory also after a right run.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let programs = match build(arguments.release) {
        Ok(programs) => programs,
        Err(error) => return failed(&error),
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    runtime.block_on(async {
        tokio::select! {
            code = strike(&arguments, &programs) => code,
            () = interrupted() => failed("interrupted"),
        }
    })
}

async fn strike(arguments: &Arguments, programs: &Path) -> ExitCode {
    let seed =
        arguments.seed.unwrap_or_else(|| Clock::system().now().timestamp_micros().cast_unsigned());
    let options = Options {
        seed,
        length: Duration::from_secs_f64(arguments.minutes.max(0.0) * 60.0),
        rate: arguments.rate.max(0.01),
        clients: arguments.clients.max(1),
        customers: arguments.customers.max(1),
    };
    let mut dir = match scratch("rapport-chaos-") {
        Ok(dir) => dir,
        Err(error) => return failed(&error.to_string()),
    };
    println!("seed {seed}, {} minutes, in {}", arguments.minutes, dir.path().display());
    let (facts, figures) = match run(&options, dir.path(), programs, |line| println!("{line}"))
        .await
    {
        Ok(outcome) => outcome,
        Err(error) => {
            dir.disable_cleanup(true);
            return failed(&format!("{}\nlogs and data: {}", chain(&error), dir.path().display()));
        }
    };
    let violations = judge(&facts);
    let report = Report { seed, facts: &facts, figures: &figures, violations: &violations };
    println!("{report}");
    if violations.is_empty() && !arguments.keep {
        return ExitCode::SUCCESS;
    }
    dir.disable_cleanup(true);
    let path = dir.path().join("facts.json");
    let saved = serde_json::to_vec_pretty(&report).map_err(std::io::Error::from);
    if let Err(error) = saved.and_then(|bytes| std::fs::write(&path, bytes)) {
        eprintln!("the facts could not be saved: {error}");
    }
    println!("logs, data, mails and facts.json: {}", dir.path().display());
    if violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Builds `rapport` and `rapport-worker` and returns where they are.
fn build(release: bool) -> Result<PathBuf, String> {
    let ours = std::env::current_exe().map_err(|error| error.to_string())?;
    let target = ours.ancestors().nth(2).ok_or("this program is not in a target directory")?;
    let mut command = command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Together with `tests`, whose features are then the same as in the build that is running.
    command.args(["build", "--bins", "-p", "api", "-p", "worker", "-p", "tests"]);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("--target-dir").arg(target);
    if release {
        command.arg("--release");
    }
    let status =
        command.status().map_err(|error| format!("cargo could not be started: {error}"))?;
    if !status.success() {
        return Err("the build failed".to_owned());
    }
    Ok(target.join(if release { "release" } else { "debug" }))
}

fn failed(why: &str) -> ExitCode {
    eprintln!("chaos: {why}");
    ExitCode::from(2)
}
