//! What a workflow does, as it is given.

use std::collections::BTreeMap;

use async_graphql::{InputObject, OneofObject};
use entity::automation::event;
use entity::automation::workflow::definition::{Action, Definition, Step};
use entity::check::{Refusal, Refusals};
use entity::collaboration::{appointment, call, document, task};
use entity::customers::customer;
use entity::finance::{invoice, payment};
use entity::sales::product;
use sea_orm::Iterable;
use serde_json::{Value, json};

use self::doing::{
    AssignStepInput, CreateTaskStepInput, NotifyInput, OtherWorkflowInput, UpdateTaskStepInput,
    WebhookStepInput, update_customer,
};
use self::dunning::DunInput;
use self::planning::{CreateAppointmentStepInput, CreateCallStepInput};
use self::sending::SendInput;
use self::starting::WorkflowTriggerInput;
use self::waiting::{WaitForEventInput, WaitInput};
use crate::choice::choice;
use crate::customers::BulkCustomerChangeInput;
use crate::finance::SendStatementInput;
use crate::read::FilterOf;
use crate::scalar::LocalTime;

mod doing;
mod dunning;
mod planning;
mod sending;
mod starting;
mod waiting;

choice! {
    /// How often a workflow is carried out for the same record.
    WorkflowReentry mirrors "entity::automation::workflow::definition::Reentry" {
        /// Once and never again.
        Once,
        /// Again, once it has ended.
        AfterEnd,
        /// As often as it is started, also beside one another.
        Always,
    }
}

choice! {
    /// Whose clock counts.
    ClockOf mirrors "entity::automation::workflow::definition::Zone" {
        /// The customer's; the organisation's where it has none.
        Customer,
        /// The organisation's.
        Organisation,
    }
}

/// What a workflow does.
#[derive(Clone, Debug, InputObject)]
pub struct WorkflowDefinitionInput {
    /// The kind of record that it is carried out for, such as `Customer` or `Invoice`.
    pub record: String,
    /// What starts it.
    pub trigger: WorkflowTriggerInput,
    /// For which records; for all when absent.
    pub condition: Option<RecordFilterInput>,
    /// Which records have reached what it is for: their runs end before the next step.
    pub goal: Option<RecordFilterInput>,
    /// How often it is carried out for the same record.
    #[graphql(default_with = "WorkflowReentry::Once")]
    pub reentry: WorkflowReentry,
    /// How many steps that do something, such as telling or adding, it begins in an hour of the clock, over all its runs.
    /// What is more waits for the next hour. As many as there are when absent.
    pub most_per_hour: Option<u32>,
    /// What it does, one after the other.
    #[graphql(validator(max_items = 100))]
    pub steps: Vec<WorkflowStepInput>,
}

/// A filter of records of one kind, in the form of their list.
#[derive(Clone, Debug, OneofObject)]
pub enum RecordFilterInput {
    /// Of customers.
    Customer(FilterOf<customer::Entity>),
    /// Of invoices.
    Invoice(FilterOf<invoice::Entity>),
    /// Of payments.
    Payment(FilterOf<payment::Entity>),
    /// Of products.
    Product(FilterOf<product::Entity>),
    /// Of tasks.
    Task(FilterOf<task::Entity>),
    /// Of calls.
    Call(FilterOf<call::Entity>),
    /// Of appointments.
    Appointment(FilterOf<appointment::Entity>),
    /// Of documents.
    Document(FilterOf<document::Entity>),
}

/// Some days before or after the day that a field of the record has.
#[derive(Clone, Debug, InputObject)]
pub struct DayInput {
    /// The field, such as `dueOn`, or a custom field, such as `customFields.birthday`.
    pub field: String,
    /// How many days after it; before it when it is negative.
    #[graphql(default)]
    pub days: i32,
    /// At what time.
    pub at: LocalTime,
    /// On whose clock.
    #[graphql(default_with = "ClockOf::Customer")]
    pub clock: ClockOf,
}

