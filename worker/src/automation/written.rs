//! Gathering what the messages of workflows say, for a batch of them at once: what people wrote in the step of the
//! version that the run has, and what they name in it.

use std::collections::{BTreeMap, HashMap, HashSet};

use entity::access::{Calendar, Viewer, organisation};
use entity::automation::message::{self, Content, Reason, Send, To, wording};
use entity::automation::workflow::Definition;
use entity::automation::workflow::definition::Action;
use entity::automation::workflow::version::versions;
use entity::catalog::{Cell, Record, Value, by_name, values};
use entity::customers::customer::Channel;
use entity::customers::reach::{Addressee, Reach, reach};
use entity::id::WorkflowVersionId;
use sea_orm::ConnectionTrait;
use serde::Deserialize;
use uuid::Uuid;

use crate::document::{LetterFacts, Party, Said};

/// What a message says, and where it goes.
pub struct Letter {
    /// What it is written from.
    pub facts: LetterFacts,
    /// The way it goes.
    pub channel: Channel,
    /// Their address or number on it, or why there is none.
    pub address: Result<String, Reason>,
}

/// What a step of a version sends.
type Steps = HashMap<(WorkflowVersionId, String), (&'static Record, Send)>;

/// The letters of `messages`, in their order. `None` where what they are about is gone.
///
/// # Errors
/// The database.
pub async fn letters(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
) -> Result<Vec<Option<Letter>>, entity::Error> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let known = versions(db, messages.iter().filter_map(|message| message.version_id)).await?;
    let known = known.iter().map(|(id, version)| (*id, &version.definition));
    by(db, messages, known).await
}

/// The letters of `messages` by what their versions do, in their order. `None` where what they are about is gone.
///
/// # Errors
/// The database.
pub async fn by(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
    versions: impl IntoIterator<Item = (WorkflowVersionId, &Definition)>,
) -> Result<Vec<Option<Letter>>, entity::Error> {
    let organisation = organisation::get(db).await?;
    let now = messages.iter().map(|message| message.created_at).max().unwrap_or_default();
    let calendar = Calendar::at(now, organisation.zone());
    let viewer = Viewer::rapport(db.get_database_backend(), calendar);
    let steps = steps(versions);
    let wanted = messages.iter().filter_map(|one| Some((one.customer_id?, one.channel)));
    let reached = reach(db, wanted).await?;
    let mut asked = HashMap::<&str, (&'static Record, HashSet<String>, Vec<Uuid>)>::new();
    for message in messages {
        let Some((record, send)) = step_of(&steps, message) else { continue };
        let (_, names, ids) =
            asked.entry(record.name).or_insert((record, HashSet::new(), Vec::new()));
        ids.push(message.subject_id);
        names.extend(send.contents.iter().flat_map(Content::wordings).flat_map(wording::fields));
    }
    let mut known = HashMap::new();
    for (name, (record, names, ids)) in asked {
        let names = names.into_iter().collect::<Vec<_>>();
        known.insert(name, values(db, record, &viewer, &names, &ids).await?);
    }
    let ours = Party::from(organisation);
    let letter = |message: &message::Model| {
        let (record, send) = step_of(&steps, message)?;
        let reach = reached.get(&message.customer_id?)?;
        let content = Content::among(&send.contents, &reach.customer.language)?;
        let record = said(known.get(record.name)?.get(&message.subject_id)?);
        let about_money = send.to == To::Billing;
        let written = Written { content, plain: send.plain, about_money, record };
        Some(facts(message, reach, written, &ours))
    };
    Ok(messages.iter().map(letter).collect())
}

/// What was written for somebody.
pub(crate) struct Written<'a> {
    /// In their language.
    pub content: &'a Content,
    /// Whether it goes without diacritics as a text message.
    pub plain: bool,
    /// Whether it goes to who gets the bills.
    pub about_money: bool,
    /// The fields of the record that it can name.
    pub record: BTreeMap<String, Said>,
}

/// What a message says to a customer, with where it goes.
pub(crate) fn facts(
    message: &message::Model,
    reach: &Reach,
    written: Written<'_>,
    ours: &Party,
) -> Letter {
    let customer = &reach.customer;
    let Addressee { name, address } = reach.addressee(message.channel, written.about_money);
    let facts = LetterFacts {
        language: written.content.language.clone(),
        subject: written.content.subject.clone(),
        text: written.content.text.clone(),
        plain: written.plain,
        addressee: name.to_owned(),
        written_on: message.created_at.with_timezone(&customer.zone()).date_naive(),
        time_zone: customer.time_zone.clone(),
        number: customer.number.clone(),
        organisation: ours.clone(),
        customer: Party {
            name: customer.display_name.clone(),
            address_lines: match message.channel {
                Channel::Letter => reach.letter_lines(),
                _ => Vec::new(),
            },
            tax_number: customer.tax_number.clone(),
            email: customer.email.clone(),
            phone: customer.phone.clone(),
        },
        record: written.record,
        asked: None,
        enclosed: Vec::new(),
    };
    Letter { facts, channel: message.channel, address }
}

/// What the step of a message sends.
fn step_of<'a>(steps: &'a Steps, message: &message::Model) -> Option<&'a (&'static Record, Send)> {
    steps.get(&(message.version_id?, message.step.clone()?))
}

/// What the steps of versions send.
fn steps<'a>(versions: impl IntoIterator<Item = (WorkflowVersionId, &'a Definition)>) -> Steps {
    let mut steps = HashMap::new();
    for (version, definition) in versions {
        let Some(record) = by_name(&definition.record) else { continue };
        for step in &definition.steps {
            if let Action::Do { what, with } = &step.action
                && what == "send"
                && let Ok(send) = Send::deserialize(with)
            {
                steps.insert((version, step.key.clone()), (record, send));
            }
        }
    }
    steps
}

/// What fields hold, as it is frozen with a message; what holds nothing is left out.
fn said(fields: &HashMap<String, Value>) -> BTreeMap<String, Said> {
    let said = fields.iter().filter_map(|(name, value)| {
        let said = match value.clone() {
            Value::Money(money) => Said::Money(money),
            Value::Cell(Cell::Empty) => return None,
            Value::Cell(Cell::Text(text)) => Said::Text(text),
            Value::Cell(Cell::Number(number)) => Said::Number(number),
            Value::Cell(Cell::Truth(truth)) => Said::Truth(truth),
            Value::Cell(Cell::Day(day)) => Said::Day(day),
            Value::Cell(Cell::Instant(instant)) => Said::Instant(instant),
        };
        Some((name.clone(), said))
    });
    said.collect()
}
