//! A Rapport of its own, in a folder that goes when it ends: one organisation, a ladder, and a clock that is turned by hand.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::access::audit::Origin;
use entity::access::{Actor, Calendar, Viewer, organisation};
use entity::automation::message;
use entity::automation::workflow::definition::Action;
use entity::automation::workflow::{self, Running, StepMap};
use entity::clock::Clock;
use entity::customers::customer::{self, Kind, LifecycleStage, NewCustomer};
use entity::db::Db;
use entity::finance::ageing::{Aged, Buckets, Question};
use entity::finance::dispute::{self, Cause, NewDispute, Verdict};
use entity::finance::dunning::{Ladder, item, ladder, notice};
use entity::finance::invoice::{self, NewInvoice, NewLine};
use entity::finance::payment::{self, Method, NewAllocation, NewPayment};
use entity::id::{CustomerId, DisputeId, InvoiceId};
use entity::money::Money;
use futures::FutureExt;
use rust_decimal::Decimal;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use tempfile::TempDir;
use tokio::sync::Mutex;
use worker::config::Stack;
use worker::mail::transport::Transport;
use worker::runtime::Runtime;
use worker::ways::Ways;

use super::Failure;
use super::days::Days;
use super::report::Notice;

/// A Rapport of its own.
pub struct World {
    db: Db,
    clock: Clock,
    runtime: Runtime,
    ladder: Ladder,
    known: Arc<Mutex<Known>>,
    // The folder goes last.
    folder: TempDir,
}

/// What there is by now, by the rows of the file.
#[derive(Default)]
struct Known {
    customers: HashMap<String, CustomerId>,
    invoices: HashMap<usize, InvoiceId>,
    disputes: HashMap<usize, DisputeId>,
}