/// A step of a workflow.
#[derive(Clone, Debug, InputObject)]
pub struct WorkflowStepInput {
    /// What others call it: 1 to 64 letters, digits, hyphens and underscores. Keep it from version to version.
    pub key: String,
    /// What happens.
    pub action: WorkflowActionInput,
    /// The key of the step that follows; the next one in the list when absent, and the run ends after the last one.
    pub then: Option<String>,
}

/// What happens in a step.
#[derive(Clone, Debug, OneofObject)]
pub enum WorkflowActionInput {
    /// Time passes.
    Wait(WaitInput),
    /// Something has to happen.
    WaitForEvent(WaitForEventInput),
    /// Records that pass a filter go on with the next step, others elsewhere.
    Branch(BranchInput),
    /// Each run goes one of several ways, by chance, and always the same one.
    Split(SplitInput),
    /// A user is told something.
    Notify(NotifyInput),
    /// The customer is sent something; the gate looks at it before it leaves.
    Send(SendInput),
    /// The customer is sent the payment's receipt, or the cancellation of it. Always true.
    SendReceipt(bool),
    /// The customer is asked for the invoice that the workflow is carried out for, level by level, until it is settled.
    Dun(DunInput),
    /// The customer is sent a statement of account in each currency.
    SendStatement(SendStatementInput),
    /// A task is added, for the customer if the record has one.
    CreateTask(CreateTaskStepInput),
    /// The task that the workflow is carried out for is changed.
    UpdateTask(UpdateTaskStepInput),
    /// A call is planned, unless who is called has said that they do not want to be called.
    CreateCall(CreateCallStepInput),
    /// An appointment is made.
    CreateAppointment(CreateAppointmentStepInput),
    /// The customer is changed, as it would be by `updateCustomer`. What is so already stays as it is.
    UpdateCustomer(BulkCustomerChangeInput),
    /// The customer is handed to one of several users in turn, if nobody looks after it. Who is away, disabled, or has
    /// enough customers is passed over.
    Assign(AssignStepInput),
    /// The record is posted to one of the organisation's webhook endpoints, signed as events are.
    Webhook(WebhookStepInput),
    /// Another workflow is started for the same record, unless eight runs came before that one.
    StartWorkflow(OtherWorkflowInput),
    /// The runs of another workflow for the same record are called off.
    StopWorkflow(OtherWorkflowInput),
    /// The run ends. Always true.
    End(bool),
}

/// Which records go on with the next step.
#[derive(Clone, Debug, InputObject)]
pub struct BranchInput {
    /// Those that pass.
    pub filter: RecordFilterInput,
    /// The key of the step that follows for others; their run ends when absent.
    pub otherwise: Option<String>,
}

/// The ways that runs go.
#[derive(Clone, Debug, InputObject)]
pub struct SplitInput {
    /// The ways.
    #[graphql(validator(max_items = 20))]
    pub ways: Vec<WayInput>,
}

/// A way.
#[derive(Clone, Debug, InputObject)]
pub struct WayInput {
    /// The key of the step that follows.
    pub to: String,
    /// How many go it, of the sum of all weights.
    pub weight: u32,
}

/// What is wrong with what was given.
struct Wrong(Vec<Refusal>);

impl WorkflowDefinitionInput {
    /// The definition that is meant.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn parse(self) -> Result<Definition, entity::Error> {
        let mut wrong = Wrong(Vec::new());
        let record = self.record.as_str();
        let filter = |given: Option<RecordFilterInput>, at: &str, wrong: &mut Wrong| {
            given.map_or(Value::Null, |given| given.of(record, at, wrong))
        };
        let condition = filter(self.condition, "definition.condition", &mut wrong);
        let goal = filter(self.goal, "definition.goal", &mut wrong);
        let trigger = self.trigger.parse(&mut wrong);
        let steps = self.steps.into_iter().enumerate();
        let steps = steps.map(|(index, step)| step.parse(record, index, &mut wrong)).collect();
        let (reentry, most_per_hour) = (self.reentry.into(), self.most_per_hour);
        match wrong.0.is_empty() {
            true => Ok(Definition {
                record: self.record,
                trigger,
                condition,
                goal,
                reentry,
                most_per_hour,
                steps,
            }),
            false => Err(entity::Error::Invalid(Refusals(wrong.0))),
        }
    }
}

