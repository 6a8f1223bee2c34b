//! Disputes: what customers say they do not owe of an invoice.
//!
//! Invariant: what an invoice says is disputed of it (`disputed`, `disputed_amount`) is what its open disputes come to, at most
//! all of it. What is disputed is not asked for; the rest is.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Func;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel, QuerySelect};

use super::invoice::{self, follow};
use super::{FinanceError, credit_note, ledger};
use crate::access::{Actor, Permission, organisation};
use crate::automation::event;
use crate::catalog::catalog;
use crate::customers::{customer, parse_text};
use crate::db::sum;
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{CreditNoteId, CustomerId, DisputeId, Id, InvoiceId, UserId};
use crate::money::{Currency, Money};

/// How long what there is to say about a dispute is at most.
const LONGEST: usize = 2_000;

/// How far a dispute has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It is being looked into.
    Open,
    /// The customer is right; a credit note takes it back.
    Upheld,
    /// The customer is not right, and owes it.
    Rejected,
    /// The customer has taken it back.
    Withdrawn,
}

/// Why an invoice is disputed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Cause {
    /// What was delivered is not as agreed.
    Quality,
    /// It did not come, or not all of it, or too late.
    Delivery,
    /// The price is not the one that was agreed.
    Price,
    /// It was paid or invoiced already.
    Duplicate,
    /// Nobody ordered it.
    NotOrdered,
    /// Something else.
    Other,
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dispute")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DisputeId,
    /// About which invoice.
    pub invoice_id: InvoiceId,
    /// Whose.
    pub customer_id: CustomerId,
    /// How far it has come.
    pub state: State,
    /// Why.
    pub cause: Cause,
    /// The invoice's currency.
    pub currency: Currency,
    /// How much of the invoice, in minor units.
    pub amount: i64,
    /// What there is to say about it.
    pub detail: Option<String>,
    /// Since when.
    pub opened_on: Date,
    /// When it ended.
    pub resolved_on: Option<Date>,
    /// What came of it.
    pub resolution: Option<String>,
    /// What took the amount back.
    pub credit_note_id: Option<CreditNoteId>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

edited!();

catalog! {
    /// What a customer says that it does not owe of an invoice. It is not asked for meanwhile; the rest is.
    Dispute (dispute, disputes) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity,
        versioned by Column::Version, with history;
    /// The invoice.
    invoice: one::<invoice::Entity>(Column::InvoiceId),
    /// The id of the invoice.
    invoice_id: uuid::<InvoiceId>(Column::InvoiceId).hidden(),
    /// Whose it is; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// How far it has come.
    state: choice::<State>("DisputeState", Column::State).filtered().grouped(),
    /// Why the invoice is disputed.
    cause: choice::<Cause>("DisputeCause", Column::Cause).filtered().grouped(),
    /// How much of the invoice is disputed.
    amount: money(Column::Amount).filtered().summed(),
    /// What there is to say about it; null when there is nothing.
    detail: text(Column::Detail),
    /// Since when, by the organisation's calendar.
    opened_on: day(Column::OpenedOn).filtered().ordered().grouped(),
    /// When it ended; null while it is open.
    resolved_on: day(Column::ResolvedOn).filtered().ordered(),
    /// What came of it; null while it is open.
    resolution: text(Column::Resolution),
    /// The credit note that takes the amount back; null unless the customer is right.
    credit_note: one::<credit_note::Entity>(Column::CreditNoteId),
    /// When it was taken down.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

/// A dispute to be.
#[derive(Clone, Debug)]
pub struct NewDispute {
    /// About which invoice.
    pub invoice: InvoiceId,
    /// Why.
    pub cause: Cause,
    /// How much of it; all that is open when absent.
    pub amount: Option<Money>,
    /// What there is to say about it.
    pub detail: Option<String>,
}

/// What becomes of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The customer is right about so much of it; about all when absent.
    Upheld(Option<Money>),
    /// The customer is not right.
    Rejected,
    /// The customer has taken it back.
    Withdrawn,
}

