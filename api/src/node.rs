//! Any record by its id alone.

use async_graphql::{Context, ID, Interface, Object};
use entity::access::Permission;
use entity::id::AnyId;

use crate::access::User;
use crate::automation::{Job, Message};
use crate::context::Ask;
use crate::customers::Customer;
use crate::error::Fault;
use crate::finance::{Invoice, Payment, Receipt};
use crate::loader::load;

/// Anything that has an id.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Its id, unique among all records."))]
pub enum Node {
    /// A user.
    User(User),
    /// A customer.
    Customer(Customer),
    /// An invoice.
    Invoice(Invoice),
    /// A payment.
    Payment(Payment),
    /// A receipt.
    Receipt(Receipt),
    /// A message.
    Message(Message),
    /// A job.
    Job(Job),
}

/// Reading by id.
#[derive(Default)]
pub struct NodeQuery;

async fn find(ctx: &Context<'_>, id: &str) -> Result<Option<Node>, Fault> {
    let viewer = ctx.viewer()?;
    let needed = match AnyId::parse(id) {
        Some(AnyId::UserId(id)) => return Ok(load(ctx, id).await?.map(User).map(Node::User)),
        Some(AnyId::CustomerId(_)) => Permission::ReadCustomers,
        Some(AnyId::JobId(_)) => Permission::Import,
        _ => Permission::ReadFinance,
    };
    if !viewer.may(needed) {
        return Ok(None);
    }
    Ok(match AnyId::parse(id) {
        Some(AnyId::CustomerId(id)) => Customer::load(ctx, id).await?.map(Node::Customer),
        Some(AnyId::InvoiceId(id)) => Invoice::load(ctx, id).await?.map(Node::Invoice),
        Some(AnyId::PaymentId(id)) => Payment::load(ctx, id).await?.map(Node::Payment),
        Some(AnyId::ReceiptId(id)) => Receipt::load(ctx, id).await?.map(Node::Receipt),
        Some(AnyId::MessageId(id)) => Message::load(ctx, id).await?.map(Node::Message),
        Some(AnyId::JobId(id)) => Job::load(ctx, id).await?.map(Node::Job),
        _ => None,
    })
}

/// Reading by id.
#[Object]
impl NodeQuery {
    /// Any record by its id; null for one that does not exist or may not be seen.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The record's id.")] id: ID,
    ) -> Result<Option<Node>, Fault> {
        find(ctx, &id).await
    }

    /// Records by their ids, in the order of the ids; null where one does not exist or may not be seen.
    #[graphql(complexity = "ids.len().saturating_mul(child_complexity.saturating_add(1))")]
    async fn nodes(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The records' ids: at most 100.", validator(max_items = 100))] ids: Vec<
            ID,
        >,
    ) -> Result<Vec<Option<Node>>, Fault> {
        futures::future::try_join_all(ids.iter().map(|id| find(ctx, id))).await
    }
}
