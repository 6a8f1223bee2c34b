//! What steps do. Each slice adds its own; the engine knows them by their names.
//!
//! Invariant: planning reads, and gives what is to be written; writing it is the engine's business alone. So a
//! simulation plans with the same code, and writes nothing.

use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::prelude::*;
use serde_json::Value as Json;

use super::definition::{Action, Definition};
use super::interpreter::{Done, Later};
use super::{others, run};
use crate::access::{Actor, Cause};
use crate::automation::message::{self, Outgoing, PlannedReceipt};
use crate::automation::webhook;
use crate::catalog::{Record, Scope};
use crate::check::Check;
use crate::collaboration::notification::{self, Told};
use crate::collaboration::{appointment, call, task};
use crate::customers::customer::{self, Channel};
use crate::error::Error;
use crate::finance::{dunning, receipt, statement};
use crate::id::{CustomerId, Id, InvoiceId, TaskId, UserId};

/// What is written for a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A user is told something.
    Tell(Told),
    /// A customer is sent something.
    Send(Outgoing),
    /// A customer is sent a receipt.
    Receipt(PlannedReceipt),
    /// A customer is asked for an invoice.
    Dun(Box<dunning::Reached>),
    /// A customer is sent a statement.
    Statement(Box<statement::Model>),
    /// A task is added.
    CreateTask(task::ToCreate),
    /// A call is planned.
    CreateCall(Box<call::ToCreate>),
    /// An appointment is made.
    CreateAppointment(Box<appointment::ToCreate>),
    /// A task is changed.
    UpdateTask(Box<task::ToUpdate>),
    /// A customer is changed.
    UpdateCustomer(customer::ToUpdate),
    /// A customer is handed to whose turn it is.
    Assign(customer::ToAssign),
    /// Another system is told something.
    Post(Box<webhook::ToPost>),
    /// Another workflow is started.
    Start(others::ToStart),
    /// The runs of another workflow are called off.
    Stop(others::ToStop),
}

/// What an effect would be, for whoever looks at a forecast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// What is done, by the name of the performer.
    pub what: &'static str,
    /// Whose business it is: who is told, or gets something; nobody's for other effects.
    pub user: Option<UserId>,
    /// The prefix of the id of the record that it is about.
    pub kind: &'static str,
    /// That record.
    pub subject: Uuid,
    /// What is told, added or changed.
    pub text: String,
}

impl Effect {
    /// Whether what is known of records may be different afterwards.
    #[must_use]
    pub fn changes_records(&self) -> bool {
        match self {
            Self::Tell(_)
            | Self::Send(_)
            | Self::Receipt(_)
            | Self::Dun(_)
            | Self::Statement(_)
            | Self::Post(_)
            | Self::Start(_)
            | Self::Stop(_) => false,
            Self::CreateTask(_)
            | Self::CreateCall(_)
            | Self::CreateAppointment(_)
            | Self::UpdateTask(_)
            | Self::UpdateCustomer(_)
            | Self::Assign(_) => true,
        }
    }

    /// Whether it is something for a customer.
    #[must_use]
    pub fn is_for_a_customer(&self) -> bool {
        match self {
            Self::Send(_) | Self::Receipt(_) | Self::Statement(_) => true,
            Self::Dun(reached) => reached.channel != Channel::Phone,
            _ => false,
        }
    }

    /// As it is shown; `None` for what goes to a customer, of which the gate says what would come.
    #[must_use]
    pub fn shown(self) -> Option<Shown> {
        Some(match self {
            Self::Send(_) | Self::Receipt(_) | Self::Statement(_) => return None,
            Self::Dun(reached) if reached.channel != Channel::Phone => return None,
            Self::Dun(reached) => Shown {
                what: dunning::Dun.name(),
                user: None,
                kind: InvoiceId::PREFIX,
                subject: reached.invoice.0,
                text: format!("level {}", reached.level),
            },
            Self::Tell(Told { user, kind, subject, text, .. }) => {
                Shown { what: notification::Notify.name(), user: Some(user), kind, subject, text }
            }
            Self::CreateTask(task) => Shown {
                what: task::CreateTask.name(),
                user: task.assignee,
                kind: task.kind,
                subject: task.subject,
                text: task.title,
            },
            Self::CreateCall(call) => Shown {
                what: call::CreateCall.name(),
                user: call.assignee,
                kind: call.kind,
                subject: call.record,
                text: call.wanted.subject,
            },
            Self::CreateAppointment(appointment) => Shown {
                what: appointment::CreateAppointment.name(),
                user: Some(appointment.organizer),
                kind: appointment.kind,
                subject: appointment.record,
                text: appointment.wanted.subject,
            },
            Self::UpdateTask(update) => Shown {
                what: task::UpdateTask.name(),
                user: update.change.assignee(),
                kind: TaskId::PREFIX,
                subject: update.task.0,
                text: update.change.fields(),
            },
            Self::UpdateCustomer(update) => Shown {
                what: customer::UpdateCustomer.name(),
                user: update.change.owner_id.flatten(),
                kind: CustomerId::PREFIX,
                subject: update.customer.0,
                text: update.change.fields(),
            },
            Self::Assign(one) => Shown {
                what: customer::Assign.name(),
                user: Some(one.likely),
                kind: CustomerId::PREFIX,
                subject: one.customer.0,
                text: "owner".to_owned(),
            },
            Self::Post(post) => Shown {
                what: webhook::Post.name(),
                user: None,
                kind: post.kind,
                subject: post.delivery.subject_id,
                text: post.url,
            },
            Self::Start(start) => Shown {
                what: others::Start.name(),
                user: None,
                kind: start.kind,
                subject: start.record,
                text: start.workflow.global(),
            },
            Self::Stop(stop) => Shown {
                what: others::Stop.name(),
                user: None,
                kind: stop.kind,
                subject: stop.record,
                text: stop.workflow.global(),
            },
        })
    }
}

