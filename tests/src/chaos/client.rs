//! Bookkeepers who record payments and do not take silence for an answer.
//!
//! Invariant: a request that got no final answer is repeated with the same key and the same input,
//! at either API, until it gets one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::NaiveDate;
use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::facts::{Answer, What};
use super::journal::Journal;
use crate::graphql::{self, Reply};

const LOGIN: &str = "mutation($i: LoginInput!) {
  login(input: $i) { accessToken userErrors { code message field } } }";
const CUSTOMER: &str = "mutation($i: CreateCustomerInput!) {
  createCustomer(input: $i) { customer { id } userErrors { code message field } } }";
const INVOICE: &str = "mutation($i: IssueInvoiceInput!, $k: String) {
  issueInvoice(input: $i, idempotencyKey: $k) {
    invoice { id number total { amount currency } } userErrors { code message field } } }";
const PAYMENT: &str = "mutation($i: RecordPaymentInput!, $k: String) {
  recordPayment(input: $i, idempotencyKey: $k) {
    payment { id receipt { number } } userErrors { code message field } } }";
const REVERSAL: &str = "mutation($id: ID!, $i: ReversePaymentInput!, $k: String) {
  reversePayment(id: $id, input: $i, idempotencyKey: $k) {
    payment { id state } userErrors { code message field } } }";

/// How long a bookkeeper waits for one answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long one tries to prepare the house before giving up.
const PREPARATION_ATTEMPTS: usize = 20;

/// A customer and the invoices made out to it beforehand.
#[derive(Clone, Debug)]
pub struct Debtor {
    /// The customer's id.
    pub customer: String,
    /// Ids of invoices with much to pay.
    pub invoices: Vec<String>,
}

/// What all bookkeepers share: where the APIs are, and the log of what was said.
#[derive(Debug)]
pub struct Office {
    /// Host and port of each API.
    pub addresses: Vec<String>,
    /// Whom to log in as: e-mail and password.
    pub login: (String, String),
    /// The day on which everything is booked.
    pub today: NaiveDate,
    /// What was asked and answered.
    pub journal: Journal,
    /// No more waiting for answers: the run is over.
    pub closed: CancellationToken,
    /// The access token, while it is good.
    pub token: Mutex<Option<String>>,
}

impl Office {
    /// Makes a customer with `invoices` invoices.
    ///
    /// # Errors
    /// What the API said last.
    pub async fn debtor(&self, index: usize, invoices: usize) -> Result<Debtor, String> {
        let input = json!({
            "kind": "ORGANISATION",
            "displayName": format!("Customer {index}"),
            "email": format!("customer-{index}@example.org"),
            "currency": "EUR",
        });
        let reply = self.prepare(CUSTOMER, &json!({ "i": input })).await?;
        let customer = created(&reply, "createCustomer", "customer")?;
        let mut debtor = Debtor { customer, invoices: Vec::new() };
        for number in 0..invoices {
            let input = self.invoice(&debtor.customer, "1000.00");
            let key = format!("prepared-{index}-{number}");
            let reply = self.prepare(INVOICE, &json!({ "i": input, "k": key })).await?;
            debtor.invoices.push(created(&reply, "issueInvoice", "invoice")?);
        }
        Ok(debtor)
    }

    /// Asks once more and again, before any fault has struck.
    async fn prepare(&self, query: &str, variables: &Value) -> Result<Value, String> {
        let mut last = String::new();
        for attempt in 0..PREPARATION_ATTEMPTS {
            match self.ask(attempt, query, variables).await {
                Ok(data) => return Ok(data),
                Err(fault) => last = fault,
            }
            sleep(Duration::from_millis(250)).await;
        }
        Err(format!("the house could not be prepared, last met: {last}"))
    }

    fn invoice(&self, customer: &str, price: &str) -> Value {
        let line = json!({
            "description": "Work", "quantity": "1", "unitPrice": price, "taxRate": "0.10",
        });
        json!({
            "customerId": customer, "currency": "EUR", "lines": [line],
            "issuedOn": self.today, "dueOn": self.today,
        })
    }

