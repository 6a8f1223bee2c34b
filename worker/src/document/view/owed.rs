//! What templates see of a notice: the table of what is asked for.

use std::collections::BTreeMap;

use entity::finance::dunning::{Asked, Owed};
use entity::finance::invoice::Kind;
use serde::Serialize;

use super::{LINES_IN_MAIL, line, some_money};
use crate::document::locale::Locale;

/// The words that the table has of the language.
const LABELS: [&str; 7] =
    ["invoice", "due_on", "days_late", "invoice_total", "to_pay", "disputed", "unapplied"];

/// What is asked for, as the language writes it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::document) struct OwedView {
    label: BTreeMap<&'static str, String>,
    rows: Vec<OwedLine>,
    /// What those come to that do not go into a mail, and how many there are.
    more: Option<String>,
    total: String,
    /// Money that settles nothing yet, or none.
    unapplied: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct OwedLine {
    number: String,
    issued_on: String,
    due_on: String,
    /// For how many days it has been due; none when it is not.
    days_late: Option<i64>,
    total: String,
    open: String,
    /// What of it is disputed, or none.
    disputed: Option<String>,
    /// What it is, for a charge.
    charge: Option<String>,
    /// Whether it is left out of a mail.
    more: bool,
}

impl OwedView {
    /// `asked` in the language whose `locale` it is.
    pub fn new(asked: &Asked, locale: &Locale) -> Self {
        let label = |name: &'static str| (name, locale.label[name].clone());
        let left_out = asked.items.len().saturating_sub(LINES_IN_MAIL);
        let more = locale.label["more_invoices"].replace("{more}", &left_out.to_string());
        Self {
            label: LABELS.map(label).into(),
            rows: asked
                .items
                .iter()
                .enumerate()
                .map(|(index, item)| owed(item, index >= LINES_IN_MAIL, locale))
                .collect(),
            more: (left_out > 0).then_some(more),
            total: locale.money(asked.total),
            unapplied: some_money(asked.unapplied).map(|money| locale.money(money)),
        }
    }
}

fn owed(item: &Owed, more: bool, locale: &Locale) -> OwedLine {
    OwedLine {
        number: line(&item.number),
        issued_on: locale.date(item.issued_on),
        due_on: locale.date(item.due_on),
        days_late: Some(item.days_late).filter(|days| *days > 0),
        total: locale.money(item.total),
        open: locale.money(item.open),
        disputed: some_money(item.disputed).map(|money| locale.money(money)),
        charge: item.charge.map(|kind| {
            let label = match kind {
                Kind::Interest => "late_interest",
                Kind::Invoice | Kind::LateFee => "late_fee",
            };
            locale.label[label].clone()
        }),
        more,
    }
}
