//! `cargo bench -p tests`: how fast Rapport is, as one table. Each figure stands beside its limit,
//! which is measured in the same run on the same servers: the machine may be slow or busy, the
//! ratio tells what Rapport adds. Nothing here passes or fails.
//!
//! ```text
//! cargo bench -p tests                              everything, optimised, under eight minutes
//! cargo bench -p tests -- receipts                  figures with that word in their name
//! cargo bench -p tests --profile dev -- --quick     a look without an optimised build
//! RECEIVABLES_CSV=file.csv cargo bench -p tests     imports that file too
//! ```
//!
//! To add a figure:
//!
//! 1. Write a file beside this one with `pub const FIGURE: Figure`: what is measured, in which
//!    unit, what limits it, and a function that gives both as a [`Reading`](figure::Reading).
//! 2. Take the limit from the same servers with the same number of connections, and let it do
//!    what no implementation could leave out: the same rows in plain SQL, the same bytes on the
//!    wire. Let [`pace::side_by_side`] alternate between the two, so that both meet the same
//!    machine.
//! 3. Bound it by [`figure::Scale`]; a quick run of all figures stays under forty seconds.
//! 4. Add it to [`all`], and `mod` it below.
//!
//! Invariant: a figure has a database of its own, or shares one that none of its readers changes, so
//! none depends on which others ran before it.

mod client;
mod customers;
mod dunning;
mod figure;
mod given;
mod house;
mod imports;
mod latency;
mod machine;
mod memory;
mod pace;
mod payments;
mod reads;
mod receipts;
mod table;
mod workflows;

use std::process::ExitCode;

use clap::Parser;
use tests::stack::{chain, interrupted};

use crate::figure::{Failure, Figure, Scale};
use crate::house::House;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Rapport against limits taken in the same run, and prints one table.
#[derive(Debug, Parser)]
struct Arguments {
    /// A look: fewer rows, under forty seconds.
    #[arg(long)]
    quick: bool,
    /// Only figures with this in their name.
    name: Option<String>,
    /// What `cargo bench` says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Every figure, in the order of the table.
fn all() -> Vec<Figure> {
    let mut all = vec![
        payments::FIGURE,
        receipts::FIGURE,
        customers::FIGURE,
        reads::NESTED,
        reads::ONE,
        reads::FILTERED,
        imports::EMBEDDED,
        imports::PRODUCTION,
        workflows::EMBEDDED,
        workflows::PRODUCTION,
        workflows::FORECAST,
        dunning::FORECAST,
        dunning::NIGHT,
        latency::FIGURE,
        memory::FIGURE,
    ];
    all.extend(reads::million::FIGURES);
    if std::env::var_os(imports::FILE).is_some() {
        all.extend([imports::FILE_EMBEDDED, imports::FILE_PRODUCTION]);
    }
    all
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tokio::select! {
        outcome = run(&arguments) => match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bench: {}", chain(&*error));
                ExitCode::from(2)
            }
        },
        () = interrupted() => ExitCode::from(130),
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let scale = if arguments.quick { Scale::QUICK } else { Scale::FULL };
    let wanted = |figure: &Figure| {
        arguments.name.as_ref().is_none_or(|name| figure.name.contains(name.as_str()))
    };
    let house = House::build().await?;
    println!("{}", machine::facts(&house).await?);
    let mut rows = Vec::new();
    for figure in all().into_iter().filter(wanted) {
        eprintln!("measuring: {}", figure.name);
        rows.push(((figure.measure)(&house, scale).await?, figure));
    }
    print!("{}", table::render(&rows));
    println!("\nload at the end: {}", machine::load());
    Ok(())
}
