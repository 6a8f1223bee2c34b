//! What a chunk of rows means for the records that are there: only reads, so a dry run ends here.
//!
//! Invariant: a row whose invoice is there is compared and never overwritten; what people have
//! entered about a customer is never overwritten either, only blanks are filled.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::LockType;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Under;
use super::compare::{Earlier, compare, invoices};
use super::mapping::{Field, Mapping};
use super::report::{BadRow, Counts, cut};
use super::rows::{Party, Place, Row};
use crate::access::{Actor, organisation};
use crate::customers::{address, customer};
use crate::error::Error;
use crate::finance::invoice;
use crate::finance::statement::delivery::Way;
use crate::id::{AddressId, CustomerId, Id, InvoiceId, JobId, PaymentId};
use crate::money::Money;

/// What applies to a whole import.
pub struct Terms {
    pub organisation: organisation::Model,
    pub mapping: Mapping,
    pub under: Option<Under>,
    pub dry_run: bool,
    pub receipts: bool,
}

impl Terms {
    pub fn job(&self) -> Option<JobId> {
        self.under.map(|under| under.job.id)
    }

    pub fn actor(&self) -> Actor {
        self.under.map_or(Actor::System, |under| under.actor)
    }
}

/// What becomes of a customer in an import; the greatest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    Unchanged,
    Updated,
    Created,
}

/// What a chunk comes to.
#[derive(Default)]
pub struct Outcome {
    pub counts: Counts,
    pub customers: HashMap<String, Fate>,
    /// What was invoiced, and how much of it was paid.
    pub sums: Vec<(Money, i64)>,
    pub bad: Vec<BadRow>,
}

/// A payment of one invoice to be.
pub struct Paying {
    pub id: PaymentId,
    pub customer: CustomerId,
    pub invoice: InvoiceId,
    pub number: String,
    pub amount: Money,
    pub received_on: NaiveDate,
}

/// What has to be written.
#[derive(Default)]
pub struct Plan {
    outcome: Outcome,
    pub customers: Vec<customer::Model>,
    pub changed: Vec<customer::Model>,
    pub addresses: Vec<address::Model>,
    pub invoices: Vec<invoice::Model>,
    /// Open invoices that were there already, and what is paid of them now.
    pub settled: Vec<(invoice::Model, i64)>,
    pub payments: Vec<Paying>,
}

/// A customer of the chunk.
struct Known {
    model: customer::Model,
    fate: Fate,
    has_address: bool,
    /// How its row has to be written.
    write: Write,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Write {
    Not,
    Change,
    Add,
}

/// Compares `rows` with what is there, and locks the invoices among it.
///
/// # Errors
/// The database.
pub async fn of(
    db: &impl ConnectionTrait,
    terms: &Terms,
    rows: &[(u64, Row)],
    now: DateTime<Utc>,
) -> Result<(Outcome, Plan), Error> {
    let (invoices, earlier) = invoices(db, rows).await?;
    let mut known = customers(db, terms, rows).await?;
    let mut plan = Plan::default();
    for (line, row) in rows {
        let there = invoices.get(&row.number);
        let customer = known.get(&row.customer.number);
        let verdict = match (customer, there) {
            (Some(customer), _) if customer.model.deleted_at.is_some() => Err((
                Field::CustomerNumber,
                row.customer.number.clone(),
                "is a deleted customer; restore it first".to_owned(),
            )),
            (customer, Some(there)) => {
                let earlier = earlier.get(&there.id).map_or(&[][..], Vec::as_slice);
                compare(row, there, customer.map(|known| known.model.id), earlier)
                    .map(|settles| Some((there, earlier, settles)))
            }
            (_, None) => Ok(None),
        };
        match verdict {
            Err((field, value, reason)) => plan.outcome.bad.push(BadRow {
                line: *line,
                column: terms.mapping.header(field).map(str::to_owned),
                value: Some(cut(&value)),
                reason,
            }),
            Ok(Some((there, earlier, settles))) => {
                plan.meet(&mut known, terms, row, now);
                plan.keep(terms, row, there, earlier, settles, now);
            }
            Ok(None) => {
                let customer = plan.meet(&mut known, terms, row, now);
                plan.add(terms, row, customer, now);
            }
        }
    }
    for known in known.into_values() {
        match known.write {
            Write::Not => {}
            Write::Change => plan.changed.push(known.model),
            Write::Add => plan.customers.push(known.model),
        }
    }
    // In one order for everybody, so that imports that run at once do not lock each other out.
    plan.customers.sort_by(|one, other| one.number.cmp(&other.number));
    plan.changed.sort_by_key(|customer| customer.id);
    Ok((std::mem::take(&mut plan.outcome), plan))
}

impl Plan {
    /// Fills in what `row` says about its customer, and gives the customer's id.
    fn meet(
        &mut self,
        known: &mut HashMap<String, Known>,
        terms: &Terms,
        row: &Row,
        now: DateTime<Utc>,
    ) -> CustomerId {
        let party = &row.customer;
        let customer = known.entry(party.number.clone()).or_insert_with(|| Known {
            model: new_customer(terms, row, now),
            fate: Fate::Created,
            has_address: false,
            write: Write::Add,
        });
        if fill(&mut customer.model, party) {
            customer.model.index();
            customer.fate = customer.fate.max(Fate::Updated);
            if customer.write == Write::Not {
                customer.write = Write::Change;
            }
        }
        let id = customer.model.id;
        if let Some(place) = party.country.as_ref().filter(|_| !customer.has_address) {
            customer.has_address = true;
            customer.fate = customer.fate.max(Fate::Updated);
            self.addresses.push(new_address(terms, id, place, now));
        }
        self.outcome.customers.insert(party.number.clone(), customer.fate);
        id
    }

