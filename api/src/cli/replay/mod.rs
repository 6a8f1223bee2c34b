//! `rapport replay`: real receivables once more, day by day on a clock that is turned by hand, to see what a ladder would
//! have asked for. Nothing leaves: it is the whole embedded stack in a folder of its own, and mail goes nowhere.
//!
//! Invariant: the books are kept by the code that keeps them for real, and every day they are compared with the file.

mod chart;
mod days;
mod report;
mod world;

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::{Args, Subcommand};
use entity::finance::import::{self, ColumnMapping, DateOrder, DecimalMark, Options};
use entity::money::Currency;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use worker::config::Stack;

use days::Days;
use world::World;

/// What goes wrong.
pub type Failure = Box<dyn std::error::Error>;

/// Replay records from files.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// What to replay.
    #[command(subcommand)]
    pub what: What,
}

/// What can be replayed.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Receivables: what a ladder would have asked for, and when.
    Receivables(ReceivablesArgs),
}

/// Replays receivables day by day: invoices are issued on their date, disputed from the day they are due until they are
/// settled where the file says so, and paid on the day they were settled. A ladder asks for what is late meanwhile.
///
/// The file is one that `rapport import receivables` takes. Every day the books are compared with it, and every notice with
/// what was owed at the moment.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct ReceivablesArgs {
    /// The file.
    file: PathBuf,
    /// The ladder: one of the workflows that Rapport brings along.
    #[arg(long, default_value = "dunning-eu", value_name = "PRESET")]
    ladder: String,
    /// Writes a row for each notice into this file, as CSV.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Draws what was open by age, and what was sent, into this file, as SVG [default: beside the report]
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
    /// The first day [default: that of the first invoice]
    #[arg(long, value_name = "DAY")]
    from: Option<NaiveDate>,
    /// The last day [default: a month after the last payment or due date]
    #[arg(long, value_name = "DAY")]
    until: Option<NaiveDate>,
    /// Currency of rows that do not say theirs.
    #[arg(long, default_value = "USD", value_name = "CODE")]
    currency: Currency,
    /// What a column says, where its heading does not tell. Repeatable.
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    mapping: Vec<ColumnMapping>,
    /// Order of a day's parts: mdy, dmy or ymd.
    #[arg(long, value_name = "ORDER")]
    date_order: Option<DateOrder>,
    /// What separates decimals: point or comma.
    #[arg(long, value_name = "MARK")]
    decimal: Option<DecimalMark>,
}

const AFTER: &str = "\
Exit codes:
  0  all that was compared was right
  1  something was not; the summary names it
  2  the file could not be read, or there is no such ladder

Examples:
  rapport replay receivables receivables.csv --ladder dunning-eu --report notices.csv
  rapport replay receivables công-nợ.csv --ladder dunning-vn --currency VND --chart open.svg";

/// Replays, writes what was asked for, prints the summary, and says by the exit code whether all was right.
///
/// # Errors
/// What keeps it from being carried out.
pub async fn run(args: ReplayArgs, stack: Stack) -> Result<ExitCode, Failure> {
    let What::Receivables(args) = args.what;
    let options = Options {
        currency: Some(args.currency),
        mapping: args.mapping,
        date_order: args.date_order,
        decimal: args.decimal,
        ..Options::default()
    };
    let file =
        File::open(&args.file).map_err(|error| format!("{}: {error}", args.file.display()))?;
    let (rows, bad) = import::rows(file, &options)?;
    let days = Days::of(rows, args.from, args.until).ok_or("the file has no receivables")?;
    let mut world = World::new(stack, &args.ladder, days.first()).await?;
    let bar = progress_bar(days.count());
    let mut summary = report::Summary::new(bad);
    for day in days.iter() {
        let seen = world.live(&days, day).await?;
        summary.note(&days, day, &seen);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let notices = world.notices().await?;
    summary.judge(&days, world.ladder(), &notices);
    if let Some(path) = &args.report {
        report::write(path, &notices)?;
    }
    let beside = args.report.as_ref().map(|path| path.with_extension("svg"));
    if let Some(path) = args.chart.or(beside) {
        chart::draw(&path, &summary)?;
    }
    world.leave().await?;
    println!("{summary}");
    Ok(if summary.is_right() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A bar on a terminal, nothing in a pipe.
fn progress_bar(days: u64) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style =
        ProgressStyle::with_template("{wide_bar} day {human_pos} of {human_len}, {eta} left");
    ProgressBar::with_draw_target(Some(days), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
