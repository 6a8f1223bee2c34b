//! What the template of the copy of an invoice sees.

use chrono::Datelike;
use serde::Serialize;

use super::{Figures, PartyView, line, party, present, some_money};
use crate::document::facts::{InvoiceFacts, Sold};
use crate::document::locale::Locale;

/// Everything that the template can name, apart from `label` and `say`.
#[derive(Debug, Serialize)]
pub(in crate::document) struct InvoiceView {
    language: String,
    organisation: PartyView,
    customer: PartyView,
    number: String,
    reference: Option<String>,
    issued_on: String,
    /// The day it was issued on in figures, for the properties of the PDF.
    date: Figures,
    due_on: String,
    lines: Vec<SoldView>,
    net: String,
    tax: String,
    total: String,
    /// What was paid and credited of it, or none if nothing was.
    settled: Option<String>,
    open: String,
}

#[derive(Debug, Serialize)]
struct SoldView {
    description: String,
    quantity: String,
    unit_price: String,
    tax_percent: String,
    net: String,
}

impl InvoiceView {
    /// `facts` in the language `language`, whose `locale` it is.
    pub fn new(facts: &InvoiceFacts, language: &str, locale: &Locale) -> Self {
        let sold = |sold: &Sold| SoldView {
            description: line(&sold.description),
            quantity: locale.number(sold.quantity),
            unit_price: locale.money(sold.unit_price),
            tax_percent: locale.number(sold.tax_percent),
            net: locale.money(sold.net),
        };
        Self {
            language: language.to_owned(),
            organisation: party(&facts.organisation),
            customer: party(&facts.customer),
            number: line(&facts.number),
            reference: present(facts.reference.as_ref()),
            issued_on: locale.date(facts.issued_on),
            date: Figures {
                year: facts.issued_on.year(),
                month: facts.issued_on.month(),
                day: facts.issued_on.day(),
            },
            due_on: locale.date(facts.due_on),
            lines: facts.lines.iter().map(sold).collect(),
            net: locale.money(facts.net),
            tax: locale.money(facts.tax),
            total: locale.money(facts.total),
            settled: some_money(facts.settled).map(|settled| locale.money(settled)),
            open: locale.money(facts.open),
        }
    }
}
