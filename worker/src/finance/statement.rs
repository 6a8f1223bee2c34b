//! Statements of account: gathering what they say, and the jobs that make them, and keep their PDFs.
//!
//! Invariant: a PDF that was kept is never made again; who is sent a statement gets the bytes that were kept.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use entity::access::organisation;
use entity::automation::job::{self, target};
use entity::automation::lease::Leased;
use entity::automation::message::{self, Reason};
use entity::clock::Clock;
use entity::collaboration::file::{self, Stored};
use entity::customers::address;
use entity::customers::customer::Channel;
use entity::customers::customer::bulk::Step;
use entity::customers::reach::{Addressee, reach};
use entity::db::Db;
use entity::finance::statement::{self, Content, delivery};
use entity::id::{JobId, StatementId};
use entity::marketing::suppression;
use entity::money::Money;
use futures::FutureExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;

use crate::document::{
    Addressed, Attachment, DocumentError, Documents, Opened, Paper, Party, Rendered, StatementFacts,
};
use crate::link::Links;
use crate::link::statement::{LIFETIME, StatementLink};
use crate::relay::chain;

/// How many statements are archived between two looks at the lease.
const TOGETHER: u64 = 20;

/// What a statement is sent with, a mail or a letter by post, and where it goes: to the billing contact, or else to the
/// customer.
pub struct Letter {
    /// What it is written from.
    pub facts: StatementFacts,
    /// The way it goes.
    pub channel: Channel,
    /// Whom it is addressed to.
    pub addressee: String,
    /// Their address on the channel, or why there is none.
    pub address: Result<String, Reason>,
    /// The lines of that address, of a letter by post.
    pub address_lines: Vec<String>,
    /// The day it is written on, where the customer is.
    pub written_on: NaiveDate,
    /// Where the customer is.
    zone: Tz,
    /// What opens it without logging in; `None` while there is nothing to open.
    pub link: Option<StatementLink>,
    /// Where the PDF is kept; `None` while there is none.
    kept: Option<file::Model>,
    /// The PDF, once it was fetched.
    pub file: Option<Attachment>,
}

/// The letters of `messages`, in their order. `None` where the record is gone, which is a fault.
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
    let ids = messages.iter().map(|message| message.subject_id);
    let kept = file::Entity::find().filter(file::Column::Id.is_in(ids.clone())).all(db).await?;
    let mut kept: HashMap<_, _> = kept.into_iter().map(|file| (file.id.0, file)).collect();
    let found = statement::Entity::find().filter(statement::Column::Id.is_in(ids));
    let mut statements: HashMap<_, _> =
        found.all(db).await?.into_iter().map(|row| (row.id.0, row)).collect();
    // What a forecast foresees is in no table; its messages know what it says.
    for message in messages {
        let foreseen = || statement::Model::deserialize(message.facts.as_ref()?).ok();
        if !statements.contains_key(&message.subject_id)
            && let Some(statement) = foreseen()
        {
            statements.insert(message.subject_id, statement);
        }
    }
    let rows: Vec<_> = statements.into_values().collect();
    let facts = facts(db, &rows).await?;
    let mut said: HashMap<_, _> = rows.iter().map(|row| row.id.0).zip(facts).collect();
    let wanted = messages.iter().filter_map(|one| Some((one.customer_id?, one.channel)));
    let reached = reach(db, wanted).await?;
    let copies = reached.values().flat_map(|reach| delivery::copies(&reach.customer));
    let held = suppression::among(db, Channel::Email, &copies.collect::<Vec<_>>()).await?;
    let letter = |message: &message::Model| {
        let facts = said.remove(&message.subject_id)??;
        let reach = reached.get(&message.customer_id?)?;
        let Addressee { name, address } = reach.addressee(message.channel, true);
        let content = Content { movements: Vec::new(), items: Vec::new(), ..facts.content };
        let mut cc = delivery::copies(&reach.customer);
        let own = address.as_deref().unwrap_or_default();
        cc.retain(|copy| !held.contains(copy) && !copy.eq_ignore_ascii_case(own));
        if message.channel != Channel::Email {
            cc.clear();
        }
        let kept = kept.remove(&message.subject_id);
        let zone = reach.customer.zone();
        Some(Letter {
            facts: StatementFacts { content, cc, ..facts },
            channel: message.channel,
            addressee: name.to_owned(),
            address,
            address_lines: match message.channel {
                Channel::Letter => reach.letter_lines(),
                _ => Vec::new(),
            },
            written_on: message.created_at.with_timezone(&zone).date_naive(),
            zone,
            link: kept.as_ref().map(|_| StatementLink {
                statement: StatementId(message.subject_id),
                expires_at: message.created_at + LIFETIME,
            }),
            kept,
            file: None,
        })
    };
    Ok(messages.iter().map(letter).collect())
}

