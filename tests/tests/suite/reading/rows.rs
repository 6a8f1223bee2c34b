//! Everything that the database holds, in memory.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use entity::access::{
    absence, api_key, audit, grant, membership, position, role, session, share, team, user,
};
use entity::automation::gate::holiday;
use entity::automation::webhook::{delivery, endpoint};
use entity::automation::workflow::{forecast, run, step, version};
use entity::automation::{job, message, workflow};
use entity::catalog::{Record, Scalar, Target};
use entity::collaboration::appointment::attendee;
use entity::collaboration::{
    appointment, call, document, document_tag, file, note, notification, reminder, task,
};
use entity::customers::{address, change, contact, customer};
use entity::finance::{
    allocation, credit_limit, credit_note, dispute, dunning, invoice, invoice_line, ledger,
    payment, promise, receipt, statement,
};
use entity::marketing::segment::{member, part};
use entity::marketing::{consent, segment, suppression};
use entity::money::{Currency, Money};
use entity::sales::{order, product};
use sea_orm::{DatabaseConnection, EntityTrait, IdenStatic, Iterable, ModelTrait, Value};
use serde_json::{Value as Json, json};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub enum Cell {
    Nothing,
    Id(Uuid),
    Text(String),
    Number(i64),
    Truth(bool),
    Instant(DateTime<Utc>),
    Day(NaiveDate),
}

/// One row, by the names of its columns.
pub type Row = HashMap<&'static str, Cell>;

