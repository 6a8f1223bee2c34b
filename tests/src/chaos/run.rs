//! A whole run: build the house, let everybody loose, wait for quiet, gather the facts.
//!
//! Invariant: the judge is asked after the last fault is over and everything had the time to
//! finish.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::Days;
use entity::clock::Clock;
use futures::TryFutureExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::client::{Bookkeeper, Debtor, Office};
use super::evidence::{EvidenceError, Left, local};
use super::facts::Facts;
use super::house::{EMAIL, House, HouseError, PASSWORD};
use super::journal::Journal;
use super::report::Figures;
use super::schedule::schedule;
use crate::stack::StackError;

/// How long bookkeepers go on asking for their last answers after the last fault.
const LAST_ANSWERS: Duration = Duration::from_mins(1);

/// After this long without an end we stop waiting and look at what there is.
const DRAIN_PATIENCE: Duration = Duration::from_mins(3);

/// What a run is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Decides every fault and what the clients ask for.
    pub seed: u64,
    /// How long faults strike.
    pub length: Duration,
    /// Payments per second, all clients together.
    pub rate: f64,
    /// How many clients.
    pub clients: u64,
    /// How many customers, each with three invoices.
    pub customers: usize,
}

/// Why a run could not be brought to its end. That is no verdict about Rapport's promises.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The house does not stand.
    #[error(transparent)]
    House(#[from] HouseError),
    /// Something does not get up again after a fault.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The facts cannot be gathered.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// Customers and invoices could not be made.
    #[error("{0}")]
    Preparation(String),
}

/// Runs everything in `dir` with the programs in `programs`; says what it does by `say`.
///
/// # Errors
/// [`RunError`] when the run could not be brought to its end.
pub async fn run(
    options: &Options,
    dir: &Path,
    programs: &Path,
    say: impl Fn(&str),
) -> Result<(Facts, Figures), RunError> {
    let mut house = House::build(dir, programs, options.seed).await?;
    let office = Arc::new(open(&house));
    let debtors = Arc::new(prepare(&office, options.customers).await?);
    say(&format!("ready: {} customers at {}", debtors.len(), house.addresses.join(" and ")));
    house.begin();
    let house = Arc::new(house);
    let watch = CancellationToken::new();
    let watcher = house.clone();
    tokio::spawn(watch.clone().run_until_cancelled_owned(async move { watcher.watch().await }));

    let stop = CancellationToken::new();
    let mut clients = JoinSet::new();
    for index in 0..options.clients {
        let client = Bookkeeper::new(office.clone(), debtors.clone(), options.seed, index);
        #[expect(clippy::cast_precision_loss, reason = "nobody runs 2^52 clients")]
        let pace = Duration::from_secs_f64(options.clients as f64 / options.rate);
        clients.spawn(client.work(pace, stop.clone()));
    }
    let faults = strike(&house, options, &say).await?;
    stop.cancel();
    house.heal().await?;
    let quiet = Instant::now();
    say("faults are over: the clients get their last answers, the workers finish");
    let answered = timeout(LAST_ANSWERS, async { while clients.join_next().await.is_some() {} });
    if answered.await.is_err() {
        office.closed.cancel();
        clients.shutdown().await;
    }
    let drained = drain(&house, quiet).await;
    watch.cancel();

    let mut facts = house.observer.facts(office.journal.asked(), &house.sink).await?;
    let notes = house.notes();
    facts.doubts = notes.doubts;
    for incident in house.sink.incidents().into_iter().filter(|it| it.mishap.undecidable()) {
        let reason = format!("{:?} by the mail server", incident.mishap);
        let message = incident.message_id.as_deref().map(local).unwrap_or_default();
        facts.doubts.insert(message, reason);
    }
    facts.unstoppable = notes.unstoppable;
    facts.drained_s = drained.map(|time| time.as_secs_f64());
    let figures = Figures {
        faults,
        ended: notes.ended,
        mishaps: house.sink.counts(),
        client_faults: office.journal.faults(),
    };
    Ok((facts, figures))
}

fn open(house: &House) -> Office {
    let clock = Clock::system();
    // Yesterday: a day that no time zone takes for the future.
    let today = clock.today(chrono_tz::UTC);
    Office {
        addresses: house.addresses.clone(),
        login: (EMAIL.to_owned(), PASSWORD.to_owned()),
        today: today.checked_sub_days(Days::new(1)).unwrap_or(today),
        journal: Journal::default(),
        closed: CancellationToken::new(),
        token: Mutex::default(),
    }
}

async fn prepare(office: &Office, customers: usize) -> Result<Vec<Debtor>, RunError> {
    let mut debtors = Vec::with_capacity(customers);
    for index in 0..customers {
        debtors.push(office.debtor(index, 3).map_err(RunError::Preparation).await?);
    }
    Ok(debtors)
}

/// Lets every fault of the seed strike at its time, and waits for the end of all.
async fn strike(
    house: &Arc<House>,
    options: &Options,
    say: impl Fn(&str),
) -> Result<Vec<String>, StackError> {
    let began = Instant::now();
    let mut strikes = JoinSet::new();
    let mut said = Vec::new();
    for fault in schedule(options.seed, options.length) {
        sleep_until(began + fault.at).await;
        let line = fault.to_string();
        say(&line);
        said.push(line);
        let house = house.clone();
        strikes.spawn(async move { house.strike(&fault).await });
    }
    sleep_until(began + options.length).await;
    while let Some(strike) = strikes.join_next().await {
        // A panic in a strike is a bug of ours, and shows by itself.
        strike.unwrap_or(Ok(()))?;
    }
    Ok(said)
}

/// Waits until nothing is left to do; the time since `quiet`, or none if it takes too long.
async fn drain(house: &House, quiet: Instant) -> Option<Duration> {
    let mut since = None;
    while quiet.elapsed() < DRAIN_PATIENCE {
        let done = house.observer.left().await.is_ok_and(|left| left == Left::default());
        match (done, since) {
            (false, _) => since = None,
            (true, None) => since = Some(quiet.elapsed()),
            // It stays quiet: nothing comes back a lease later.
            (true, Some(at)) if quiet.elapsed() > at + Duration::from_secs(7) => return since,
            (true, Some(_)) => {}
        }
        sleep(Duration::from_millis(250)).await;
    }
    None
}
