//! Issuing invoices, and taking them back.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::access::Permission;
use entity::finance::credit_note;
use entity::finance::invoice::{self, NewInvoice, NewLine};
use entity::id::{CustomerId, InvoiceId, SalesOrderId};
use futures::FutureExt;
use rust_decimal::Decimal as Exact;

use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::payload::payload;
use crate::read::Fetched;
use crate::scalar::{CurrencyCode, Date, Decimal, MoneyInput};

/// A line of an invoice to be.
#[derive(Clone, Debug, InputObject)]
pub struct InvoiceLineInput {
    /// What is sold.
    pub description: String,
    /// How much of it: more than zero, at most three decimals.
    #[graphql(default_with = "Decimal(Exact::ONE)")]
    pub quantity: Decimal,
    /// The price of one without tax, in the invoice's currency; negative for a discount.
    pub unit_price: Decimal,
    /// The tax rate as a fraction from 0 to 1 with at most four decimals: `0.1` is 10 %.
    #[graphql(default_with = "Decimal(Exact::ZERO)")]
    pub tax_rate: Decimal,
}

/// An invoice to be.
#[derive(Clone, Debug, InputObject)]
pub struct IssueInvoiceInput {
    /// Who owes it.
    pub customer_id: ID,
    /// Its currency; the customer's when absent.
    pub currency: Option<CurrencyCode>,
    /// Its date, not later than today; today when absent.
    pub issued_on: Option<Date>,
    /// When it has to be paid, on its date or later.
    pub due_on: Date,
    /// The id of the order that it is for: an open one of the same customer in the same currency.
    pub order_id: Option<ID>,
    /// The customer's order number or the like, up to 200 characters.
    pub reference: Option<String>,
    /// What it is for: 1 to 500 lines.
    pub lines: Vec<InvoiceLineInput>,
}

impl IssueInvoiceInput {
    fn parse(self) -> Result<NewInvoice, Vec<UserError>> {
        let line = |line: InvoiceLineInput| NewLine {
            description: line.description,
            quantity: line.quantity.0,
            unit_price: line.unit_price.0,
            tax_rate: line.tax_rate.0,
        };
        let order = self.order_id.map(|id| parse::<SalesOrderId>(&id, &["input", "orderId"]));
        Ok(NewInvoice {
            order: order.transpose()?,
            customer: parse::<CustomerId>(&self.customer_id, &["input", "customerId"])?,
            currency: self.currency.map(|code| code.0),
            issued_on: self.issued_on.map(|day| day.0),
            due_on: self.due_on.0,
            reference: self.reference,
            lines: self.lines.into_iter().map(line).collect(),
        })
    }
}

/// Why an invoice is taken back.
#[derive(Clone, Debug, InputObject)]
pub struct VoidInvoiceInput {
    /// Why; it stands on the credit note.
    pub reason: String,
}

/// What is taken back of an invoice.
#[derive(Clone, Debug, InputObject)]
pub struct IssueCreditNoteInput {
    /// Which invoice.
    pub invoice_id: ID,
    /// How much of it, with tax; all that is open when absent.
    pub amount: Option<MoneyInput>,
    /// Why; it stands on the credit note.
    pub reason: String,
}

payload! {
    /// What came of issuing an invoice.
    IssueInvoicePayload {
        /// The invoice with its number; null when it was refused.
        invoice: invoice::Entity
    }
}

payload! {
    /// What came of voiding an invoice.
    VoidInvoicePayload {
        /// The invoice as it is now; null when it was refused.
        invoice: invoice::Entity
    }
}

/// What came of issuing a credit note.
#[derive(SimpleObject)]
pub struct IssueCreditNotePayload {
    /// The credit note with its number; null when it was refused.
    pub credit_note: Fetched<credit_note::Entity>,
    /// The invoice as it is now; null when it was refused.
    pub invoice: Fetched<invoice::Entity>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Changing invoices.
#[derive(Default)]
pub struct InvoiceMutation;

/// Changing invoices.
#[Object]
impl InvoiceMutation {
    /// Issues an invoice: it gets its number and is owed from now on.
    #[graphql(guard = "Can(Permission::WriteInvoices)")]
    async fn issue_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice.")] input: IssueInvoiceInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's invoice."
        )]
        idempotency_key: Option<String>,
    ) -> Result<IssueInvoicePayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "issueInvoice", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::WriteInvoices, &input.customer_id, path);
        let outcome = match input.parse() {
            Ok(new) => {
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move { Ok(invoice::issue(txn, new, actor, now).await?.id.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(IssueInvoicePayload::from(outcome))
    }

    /// Takes an unpaid invoice back as a whole, by a credit note.
    #[graphql(guard = "Can(Permission::WriteInvoices)")]
    async fn void_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: ID,
        #[graphql(desc = "Why.")] input: VoidInvoiceInput,
    ) -> Result<VoidInvoicePayload, Fault> {
        let once = Once::new(None, "voidInvoice", &input).about(&id);
        let once = once.within(Permission::WriteInvoices, &id, &["id"]);
        let outcome = match parse::<InvoiceId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    let reason = input.reason.clone();
                    async move {
                        let (invoice, _) = invoice::void(txn, id, &reason, actor, now).await?;
                        Ok(invoice.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(VoidInvoicePayload::from(outcome))
    }

    /// Takes back what is open of an invoice, or a part of it.
    #[graphql(guard = "Can(Permission::WriteInvoices)")]
    async fn issue_credit_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of which invoice, how much, why.")] input: IssueCreditNoteInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's credit note."
        )]
        idempotency_key: Option<String>,
    ) -> Result<IssueCreditNotePayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "issueCreditNote", &input);
        let path = &["input", "invoiceId"];
        let once = once.within(Permission::WriteInvoices, &input.invoice_id, path);
        let refusal = |user_errors| IssueCreditNotePayload {
            credit_note: Fetched::nothing(),
            invoice: Fetched::nothing(),
            user_errors,
        };
        let amount = match input.amount.map(MoneyInput::parse).transpose() {
            Ok(amount) => amount,
            Err(error) => return Ok(refusal(refused(error.into())?)),
        };
        let id: InvoiceId = match parse(&input.invoice_id, &["input", "invoiceId"]) {
            Ok(id) => id,
            Err(errors) => return Ok(refusal(errors)),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let reason = input.reason.clone();
            async move {
                let (note, _) = credit_note::issue(txn, id, amount, &reason, actor, now).await?;
                Ok(note.id.into())
            }
            .boxed()
        })
        .await?;
        match outcome {
            Ok(note) => Ok(IssueCreditNotePayload {
                credit_note: Fetched::of(note),
                invoice: Fetched::of(id),
                user_errors: Vec::new(),
            }),
            Err(errors) => Ok(refusal(errors)),
        }
    }
}