    /// A row whose invoice is new.
    fn add(&mut self, terms: &Terms, row: &Row, customer: CustomerId, now: DateTime<Utc>) {
        let id = InvoiceId::new(now);
        let paid = row.settled_on.map_or(0, |_| row.total);
        let total = Money::new(row.total, row.currency);
        let open = invoice::Model::open_for(
            (id, customer),
            row.number.clone(),
            (row.currency, row.total, 0),
            (row.issued_on, row.due_on),
            terms.actor(),
            now,
        );
        let disputed = row.disputed.unwrap_or_default();
        self.invoices.push(invoice::Model {
            state: if paid > 0 { invoice::State::Paid } else { invoice::State::Open },
            paid,
            disputed,
            disputed_amount: if disputed { row.total - paid } else { 0 },
            import_job_id: terms.job(),
            ..open
        });
        self.outcome.counts.invoices_created += 1;
        self.outcome.sums.push((total, paid));
        if let Some(day) = row.settled_on {
            self.pay(terms, customer, id, row, total, day, now);
        }
    }

    /// A row whose invoice is there already; `settles` when it says that it is paid now.
    fn keep(
        &mut self,
        terms: &Terms,
        row: &Row,
        there: &invoice::Model,
        earlier: &[Earlier],
        settles: Option<NaiveDate>,
        now: DateTime<Utc>,
    ) {
        let counts = &mut self.outcome.counts;
        // What this very job wrote before it was interrupted counts as its work.
        let own = |job: Option<JobId>| job.is_some() && job == terms.job();
        let own_payment = earlier.iter().find(|payment| own(payment.import_job_id));
        let paid = own_payment.map_or(0, |payment| payment.amount);
        if own_payment.is_some() {
            counts.payments_created += 1;
            counts.receipts_issued += u64::from(terms.receipts);
        }
        let invoiced = if own(there.import_job_id) { there.total } else { 0 };
        if own(there.import_job_id) {
            counts.invoices_created += 1;
        } else if settles.is_some() || own_payment.is_some() {
            counts.invoices_settled += 1;
        } else {
            counts.invoices_unchanged += 1;
        }
        if invoiced + paid > 0 {
            self.outcome.sums.push((Money::new(invoiced, there.currency), paid));
        }
        if let Some(day) = settles {
            let open = there.open();
            self.outcome.sums.push((Money::new(0, open.currency), open.minor));
            self.settled.push((there.clone(), open.minor));
            self.pay(terms, there.customer_id, there.id, row, open, day, now);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a payment is about all of these")]
    fn pay(
        &mut self,
        terms: &Terms,
        customer: CustomerId,
        invoice: InvoiceId,
        row: &Row,
        amount: Money,
        received_on: NaiveDate,
        now: DateTime<Utc>,
    ) {
        self.outcome.counts.payments_created += 1;
        self.outcome.counts.receipts_issued += u64::from(terms.receipts);
        self.payments.push(Paying {
            id: PaymentId::new(now),
            customer,
            invoice,
            number: row.number.clone(),
            amount,
            received_on,
        });
    }
}

/// The customers of `rows` that are there, by number.
async fn customers(
    db: &impl ConnectionTrait,
    terms: &Terms,
    rows: &[(u64, Row)],
) -> Result<HashMap<String, Known>, Error> {
    let mut numbers: Vec<&str> = rows.iter().map(|(_, row)| row.customer.number.as_str()).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let found = customer::Entity::find()
        .filter(customer::Column::Number.is_in(numbers))
        .order_by_asc(customer::Column::Id)
        // Weak enough that others may record payments of these customers meanwhile.
        .lock(LockType::NoKeyUpdate)
        .all(db)
        .await?;
    let placed: Vec<CustomerId> = address::Entity::find()
        .select_only()
        .column(address::Column::CustomerId)
        .filter(address::Column::CustomerId.is_in(found.iter().map(|customer| customer.id)))
        .filter(address::Column::Kind.eq(address::Kind::Billing))
        .into_tuple()
        .all(db)
        .await?;
    let placed: std::collections::HashSet<_> = placed.into_iter().collect();
    let known = found.into_iter().filter_map(|model| {
        let own = model.import_job_id.is_some() && model.import_job_id == terms.job();
        let known = Known {
            fate: if own { Fate::Created } else { Fate::Unchanged },
            has_address: placed.contains(&model.id),
            write: Write::Not,
            model,
        };
        Some((known.model.number.clone()?, known))
    });
    Ok(known.collect())
}

/// A customer that is only known by `row`.
fn new_customer(terms: &Terms, row: &Row, now: DateTime<Utc>) -> customer::Model {
    let (organisation, party) = (&terms.organisation, &row.customer);
    let mut model = customer::Model {
        id: CustomerId::new(now),
        number: Some(party.number.clone()),
        kind: customer::Kind::Organisation,
        stage: customer::LifecycleStage::Customer,
        display_name: party.number.clone(),
        search_text: String::new(),
        name_key: None,
        email_key: None,
        phone_key: None,
        tax_key: None,
        owner_id: None,
        preferred_channel: None,
        email: None,
        phone: None,
        tax_number: None,
        language: party.language.clone().unwrap_or_else(|| organisation.locale.clone()),
        time_zone: organisation.time_zone.clone(),
        currency: row.currency,
        custom: serde_json::Value::Object(serde_json::Map::new()),
        dunning_excluded: false,
        dunning_paused_until: None,
        dunning_ladder_id: None,
        statement_channel: Way::default(),
        statement_cc: None,
        import_job_id: terms.job(),
        deleted_at: None,
        merged_into_id: None,
        anonymised_at: None,
        created_at: now,
        created_by: terms.actor().user(),
        updated_at: now,
        updated_by: terms.actor().user(),
        version: 1,
    };
    model.index();
    model
}

/// Fills `customer`'s blanks from `party`; whether there was anything to fill.
fn fill(customer: &mut customer::Model, party: &Party) -> bool {
    let before = customer.clone();
    let or = |here: &mut Option<String>, there: &Option<String>| {
        if here.is_none() {
            here.clone_from(there);
        }
    };
    or(&mut customer.email, &party.email);
    or(&mut customer.phone, &party.phone);
    or(&mut customer.tax_number, &party.tax_number);
    customer.preferred_channel = customer.preferred_channel.or(party.channel);
    if let Some(name) = &party.name
        && customer.number.as_ref() == Some(&customer.display_name)
    {
        customer.display_name.clone_from(name);
    }
    if customer.stage == customer::LifecycleStage::Prospect {
        customer.stage = customer::LifecycleStage::Customer;
    }
    *customer != before
}

fn new_address(
    terms: &Terms,
    customer: CustomerId,
    place: &Place,
    now: DateTime<Utc>,
) -> address::Model {
    let (region, country) = match place {
        Place::Region(region) => (Some(region.clone()), None),
        Place::Country(country) => (None, Some(country.clone())),
    };
    address::Model {
        id: AddressId::new(now),
        customer_id: customer,
        kind: address::Kind::Billing,
        lines: String::new(),
        city: None,
        region,
        postcode: None,
        country,
        created_at: now,
        created_by: terms.actor().user(),
        updated_at: now,
        updated_by: terms.actor().user(),
        version: 1,
    }
}
