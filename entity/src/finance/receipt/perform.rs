//! Sending receipts for payments.

use std::collections::{HashMap, HashSet};

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use serde_json::Value;

use super::{Column, Entity};
use crate::automation::message;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::error::Error;
use crate::id::PaymentId;

/// Sends the receipt of a payment, or the cancellation of it when the payment was taken back.
pub struct SendReceipt;

impl Performer for SendReceipt {
    fn name(&self) -> &'static str {
        "sendReceipt"
    }

    fn is_for_customers(&self) -> bool {
        true
    }

    fn check(&self, record: &Record, _: &Value, check: &mut Check) {
        let message = "only payments have receipts";
        check.that(record.table == "payment", "sendReceipt", message);
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        _: &'static Record,
        _: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let payments = turns.iter().map(|turn| turn.run.record_id);
            let receipts = Entity::find().filter(Column::PaymentId.is_in(payments)).all(db).await?;
            let ids = receipts.iter().map(|receipt| receipt.id.0);
            let sent = message::subjects(db, message::Class::Receipt, ids).await?;
            let mut by_payment = HashMap::<PaymentId, Vec<_>>::new();
            for receipt in receipts.into_iter().filter(|receipt| !sent.contains(&receipt.id.0)) {
                by_payment.entry(receipt.payment_id).or_default().push(receipt);
            }
            let mut taken = HashSet::new();
            let planned = turns.iter().map(|turn| {
                let receipts = by_payment.get(&PaymentId(turn.run.record_id));
                let fresh = receipts.into_iter().flatten();
                let effects =
                    fresh.filter(|receipt| taken.insert(receipt.id)).filter_map(|receipt| {
                        Some(Effect::Receipt(message::PlannedReceipt {
                            receipt: receipt.id,
                            kind: receipt.kind,
                            customer: turn.run.customer_id?,
                            event: turn.run.event_id,
                            run: turn.run.id,
                        }))
                    });
                match effects.collect::<Vec<_>>() {
                    none if none.is_empty() => Planned::skipped("it was sent already"),
                    effects => Planned { done: Done::Yes, effects },
                }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}
