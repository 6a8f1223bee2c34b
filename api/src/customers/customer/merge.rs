//! Finding customers that are one and the same, and merging them.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::access::Permission;
use entity::customers::customer;
use entity::customers::customer::duplicate;
use entity::customers::customer::merge::{self, Field, Merge};
use entity::id::CustomerId;
use futures::FutureExt;

use crate::context::{Ask, Can, Once, write};
use crate::error::{Fault, UserError, fault};
use crate::id::parse;
use crate::payload::payload;
use crate::read::{Among, Together};
use crate::scalar::Long;

/// What customers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::customers::customer::duplicate::Reason")]
pub enum DuplicateReason {
    /// The tax number, without regard to punctuation.
    TaxNumber,
    /// The e-mail address, without regard to case.
    Email,
    /// The last nine digits of the telephone number.
    Phone,
    /// The name, without regard to case, diacritics and punctuation.
    Name,
}

/// A field whose value the kept customer can take from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::customers::customer::merge::Field")]
pub enum CustomerMergeField {
    /// The number.
    Number,
    /// What kind of party it is.
    Kind,
    /// How far the relation has come.
    Stage,
    /// What it is called.
    DisplayName,
    /// Who looks after it.
    Owner,
    /// How it likes to be reached.
    PreferredChannel,
    /// The e-mail address.
    Email,
    /// The telephone number.
    Phone,
    /// The tax number.
    TaxNumber,
    /// The language it is written to in.
    Language,
    /// The time zone it lives in.
    TimeZone,
}

/// A customer that may be the one that was asked about.
#[derive(SimpleObject)]
pub struct CustomerDuplicate {
    /// The customer.
    pub customer: Among<customer::Entity>,
    /// What they have in common, the strongest first.
    pub reasons: Vec<DuplicateReason>,
    /// How sure it is that they are one and the same: 1 to 100.
    pub score: i32,
}

/// Customers that have one thing in common.
#[derive(SimpleObject)]
pub struct CustomerDuplicateGroup {
    /// What.
    pub reason: DuplicateReason,
    /// Its form that is compared, such as a folded name.
    pub value: String,
    /// How many they are.
    pub count: Long,
    /// They, oldest first, at most 50.
    pub customers: Vec<Among<customer::Entity>>,
}

/// Finding duplicates.
#[derive(Default)]
pub struct CustomerDuplicateQuery;

/// Finding duplicates.
#[Object]
impl CustomerDuplicateQuery {
    /// The customers that may be the one with the id, the likeliest first, at most 50.
    #[graphql(guard = "Can(Permission::ReadCustomers)", complexity = "10 * (child_complexity + 1)")]
    async fn customer_duplicates(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
    ) -> Result<Vec<CustomerDuplicate>, Fault> {
        let Ok(id) = parse::<CustomerId>(&id, &["id"]) else { return Ok(Vec::new()) };
        let found = duplicate::of(ctx.reader(), id, &ctx.viewer()?).await.map_err(fault)?;
        let ids = found.iter().map(|duplicate| duplicate.id.0).collect();
        let together = Arc::new(Together::of(ids));
        let told = found.into_iter().map(|duplicate| CustomerDuplicate {
            customer: Among::of(&together, Some(duplicate.id.0)),
            reasons: duplicate.reasons.into_iter().map(Into::into).collect(),
            score: i32::try_from(duplicate.score).unwrap_or(100),
        });
        Ok(told.collect())
    }

    /// Groups of customers that have something in common, the largest first.
    #[graphql(
        guard = "Can(Permission::ReadCustomers)",
        complexity = "usize::try_from(first).unwrap_or(25).min(100) * (child_complexity + 1)"
    )]
    async fn duplicate_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What they have in common.")] reason: DuplicateReason,
        #[graphql(desc = "How many groups: 0 to 100.", default = 25)] first: i32,
    ) -> Result<Vec<CustomerDuplicateGroup>, Fault> {
        let limit = u64::try_from(first).ok().filter(|first| *first <= 100);
        let limit = limit.ok_or_else(|| Fault::bad_request("ask for 0 to 100 groups"))?;
        let viewer = ctx.viewer()?;
        let groups = duplicate::groups(ctx.reader(), reason.into(), limit, &viewer).await;
        let groups = groups.map_err(fault)?;
        let ids = groups.iter().flat_map(|group| group.customers.iter().map(|id| id.0));
        let together = Arc::new(Together::of(ids.collect()));
        let told = groups.into_iter().map(|group| {
            let customers = group.customers.into_iter();
            CustomerDuplicateGroup {
                reason: group.reason.into(),
                value: group.value,
                count: Long(group.count),
                customers: customers.map(|id| Among::of(&together, Some(id.0))).collect(),
            }
        });
        Ok(told.collect())
    }
}

/// A field, and whose value it takes.
#[derive(Clone, Debug, InputObject)]
pub struct CustomerMergeTakeInput {
    /// The field.
    pub field: CustomerMergeField,
    /// The id of one of the merged customers.
    pub from: ID,
}

/// Which customers are one and the same.
#[derive(Clone, Debug, InputObject)]
pub struct MergeCustomersInput {
    /// The customer that stays.
    pub keep_id: ID,
    /// The customers that become part of it: 1 to 50.
    #[graphql(validator(min_items = 1, max_items = 50))]
    pub merge_ids: Vec<ID>,
    /// Fields that it takes from one of them. What it lacks it takes anyway, from the first that has it.
    #[graphql(default, validator(max_items = 20))]
    pub take: Vec<CustomerMergeTakeInput>,
}

impl MergeCustomersInput {
    fn parse(self) -> Result<Merge, Vec<UserError>> {
        let merge = self.merge_ids.iter().map(|id| parse(id, &["input", "mergeIds"]));
        let take = self
            .take
            .iter()
            .map(|take| Ok((Field::from(take.field), parse(&take.from, &["input", "take"])?)));
        Ok(Merge {
            keep: parse(&self.keep_id, &["input", "keepId"])?,
            merge: merge.collect::<Result<_, _>>()?,
            take: take.collect::<Result<_, Vec<UserError>>>()?,
        })
    }
}

payload! {
    /// What came of merging customers.
    MergeCustomersPayload {
        /// The customer that stays; null when the merge was refused.
        customer: customer::Entity
    }
}

/// Merging customers.
#[derive(Default)]
pub struct CustomerMergeMutation;

/// Merging customers.
#[Object]
impl CustomerMergeMutation {
    /// Makes several records of one customer one: invoices, payments, messages, contacts and all else
    /// move to the kept one, also shares, what people follow and their favourites, and what filters of saved
    /// views name; and its balance on every day is theirs together. The ids of the others give
    /// the kept one from then on. A merge cannot be undone.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn merge_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which customers.")] input: MergeCustomersInput,
        #[graphql(
            desc = "The version of the kept customer that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<MergeCustomersPayload, Fault> {
        let once = Once::new(None, "mergeCustomers", &input);
        let once = once.within(Permission::WriteCustomers, &input.keep_id, &["input", "keepId"]);
        let once = input.merge_ids.iter().fold(once, |once, id| {
            once.within(Permission::WriteCustomers, id, &["input", "mergeIds"])
        });
        let outcome = match input.parse() {
            Ok(given) => {
                write(ctx, once, move |txn, actor, now| {
                    let given = given.clone();
                    async move {
                        let kept = merge::merge(txn, given, expected_version, actor, now).await?;
                        Ok(kept.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(MergeCustomersPayload::from(outcome))
    }
}
