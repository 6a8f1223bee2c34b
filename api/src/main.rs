//! `rapport`: the API server, and the commands around it.

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use api::access::hashing::Hashing;
use api::access::token::Tokens;
use api::cli::{audit, demo, import, replay, seed};
use api::config::Server;
use api::context::Shared;
use api::http::server::{Patience, serve};
use api::http::socket::Rules;
use api::http::store::Store;
use api::serve::{DEMO_EMAIL, DEMO_PASSWORD, EXAMPLE_OPEN, Parts, routes};
use clap::{Parser, Subcommand};
use entity::clock::Clock;
use entity::db::Db;
use tokio::net::TcpListener;
use worker::config::{Environment, Stack};
use worker::observe::{start_log, start_metrics, stop_signal};
use worker::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rapport: customer relations, receivables and mailings behind one GraphQL API.
///
/// Without a command it serves. Without any environment variable it is complete in itself: SQLite, a
/// queue in the process, mails as files, all in ./var, with demonstration data on the first start.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    stack: Stack,
    #[command(flatten)]
    server: Server,
}

const AFTER_HELP: &str = "Examples:
  rapport                                        everything in one process, data in ./var
  DATABASE_URL=postgres://… rapport migrate      bring the schema up to date
  rapport seed admin --email you@example.com     the first administrator
  rapport import receivables open-items.csv      customers, invoices and payments from a file
  rapport replay receivables paid-late.csv       what a ladder would have asked for, day by day
  rapport schema > schema.graphql                the API's schema";

#[derive(Subcommand)]
enum Command {
    /// Serve the API (the default); without REDIS_URL the workers too.
    Serve,
    /// Bring the database's schema up to date, and end. Several at once do no harm.
    Migrate,
    /// Fill an empty database: the first administrator, or demonstration data.
    Seed(seed::SeedArgs),
    /// Import customers, invoices and payments from a file.
    Import(import::ImportArgs),
    /// Replay receivables from a file, to see what a ladder would have asked for.
    Replay(replay::ReplayArgs),
    /// Verify the log of who changed what.
    Audit(audit::AuditArgs),
    /// Print the GraphQL schema.
    Schema,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(cli)),
        Err(error) => Err(error.into()),
    };
    ended.unwrap_or_else(|error| {
        eprintln!("rapport: {}", worker::relay::chain(&*error));
        ExitCode::from(2)
    })
}

async fn run(cli: Cli) -> Result<ExitCode, Box<dyn Error>> {
    if let Some(Command::Schema) = cli.command {
        print!("{}", api::schema::sdl());
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(Command::Replay(args)) = cli.command {
        return replay::run(args, cli.stack).await;
    }
    cli.stack.check()?;
    start_log(&cli.stack)?;
    let clock = Clock::system();
    let db = cli.stack.database(&clock).await?;
    match cli.command {
        None | Some(Command::Serve) => serve_all(cli.stack, cli.server, db, clock).await,
        Some(Command::Seed(args)) => {
            seed::run(args, &db, &clock).await?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Import(args)) => Ok(import::run(args, &db, &clock).await?),
        Some(Command::Audit(args)) => {
            let audit::Ending { text, status } = audit::run(args, &db).await?;
            println!("{text}");
            Ok(ExitCode::from(status))
        }
        Some(Command::Migrate | Command::Schema | Command::Replay(_)) => {
            println!("The schema is up to date.");
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn serve_all(
    stack: Stack,
    server: Server,
    db: Db,
    clock: Clock,
) -> Result<ExitCode, Box<dyn Error>> {
    let is_demo = stack.database_url.is_none() && stack.environment == Environment::Development;
    if is_demo {
        demo::load(&db, &clock).await?;
    }
    let key = server.key(&stack)?;
    let shared = Shared {
        db: db.clone(),
        clock: clock.clone(),
        signal: stack.signal()?,
        tokens: Arc::new(Tokens::new(&key)),
        hashing: Hashing::default(),
        links: server.links(&key)?,
        customer_links: stack.links()?,
        words: worker::document::Documents::embedded()?,
    };
    let store = match &stack.redis_url {
        Some(url) => Some(Store::open(url, &stack.redis_prefix)?),
        None => None,
    };
    let files = stack.files()?;
    let (router, stop) = routes(Parts {
        shared: shared.clone(),
        files: Arc::clone(&files),
        metrics: start_metrics()?,
        proxies: server.proxies,
        documents: server.documents(store.clone(), &clock)?,
        budget: server.budget(store, &clock),
        introspection: server.introspection(&stack),
        development: server.development(&stack, is_demo),
        cors_origins: server.cors_origins,
        max_requests: server.max_requests,
        sockets: Rules::default(),
    })?;
    if let Err(error) = db.fill().await {
        let error = worker::relay::chain(&error);
        tracing::warn!(
            error,
            "the database does not take as many connections as DATABASE_POOL says"
        );
    }
    let listener = TcpListener::bind(server.listen).await.map_err(|error| {
        format!("LISTEN: {} cannot be listened on ({error}); choose another port", server.listen)
    })?;
    let address = listener.local_addr()?;
    let embedded = stack.redis_url.is_none();
    let workers = match embedded {
        true => Some(Runtime::new(&stack, db.clone(), clock, shared.signal, files, None)?),
        false => None,
    };
    if stack.environment == Environment::Development {
        greet(&format!("http://{address}"), is_demo);
    }
    let asked = stop.asked.clone();
    tokio::spawn(async move {
        drop(stop_signal().await);
        asked.cancel();
    });
    let working = match workers {
        Some(workers) => tokio::spawn(workers.run(stop.asked.clone())),
        None => tokio::spawn(std::future::ready(Ok(()))),
    };
    let all_finished = serve(listener, router, stop, Patience::default()).await?;
    working.await??;
    db.close().await?;
    Ok(if all_finished { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What a person sees who starts Rapport for the first time.
fn greet(url: &str, is_demo: bool) {
    println!("\nRapport is at {url}\n");
    println!("  {url}/          the console: queries, schema, examples");
    println!("  {url}/mail      what customers got by e-mail");
    println!("  {url}/graphql   the API\n");
    if is_demo {
        println!("Log in as {DEMO_EMAIL} with the password {DEMO_PASSWORD}, and paste:\n");
        println!("{EXAMPLE_OPEN}\n");
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