impl World {
    /// A new one, on the day before `first`.
    pub async fn new(stack: Stack, preset: &str, first: NaiveDate) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let stack = Stack {
            data_dir: folder.path().to_owned(),
            database_url: None,
            redis_url: None,
            files_url: None,
            ..stack
        };
        let clock = Clock::manual(at(first, NaiveTime::MIN) - TimeDelta::hours(1));
        let db = stack.database(&clock).await?;
        let ladder = begin(&db, &clock, preset).await?;
        let files = stack.files()?;
        let ways = Ways { mail: Transport::Nowhere, ..Ways::of(&stack, Arc::clone(&files))? };
        let signal = stack.signal()?;
        let runtime = Runtime::new(&stack, db.clone(), clock.clone(), signal, files, Some(ways))?;
        Ok(Self { db, clock, runtime, ladder, known: Arc::default(), folder })
    }

    /// What is asked for, and when.
    pub fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// Lives through a day: what the file says happens in its first minute; then whatever is due. Gives what is open at its
    /// end, by age.
    pub async fn live(&mut self, days: &Days, day: NaiveDate) -> Result<Vec<Aged>, Failure> {
        self.turn(day, NaiveTime::MIN);
        self.happen(days, day).await?;
        self.runtime.settle().await?;
        let nine = self.ladder.at;
        for time in [NaiveTime::from_hms_opt(3, 1, 0).unwrap_or_default(), nine] {
            self.turn(day, time);
            self.runtime.settle().await?;
        }
        // What goes together waits for a moment.
        self.clock.advance(entity::finance::dunning::GATHERED + TimeDelta::minutes(1));
        self.runtime.settle().await?;
        let viewer = self.viewer();
        let buckets = Buckets::default();
        let (filter, currency) = (None, None);
        let question =
            Question { viewer: &viewer, as_of: day, buckets: &buckets, filter, currency };
        Ok(question.totals(self.db.reader()).await?)
    }

    /// All notices, as they came.
    pub async fn notices(&self) -> Result<Vec<Notice>, Failure> {
        let db = self.db.reader();
        let rows = notice::Entity::find().order_by_asc(notice::Column::Id).all(db).await?;
        let mut messages = HashMap::new();
        let planned =
            message::Entity::find().filter(message::Column::Kind.eq(message::Kind::Dunning));
        for row in planned.all(db).await? {
            messages.insert(row.subject_id, row);
        }
        let invoices: HashMap<_, _> = invoice::Entity::find()
            .all(db)
            .await?
            .into_iter()
            .map(|row| (row.id, row.reference.unwrap_or(row.number)))
            .collect();
        let customers: HashMap<_, _> = customer::Entity::find()
            .all(db)
            .await?
            .into_iter()
            .map(|row| (row.id, row.display_name))
            .collect();
        let mut items = HashMap::<_, Vec<_>>::new();
        for row in item::Entity::find().order_by_asc(item::Column::Id).all(db).await? {
            items.entry(row.notice_id).or_default().push((row.invoice_id, row.level));
        }
        let known = |(id, level)| Some((invoices.get(&id)?.clone(), level));
        let notices = rows.into_iter().map(|row| Notice {
            items: items
                .remove(&row.id)
                .unwrap_or_default()
                .into_iter()
                .filter_map(known)
                .collect(),
            message: messages.remove(&row.id.0),
            customer: customers.get(&row.customer_id).cloned().unwrap_or_default(),
            row,
        });
        Ok(notices.collect())
    }

    /// Ends, and takes its folder with it.
    pub async fn leave(self) -> Result<(), Failure> {
        drop(self.runtime);
        self.db.close().await?;
        self.folder.close()?;
        Ok(())
    }

    fn turn(&self, day: NaiveDate, time: NaiveTime) {
        self.clock.advance(at(day, time) - self.clock.now());
    }

    fn viewer(&self) -> Viewer {
        let backend = self.db.reader().get_database_backend();
        Viewer::rapport(backend, Calendar::at(self.clock.now(), Tz::UTC))
    }

    /// What the file says of the day, in one transaction.
    async fn happen(&self, days: &Days, day: NaiveDate) -> Result<(), Failure> {
        let now = self.clock.now();
        let take = |indices: &[usize]| {
            indices.iter().map(|index| (*index, days.rows[*index].clone())).collect::<Vec<_>>()
        };
        let events = [take(days.issued(day)), take(days.disputed(day)), take(days.settled(day))];
        if events.iter().all(Vec::is_empty) {
            return Ok(());
        }
        let known = Arc::clone(&self.known);
        let origin = Origin::new(Actor::System, now);
        let happened = self.db.write_as(&origin, move |txn| {
            let [issued, disputed, settled] = events.clone();
            let known = Arc::clone(&known);
            async move {
                let mut known = known.lock().await;
                for (index, row) in issued {
                    let number = &row.customer.number;
                    let customer = if let Some(customer) = known.customers.get(number) {
                        *customer
                    } else {
                        let made = customer::create(txn, new_customer(&row), Actor::System, now);
                        let id = made.await?.id;
                        known.customers.insert(number.clone(), id);
                        id
                    };
                    let made = invoice::issue(txn, new_invoice(&row, customer), Actor::System, now);
                    known.invoices.insert(index, made.await?.id);
                }
                for (index, _) in disputed {
                    let Some(invoice) = known.invoices.get(&index).copied() else { continue };
                    let new =
                        NewDispute { invoice, cause: Cause::Other, amount: None, detail: None };
                    let made = dispute::open(txn, new, Actor::System, now).await?;
                    known.disputes.insert(index, made.id);
                }
                for (index, row) in settled {
                    let Some(invoice) = known.invoices.get(&index).copied() else { continue };
                    if let Some(id) = known.disputes.remove(&index) {
                        let (verdict, why) = (Verdict::Withdrawn, "settled");
                        dispute::resolve(txn, id, verdict, why, None, Actor::System, now).await?;
                    }
                    let amount = Money::new(row.total, row.currency);
                    let allocation = NewAllocation { invoice, amount: amount.to_decimal() };
                    let customer = known.customers.get(&row.customer.number).copied();
                    let Some(customer) = customer else { continue };
                    let new = NewPayment {
                        customer,
                        amount,
                        received_on: None,
                        method: Method::Other,
                        reference: Some(row.number.clone()),
                        allocations: Some(vec![allocation]),
                    };
                    payment::record(txn, new, Actor::System, now).await?;
                }
                Ok(())
            }
            .boxed()
        });
        happened.await?;
        Ok(())
    }
}

