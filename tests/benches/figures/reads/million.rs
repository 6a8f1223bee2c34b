//! A list of a million customers, as one frontend sees it that asks for one thing after the other:
//! its beginning, its middle, what a search finds, and how many there are.
//!
//! Invariant: every answer is as full as it has to be; an empty page would be fast for nothing.

use std::time::Duration;

use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::company;
use crate::client::{Client, Target};
use crate::figure::{Failure, Figure, Reading, Scale};
use crate::house::{House, On, Rapport};

/// All figures.
pub const FIGURES: [Figure; 5] = [
    Figure {
        name: "a million customers: first page",
        measure: |house, scale| run(house, scale, FIRST).boxed_local(),
        ..COMMON
    },
    Figure {
        name: "a million customers: page after 500,000",
        measure: |house, scale| run(house, scale, MIDDLE).boxed_local(),
        ..COMMON
    },
    Figure {
        name: "a million customers: search for nguyen",
        measure: |house, scale| run(house, scale, OFTEN).boxed_local(),
        ..COMMON
    },
    Figure {
        name: "a million customers: search for one of them",
        measure: |house, scale| run(house, scale, RARE).boxed_local(),
        ..COMMON
    },
    Figure {
        name: "a million customers: count of a stage",
        measure: |house, scale| run(house, scale, COUNT).boxed_local(),
        ..COMMON
    },
];

/// What they share.
const COMMON: Figure = Figure {
    name: "",
    unit: "ms",
    limit: "50 ms, the most that is promised (less is better)",
    measure: |_, _| std::future::ready(Err("it is measured by nothing".into())).boxed_local(),
};

const LIMIT_MS: f64 = 50.0;

/// How often each is asked; the median counts.
const TIMES: usize = 31;

/// What is asked, and how many customers there have to be in the answer, for each million of them if
/// they are counted.
#[derive(Clone, Copy)]
struct Question {
    query: &'static str,
    found: usize,
    counts: bool,
}

const FIRST: Question = Question {
    query: "{ customers(first: 50, orderBy: [{ field: DISPLAY_NAME }]) {
      nodes { id number displayName email stage } pageInfo { hasNextPage endCursor } } }",
    found: 50,
    counts: false,
};

const MIDDLE: Question = Question {
    query: "query ($after: String) {
      customers(first: 50, after: $after, orderBy: [{ field: DISPLAY_NAME }]) {
        nodes { id number displayName email stage } pageInfo { hasNextPage endCursor } } }",
    found: 50,
    counts: false,
};

const OFTEN: Question = Question {
    query: "{ customers(first: 50, filter: { search: \"nguyen lan\" }) {
      nodes { id number displayName email stage } pageInfo { hasNextPage endCursor } } }",
    found: 50,
    counts: false,
};

const RARE: Question = Question {
    query: "query ($number: String) { customers(first: 50, filter: { search: $number }) {
      nodes { id number displayName email stage } pageInfo { hasNextPage endCursor } } }",
    found: 1,
    counts: false,
};

const COUNT: Question = Question {
    query: "{ customers(first: 0, filter: { stage: { eq: LAPSED } }) { totalCount nodes { id } } }",
    found: 200_000,
    counts: true,
};

/// The customer in the middle of the list.
const PLACE: &str =
    "{ customers(filter: { number: { eq: $number } }, orderBy: [{ field: DISPLAY_NAME }]) {
  edges { cursor } } }";

impl House {
    async fn million(&self, scale: Scale) -> Result<&Rapport, Failure> {
        let found = async {
            let rapport = self.rapport(On::Production).await?;
            company::customers(&rapport, scale.million).await?;
            Ok(Box::new(rapport))
        }
        .boxed_local();
        self.million.get_or_try_init(|| found).await.map(AsRef::as_ref)
    }
}

async fn run(house: &House, scale: Scale, question: Question) -> Result<Reading, Failure> {
    let rapport = house.million(scale).await?;
    let server = rapport.serve().await?;
    let mut client = Client::connect(&Target::graphql(&server)).await?;
    let middle = Statement::from_string(
        DbBackend::Postgres,
        format!(
            "SELECT number FROM customer WHERE deleted_at IS NULL ORDER BY display_name, id \
             OFFSET {} LIMIT 1",
            scale.million / 2
        ),
    );
    let middle = rapport.db.reader().query_one_raw(middle).await?.ok_or("there is no middle")?;
    let number: String = middle.try_get_by_index(0)?;
    let query = format!("query ($number: String) {PLACE}");
    let place = client.ask(&query, &json!({ "number": number })).await?;
    let after = &place["customers"]["edges"][0]["cursor"];
    let variables = json!({ "after": after, "number": number });

    let expected = match question.counts {
        true => question.found * scale.million / 1_000_000,
        false => question.found,
    };
    let mut times = Vec::with_capacity(TIMES);
    for _ in 0..TIMES {
        let began = Instant::now();
        let data = client.ask(question.query, &variables).await?;
        times.push(began.elapsed());
        if found(&data["customers"], question) != Some(expected) {
            return Err(format!("{expected} were to be found by {}: {data}", question.query).into());
        }
    }
    times.sort_unstable();
    let note = format!("median of {TIMES}; the slowest took {:?}", times[TIMES - 1]);
    let measured = milliseconds(times[TIMES / 2]);
    Ok(Reading::Taken { measured, limit: LIMIT_MS, note: Some(note) })
}

fn found(list: &Value, question: Question) -> Option<usize> {
    match question.counts {
        true => list["totalCount"].as_u64().and_then(|count| usize::try_from(count).ok()),
        false => list["nodes"].as_array().map(Vec::len),
    }
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