/// All rows, by table.
pub struct Rows(HashMap<&'static str, Vec<Row>>);

fn cell(value: Value) -> Cell {
    let found = match value {
        Value::Uuid(id) => id.map(Cell::Id),
        Value::String(text) => text.map(Cell::Text),
        Value::Int(number) => number.map(|number| Cell::Number(number.into())),
        Value::BigInt(number) => number.map(Cell::Number),
        Value::Bool(truth) => truth.map(Cell::Truth),
        Value::ChronoDateTimeUtc(instant) => instant.map(Cell::Instant),
        Value::ChronoDate(day) => day.map(Cell::Day),
        Value::ChronoDateTime(local) => local.map(|local| Cell::Text(local.to_string())),
        Value::Json(json) => json.map(|json| Cell::Text(json.to_string())),
        Value::Bytes(bytes) => bytes.map(|_| Cell::Text(String::new())),
        other => panic!("a cell of another type: {other:?}"),
    };
    found.unwrap_or(Cell::Nothing)
}

async fn table<E: EntityTrait>(db: &DatabaseConnection) -> (&'static str, Vec<Row>)
where
    E::Model: ModelTrait<Entity = E>,
{
    let models = E::find().all(db).await.expect("rows");
    let row = |model: E::Model| {
        E::Column::iter().map(|column| (column.as_str(), cell(model.get(column)))).collect()
    };
    (E::default().table_name(), models.into_iter().map(row).collect())
}

impl Rows {
    /// Reads everything.
    pub async fn load(db: &DatabaseConnection) -> Self {
        let tables = [
            table::<user::Entity>(db).await,
            table::<session::Entity>(db).await,
            table::<api_key::Entity>(db).await,
            table::<role::Entity>(db).await,
            table::<grant::Entity>(db).await,
            table::<team::Entity>(db).await,
            table::<membership::Entity>(db).await,
            table::<position::Entity>(db).await,
            table::<share::Entity>(db).await,
            table::<absence::Entity>(db).await,
            table::<customer::Entity>(db).await,
            table::<contact::Entity>(db).await,
            table::<address::Entity>(db).await,
            table::<invoice::Entity>(db).await,
            table::<invoice_line::Entity>(db).await,
            table::<credit_note::Entity>(db).await,
            table::<payment::Entity>(db).await,
            table::<allocation::Entity>(db).await,
            table::<receipt::Entity>(db).await,
            table::<dispute::Entity>(db).await,
            table::<promise::Entity>(db).await,
            table::<promise::item::Entity>(db).await,
            table::<promise::instalment::Entity>(db).await,
            table::<credit_limit::Entity>(db).await,
            table::<dunning::notice::Entity>(db).await,
            table::<dunning::item::Entity>(db).await,
            table::<statement::Entity>(db).await,
            table::<product::Entity>(db).await,
            table::<order::Entity>(db).await,
            table::<message::Entity>(db).await,
            table::<holiday::Entity>(db).await,
            table::<consent::Entity>(db).await,
            table::<suppression::Entity>(db).await,
            table::<segment::Entity>(db).await,
            table::<member::Entity>(db).await,
            table::<part::Entity>(db).await,
            table::<job::Entity>(db).await,
            table::<document::Entity>(db).await,
            table::<document_tag::Entity>(db).await,
            table::<file::Entity>(db).await,
            table::<ledger::Entity>(db).await,
            table::<notification::Entity>(db).await,
            table::<audit::Entity>(db).await,
            table::<note::Entity>(db).await,
            table::<task::Entity>(db).await,
            table::<call::Entity>(db).await,
            table::<appointment::Entity>(db).await,
            table::<attendee::Entity>(db).await,
            table::<reminder::Entity>(db).await,
            table::<change::Entity>(db).await,
            table::<endpoint::Entity>(db).await,
            table::<workflow::Entity>(db).await,
            table::<version::Entity>(db).await,
            table::<run::Entity>(db).await,
            table::<step::Entity>(db).await,
            table::<forecast::Entity>(db).await,
            table::<delivery::Entity>(db).await,
        ];
        Self(tables.into_iter().collect())
    }

    /// The rows of a table.
    pub fn of(&self, table: &str) -> &[Row] {
        self.0.get(table).map(Vec::as_slice).unwrap_or_default()
    }

    /// The value of a column, or of what the declaration computes.
    pub fn cell(&self, record: &Record, row: &Row, column: &str) -> Cell {
        if let Some(cell) = row.get(column) {
            return cell.clone();
        }
        let number = |column| match row[column] {
            Cell::Number(number) => number,
            _ => 0,
        };
        match (record.name, column.contains("paid"), column.contains("allocated")) {
            ("Invoice", true, _) => {
                Cell::Number(number("total") - number("paid") - number("credited"))
            }
            ("Payment", _, true) if row["state"] == Cell::Text("REVERSED".into()) => {
                Cell::Number(0)
            }
            ("Payment", _, true) => Cell::Number(number("amount") - number("allocated")),
            ("Allocation" | "InvoiceLine", ..) => {
                let mut invoices = self.of("invoice").iter();
                let invoice = invoices.find(|invoice| invoice["id"] == row["invoice_id"]);
                invoice.expect("an invoice")["currency"].clone()
            }
            _ => panic!("{}.{column} is computed in a way that is not known here", record.name),
        }
    }

    /// The amount in two columns.
    pub fn money(&self, record: &Record, row: &Row, amount: &str, currency: &str) -> Option<Money> {
        match (self.cell(record, row, amount), self.cell(record, row, currency)) {
            (Cell::Number(minor), Cell::Text(code)) => {
                Some(Money::new(minor, code.parse().expect("a currency")))
            }
            _ => None,
        }
    }

    /// The rows of `target` whose `column` is `id`, oldest first.
    pub fn referring(&self, target: Target, column: &str, id: &Cell) -> Vec<&Row> {
        let all = self.of(target().table).iter();
        let mut found: Vec<_> = all.filter(|row| row[column] == *id).collect();
        found.sort_by(|a, b| a["id"].partial_cmp(&b["id"]).expect("ids have an order"));
        found
    }

    /// What a customer owes at the end of `as_of`, by currency.
    pub fn balances(&self, customer: &Cell, as_of: Option<NaiveDate>) -> Vec<Money> {
        let mut sums: Vec<(String, i64)> = Vec::new();
        for entry in self.of("ledger_entry") {
            let is_owed = ["RECEIVABLE", "UNAPPLIED"]
                .into_iter()
                .any(|account| entry["account"] == Cell::Text(account.into()));
            let is_booked = as_of.is_none_or(|day| entry["booked_on"] <= Cell::Day(day));
            if !is_owed || !is_booked || entry["customer_id"] != *customer {
                continue;
            }
            let (Cell::Text(code), Cell::Number(amount)) = (&entry["currency"], &entry["amount"])
            else {
                panic!("an entry without an amount");
            };
            match sums.iter_mut().find(|(known, _)| known == code) {
                Some((_, sum)) => *sum += amount,
                None => sums.push((code.clone(), *amount)),
            }
        }
        sums.sort();
        let money = |(code, sum): (String, i64)| {
            Money::new(sum, code.parse::<Currency>().expect("a currency"))
        };
        sums.into_iter().map(money).collect()
    }
}

/// An id as the API shows it.
pub fn shown_id(prefix: &str, id: Uuid) -> String {
    let prefix = DynamicType::new(prefix).expect("a prefix");
    TypeSafeId::from_type_and_uuid(prefix, id).to_string()
}

/// A cell as the API shows it.
pub fn shown(scalar: &Scalar, cell: &Cell) -> Json {
    match (scalar, cell) {
        (_, Cell::Nothing) => Json::Null,
        (Scalar::Id(prefix), Cell::Id(id)) => shown_id(prefix, *id).into(),
        (Scalar::Scaled(digits), Cell::Number(number)) => {
            let ten = 10_i64.pow(*digits);
            let digits = *digits as usize;
            let text = format!("{}.{:0digits$}", number / ten, number % ten);
            text.trim_end_matches('0').trim_end_matches('.').into()
        }
        (Scalar::Json, Cell::Text(text)) => serde_json::from_str(text).expect("JSON"),
        (_, Cell::Text(text)) => json!(text),
        (_, Cell::Number(number)) => json!(number),
        (_, Cell::Truth(truth)) => json!(truth),
        (_, Cell::Instant(instant)) => instant.to_rfc3339().into(),
        (_, Cell::Day(day)) => day.to_string().into(),
        (scalar, cell) => panic!("{cell:?} is no {scalar:?}"),
    }
}
