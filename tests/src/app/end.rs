//! How a test ends: with nothing left half done.

use entity::access::{audit, organisation};
use entity::automation::message::{self, State};
use entity::db::which;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, Condition, EntityTrait, PaginatorTrait, QueryFilter};

use super::App;

impl App {
    /// How many rows of which kinds are due, or on their way.
    pub(super) async fn unfinished(&self) -> Vec<(&'static str, u64)> {
        use entity::automation::webhook::delivery;
        use entity::automation::workflow::run;
        use entity::automation::{event, job};
        use entity::collaboration::{overdue, reminder};
        // At one instant: what makes something else is counted with what it makes.
        let reader = &self.db.snapshot().await.expect("a snapshot");
        let on_its_way = message::Column::State.is_in([State::Claimed, State::Transmitting]);
        let due =
            Condition::any().add(message::Column::DueAt.lte(self.clock.now())).add(on_its_way);
        let held = organisation::get(reader).await.expect("an organisation").sending_held_at;
        let messages = message::Entity::find()
            .filter(message::Column::SettledAt.is_null())
            .filter(Condition::all().add_option(held.map(|_| Expr::val(false))));
        let jobs = job::Column::State.is_in([job::State::Queued, job::State::Running]);
        let runs = run::Entity::find().filter(run::Column::DueAt.lte(self.clock.now()));
        let now = self.clock.now();
        let late = which(reader, [overdue::is_due(now), reminder::is_due(now)]).await;
        let [overdue, reminders] = late.expect("whether they are due").map(u64::from);
        let counts = [
            ("jobs", job::Entity::find().filter(jobs).count(reader).await),
            ("events", event::pending(reader).await),
            ("notifications", entity::collaboration::notification::pending(reader).await),
            ("messages", messages.filter(due).count(reader).await),
            ("webhooks", delivery::due(reader, self.clock.now()).await),
            ("runs", runs.count(reader).await),
            ("overdue", Ok(overdue)),
            ("reminders", Ok(reminders)),
        ];
        let counts = counts.into_iter().map(|(kind, count)| (kind, count.expect("a count")));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// Stops everything, and checks what must always hold.
    pub(super) async fn end(self) {
        self.drain().await;
        assert_eq!(self.number(UNBALANCED).await, 0, "the ledger is balanced");
        assert_eq!(self.number(MISALLOCATED).await, 0, "invoices and payments equal allocations");
        assert_eq!(self.number(LEASED).await, 0, "no lease is held");
        let ahead = audit::Entity::find().filter(audit::Column::At.gt(self.clock.now()));
        let ahead = ahead.all(self.db.reader()).await.expect("entries");
        assert!(ahead.is_empty(), "the audit log has the time of another clock: {ahead:#?}");
        self.stop.cancel();
        self.workers.await.expect("the workers end").expect("the workers end well");
    }
}

const UNBALANCED: &str = "SELECT COUNT(*) AS n FROM (SELECT transaction_id FROM ledger_entry \
     GROUP BY transaction_id, currency HAVING SUM(amount) <> 0) AS unbalanced";

const MISALLOCATED: &str = "SELECT (SELECT COUNT(*) FROM invoice WHERE paid <> \
     (SELECT COALESCE(SUM(amount), 0) FROM allocation WHERE invoice_id = invoice.id)) \
     + (SELECT COUNT(*) FROM payment WHERE allocated <> \
     (SELECT COALESCE(SUM(amount), 0) FROM allocation WHERE payment_id = payment.id)) AS n";

const LEASED: &str = "SELECT (SELECT COUNT(*) FROM message WHERE lease_until IS NOT NULL) \
     + (SELECT COUNT(*) FROM job WHERE lease_until IS NOT NULL) \
     + (SELECT COUNT(*) FROM webhook_delivery WHERE lease_until IS NOT NULL) AS n";
