//! Reads through GraphQL, beside a handler that was written by hand for the same answers: a list with
//! what belongs to each of its records, one record, and a filtered list.
//!
//! Invariant: both give the same answer, and Rapport takes one statement for each relation and level;
//! otherwise nothing is measured. Rapport finds out who asks besides, which the handler does not.

mod bare;
pub mod company;
pub mod million;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};

use crate::client::{Client, Target, post_for};
use crate::figure::{Failure, Figure, Reading, Scale};
use crate::house::{House, On, Rapport};
use crate::pace::{Pace, median_of_rounds};
use bare::Bare;

/// A page of customers with contacts, open invoices and payments.
pub const NESTED: Figure = Figure {
    name: "read: 50 customers with contacts, open invoices, payments",
    unit: "requests/s",
    limit: "a handler with one json_agg statement for it, at least 1.3 times",
    measure: |house, scale| run(house, scale, nested()).boxed_local(),
};

/// The same of one customer.
pub const ONE: Figure = Figure {
    name: "read: one customer by id, with the same",
    unit: "requests/s",
    limit: "a handler with one json_agg statement for it, at least 0.45 times",
    measure: |house, scale| run(house, scale, one()).boxed_local(),
};

/// A filtered and ordered page without relations.
pub const FILTERED: Figure = Figure {
    name: "read: 20 customers, filtered and ordered",
    unit: "requests/s",
    limit: "a handler with one json_agg statement for it, at least 0.75 times",
    measure: |house, scale| run(house, scale, filtered()).boxed_local(),
};

/// What is asked of a customer with all that belongs to it.
const WHOLE: &str = "id displayName stage email contacts { id name email billing }
  invoices(first: 10, filter: { state: { eq: OPEN } }, orderBy: [{ field: DUE_ON }]) {
    nodes { id number dueOn total { amount currency } open { amount } } }
  payments(first: 10, orderBy: [{ field: RECEIVED_ON, direction: DESC }]) {
    nodes { id receivedOn amount { amount currency } } }";

const LIST: &str = "query ($stage: LifecycleStage!) {
  customers(first: 20, orderBy: [{ field: DISPLAY_NAME }],
    filter: { stage: { eq: $stage }, preferredChannel: { eq: EMAIL } }) {
    nodes { id number displayName email } } }";

/// How many different records are asked for, over and over.
const ASKED: u32 = 1_000;

/// What is asked of both.
struct Question {
    query: String,
    /// Where the handler answers it.
    path: &'static str,
    /// With what, one after the other: a statement gives it.
    variables: &'static str,
    /// How many statements Rapport takes.
    statements: u64,
}

fn nested() -> Question {
    let query = format!(
        "{{ customers(first: 50, orderBy: [{{ field: DISPLAY_NAME }}]) {{ nodes {{ {WHOLE} }} }} }}"
    );
    let variables = "SELECT '{}'";
    Question { query, path: bare::NESTED, variables, statements: 4 }
}

fn one() -> Question {
    let query = format!("query ($id: ID!) {{ customer(id: $id) {{ {WHOLE} }} }}");
    let variables =
        "SELECT json_build_object('id', outward)::text FROM customer ORDER BY md5(outward)";
    Question { query, path: bare::ONE, variables, statements: 4 }
}

fn filtered() -> Question {
    let variables = "SELECT json_build_object('stage', stage)::text \
                     FROM unnest('{PROSPECT,CUSTOMER,LAPSED}'::text[]) AS stage";
    Question { query: LIST.to_owned(), path: bare::FILTERED, variables, statements: 1 }
}

impl House {
    /// A Rapport with the company in it, which all these figures read and none changes.
    async fn company(&self, scale: Scale) -> Result<&Rapport, Failure> {
        let found = async {
            let rapport = self.rapport(On::Production).await?;
            company::found(&rapport, scale.customers).await?;
            Ok(Box::new(rapport))
        }
        .boxed_local();
        self.company.get_or_try_init(|| found).await.map(AsRef::as_ref)
    }
}

async fn run(house: &House, scale: Scale, question: Question) -> Result<Reading, Failure> {
    let rapport = house.company(scale).await?;
    let server = rapport.serve().await?;
    let bare = Bare::serve(house, rapport).await?;
    let sql = format!("{} LIMIT {ASKED}", question.variables);
    let rows = rapport.db.reader().query_all_raw(Statement::from_string(DbBackend::Postgres, sql));
    let variables = rows.await?.into_iter().map(|row| row.try_get_by_index::<String>(0));
    let variables: Vec<_> = variables.collect::<Result<_, _>>()?;

    let ask = |variables: &String| {
        let variables: Value = serde_json::from_str(variables)?;
        Ok::<_, Failure>(json!({ "query": question.query, "variables": variables }).to_string())
    };
    let asked = variables.iter().map(ask).collect::<Result<Vec<_>, _>>()?;
    let to_rapport = Target::graphql(&server);
    let to_bare = Target { address: bare.address.clone(), token: None, path: question.path };
    let size = compare(&question, (&to_rapport, &asked[0]), (&to_bare, &variables[0])).await?;

    let (asked, variables): (Arc<[_]>, Arc<[_]>) = (asked.into(), variables.into());
    let reading = median_of_rounds(
        scale,
        async |turn| post(turn, &to_rapport, &asked).await,
        async |turn| post(turn, &to_bare, &variables).await,
    )
    .await?;
    let Reading::Taken { measured, limit, .. } = reading else { return Ok(reading) };
    let note = format!("{size} bytes of answer, {} statements", question.statements);
    Ok(Reading::Taken { measured, limit, note: Some(note) })
}

/// Posts `bodies` again and again, each in its turn.
async fn post(turn: Duration, target: &Target, bodies: &Arc<[String]>) -> Result<Pace, Failure> {
    let (next, bodies) = (Arc::new(AtomicUsize::new(0)), Arc::clone(bodies));
    let body = move || bodies[next.fetch_add(1, Ordering::Relaxed) % bodies.len()].clone();
    post_for(turn, target, body, |answer| match answer.starts_with(br#"{"data":{"customer"#) {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(answer).into()),
    })
    .await
}

/// Whether both answer alike, and how long the answer is.
async fn compare(
    question: &Question,
    (rapport, asked): (&Target, &String),
    (bare, variables): (&Target, &String),
) -> Result<usize, Failure> {
    let found = Client::connect(rapport).await?.post(asked.clone()).await?;
    let expected = Client::connect(bare).await?.post(variables.clone()).await?;
    let found: Value = serde_json::from_slice(&found)?;
    let answer: Value = serde_json::from_slice(&expected)?;
    if found["data"] != answer["data"] {
        return Err(format!("{found:#}\nis not {answer:#}").into());
    }
    let statements = &found["extensions"]["cost"]["statements"];
    if *statements != json!(question.statements) {
        return Err(format!("it takes {statements} statements: {}", question.query).into());
    }
    Ok(expected.len())
}