/// What came of a step for a run, and what is written for it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What came of it.
    pub done: Done,
    /// What is written.
    pub effects: Vec<Effect>,
}

impl Planned {
    /// That it cannot be done; why.
    #[must_use]
    pub fn failed(why: &str) -> Self {
        Self { done: Done::Failed(why.to_owned()), effects: Vec::new() }
    }

    /// That it goes on later, and what was done by now.
    #[must_use]
    pub fn later(later: Later, effects: Vec<Effect>) -> Self {
        Self { done: Done::Later(later), effects }
    }

    /// That there was nothing to do; why.
    #[must_use]
    pub fn skipped(why: &'static str) -> Self {
        Self { done: Done::Skipped(why), effects: Vec::new() }
    }
}

/// For whom a step is done.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The run.
    pub run: &'a run::Model,
    /// The step's key.
    pub step: &'a str,
    /// When.
    pub now: DateTimeUtc,
}

impl Turn<'_> {
    /// Who does it.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor::Run(Cause { workflow: self.run.workflow_id, depth: self.run.depth })
    }

    /// What makes its effects unique: the same step may be done again later in the same run.
    #[must_use]
    pub fn key(&self) -> Uuid {
        let name = format!("{} {}", self.step, self.now.timestamp_micros());
        Uuid::new_v5(&self.run.id.0, name.as_bytes())
    }
}

/// Something that steps do.
pub trait Performer: Sync {
    /// Its name in definitions.
    fn name(&self) -> &'static str;

    /// Whether customers get something by it.
    fn is_for_customers(&self) -> bool {
        false
    }

    /// Notes what is wrong with it for a kind of record.
    fn check(&self, record: &Record, with: &Json, check: &mut Check);

    /// What is to be written for each of the runs, which are all of one version and in one step, in their order.
    ///
    /// # Errors
    /// The database. What cannot be done for one run is no error: it is [`Done::Failed`].
    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Json,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>>;
}

/// All that steps do.
#[must_use]
pub fn performers() -> [&'static dyn Performer; 14] {
    [
        &notification::Notify,
        &message::SendMail,
        &receipt::SendReceipt,
        &dunning::Dun,
        &task::CreateTask,
        &task::UpdateTask,
        &call::CreateCall,
        &appointment::CreateAppointment,
        &customer::UpdateCustomer,
        &customer::Assign,
        &webhook::Post,
        &others::Start,
        &others::Stop,
        &statement::SendStatement,
    ]
}

/// Whether customers get something by what a workflow does.
#[must_use]
pub(super) fn is_for_customers(definition: &Definition) -> bool {
    let names = performers().into_iter().filter(|performer| performer.is_for_customers());
    let names = names.map(Performer::name).collect::<Vec<_>>();
    definition.steps.iter().any(
        |step| matches!(&step.action, Action::Do { what, .. } if names.contains(&what.as_str())),
    )
}

/// Writes what was planned, kind by kind: as many statements for a thousand runs as for one.
///
/// # Errors
/// The database.
pub async fn carry_out(
    txn: &impl ConnectionTrait,
    effects: Vec<Effect>,
    scope: Scope<'_>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let (mut told, mut created) = (Vec::new(), Vec::new());
    let (mut calls, mut appointments) = (Vec::new(), Vec::new());
    let (mut tasks, mut customers, mut assigned) = (Vec::new(), Vec::new(), Vec::new());
    let (mut posted, mut started, mut stopped) = (Vec::new(), Vec::new(), Vec::new());
    let (mut outgoing, mut receipts, mut dunned) = (Vec::new(), Vec::new(), Vec::new());
    let mut statements = Vec::new();
    for effect in effects {
        match effect {
            Effect::Tell(one) => told.push(one),
            Effect::Send(one) => outgoing.push(one),
            Effect::Receipt(one) => receipts.push(one),
            Effect::Dun(one) => dunned.push(*one),
            Effect::Statement(one) => statements.push(*one),
            Effect::CreateTask(one) => created.push(one),
            Effect::CreateCall(one) => calls.push(*one),
            Effect::CreateAppointment(one) => appointments.push(*one),
            Effect::UpdateTask(one) => tasks.push(*one),
            Effect::UpdateCustomer(one) => customers.push(one),
            Effect::Assign(one) => assigned.push(one),
            Effect::Post(one) => posted.push(*one),
            Effect::Start(one) => started.push(one),
            Effect::Stop(one) => stopped.push(one),
        }
    }
    customer::carry_out(txn, customers, now).await?;
    customer::assign(txn, assigned, now).await?;
    task::create_all(txn, created, now).await?;
    task::update_all(txn, tasks, now).await?;
    call::carry_out(txn, calls, now).await?;
    appointment::carry_out(txn, appointments, now).await?;
    webhook::post(txn, posted).await?;
    others::stop(txn, stopped, now).await?;
    others::start(txn, started, scope, now).await?;
    message::plan_receipts(txn, &receipts, now).await?;
    message::plan_outgoing(txn, outgoing, now).await?;
    dunning::carry_out(txn, dunned, now).await?;
    statement::carry_out(txn, statements, now).await?;
    notification::told(txn, told, now).await
}
