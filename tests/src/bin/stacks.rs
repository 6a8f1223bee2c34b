//! `stacks`: throw-away PostgreSQL and Redis around a command.

use std::process::{ExitCode, ExitStatus};

use clap::{Parser, Subcommand};
use rustix::process::{Pid, Signal, kill_process};
use tests::stack::{Servers, chain, command, interrupted, scratch};
use tokio::time::{Duration, sleep};

/// Starts a PostgreSQL and a Redis of their own on free ports, and removes them whatever happens.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Runs a command with `TEST_DATABASE_URL` (a server on which it may create databases) and
    /// `TEST_REDIS_URL` set, and ends with its exit code. `exec bash` is a shell to look around in.
    Exec {
        /// The command and its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let Action::Exec { command } = Arguments::parse().command;
    tokio::select! {
        code = exec(&command) => code,
        () = interrupted() => ExitCode::from(130),
    }
}

async fn exec(command: &[String]) -> ExitCode {
    match around(command).await {
        Ok(status) => {
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            ExitCode::from(code.unwrap_or(1))
        }
        Err(error) => {
            eprintln!("stacks: {}", chain(error.as_ref()));
            ExitCode::from(2)
        }
    }
}

async fn around(words: &[String]) -> Result<ExitStatus, Box<dyn std::error::Error>> {
    let dir = scratch("rapport-tests-")?;
    let servers = Servers::start(dir.path()).await?;
    // In our process group, so that a Ctrl-C reaches it as it reaches us.
    let child = command(&words[0])
        .args(&words[1..])
        .env("TEST_DATABASE_URL", servers.postgres.url())
        .env("TEST_REDIS_URL", servers.redis.url())
        .spawn()
        .map_err(|error| format!("{} could not be started: {error}", words[0]))?;
    let mut child = Child(child);
    loop {
        if let Some(status) = child.0.try_wait()? {
            return Ok(status);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

/// The command; it is asked to end when we must.
struct Child(std::process::Child);

impl Drop for Child {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(None)) {
            // Fails only when it is gone already.
            let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
            let _ = self.0.wait();
        }
    }
}