/// Takes down that a customer disputes an open invoice.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], `InvoiceNotOpen`, `ExceedsOpen` for more than is open and not disputed yet.
pub async fn open(
    txn: &impl ConnectionTrait,
    new: NewDispute,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let invoice = invoice::lock_one(txn, new.invoice).await?;
    invoice.ensure_open(0)?;
    let open = invoice.collectable();
    let amount = ledger::positive(new.amount.unwrap_or(open), invoice.currency)?;
    if amount > open.minor {
        return Err(FinanceError::ExceedsOpen { number: invoice.number, open }.into());
    }
    let row = Model {
        id: DisputeId::new(now),
        invoice_id: invoice.id,
        customer_id: invoice.customer_id,
        state: State::Open,
        cause: new.cause,
        currency: invoice.currency,
        amount,
        detail: parse_text("detail", new.detail, LONGEST)?,
        opened_on: organisation::get(txn).await?.today(now),
        resolved_on: None,
        resolution: None,
        credit_note_id: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    project(txn, invoice.id, None, now).await?;
    let kind = event::Kind::DisputeOpened;
    event::emit(txn, kind, row.id.0, Some(row.customer_id), actor, now).await?;
    Ok(row)
}

/// Ends a dispute: a credit note takes back what the customer is right about, and the rest is asked for again.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `DisputeOver`, `Invalid` without a resolution, what a credit note refuses.
pub async fn resolve(
    txn: &impl ConnectionTrait,
    id: DisputeId,
    verdict: Verdict,
    resolution: &str,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let about = Entity::find_by_id(id).one(txn).await?.ok_or_else(Error::no_such::<Entity>)?;
    // The invoice first, as everybody does.
    invoice::lock_one(txn, about.invoice_id).await?;
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    if row.state != State::Open {
        return Err(FinanceError::DisputeOver.into());
    }
    let Some(resolution) = parse_text("resolution", Some(resolution.to_owned()), LONGEST)? else {
        return Err(Error::invalid("resolution", "say what came of it; the customer may ask"));
    };
    row.state = match verdict {
        Verdict::Upheld(_) => State::Upheld,
        Verdict::Rejected => State::Rejected,
        Verdict::Withdrawn => State::Withdrawn,
    };
    if let Verdict::Upheld(amount) = verdict {
        let disputed = Money::new(row.amount, row.currency);
        let amount = amount.unwrap_or(disputed);
        if ledger::positive(amount, row.currency)? > row.amount {
            return Err(Error::invalid("amount", format!("only {disputed} is disputed")));
        }
        let note =
            credit_note::issue(txn, row.invoice_id, Some(amount), &resolution, actor, now).await?;
        row.credit_note_id = Some(note.0.id);
    }
    row.resolved_on = Some(organisation::get(txn).await?.today(now));
    row.resolution = Some(resolution);
    let row = save::<Entity>(txn, row, actor, now).await?;
    project(txn, row.invoice_id, Some(now), now).await?;
    let kind = event::Kind::DisputeResolved;
    event::emit(txn, kind, row.id.0, Some(row.customer_id), actor, now).await?;
    Ok(row)
}

/// Notes with an invoice what is disputed of it, and since when it is not any more.
async fn project(
    txn: &impl ConnectionTrait,
    invoice: InvoiceId,
    undisputed_at: Option<DateTimeUtc>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let amount: Option<Option<i64>> = Entity::find()
        .select_only()
        .column_as(sum(Column::Amount), "amount")
        .filter(Column::InvoiceId.eq(invoice))
        .filter(Column::State.eq(State::Open))
        .into_tuple()
        .one(txn)
        .await?;
    let amount = amount.flatten().unwrap_or_default();
    let since =
        Func::coalesce([Expr::val(undisputed_at), Expr::col(invoice::Column::UndisputedAt)]);
    invoice::Entity::update_many()
        .col_expr(invoice::Column::Disputed, Expr::val(amount > 0))
        .col_expr(invoice::Column::DisputedAmount, Expr::val(amount))
        .col_expr(invoice::Column::UndisputedAt, since.into())
        .filter(invoice::Column::Id.eq(invoice))
        .exec(txn)
        .await?;
    follow::look_again(txn, &[invoice], now).await
}
