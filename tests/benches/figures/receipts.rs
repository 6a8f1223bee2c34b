//! Receipts delivered, from events that wait in the outbox to mails on the server's disk: planned,
//! rendered as HTML, text and PDF, kept, sent, and noted as accepted.
//!
//! Invariant: only what the mail server has accepted counts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::automation::message::{self, State};
use entity::finance::import::Options;
use futures::FutureExt;
use lettre::Address;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use worker::mail::smtp::{Settings, Smtp};
use worker::mail::transport::Outcome;

use crate::figure::{Failure, Figure, Reading, Scale};
use crate::given::{import, receivables};
use crate::house::{CONNECTIONS, House, On, Rapport};
use crate::pace::{Pace, together};

/// The figure.
pub const FIGURE: Figure = Figure {
    name: "receipts delivered end to end",
    unit: "mails/s",
    limit: "the same bytes handed to the same mail server, written beforehand",
    measure: |house, scale| run(house, scale).boxed_local(),
};

async fn run(house: &House, scale: Scale) -> Result<Reading, Failure> {
    let rapport = house.rapport(On::Production).await?;
    let file = receivables(scale.receipts, true);
    let options = Options { receipts: true, ..Options::default() };
    import(&rapport, file.into_bytes(), options).await?;

    let already = house.sink.mails()?.len();
    let workers = rapport.workers()?;
    let stop = CancellationToken::new();
    let began = Instant::now();
    let running = tokio::spawn(workers.run(stop.clone()));
    let mut done = 0;
    while done < scale.receipts && began.elapsed() < scale.patience {
        sleep(Duration::from_millis(20)).await;
        done = accepted(&rapport).await?;
    }
    let measured = Pace { done, took: began.elapsed() };
    stop.cancel();
    running.await??;
    rapport.end().await?;

    let mails = house.sink.mails()?.split_off(already);
    let mails: Result<Vec<_>, Failure> = mails
        .into_iter()
        .map(|mail| {
            let to = mail.envelope.to.first().ok_or("a mail without a recipient")?;
            let (from, to): (Address, Address) = (mail.envelope.from.parse()?, to.parse()?);
            Ok((from, to, mail.bytes))
        })
        .collect();
    let mails = mails?;
    let bytes = mails.iter().map(|(_, _, bytes)| bytes.len()).sum::<usize>();
    let note = format!(
        "{done} of {} in {:.1} s, {} kB each",
        scale.receipts,
        measured.took.as_secs_f64(),
        bytes / mails.len().max(1) / 1000
    );
    let limit = hand_over(house, mails).await?.per_second();
    Ok(Reading::Taken { measured: measured.per_second(), limit, note: Some(note) })
}

async fn accepted(rapport: &Rapport) -> Result<usize, Failure> {
    let states = message::count_by_state(rapport.db.reader()).await?;
    let count = states.into_iter().find(|(state, _)| *state == State::Accepted);
    Ok(count.map_or(0, |(_, count)| usize::try_from(count).unwrap_or_default()))
}

/// Sends `mails` over as many connections as the workers had.
async fn hand_over(
    house: &House,
    mails: Vec<(Address, Address, Vec<u8>)>,
) -> Result<Pace, Failure> {
    let mut settings = Settings::parse(&house.sink.url())?;
    settings.connections = CONNECTIONS;
    let smtp = Smtp::new(settings);
    let shared = Arc::new((mails, AtomicUsize::new(0)));
    together((0..CONNECTIONS).map(|_| {
        let (smtp, shared) = (smtp.clone(), Arc::clone(&shared));
        async move {
            let (mails, next) = &*shared;
            let mut done = 0;
            while let Some((from, to, bytes)) = mails.get(next.fetch_add(1, Ordering::Relaxed)) {
                match smtp.send(from, to, &[], bytes).await {
                    Outcome::Accepted { .. } => done += 1,
                    other => return Err(format!("a mail was not accepted: {other:?}").into()),
                }
            }
            Ok(done)
        }
    }))
    .await
}
