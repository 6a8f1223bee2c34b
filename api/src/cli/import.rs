//! `rapport import`: receivables from a file on this machine.
//!
//! Invariant: the outcome is the exit code: 0 when every row was taken, 1 when some were not, 2 when
//! the file could not be read.

use std::fs::File;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::TimeDelta;
use clap::{Args, Subcommand};
use entity::access::Actor;
use entity::automation::job;
use entity::automation::lease::Leased;
use entity::clock::Clock;
use entity::db::Db;
use entity::finance::import::{
    self, ColumnMapping, DateOrder, DecimalMark, ImportError, Options, Progress, Report, Under,
};
use entity::money::Currency;
use futures::FutureExt;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// For how long the job is kept from the workers after each chunk. A process that dies leaves a job
/// that a worker ends as broken off.
const LEASE: TimeDelta = TimeDelta::minutes(5);

/// Import records from files.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// What to import.
    #[command(subcommand)]
    pub what: What,
}

/// What can be imported.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Customers, invoices and payments from a CSV file.
    Receivables(ReceivablesArgs),
}

/// Imports customers, invoices and payments from a CSV file.
///
/// Each row is an invoice: whose it is, its number, date, due date and amount, and the day on which
/// it was paid, if it was. Encoding (UTF-8, UTF-16, Windows-1258 and others), delimiter, order of
/// days and decimal mark are found in the file; the report says which were taken. Rows that cannot be
/// taken are named by line and reason, and the others are kept. Importing a file again adds
/// nothing that is there already, so an import that was broken off is simply started again.
#[derive(Debug, Args)]
#[command(after_long_help = AFTER)]
pub struct ReceivablesArgs {
    /// The file.
    file: PathBuf,
    /// Currency of rows that do not say theirs, such as VND [default: the organisation's].
    #[arg(long, value_name = "CODE")]
    currency: Option<Currency>,
    /// What a column says, where its heading does not tell; `ignore` leaves it out. Repeatable.
    #[arg(long = "map", value_name = "COLUMN=FIELD")]
    mapping: Vec<ColumnMapping>,
    /// Order of a day's parts: mdy, dmy or ymd. A leading year is understood in any order.
    #[arg(long, value_name = "ORDER")]
    date_order: Option<DateOrder>,
    /// The file's encoding, such as utf-8 or windows-1258.
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// What separates decimals: point or comma.
    #[arg(long, value_name = "MARK")]
    decimal: Option<DecimalMark>,
    /// Check everything, also against what is there already, and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// Number a receipt for every new payment and send it to the customer. Otherwise nobody hears
    /// of the import.
    #[arg(long)]
    receipts: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

const AFTER: &str = "\
Fields:
  customer.number*    customer.name       customer.email      customer.phone
  customer.tax_number customer.language   customer.country    customer.channel
  invoice.number*     issued_on*          due_on*             amount*
  currency            disputed            settled_on          (* required)

Exit codes:
  0  every row was taken, or was there already
  1  some rows were not taken; the report names them
  2  the file could not be read at all; nothing was taken

Examples:
  rapport import receivables receivables.csv --currency USD
  rapport import receivables debitoren.csv --map Kunde=customer.number --map Betrag=amount --dry-run
  rapport import receivables công-nợ.csv --encoding windows-1258 --date-order dmy --json";

/// Imports, prints the report, and says by the exit code how it went.
///
/// # Errors
/// The database or a rule, such as an organisation that is not set up yet.
pub async fn run(args: ImportArgs, db: &Db, clock: &Clock) -> Result<ExitCode, entity::Error> {
    let What::Receivables(args) = args.what;
    let json = args.json;
    let file = match File::open(&args.file) {
        Ok(file) => file,
        Err(error) => return Ok(print(&Report::failed(&error), json)),
    };
    let options = args.options();
    let under = if options.dry_run { None } else { Some(begin(db, clock, &options).await?) };
    let bar = progress_bar();
    let watch = |Progress { done, total }| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let outcome = import::run(db, clock, under, options, file, watch).await;
    bar.finish_and_clear();
    match outcome {
        Ok(report) => Ok(print(&report, json)),
        Err(ImportError::Refused(error)) => Err(error),
        Err(error) => Ok(print(&Report::failed(&error), json)),
    }
}

impl ReceivablesArgs {
    fn options(self) -> Options {
        Options {
            currency: self.currency,
            mapping: self.mapping,
            date_order: self.date_order,
            encoding: self.encoding,
            decimal: self.decimal,
            dry_run: self.dry_run,
            receipts: self.receipts,
        }
    }
}

/// Adds the job that the imported rows name, leased to this process.
async fn begin(db: &Db, clock: &Clock, options: &Options) -> Result<Under, entity::Error> {
    let now = clock.now();
    let input = serde_json::to_value(options).unwrap_or_default();
    db.write(move |txn| {
        let input = input.clone();
        async move {
            let kind = job::Kind::ImportReceivables;
            let job = job::create(txn, kind, input, Actor::System, now).await?;
            let leased = job::lease(txn, job.id, now + LEASE, now).await?;
            let fence = leased.map_or(job.fence, |leased| leased.fence);
            let job = Leased { id: job.id, fence };
            Ok(Under { job, actor: Actor::System, lease: LEASE })
        }
        .boxed()
    })
    .await
}

/// A bar on a terminal, nothing in a pipe.
fn progress_bar() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} rows, {eta} left");
    ProgressBar::with_draw_target(None, target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn print(report: &Report, json: bool) -> ExitCode {
    if json {
        println!("{}", serde_json::to_string_pretty(report).unwrap_or_default());
    } else if report.error.is_some() {
        eprint!("{report}");
    } else {
        print!("{report}");
    }
    match report {
        Report { error: Some(_), .. } => ExitCode::from(2),
        report if report.counts.bad > 0 => ExitCode::from(1),
        _ => ExitCode::SUCCESS,
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, FromArgMatches};

    use super::*;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        import: ImportArgs,
    }

    fn parsed(line: &str) -> Result<ReceivablesArgs, clap::Error> {
        let matches = Cli::command().try_get_matches_from(line.split(' '))?;
        let What::Receivables(args) = Cli::from_arg_matches(&matches)?.import.what;
        Ok(args)
    }

    #[test]
    fn a_whole_command_line_is_understood() {
        Cli::command().debug_assert();
        let args = parsed(
            "import receivables a.csv --currency USD --map Kunde=customer.number --map Netto=ignore \
             --date-order dmy --encoding cp1258 --decimal comma --dry-run --receipts --json",
        );
        let args = args.unwrap();
        assert!(args.json);
        let options = args.options();
        assert_eq!(options.currency, Some(Currency::USD));
        assert_eq!(options.mapping.len(), 2);
        assert_eq!(options.date_order, Some(DateOrder::Dmy));
        assert_eq!(options.decimal, Some(DecimalMark::Comma));
    }

    #[test]
    fn a_wrong_value_is_refused_with_what_is_allowed() {
        for (line, allowed) in [
            ("import receivables a.csv --currency dollars", "three capital letters"),
            ("import receivables a.csv --map x=price", "customer.number"),
            ("import receivables a.csv --date-order us", "mdy, dmy or ymd"),
            ("import receivables a.csv --decimal dot", "point or comma"),
        ] {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.contains(allowed), "{error}");
        }
    }

    #[test]
    fn the_help_names_every_field() {
        assert!(import::Field::ALL.iter().all(|field| AFTER.contains(field.name())));
    }
}
