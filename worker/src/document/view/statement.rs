//! What the templates of a statement of account see.

use chrono::Datelike;
use entity::finance::statement::{Item, Kind, Movement, What};
use entity::money::Money;
use serde::Serialize;

use super::{Figures, PartyView, line, party, some_money};
use crate::document::facts::StatementFacts;
use crate::document::locale::Locale;
use crate::document::statement::Opened;

/// The labels of the usual ages, in their order.
const AGES: [&str; 5] = ["age_current", "age_30", "age_60", "age_90", "age_older"];

/// Everything that the templates can name, apart from `label` and `say`.
#[derive(Debug, Serialize)]
pub(in crate::document) struct StatementView {
    language: String,
    organisation: PartyView,
    customer: PartyView,
    /// Whether it lists open items; otherwise it carries the balance forward.
    open_items: bool,
    /// Its first day; none of open items.
    from: Option<String>,
    until: String,
    issued_on: String,
    /// The day it was made on in figures, for the properties of the PDF.
    date: Figures,
    /// Which correction of the first one it is; none for that.
    correction: Option<String>,
    currency: String,
    opening: Option<String>,
    adjustment: Option<MovementView>,
    movements: Vec<MovementView>,
    items: Vec<ItemView>,
    ages: Vec<AgeView>,
    /// What is kept for the customer, or none if it is nothing.
    unapplied: Option<String>,
    closing: String,
    /// Whether it is owed to the customer.
    credit: bool,
    overdue: Option<String>,
    /// The last day as it stands in names of files.
    stamp: String,
    /// How it comes with what it is sent with.
    way: Way,
    /// What opens it without logging in.
    link: Option<String>,
    /// The day on which that ceases to; none without a link.
    link_until: Option<String>,
}

/// How a statement comes with what it is sent with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::document) enum Way {
    /// It is attached to a mail.
    Attached,
    /// A mail has nothing but a link to it.
    Linked,
    /// It is in the envelope of a letter.
    Enclosed,
}

#[derive(Debug, Serialize)]
struct MovementView {
    on: String,
    number: Option<String>,
    text: String,
    /// That it is disputed; none when it is not.
    mark: Option<String>,
    debit: Option<String>,
    credit: Option<String>,
    balance: String,
}

#[derive(Debug, Serialize)]
struct ItemView {
    number: Option<String>,
    issued_on: String,
    due_on: String,
    total: String,
    open: String,
    /// How many days it is overdue; none when it is not.
    overdue_days: Option<i64>,
    /// That it is disputed, or promised; none when it is neither.
    mark: Option<String>,
}

#[derive(Debug, Serialize)]
struct AgeView {
    label: String,
    amount: String,
    /// Whether something is owed that is as old, and due.
    late: bool,
}

impl StatementView {
    /// `facts` in the language `language`, whose `locale` it is.
    pub fn new(facts: &StatementFacts, language: &str, locale: &Locale) -> Self {
        let currency = facts.closing.currency;
        let money = |minor| locale.money(Money::new(minor, currency));
        let content = &facts.content;
        let mut balance = facts.opening.map_or(0, |opening| opening.minor);
        let disputed = |is: bool| is.then(|| locale.label["disputed"].clone());
        let mut moved = |on: String, number, text: String, mark, amount: i64| {
            balance += amount;
            MovementView {
                on,
                number,
                text,
                mark,
                debit: (amount > 0).then(|| money(amount)),
                credit: (amount < 0).then(|| money(-amount)),
                balance: money(balance),
            }
        };
        let is_forward = facts.kind == Kind::BalanceForward;
        let adjustment = some_money(facts.adjustment).filter(|_| is_forward).map(|adjustment| {
            let text = locale.label["adjustment"].clone();
            moved(String::new(), None, text, None, adjustment.minor)
        });
        let movements = content.movements.iter().map(|movement| {
            let (on, number) = (locale.date(movement.on), movement.number.as_deref().map(line));
            let mark = disputed(movement.disputed);
            moved(on, number, described(movement, locale), mark, movement.amount)
        });
        let movements = movements.collect();
        let ages = AGES.iter().zip(&content.ageing).enumerate();
        Self {
            language: language.to_owned(),
            organisation: party(&facts.organisation),
            customer: party(&facts.customer),
            open_items: facts.kind == Kind::OpenItem,
            from: facts.from.map(|from| locale.date(from)),
            until: locale.date(facts.until),
            issued_on: locale.date(facts.issued_on),
            date: Figures {
                year: facts.issued_on.year(),
                month: facts.issued_on.month(),
                day: facts.issued_on.day(),
            },
            correction: Some(facts.revision - 1)
                .filter(|correction| *correction > 0)
                .map(|correction| correction.to_string()),
            currency: currency.code().to_owned(),
            opening: facts.opening.map(|opening| locale.money(opening)),
            adjustment,
            movements,
            items: content.items.iter().map(|item| open(item, facts, locale)).collect(),
            ages: ages
                .map(|(index, (age, amount))| AgeView {
                    label: locale.label[*age].clone(),
                    amount: money(*amount),
                    late: index > 0 && *amount > 0,
                })
                .collect(),
            unapplied: some_money(Money::new(content.unapplied, currency))
                .map(|unapplied| locale.money(unapplied)),
            closing: locale.money(facts.closing),
            credit: facts.closing.minor < 0,
            overdue: some_money(facts.overdue).map(|overdue| locale.money(overdue)),
            stamp: facts.until.to_string(),
            way: Way::Attached,
            link: None,
            link_until: None,
        }
    }

    /// The same that is sent on its way, with what opens it.
    pub fn sent(self, way: Way, opened: Option<&Opened>, locale: &Locale) -> Self {
        Self {
            way,
            link: opened.map(|opened| line(&opened.address)),
            link_until: opened.map(|opened| locale.date(opened.until)),
            ..self
        }
    }
}

/// What a movement is, in words.
fn described(movement: &Movement, locale: &Locale) -> String {
    let label = match (movement.what, &movement.about) {
        (What::Invoice, _) => "moved_invoice",
        (What::Payment, _) => "moved_payment",
        (What::Reversal, _) => "moved_reversal",
        (What::LateFee, _) => "moved_late_fee",
        (What::Interest, _) => "moved_interest",
        (What::WriteOff, _) => "moved_write_off",
        (What::Reinstatement, _) => "moved_reinstatement",
        (What::CreditNote, None) => "moved_credit_note",
        (What::CreditNote, Some(_)) => "moved_credit_note_for",
    };
    let about = movement.about.as_deref().map(line).unwrap_or_default();
    locale.label[label].replace("{number}", &about)
}

fn open(item: &Item, facts: &StatementFacts, locale: &Locale) -> ItemView {
    let money = |minor| locale.money(Money::new(minor, facts.closing.currency));
    let promised =
        item.promised.map(|day| locale.label["promised"].replace("{date}", &locale.date(day)));
    let mark = match item.disputed {
        true => Some(locale.label["disputed"].clone()),
        false => promised,
    };
    ItemView {
        number: item.number.as_deref().map(line),
        issued_on: locale.date(item.issued_on),
        due_on: locale.date(item.due_on),
        total: money(item.total),
        open: money(item.open),
        overdue_days: Some(item.days_overdue(facts.until)).filter(|days| *days > 0),
        mark,
    }
}