    /// One request to one API: the data, or the name of the fault.
    async fn ask(&self, api: usize, query: &str, variables: &Value) -> Result<Value, String> {
        let address = &self.addresses[api % self.addresses.len()];
        let token = self.token(address).await?;
        let reply = say(address, Some(&token), query, variables).await?;
        match reply.error_code() {
            None => Ok(reply.data),
            Some(code) => {
                if code.starts_with("UNAUTH") {
                    *self.token.lock().unwrap_or_else(PoisonError::into_inner) = None;
                }
                Err(format!("error {code}"))
            }
        }
    }

    async fn token(&self, address: &str) -> Result<String, String> {
        let known = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(token) = known {
            return Ok(token);
        }
        let input = json!({ "email": self.login.0, "password": self.login.1 });
        let reply = say(address, None, LOGIN, &json!({ "i": input })).await?;
        let token = reply.data["login"]["accessToken"].as_str().map(str::to_owned);
        let token = token.ok_or_else(|| format!("no login: {:?} {}", reply.errors, reply.data))?;
        *self.token.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token)
    }

    /// Repeats a request with the same key until it is answered, or until the office closes.
    async fn insist(
        &self,
        key: &str,
        query: &str,
        variables: &Value,
        chance: &mut StdRng,
    ) -> Option<Answer> {
        loop {
            self.journal.sent(key);
            match self
                .ask(chance.random_range(0..2), query, variables)
                .await
                .map(|data| answer(&data))
            {
                Ok(Some(answer)) => {
                    self.journal.answered(key, &answer);
                    return Some(answer);
                }
                Ok(None) => self.journal.met("an answer that settles nothing"),
                Err(fault) => self.journal.met(&fault),
            }
            let pause = Duration::from_millis(chance.random_range(50..500));
            self.closed.run_until_cancelled(sleep(pause)).await?;
        }
    }
}

/// One bookkeeper.
#[derive(Debug)]
pub struct Bookkeeper {
    office: Arc<Office>,
    debtors: Arc<Vec<Debtor>>,
    name: String,
    chance: StdRng,
    count: u32,
    reversible: Vec<String>,
}

impl Bookkeeper {
    /// Number `index` of those whose doings `seed` decides.
    #[must_use]
    pub fn new(office: Arc<Office>, debtors: Arc<Vec<Debtor>>, seed: u64, index: u64) -> Self {
        let chance = StdRng::seed_from_u64(seed.wrapping_mul(1009).wrapping_add(index));
        let name = format!("chaos-{seed}-{index}");
        Self { office, debtors, name, chance, count: 0, reversible: Vec::new() }
    }

