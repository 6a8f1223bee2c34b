//! Taking orders down, and calling them off. What is read of them is in the catalogue.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::id::{CustomerId, SalesOrderId};
use entity::sales::order::{self, NewOrder};
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError};
use crate::finance::parse_amount;
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::{Date, MoneyInput};

choice! {
    /// How far an order has come.
    SalesOrderState mirrors "entity::sales::order::State" {
        /// Something of it is still to be invoiced.
        Open,
        /// All of it is invoiced.
        Invoiced,
        /// What was not invoiced is called off.
        Cancelled,
    }
}

/// An order to be.
#[derive(Clone, Debug, InputObject)]
pub struct PlaceOrderInput {
    /// Who orders.
    pub customer_id: ID,
    /// What it comes to with tax: more than nothing.
    pub total: MoneyInput,
    /// Its date, not later than today; today when absent.
    pub ordered_on: Option<Date>,
    /// The customer's order number or the like, up to 200 characters.
    pub reference: Option<String>,
}

payload! {
    /// What came of an order's change.
    OrderPayload {
        /// The order as it is now; null when it was refused.
        order: order::Entity
    }
}

impl PlaceOrderInput {
    fn parse(self) -> Result<NewOrder, Vec<UserError>> {
        Ok(NewOrder {
            customer: parse::<CustomerId>(&self.customer_id, &["input", "customerId"])?,
            total: parse_amount(self.total)?,
            ordered_on: self.ordered_on.map(|day| day.0),
            reference: self.reference,
        })
    }
}

/// Changing orders.
#[derive(Default)]
pub struct OrderMutation;

/// Changing orders.
#[Object]
impl OrderMutation {
    /// Takes an order down. It counts against the customer's credit limit until it is invoiced (`issueInvoice` with its
    /// `orderId`) or called off.
    #[graphql(guard = "Can(Permission::WriteOrders)")]
    async fn place_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order.")] input: PlaceOrderInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's order."
        )]
        idempotency_key: Option<String>,
    ) -> Result<OrderPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "placeOrder", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::WriteOrders, &input.customer_id, path);
        let outcome = match input.parse() {
            Ok(new) => {
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move { Ok(order::place(txn, new, actor, now).await?.id.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }

    /// Calls off what of an order is not invoiced. It cannot be opened again; take a new one down.
    #[graphql(guard = "Can(Permission::WriteOrders)")]
    async fn cancel_order(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The order's id.")] id: ID,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<OrderPayload, Fault> {
        let once = Once::new(None, "cancelOrder", &String::new()).about(&id);
        let once = once.within(Permission::WriteOrders, &id, &["id"]);
        let outcome = match parse::<SalesOrderId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        Ok(order::cancel(txn, id, expected_version, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }
}
