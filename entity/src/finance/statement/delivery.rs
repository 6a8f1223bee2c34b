//! How customers get their statements: by e-mail or by post, and who else gets a copy of the mail.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, DeriveActiveEnum, EnumIter, QuerySelect};
use serde_json::json;

use crate::access::{Actor, Viewer};
use crate::automation::event;
use crate::catalog::Datum;
use crate::customers::customer::{self, Channel};
use crate::customers::parse_email;
use crate::edit::save;
use crate::error::Error;
use crate::id::CustomerId;

/// How many addresses get a copy at most.
const MOST_COPIES: usize = 5;

/// The way in which a customer gets its statements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Way {
    /// By e-mail, with the PDF or a link to it.
    #[default]
    Email,
    /// By post.
    Letter,
}

impl Way {
    /// The channel that messages go by.
    #[must_use]
    pub fn channel(self) -> Channel {
        match self {
            Self::Email => Channel::Email,
            Self::Letter => Channel::Letter,
        }
    }
}

/// What changes; `None` keeps it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The way in which it gets its statements.
    pub way: Option<Way>,
    /// Who else gets a copy of the mail.
    pub cc: Option<Vec<String>>,
}

/// Says how a customer gets its statements.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], [`Error::StaleVersion`].
pub async fn set(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<customer::Model, Error> {
    let mut row = customer::lock_present(txn, id, expected_version).await?;
    let way = change.way.unwrap_or(row.statement_channel);
    let cc = match change.cc {
        Some(cc) => parse_copies(&cc)?,
        None => copies(&row),
    };
    if (way, &cc) == (row.statement_channel, &copies(&row)) {
        return Ok(row);
    }
    row.statement_channel = way;
    row.statement_cc = (!cc.is_empty()).then(|| json!(cc));
    let row = save::<customer::Entity>(txn, row, actor, now).await?;
    event::emit(txn, event::Kind::CustomerUpdated, id.0, Some(id), actor, now).await?;
    Ok(row)
}

/// The stored form of addresses that get a copy: each once.
fn parse_copies(given: &[String]) -> Result<Vec<String>, Error> {
    let mut copies = Vec::<String>::new();
    for address in given {
        let address = parse_email(address).ok().filter(|address| address.is_ascii());
        let message = "these are no e-mail addresses; write each as lan@example.vn";
        let address = address.ok_or_else(|| Error::invalid("cc", message))?;
        if !copies.iter().any(|known| known.eq_ignore_ascii_case(&address)) {
            copies.push(address);
        }
    }
    if copies.len() > MOST_COPIES {
        let message = format!("at most {MOST_COPIES} addresses get a copy; leave some out");
        return Err(Error::invalid("cc", message));
    }
    Ok(copies)
}

/// Who else gets a copy of the mail of a customer's statements.
#[must_use]
pub fn copies(customer: &customer::Model) -> Vec<String> {
    let stored = customer.statement_cc.as_ref();
    stored.and_then(|cc| serde_json::from_value(cc.clone()).ok()).unwrap_or_default()
}

/// By which channels customers get their statements.
///
/// # Errors
/// The database.
pub async fn channels(
    db: &impl ConnectionTrait,
    customers: impl IntoIterator<Item = CustomerId>,
) -> Result<HashMap<CustomerId, Channel>, DbErr> {
    let rows = customer::Entity::find()
        .select_only()
        .columns([customer::Column::Id, customer::Column::StatementChannel])
        .filter(customer::Column::Id.is_in(customers))
        .into_tuple::<(CustomerId, Way)>();
    Ok(rows.all(db).await?.into_iter().map(|(id, way)| (id, way.channel())).collect())
}

/// The field `statementCc` of customers.
pub(crate) fn cc_field<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Json,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let rows = customer::Entity::find()
            .select_only()
            .columns([customer::Column::Id, customer::Column::StatementCc])
            .filter(customer::Column::Id.is_in(ids.iter().copied()))
            .filter(customer::Column::StatementCc.is_not_null())
            .into_tuple::<(Uuid, Json)>();
        let known: HashMap<_, _> = rows.all(db).await?.into_iter().collect();
        let copies = |id| known.get(id).cloned().unwrap_or_else(|| json!([]));
        Ok(ids.iter().map(|id| Datum::Json(copies(id))).collect())
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_gets_one_copy_and_few_do() {
        let parse = |given: &[&str]| {
            parse_copies(&given.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(parse(&[" a@x.example", "A@X.example"]).unwrap(), ["a@x.example"]);
        assert!(parse(&["a@x.example\r\nBcc: b@x.example"]).is_err());
        for wrong in ["", "a", "a@x.example, b@x.example", "a@bücher.example"] {
            assert!(parse(&[wrong]).is_err(), "{wrong}");
        }
        let six: Vec<_> = (0..6).map(|number| format!("{number}@x.example")).collect();
        assert!(parse_copies(&six).is_err() && parse_copies(&six[1..]).is_ok());
    }
}