impl Letter {
    /// Fetches the PDF that was kept, unless it has more than `most` bytes and there is another way to it.
    ///
    /// # Errors
    /// The file store.
    pub async fn enclose(
        &mut self,
        files: &dyn ObjectStore,
        most: u64,
    ) -> Result<(), object_store::Error> {
        let Some(file) = &self.kept else { return Ok(()) };
        if self.channel == Channel::Email && file.size.unsigned_abs() > most {
            return Ok(());
        }
        let bytes = files.get(&Path::from(&*file.storage_key)).await?.bytes().await?.to_vec();
        let (file_name, media_type) = (file.name.clone(), "application/pdf");
        self.file = Some(Attachment { file_name, media_type, bytes });
        Ok(())
    }

    /// The mail, which has the PDF attached if it was fetched.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn mail(
        &self,
        documents: &Documents,
        links: &Links,
        public: &Url,
    ) -> Result<Rendered, DocumentError> {
        let opened = self.link.map(|link| Opened {
            address: link.address(links, public),
            until: link.expires_at.with_timezone(&self.zone).date_naive(),
        });
        documents.statement(&self.facts, opened.as_ref(), self.file.clone())
    }

    /// The letter by post: a page for the window of an envelope, and behind it the pages of the PDF.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn paper(&self, documents: &Documents) -> Result<Paper, DocumentError> {
        let pages = self.file.as_ref().map(|file| file.bytes.clone());
        documents.statement_paper(&self.facts, self.addressed(), pages)
    }

    /// Whom the letter by post is addressed to.
    #[must_use]
    pub fn addressed(&self) -> Addressed<'_> {
        let Self { addressee, address_lines, written_on, .. } = self;
        Addressed { name: addressee, lines: address_lines, written_on: *written_on }
    }
}

/// What statements say, in their order. `None` where the customer is gone, which is a fault.
pub(super) async fn facts(
    db: &impl ConnectionTrait,
    statements: &[statement::Model],
) -> Result<Vec<Option<StatementFacts>>, entity::Error> {
    let organisation = organisation::get(db).await?;
    let zone = organisation.zone();
    let ours = Party::from(organisation);
    let customers: Vec<_> = statements.iter().map(|statement| statement.customer_id).collect();
    let reached = reach(db, customers.iter().map(|id| (*id, Channel::Email))).await?;
    let addresses = address::Entity::find()
        .filter(address::Column::CustomerId.is_in(customers))
        .filter(address::Column::Kind.eq(address::Kind::Billing))
        .order_by_desc(address::Column::Id);
    // Newest first, so that the oldest one stays in the map.
    let addresses: HashMap<_, _> =
        addresses.all(db).await?.into_iter().map(|row| (row.customer_id, row)).collect();
    let facts = |statement: &statement::Model| {
        let customer = &reached.get(&statement.customer_id)?.customer;
        let money = |minor| Money::new(minor, statement.currency);
        let address = addresses.get(&customer.id);
        Some(StatementFacts {
            language: customer.language.clone(),
            organisation: ours.clone(),
            customer: Party {
                name: customer.display_name.clone(),
                address_lines: address.map(address::Model::letter_lines).unwrap_or_default(),
                tax_number: customer.tax_number.clone(),
                email: customer.email.clone(),
                phone: customer.phone.clone(),
            },
            kind: statement.kind,
            from: statement.from_on,
            until: statement.until_on,
            issued_on: statement.created_at.with_timezone(&zone).date_naive(),
            revision: statement.revision,
            opening: statement.opening.map(money),
            adjustment: money(statement.adjustment),
            closing: money(statement.closing),
            overdue: money(statement.overdue),
            content: statement.content(),
            cc: Vec::new(),
        })
    };
    Ok(statements.iter().map(facts).collect())
}

/// Makes the statements that the leased `job` says, and renews its lease by `lease` meanwhile.
///
/// # Errors
/// The database; the job is due again when its lease ends.
pub async fn create(
    db: &Db,
    clock: &Clock,
    job: &job::Model,
    lease: Duration,
) -> Result<(), entity::Error> {
    let leased = Leased { id: job.id, fence: job.fence };
    loop {
        let now = clock.now();
        let until = now + TimeDelta::from_std(lease).unwrap_or(TimeDelta::seconds(30));
        let step = db.write(move |txn| statement::step(txn, leased, until, now).boxed());
        match step.await? {
            Step::More => {}
            Step::Ended => return Ok(()),
            Step::Lost => {
                tracing::info!(job = %job.id.0, "the making of statements was called off or taken over");
                return Ok(());
            }
        }
    }
}

/// What keeps the PDFs of statements.
pub struct Archive<'a> {
    /// The truth.
    pub db: &'a Db,
    /// The time.
    pub clock: &'a Clock,
    /// Where they are kept.
    pub files: &'a dyn ObjectStore,
    /// What writes them.
    pub documents: &'a Documents,
    /// For how long a job is its worker's.
    pub lease: Duration,
}

