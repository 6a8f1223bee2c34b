//! What the demonstration's user has to do within the next days: calls, and appointments that come once and again.

use chrono::{DateTime, Days, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::access::{Actor, organisation};
use entity::automation::workflow::moment;
use entity::collaboration::appointment::attendee::Invited;
use entity::collaboration::appointment::{self, New, When};
use entity::collaboration::call::{self, Direction, Purpose};
use entity::collaboration::task::Priority;
use entity::customers::customer;
use entity::edit;
use sea_orm::ActiveValue::Set;
use sea_orm::{ConnectionTrait, EntityTrait, QueryOrder, QuerySelect};

/// The calls: in how many days, what about, and what the customer needs.
const CALLS: [(u64, &str, &str); 3] = [
    (1, "Hỏi thăm sau bàn giao", "Muốn biết khi nào nhận được hóa đơn."),
    (2, "Offer for the next quarter", "Asked for a discount on ten licences."),
    (3, "Nhắc thanh toán", "Đã hẹn chuyển khoản trong tuần này."),
];

/// Plans it.
///
/// # Errors
/// The database.
pub(super) async fn plan(
    txn: &impl ConnectionTrait,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), entity::Error> {
    let organisation = organisation::get(txn).await?;
    let at = |days: u64, hour: u32, zone: Tz| {
        let time = NaiveTime::from_hms_opt(hour, 0, 0).unwrap_or_default();
        moment::instant(organisation.today(now) + Days::new(days), time, zone)
    };
    let customers = customer::Entity::find().order_by_asc(customer::Column::Id);
    let customers = customers.limit(CALLS.len() as u64).all(txn).await?;
    for (customer, (days, subject, needs)) in customers.iter().zip(CALLS) {
        let planned = call::ActiveModel {
            customer_id: Set(customer.id),
            contact_id: Set(None),
            assignee_id: Set(actor.user()),
            direction: Set(Direction::Outbound),
            purpose: Set(Purpose::FollowUp),
            subject: Set(subject.to_owned()),
            priority: Set(Priority::Normal),
            planned_at: Set(at(days, 10, customer.zone())),
            planned_min: Set(15),
            needs: Set(Some(needs.to_owned())),
            say: Set(None),
            avoid: Set(None),
            offer: Set(None),
            ..Default::default()
        };
        edit::create::<call::Entity>(txn, planned.first(), actor, now).await?;
    }
    let meeting = |subject: &str, starts_at, minutes| New {
        subject: subject.to_owned(),
        when: When::At(starts_at, minutes),
        time_zone: None,
        rule: None,
        description: None,
        location: None,
        customer: None,
        organizer: actor.user(),
        invited: Invited::default(),
        remind: vec![TimeDelta::minutes(15)],
    };
    let zone = organisation.zone();
    let weekly = New {
        rule: Some("FREQ=WEEKLY".to_owned()),
        location: Some("Phòng họp tầng 5".to_owned()),
        ..meeting("Họp nhóm hằng tuần", at(1, 9, zone), 45)
    };
    appointment::arrange(txn, weekly, actor, now).await?;
    if let Some(first) = customers.first() {
        let visit = New {
            customer: Some(first.id),
            ..meeting("Trình bày hợp đồng năm tới", at(2, 14, first.zone()), 60)
        };
        appointment::arrange(txn, visit, actor, now).await?;
    }
    Ok(())
}