fn at(day: NaiveDate, time: NaiveTime) -> DateTime<Utc> {
    day.and_time(time).and_utc()
}

/// Sets the organisation up, and lets the ladder be carried out, and nothing else.
async fn begin(db: &Db, clock: &Clock, preset: &str) -> Result<Ladder, Failure> {
    let rows = workflow::Entity::find().all(db.reader()).await?;
    let row = rows.iter().find(|row| row.preset.as_deref() == Some(preset));
    let ladders = || {
        let keys = rows.iter().filter_map(|row| row.preset.as_deref());
        keys.filter(|key| key.starts_with("dunning-")).collect::<Vec<_>>().join(", ")
    };
    let row = row.ok_or_else(|| format!("there is no ladder {preset}; there are {}", ladders()))?;
    let definition: workflow::Definition = serde_json::from_value(row.draft.clone())?;
    let found = definition.steps.iter().find_map(|step| match &step.action {
        Action::Do { what, with } => ladder::read(what, with),
        _ => None,
    });
    let ladder = found.ok_or_else(|| format!("{preset} is no ladder; there are {}", ladders()))?;
    let (id, now) = (row.id, clock.now());
    let others = rows.iter().filter(|row| row.state == workflow::State::Active);
    let others = others.map(|row| row.id).collect::<Vec<_>>();
    let origin = Origin::new(Actor::System, now);
    let begun = db.write_as(&origin, move |txn| {
        let others = others.clone();
        async move {
            let settings = organisation::Settings {
                name: "Replay".to_owned(),
                address: "Nowhere".to_owned(),
                tax_number: None,
                email: "replay@rapport.invalid".to_owned(),
                phone: None,
                time_zone: Tz::UTC,
                currency: entity::money::Currency::USD,
                locale: "en".to_owned(),
            };
            organisation::set_up(txn, settings, Actor::System, now).await?;
            for other in others {
                workflow::turn(txn, other, workflow::State::Retired, Actor::System, now).await?;
            }
            let viewer = Viewer::rapport(txn.get_database_backend(), Calendar::at(now, Tz::UTC));
            let running = (Running::RunOut, &StepMap::new());
            workflow::publish(txn, id, running, None, &viewer, now).await?;
            Ok(())
        }
        .boxed()
    });
    begun.await?;
    Ok(ladder)
}

fn new_customer(row: &entity::finance::import::Row) -> NewCustomer {
    let party = &row.customer;
    NewCustomer {
        number: Some(party.number.clone()),
        kind: Kind::Organisation,
        stage: LifecycleStage::Customer,
        display_name: party.name.clone().unwrap_or_else(|| party.number.clone()),
        owner_id: None,
        preferred_channel: None,
        // Whatever the address, nothing leaves.
        email: Some("nobody@rapport.invalid".to_owned()),
        phone: None,
        tax_number: None,
        language: Some("en".to_owned()),
        time_zone: Some("UTC".to_owned()),
        currency: Some(row.currency),
        contacts: Vec::new(),
        addresses: Vec::new(),
        custom: Vec::new(),
    }
}

fn new_invoice(row: &entity::finance::import::Row, customer: CustomerId) -> NewInvoice {
    NewInvoice {
        order: None,
        customer,
        currency: Some(row.currency),
        issued_on: None,
        due_on: row.due_on,
        reference: Some(row.number.clone()),
        lines: vec![NewLine {
            description: "Replayed".to_owned(),
            quantity: Decimal::ONE,
            unit_price: Money::new(row.total, row.currency).to_decimal(),
            tax_rate: Decimal::ZERO,
        }],
    }
}