impl Archive<'_> {
    /// Keeps the PDFs of the statements of the leased `job`, and plans their messages. One that cannot be written stops no
    /// other; the report counts them.
    ///
    /// # Errors
    /// The database; the job is due again when its lease ends.
    pub async fn run(&self, job: &job::Model) -> Result<(), entity::Error> {
        let leased = Leased { id: job.id, fence: job.fence };
        let mut failed =
            job.report.as_ref().and_then(|report| report["failed"].as_u64()).unwrap_or(0);
        loop {
            let ids = statement::archive_next(self.db.reader(), job.id, TOGETHER).await?;
            let Some(last) = ids.last().copied() else { break };
            let found = statement::Entity::find().filter(statement::Column::Id.is_in(ids.clone()));
            let statements = found.all(self.db.reader()).await?;
            let facts = facts(self.db.reader(), &statements).await?;
            let whose = statements.iter().map(|statement| statement.customer_id);
            let channels = delivery::channels(self.db.reader(), whose).await?;
            for (statement, facts) in statements.into_iter().zip(facts) {
                let channel = channels.get(&statement.customer_id).copied();
                let kept = match facts.zip(channel) {
                    Some((facts, channel)) => self.keep(leased, statement, facts, channel).await?,
                    None => Kept::Refused,
                };
                match kept {
                    Kept::Done => {}
                    Kept::Refused => failed += 1,
                    Kept::Lost => return Ok(()),
                }
            }
            if !self.passed(leased, last, ids.len(), failed).await? {
                return Ok(());
            }
        }
        let now = self.clock.now();
        let (state, report) = (job::State::Succeeded, json!({ "failed": failed }));
        let ended = self.db.write(move |txn| {
            let report = report.clone();
            async move { job::finish(txn, leased.id, leased.fence, state, report, now).await }
                .boxed()
        });
        ended.await
    }

    /// Lets go of the statements up to `last`, and renews the lease; gives whether it is still ours.
    async fn passed(
        &self,
        leased: Leased<JobId>,
        last: StatementId,
        count: usize,
        failed: u64,
    ) -> Result<bool, entity::Error> {
        let until = self.until();
        let held = self.db.write(move |txn| {
            async move {
                if job::advance(txn, leased, count, until).await?.is_none() {
                    return Ok(false);
                }
                target::done(txn, leased.id, last.0).await?;
                job::note(txn, leased, json!({ "failed": failed })).await?;
                Ok(true)
            }
            .boxed()
        });
        held.await
    }

    /// Writes the PDF of a statement, keeps it, and plans its message.
    async fn keep(
        &self,
        leased: Leased<JobId>,
        statement: statement::Model,
        facts: StatementFacts,
        channel: Channel,
    ) -> Result<Kept, entity::Error> {
        let documents = self.documents.clone();
        let mut writing = tokio::task::spawn_blocking(move || documents.statement_file(&facts));
        let mut beat = tokio::time::interval(self.lease / 3);
        let written = loop {
            tokio::select! {
                written = &mut writing => break written,
                _ = beat.tick() => {
                    let until = self.until();
                    let held = self.db.write(move |txn| job::advance(txn, leased, 0, until).boxed());
                    if held.await?.is_none() {
                        return Ok(Kept::Lost);
                    }
                }
            }
        };
        let id = statement.id;
        let Attachment { file_name, media_type, bytes } = match written {
            Ok(Ok(file)) => file,
            Ok(Err(error)) => {
                tracing::error!(statement = %id.0, error = %chain(&error), "a statement cannot be written");
                return Ok(Kept::Refused);
            }
            Err(_) => {
                tracing::error!(statement = %id.0, "a statement cannot be written");
                return Ok(Kept::Refused);
            }
        };
        let stored = Stored {
            id: statement::file_of(id),
            size: i64::try_from(bytes.len()).unwrap_or_default(),
            sha256: entity::text::hex(&Sha256::digest(&bytes)),
            media_type: media_type.to_owned(),
        };
        // Nothing overwrites what a row may already name.
        let known = file::Entity::find_by_id(stored.id).one(self.db.reader()).await?;
        if known.is_none() {
            let key = Path::from(file::storage_key(stored.id));
            if let Err(error) = self.files.put(&key, bytes.into()).await {
                tracing::warn!(statement = %id.0, %error, "the statement is due again");
                return Ok(Kept::Lost);
            }
        }
        let (now, statement) = (self.clock.now(), Arc::new(statement));
        let noted = self.db.write(move |txn| {
            let (statement, stored) = (Arc::clone(&statement), stored.clone());
            let name = file_name.clone();
            async move { statement::archive(txn, &statement, stored, &name, channel, now).await }
                .boxed()
        });
        noted.await?;
        Ok(Kept::Done)
    }

    fn until(&self) -> chrono::DateTime<chrono::Utc> {
        self.clock.now() + TimeDelta::from_std(self.lease).unwrap_or(TimeDelta::seconds(30))
    }
}

/// What became of a PDF.
enum Kept {
    /// It is kept.
    Done,
    /// It cannot be written.
    Refused,
    /// Somebody else has the job, or it is due again.
    Lost,
}
