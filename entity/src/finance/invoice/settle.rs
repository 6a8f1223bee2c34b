//! What is paid and credited of invoices, of all at once.

use sea_orm::ActiveEnum;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait};

use super::{Column, Entity, Model, State};
use crate::access::Actor;
use crate::error::Error;

/// What is added to a locked invoice.
pub(in crate::finance) struct Settlement {
    pub invoice: Model,
    /// Minor units paid; negative when a payment is reversed.
    pub paid: i64,
    /// Minor units credited; negative when what was written off is owed again.
    pub credited: i64,
    /// Whether what is credited is given up.
    pub written_off: bool,
}

impl Settlement {
    pub fn of(invoice: Model) -> Self {
        Self { invoice, paid: 0, credited: 0, written_off: false }
    }
}

/// Adds `settlements` to their invoices in one statement, and gives the invoices as they are then.
pub(in crate::finance) async fn settle(
    txn: &impl ConnectionTrait,
    settlements: Vec<Settlement>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    let (mut paid, mut credited, mut state) =
        (CaseStatement::new(), CaseStatement::new(), CaseStatement::new());
    let mut settled = Vec::with_capacity(settlements.len());
    for Settlement { mut invoice, paid: more_paid, credited: more_credited, written_off } in
        settlements
    {
        invoice.paid += more_paid;
        invoice.credited += more_credited;
        invoice.state = match invoice.open().minor {
            0 if written_off => State::WrittenOff,
            0 if invoice.credited == invoice.total => State::Void,
            0 => State::Paid,
            _ => State::Open,
        };
        invoice.version += 1;
        invoice.updated_at = now;
        invoice.updated_by = actor.user();
        let this = Column::Id.eq(invoice.id);
        paid = paid.case(this.clone(), invoice.paid);
        credited = credited.case(this.clone(), invoice.credited);
        state = state.case(this, Expr::val(invoice.state.to_value()));
        settled.push(invoice);
    }
    Entity::update_many()
        .col_expr(Column::Paid, paid.finally(Expr::col(Column::Paid)).into())
        .col_expr(Column::Credited, credited.finally(Expr::col(Column::Credited)).into())
        .col_expr(Column::State, state.finally(Expr::col(Column::State)).into())
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user()))
        .filter(Column::Id.is_in(settled.iter().map(|invoice| invoice.id)))
        .exec(txn)
        .await?;
    Ok(settled)
}
