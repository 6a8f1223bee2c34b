//! Making segments, and changing who is on lists. What is read of them is in the catalogue.

use async_graphql::{Context, Enum, ID, InputObject, Object, OneofObject, SimpleObject};
use entity::access::Permission;
use entity::automation::{AutomationError, job};
use entity::collaboration::file;
use entity::customers::customer;
use entity::id::{CustomerId, FileId, SegmentId};
use entity::marketing::segment::file::FileInput;
use entity::marketing::segment::list::{self, Source, Turn, Who};
use entity::marketing::segment::{self, Change, Content};
use futures::FutureExt;
use sea_orm::EntityTrait;

use super::sample::SampleInput;
use crate::choice::choice;
use crate::context::{Ask, CanAll, Once, write};
use crate::error::{ErrorCode, Fault, UserError};
use crate::finance::ColumnMappingInput;
use crate::id::{parse, parse_all};
use crate::payload::payload;
use crate::read::FilterOf;

choice! {
    /// By what customers belong to a segment.
    SegmentKind mirrors "entity::marketing::segment::Kind" {
        /// They pass a filter, and enter and leave as they change.
        Dynamic,
        /// Somebody has put them on it: it is a list.
        Static,
        /// They belong to other segments, and enter and leave with these.
        Set,
    }
}

/// How others make up a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::marketing::segment::Operation")]
pub enum SegmentOperation {
    /// Who belongs to any of them.
    Union,
    /// Who belongs to all of them.
    Intersection,
    /// Who belongs to the first and to none of the others.
    Difference,
}

/// A segment to be. Exactly one of `filter`, `set` and `list` says what it is made of.
#[derive(Clone, Debug, InputObject)]
pub struct CreateSegmentInput {
    /// What it is called, up to 100 characters; unique.
    pub name: String,
    /// The customers that pass a filter, as they change.
    pub filter: Option<FilterOf<customer::Entity>>,
    /// Other segments, as these change.
    pub set: Option<SegmentSetInput>,
    /// Customers who stay until somebody removes them; `{}` makes an empty list.
    pub list: Option<SegmentListInput>,
}

/// The segments that make up another one.
#[derive(Clone, Debug, InputObject)]
pub struct SegmentSetInput {
    /// How.
    pub operation: SegmentOperation,
    /// Which ones, 2 to 20, in their order.
    #[graphql(validator(min_items = 2, max_items = 20))]
    pub segment_ids: Vec<ID>,
}

/// The customers of a list: by their ids, or those that pass a filter or belong to a segment when it is made.
#[derive(Clone, Debug, InputObject)]
pub struct SegmentListInput {
    /// The ids of up to 1,000 customers.
    #[graphql(validator(max_items = 1000))]
    pub customer_ids: Option<Vec<ID>>,
    /// Those that pass a filter.
    pub filter: Option<FilterOf<customer::Entity>>,
    /// Those that belong to a segment, which is thereby frozen; with `filter`, those of them that pass it.
    pub segment_id: Option<ID>,
    /// A sample of the filter's or the segment's customers.
    pub sample: Option<SampleInput>,
}

/// A change of a segment. What is absent stays, and so does by what customers belong to it.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateSegmentInput {
    /// What it is called, up to 100 characters; unique.
    pub name: Option<String>,
    /// The customers that pass a filter, for a dynamic segment.
    pub filter: Option<FilterOf<customer::Entity>>,
    /// Other segments, for a set.
    pub set: Option<SegmentSetInput>,
}

/// Customers who are put on a list, or removed from it, up to 50,000 at once.
#[derive(Clone, Debug, OneofObject)]
pub enum SegmentMembersInput {
    /// The ids of up to 1,000 customers.
    CustomerIds(Vec<ID>),
    /// Those that pass a filter now.
    Filter(FilterOf<customer::Entity>),
    /// Those that belong to a segment now.
    SegmentId(ID),
}

/// A file of customers for a list.
#[derive(Clone, Debug, InputObject)]
pub struct ImportSegmentMembersInput {
    /// The file: upload it with `POST /files` first, which answers with its id.
    pub file_id: ID,
    /// Which column fills which field, where the headings do not say so by themselves: `number`, `email`, `phone`, or
    /// `ignore`. A row stands for the customer who has all that it says and that anybody has.
    #[graphql(default, validator(max_items = 50))]
    pub mapping: Vec<ColumnMappingInput>,
    /// Whether nobody is added, and the report says of each row who it stands for, or why for nobody.
    #[graphql(default)]
    pub dry_run: bool,
    /// Whether rows that stand for nobody are left out; otherwise nobody is added when there is one.
    #[graphql(default = true)]
    pub skip_unmatched: bool,
}