    /// Records payments, one every `pace` on average, until `stop`; what is under way is brought to
    /// its end.
    pub async fn work(mut self, pace: Duration, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let payments = match self.chance.random_range(0..100) {
                0..3 => self.crowd().await,
                3..15 => self.stutter().await,
                15..27 if !self.reversible.is_empty() => self.reverse().await,
                _ => self.pay().await,
            };
            let pause = pace.mul_f64(f64::from(payments) * self.chance.random_range(0.5..1.5));
            stop.run_until_cancelled(sleep(pause)).await;
        }
    }

    /// One payment, to the oldest invoices or to a chosen one.
    async fn pay(&mut self) -> u32 {
        let debtor = self.chance.random_range(0..self.debtors.len());
        let invoices = &self.debtors[debtor].invoices;
        let chosen = self.chance.random_range(0..invoices.len() * 2);
        let invoice = invoices.get(chosen).cloned();
        let amount = self.chance.random_range(100..5000);
        let (key, variables) = self.payment(debtor, amount, invoice.as_deref());
        let answer = self.office.insist(&key, PAYMENT, &variables, &mut self.chance).await;
        if let Some(Answer::Done { payment, .. }) = answer
            && self.chance.random_bool(0.3)
        {
            self.reversible.push(payment);
        }
        1
    }

    /// The same payment ten times at once, under one key.
    async fn stutter(&mut self) -> u32 {
        let debtor = self.chance.random_range(0..self.debtors.len());
        let amount = self.chance.random_range(100..5000);
        let (key, variables) = self.payment(debtor, amount, None);
        let office = self.office.clone();
        let mut chances: Vec<StdRng> = (0..10).map(|_| self.fork()).collect();
        join_all(chances.iter_mut().map(|chance| office.insist(&key, PAYMENT, &variables, chance)))
            .await;
        1
    }

    /// Twenty payments at once against an invoice that has room for eleven of them.
    async fn crowd(&mut self) -> u32 {
        let debtor = self.chance.random_range(0..self.debtors.len());
        let customer = self.debtors[debtor].customer.clone();
        let office = self.office.clone();
        let key = self.key();
        let variables = json!({ "i": office.invoice(&customer, "100.00"), "k": key });
        let invoice = loop {
            match office.ask(self.chance.random_range(0..2), INVOICE, &variables).await {
                Ok(data) => match created(&data, "issueInvoice", "invoice") {
                    Ok(invoice) => break invoice,
                    Err(refusal) => {
                        office.journal.met(&refusal);
                        return 1;
                    }
                },
                Err(fault) => office.journal.met(&fault),
            }
            let pause = Duration::from_millis(self.chance.random_range(50..500));
            if office.closed.run_until_cancelled(sleep(pause)).await.is_none() {
                return 1;
            }
        };
        let mut payments: Vec<_> =
            (0..20).map(|_| (self.payment(debtor, 1000, Some(&invoice)), self.fork())).collect();
        join_all(
            payments
                .iter_mut()
                .map(|((key, variables), chance)| office.insist(key, PAYMENT, variables, chance)),
        )
        .await;
        20
    }

    /// Takes back one of the payments that this bookkeeper recorded.
    async fn reverse(&mut self) -> u32 {
        let chosen = self.chance.random_range(0..self.reversible.len());
        let payment = self.reversible.swap_remove(chosen);
        let key = self.key();
        let input = json!({ "reason": "The bank took it back" });
        let variables = json!({ "id": payment, "i": input, "k": key });
        self.office.journal.ask(&key, What::Reverse { payment });
        self.office.insist(&key, REVERSAL, &variables, &mut self.chance).await;
        1
    }

    /// A new payment, noted before it is sent.
    fn payment(&mut self, debtor: usize, amount: i64, invoice: Option<&str>) -> (String, Value) {
        let key = self.key();
        let text = format!("{}.{:02}", amount / 100, amount % 100);
        let mut input = json!({
            "customerId": self.debtors[debtor].customer,
            "amount": { "amount": text, "currency": "EUR" },
            "receivedOn": self.office.today,
            "method": "BANK_TRANSFER",
            "reference": key,
        });
        if let Some(invoice) = invoice {
            input["allocations"] = json!([{ "invoiceId": invoice, "amount": text }]);
        }
        self.office.journal.ask(&key, What::Pay { amount });
        let variables = json!({ "i": input, "k": key });
        (key, variables)
    }

    fn key(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", self.name, self.count)
    }

    fn fork(&mut self) -> StdRng {
        StdRng::seed_from_u64(self.chance.random())
    }
}

async fn say(
    address: &str,
    token: Option<&str>,
    query: &str,
    variables: &Value,
) -> Result<Reply, String> {
    let body = json!({ "query": query, "variables": variables });
    graphql::post(address, token, &body, PATIENCE).await.map_err(|unanswered| {
        use graphql::Unanswered::{Connection, NotGraphql, Timeout};
        match unanswered {
            Connection(_) => "no connection".to_owned(),
            Timeout(_) => "no answer in time".to_owned(),
            NotGraphql(status) => format!("status {status}"),
        }
    })
}

/// The final answer in the data of one mutation, if there is one.
fn answer(data: &Value) -> Option<Answer> {
    let payload = data.as_object()?.values().next()?;
    if let Some(code) = payload["userErrors"][0]["code"].as_str() {
        // Not an answer to what was asked: it may be asked again.
        return (code != "RATE_LIMITED").then(|| Answer::Refused { code: code.to_owned() });
    }
    let payment = payload["payment"]["id"].as_str()?.to_owned();
    let receipt = payload["payment"]["receipt"]["number"].as_str().map(str::to_owned);
    Some(Answer::Done { payment, receipt })
}

/// The id of what a mutation made.
fn created(data: &Value, mutation: &str, object: &str) -> Result<String, String> {
    let payload = &data[mutation];
    let id = payload[object]["id"].as_str().map(str::to_owned);
    id.ok_or_else(|| format!("{mutation} was refused: {}", payload["userErrors"]))
}

#[cfg(test)]
mod tests;