impl WorkflowStepInput {
    fn parse(self, record: &str, index: usize, wrong: &mut Wrong) -> Step {
        let at = |field: &str| format!("definition.steps.{index}.action.{field}");
        let action = match self.action {
            WorkflowActionInput::Wait(wait) => Action::Wait(wait.parse()),
            WorkflowActionInput::WaitForEvent(event) => Action::WaitForEvent {
                kinds: wrong.kinds(&event.kinds, &at("waitForEvent.kinds")),
                within_s: event.within.0.num_seconds(),
                otherwise: event.otherwise,
            },
            WorkflowActionInput::Branch(branch) => Action::Branch {
                filter: branch.filter.of(record, &at("branch.filter"), wrong),
                otherwise: branch.otherwise,
            },
            WorkflowActionInput::Split(split) => {
                let ways = split.ways.into_iter().map(|way| (way.to, way.weight));
                Action::Split { ways: ways.collect::<BTreeMap<_, _>>() }
            }
            WorkflowActionInput::Notify(notify) => notify.parse(),
            WorkflowActionInput::Send(send) => send.action(),
            WorkflowActionInput::SendReceipt(_) => {
                Action::Do { what: "sendReceipt".to_owned(), with: json!({}) }
            }
            WorkflowActionInput::Dun(ladder) => ladder.parse(&at("dun"), wrong),
            WorkflowActionInput::SendStatement(statement) => match statement.action() {
                Ok(action) => action,
                Err(message) => {
                    wrong.note(&at("sendStatement.minimum"), message);
                    Action::End
                }
            },
            WorkflowActionInput::CreateTask(task) => task.parse(),
            WorkflowActionInput::UpdateTask(change) => change.parse(),
            WorkflowActionInput::CreateCall(call) => call.parse(),
            WorkflowActionInput::CreateAppointment(appointment) => appointment.parse(),
            WorkflowActionInput::UpdateCustomer(change) => update_customer(change),
            WorkflowActionInput::Assign(among) => among.parse(),
            WorkflowActionInput::Webhook(post) => post.parse(),
            WorkflowActionInput::StartWorkflow(other) => other.parse("startWorkflow"),
            WorkflowActionInput::StopWorkflow(other) => other.parse("stopWorkflow"),
            WorkflowActionInput::End(_) => Action::End,
        };
        Step { key: self.key, action, then: self.then }
    }
}

impl RecordFilterInput {
    /// The filter, if it is one of such records.
    fn of(self, record: &str, at: &str, wrong: &mut Wrong) -> Value {
        let (kind, filter) = match self {
            Self::Customer(filter) => ("Customer", filter.json),
            Self::Invoice(filter) => ("Invoice", filter.json),
            Self::Payment(filter) => ("Payment", filter.json),
            Self::Product(filter) => ("Product", filter.json),
            Self::Task(filter) => ("Task", filter.json),
            Self::Call(filter) => ("Call", filter.json),
            Self::Appointment(filter) => ("Appointment", filter.json),
            Self::Document(filter) => ("Document", filter.json),
        };
        if kind != record {
            wrong.note(at, format!("give a filter of the workflow's records, {record}"));
        }
        filter
    }
}

impl Wrong {
    fn note(&mut self, at: &str, message: String) {
        self.0.push(Refusal { field: at.to_owned().into(), message });
    }

    fn kinds(&mut self, names: &[String], at: &str) -> Vec<event::Kind> {
        let mut kinds = Vec::with_capacity(names.len());
        for name in names {
            match event::Kind::iter().find(|kind| kind.is_public() && kind.name() == *name) {
                Some(kind) => kinds.push(kind),
                None => self.note(at, format!("there is no kind of event {name}")),
            }
        }
        kinds
    }
}