payload! {
    /// What came of making or changing a segment.
    SegmentPayload {
        /// The segment as it is now; null when it was refused.
        segment: segment::Entity
    }
}

payload! {
    /// What came of asking for customers from a file.
    ImportSegmentMembersPayload {
        /// The job that does it. Its report counts the `rows`, who was `matched` and `added`, and which rows were
        /// `unknown`, `duplicate`, `ambiguous` or `bad`; `bad_rows` has the first 1,000 of these with `line`, `outcome` and
        /// `reason`. Null when it was refused.
        job: job::Entity
    }
}

/// What came of deleting a segment.
#[derive(SimpleObject)]
pub struct DeleteSegmentPayload {
    /// The id of the segment that is gone; null when it was refused.
    pub id: Option<ID>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Lets customers enter a list or leave it.
async fn change_members(
    ctx: &Context<'_>,
    once: Once<'_>,
    id: &ID,
    input: SegmentMembersInput,
    turn: Turn,
) -> Result<SegmentPayload, Fault> {
    let viewer = ctx.viewer()?;
    let (id, who) = match input.parse(id) {
        Ok(parsed) => parsed,
        Err(errors) => return Ok(Err(errors).into()),
    };
    let outcome = write(ctx, once, move |txn, _, now| {
        let (who, viewer) = (who.clone(), viewer.clone());
        async move { Ok(list::change(txn, id, turn, &who, &viewer, now).await?.id.into()) }.boxed()
    });
    outcome.await.map(Into::into)
}

/// Making segments.
#[derive(Default)]
pub struct SegmentMutation;

/// Making segments.
#[Object]
impl SegmentMutation {
    /// Makes a segment. Who belongs to it is known a moment later (`filledAt`), silently; from then on customers enter and
    /// leave it as they change, at once, or within five minutes where only time has passed. A list changes by
    /// `addSegmentMembers`, `removeSegmentMembers` and `importSegmentMembers` alone, and by customers that are deleted, who
    /// leave it for good.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn create_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment.")] input: CreateSegmentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's record."
        )]
        idempotency_key: Option<String>,
    ) -> Result<SegmentPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(idempotency_key.as_deref(), "createSegment", &input);
        let name = input.name.clone();
        let content = match input.content() {
            Ok(content) => content,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, _, now| {
            let (new, viewer) = ((name.clone(), content.clone()), viewer.clone());
            async move { Ok(segment::create(txn, new, &viewer, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Changes a segment. Whoever belongs to it by another filter, or by other parts, enters or leaves it silently.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn update_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateSegmentInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<SegmentPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "updateSegment", &input).about(&id);
        let id = match parse::<SegmentId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let change = match input.change() {
            Ok(change) => change,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, _, now| {
            let (change, viewer) = (change.clone(), viewer.clone());
            async move {
                let row = segment::update(txn, id, change, expected_version, &viewer, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Adds customers to a list; who is on it already stays. That says nothing about whether they may be written to.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn add_segment_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The list's id.")] id: ID,
        #[graphql(desc = "Whom.")] input: SegmentMembersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's record."
        )]
        idempotency_key: Option<String>,
    ) -> Result<SegmentPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "addSegmentMembers", &input).about(&id);
        change_members(ctx, once, &id, input, Turn::Enter).await
    }

    /// Removes customers from a list; who is not on it stays away.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn remove_segment_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The list's id.")] id: ID,
        #[graphql(desc = "Whom.")] input: SegmentMembersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's record."
        )]
        idempotency_key: Option<String>,
    ) -> Result<SegmentPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "removeSegmentMembers", &input).about(&id);
        change_members(ctx, once, &id, input, Turn::Leave).await
    }

    /// Adds the customers in a file to a list, as a job. The file is of comma-separated values in any common encoding.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn import_segment_members(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The list's id.")] id: ID,
        #[graphql(desc = "Which file, and how to read it.")] input: ImportSegmentMembersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: String,
    ) -> Result<ImportSegmentMembersPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "importSegmentMembers", &input).about(&id);
        let viewer = ctx.viewer()?;
        let request = match input.parse(&id) {
            Ok(request) => request,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, _, now| {
            let (request, viewer) = (request.clone(), viewer.clone());
            async move {
                list::ensure(txn, request.segment).await?;
                let stored = file::Entity::find_by_id(request.file).one(txn).await?;
                stored.ok_or(AutomationError::FileNotFound)?;
                let kind = job::Kind::ImportSegmentMembers;
                let request = serde_json::to_value(request).unwrap_or_default();
                Ok(job::create(txn, kind, request, &viewer, now).await?.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Deletes a segment for good. One that starts a workflow, or that another one is made of, is kept.
    #[graphql(guard = "CanAll(Permission::WriteSegments)")]
    async fn delete_segment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment's id.")] id: ID,
    ) -> Result<DeleteSegmentPayload, Fault> {
        let once = Once::new(None, "deleteSegment", &id);
        let outcome = match parse::<SegmentId>(&id, &["id"]) {
            Ok(segment) => {
                let deleted = write(ctx, once, move |txn, _, _| {
                    async move {
                        segment::delete(txn, segment).await?;
                        Ok(segment.into())
                    }
                    .boxed()
                });
                deleted.await?
            }
            Err(errors) => Err(errors),
        };
        Ok(match outcome {
            Ok(_) => DeleteSegmentPayload { id: Some(id), user_errors: Vec::new() },
            Err(user_errors) => DeleteSegmentPayload { id: None, user_errors },
        })
    }
}

impl CreateSegmentInput {
    fn content(self) -> Result<Content, Vec<UserError>> {
        match (self.filter, self.set, self.list) {
            (Some(filter), None, None) => Ok(Content::Filter(filter.json)),
            (None, Some(set), None) => set.parse(),
            (None, None, Some(list)) => list.parse(),
            _ => {
                let message = "say one of `filter`, `set` and `list`";
                Err(vec![UserError::new(ErrorCode::Invalid, &message, &["input"])])
            }
        }
    }
}

impl UpdateSegmentInput {
    fn change(self) -> Result<Change, Vec<UserError>> {
        let content = match (self.filter, self.set) {
            (None, None) => None,
            (Some(filter), None) => Some(Content::Filter(filter.json)),
            (None, Some(set)) => Some(set.parse()?),
            (Some(_), Some(_)) => {
                let message = "say one of `filter` and `set`";
                return Err(vec![UserError::new(ErrorCode::Invalid, &message, &["input"])]);
            }
        };
        Ok(Change { name: self.name, content })
    }
}

impl SegmentSetInput {
    fn parse(self) -> Result<Content, Vec<UserError>> {
        let parts = parse_all(&self.segment_ids, &["input", "set", "segmentIds"])?;
        Ok(Content::Set(self.operation.into(), parts))
    }
}

impl SegmentListInput {
    fn parse(self) -> Result<Content, Vec<UserError>> {
        let customers = self.customer_ids;
        let customers = customers
            .map(|ids| parse_all::<CustomerId>(&ids, &["input", "list", "customerIds"]))
            .transpose()?;
        let segment = self.segment_id.map(|id| parse(&id, &["input", "list", "segmentId"]));
        let sample = self.sample.map(|sample| sample.parse(&["input", "list", "sample"]));
        Ok(Content::List(Source {
            customers,
            filter: self.filter.map(|filter| filter.json),
            segment: segment.transpose()?,
            sample: sample.transpose()?,
        }))
    }
}

impl SegmentMembersInput {
    fn parse(self, id: &ID) -> Result<(SegmentId, Who), Vec<UserError>> {
        let id = parse(id, &["id"])?;
        let who = match self {
            Self::CustomerIds(ids) => Who::Ids(parse_all(&ids, &["input", "customerIds"])?),
            Self::Filter(filter) => Who::Filter(filter.json),
            Self::SegmentId(segment) => Who::Segment(parse(&segment, &["input", "segmentId"])?),
        };
        Ok((id, who))
    }
}

impl ImportSegmentMembersInput {
    fn parse(self, id: &ID) -> Result<FileInput, Vec<UserError>> {
        let mapping = self.mapping.into_iter().map(|pair| (pair.column, pair.field));
        Ok(FileInput {
            segment: parse(id, &["id"])?,
            file: parse::<FileId>(&self.file_id, &["input", "fileId"])?,
            mapping: mapping.collect(),
            dry_run: self.dry_run,
            all_or_none: !self.skip_unmatched,
        })
    }
}
