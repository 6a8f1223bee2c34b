//! What there was with a customer, whatever its kind, newest first.

use sea_orm::IdenStatic;

use super::change;
use crate::automation::message;
use crate::catalog::{Branch, Cataloged};
use crate::collaboration::{appointment, call, note, task};
use crate::finance::{credit_note, invoice, payment};

/// The kinds of records in a customer's timeline.
#[must_use]
pub fn branches() -> Vec<Branch> {
    fn branch<T: Cataloged>(
        value: &'static str,
        about: &'static str,
        customer: &impl IdenStatic,
        at: &impl IdenStatic,
    ) -> Branch {
        Branch { value, about, column: customer.as_str(), at: at.as_str(), target: T::record }
    }
    vec![
        branch::<invoice::Entity>(
            "INVOICE",
            "It was invoiced something.",
            &invoice::Column::CustomerId,
            &invoice::Column::CreatedAt,
        ),
        branch::<payment::Entity>(
            "PAYMENT",
            "It paid something.",
            &payment::Column::CustomerId,
            &payment::Column::CreatedAt,
        ),
        branch::<credit_note::Entity>(
            "CREDIT_NOTE",
            "An invoice was taken back, wholly or in part.",
            &credit_note::Column::CustomerId,
            &credit_note::Column::CreatedAt,
        ),
        branch::<message::Entity>(
            "MESSAGE",
            "A message was meant for it.",
            &message::Column::CustomerId,
            &message::Column::CreatedAt,
        ),
        branch::<note::Entity>(
            "NOTE",
            "Somebody wrote something down.",
            &note::Column::CustomerId,
            &note::Column::CreatedAt,
        ),
        branch::<task::Entity>(
            "TASK",
            "Somebody got something to do for it.",
            &task::Column::CustomerId,
            &task::Column::CreatedAt,
        ),
        branch::<call::Entity>(
            "CALL",
            "A call to it was planned, or one from it was noted.",
            &call::Column::CustomerId,
            &call::Column::CreatedAt,
        ),
        branch::<appointment::Entity>(
            "APPOINTMENT",
            "An appointment with it was made.",
            &appointment::Column::CustomerId,
            &appointment::Column::CreatedAt,
        ),
        branch::<change::Entity>(
            "CHANGE",
            "Its stage or its owner changed.",
            &change::Column::CustomerId,
            &change::Column::OccurredAt,
        ),
    ]
}
