//! Lists in groups: counts, amounts by currency, and the calendar.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::access::Role;
use entity::customers::customer;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tests::app::beginning;
use tests::on_both_stacks;

use crate::given::{RECORD_PAYMENT, customer, customer_row, invoice, payment};

const BY_MONTH: &str = "query ($filter: InvoiceFilter) {
  invoiceGroups(filter: $filter, by: [{ field: STATE }, { field: DUE_ON, unit: MONTH }]) {
    keys { state dueOn } count
    total { currency count sum { amount } min { amount } max { amount currency } average { amount } }
    open { sum { amount } } } }";

/// The first day of the unit that `day` is in.
fn first(day: NaiveDate, unit: &str) -> NaiveDate {
    let since_monday = Days::new(u64::from(day.weekday().num_days_from_monday()));
    let month = day.with_day(1).expect("a day");
    match unit {
        "WEEK" => day - since_monday,
        "MONTH" => month,
        "QUARTER" => month - Months::new(month.month0() % 3),
        "YEAR" => month.with_month(1).expect("a day"),
        _ => day,
    }
}

on_both_stacks! {
    async fn invoices_are_summed_by_state_month_and_currency(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let bakery = customer(app, "Bakery", "en", "EUR").await;
        for (customer, amount, currency) in
            [(&lan, "1000", "VND"), (&lan, "2500", "VND"), (&bakery, "99.50", "EUR"), (&bakery, "0.25", "EUR")]
        {
            invoice(app, customer, amount, currency).await;
        }
        app.make("payment", RECORD_PAYMENT, payment(&lan, "1500", "VND", "k")).await;

        let data = app.ask(BY_MONTH, json!({})).await;
        assert_eq!(data["invoiceGroups"], json!([
            { "keys": { "state": "OPEN", "dueOn": "2026-12-01" }, "count": 3, "total": [
                { "currency": "EUR", "count": 2, "sum": { "amount": "99.75" }, "min": { "amount": "0.25" },
                  "max": { "amount": "99.50", "currency": "EUR" }, "average": { "amount": "49.88" } },
                { "currency": "VND", "count": 1, "sum": { "amount": "2500" }, "min": { "amount": "2500" },
                  "max": { "amount": "2500", "currency": "VND" }, "average": { "amount": "2500" } },
            ], "open": [{ "sum": { "amount": "99.75" } }, { "sum": { "amount": "2000" } }] },
            { "keys": { "state": "PAID", "dueOn": "2026-12-01" }, "count": 1, "total": [
                { "currency": "VND", "count": 1, "sum": { "amount": "1000" }, "min": { "amount": "1000" },
                  "max": { "amount": "1000", "currency": "VND" }, "average": { "amount": "1000" } },
            ], "open": [{ "sum": { "amount": "0" } }] },
        ]));
        let filter = json!({ "customer": { "search": "bakery" } });
        let data = app.ask(BY_MONTH, json!({ "filter": filter })).await;
        assert_eq!(data["invoiceGroups"][0]["count"], 2);

        let by_customer = "{ invoiceGroups(by: [{ field: CUSTOMER }]) { keys { customer { displayName } state } total { sum { amount } } }
          nothing: invoiceGroups(filter: { number: { eq: \"?\" } }) { count keys { __typename } total { count } }
          all: invoiceGroups { count } customerGroups(by: { field: PREFERRED_CHANNEL }) { keys { preferredChannel } count }
          paymentGroups(by: [{ field: METHOD }]) { count unapplied { sum { amount } } }
          receiptGroups(by: [{ field: ISSUED_ON, unit: YEAR }]) { keys { issuedOn } count }
          messageGroups(by: [{ field: CUSTOMER }, { field: KIND }]) { keys { customer { id } kind } count } }";
        app.drain().await;
        let data = app.ask(by_customer, json!({})).await;
        assert_eq!(data, json!({
            "invoiceGroups": [
                { "keys": { "customer": { "displayName": "Lan" }, "state": null }, "total": [{ "sum": { "amount": "3500" } }] },
                { "keys": { "customer": { "displayName": "Bakery" }, "state": null }, "total": [{ "sum": { "amount": "99.75" } }] },
            ],
            "nothing": [{ "count": 0, "keys": { "__typename": "InvoiceGroupKeys" }, "total": [] }],
            "all": [{ "count": 4 }],
            "customerGroups": [{ "keys": { "preferredChannel": null }, "count": 2 }],
            "paymentGroups": [{ "count": 1, "unapplied": [{ "sum": { "amount": "0" } }] }],
            "receiptGroups": [{ "keys": { "issuedOn": "2026-01-01" }, "count": 1 }],
            "messageGroups": [{ "keys": { "customer": { "id": lan }, "kind": "RECEIPT" }, "count": 1 }],
        }));
    }

    async fn the_calendar_of_the_zone_decides_in_which_group_an_instant_is(app: App) {
        let around = ["2026-01-01T00:00:00Z", "2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z", "2024-02-29T17:00:00Z"];
        let around = around.map(|instant| instant.parse::<DateTime<Utc>>().expect("an instant"));
        let instants: Vec<_> = around
            .into_iter()
            .flat_map(|instant| (-40..40).map(move |step| instant + TimeDelta::minutes(97 * step)))
            .collect();
        let rows = instants.iter().map(|instant| {
            customer_row("Lan", *instant).into_active_model().reset_all()
        });
        let insert = customer::Entity::insert_many(rows);
        insert.exec_without_returning(app.db.reader()).await.expect("rows");
        for zone in [None, Some(Tz::UTC), Some(Tz::Europe__Riga), Some(Tz::America__St_Johns)] {
            for unit in ["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"] {
                let by = json!({ "field": "CREATED_AT", "unit": unit, "timeZone": zone.map(Tz::name) });
                let query = "query ($by: [CustomerGroupBy!]!) { customerGroups(by: $by) { keys { createdAt } count } }";
                let data = app.ask(query, json!({ "by": [by] })).await;
                let zone = zone.unwrap_or(Tz::Asia__Ho_Chi_Minh);
                let mut expected = BTreeMap::<NaiveDate, usize>::new();
                for instant in &instants {
                    *expected.entry(first(instant.with_timezone(&zone).date_naive(), unit)).or_default() += 1;
                }
                let expected = expected.into_iter();
                let expected = expected.map(|(day, count)| json!({ "keys": { "createdAt": day }, "count": count }));
                assert_eq!(data["customerGroups"], expected.collect::<Value>(), "{unit} in {zone}");
            }
        }
    }

    async fn groups_that_cannot_be_are_refused(app: App) {
        let lines = [
            "customerGroups(by: [{ field: STAGE, unit: DAY }]) { count }",
            "customerGroups(by: [{ field: CREATED_AT, timeZone: \"Mars\" }]) { count }",
            "customerGroups(by: [{ field: STAGE }, { field: STAGE }]) { count }",
            "customerGroups(by: [{ field: STAGE }, { field: KIND }, { field: LANGUAGE }, { field: OWNER }, { field: CURRENCY }]) { count }",
        ];
        for line in lines {
            let reply = app.send(&format!("{{ {line} }}"), json!({})).await;
            assert_eq!(reply.error_code(), Some("BAD_REQUEST"), "{line}");
        }
        let sales = app.token_of(Role::Sales).await;
        for line in ["invoiceGroups { count }", "customerGroups(filter: { invoices: { some: {} } }) { count }"] {
            let reply = app.send_as(Some(&sales), &format!("{{ {line} }}"), json!({})).await;
            assert_eq!(reply.error_code(), Some("FORBIDDEN"), "{line}");
        }
        let reply = app.send_as(None, "{ customerGroups { count } }", json!({})).await;
        assert_eq!(reply.error_code(), Some("UNAUTHENTICATED"));

        let rows = (0..1_001).map(|number| {
            customer_row(&format!("No {number}"), beginning() - TimeDelta::days(number))
        });
        let rows = rows.map(|row| row.into_active_model().reset_all()).collect::<Vec<_>>();
        for rows in rows.chunks(500) {
            let insert = customer::Entity::insert_many(rows.to_vec());
            insert.exec_without_returning(app.db.reader()).await.expect("rows");
        }
        let reply = app.send("{ customerGroups(by: [{ field: CREATED_AT }]) { count } }", json!({})).await;
        assert_eq!(reply.error_code(), Some("BAD_REQUEST"));
        let by_month = "{ customerGroups(by: [{ field: CREATED_AT, unit: MONTH }]) { count } }";
        let data = app.ask(by_month, json!({})).await;
        assert!(data["customerGroups"].as_array().expect("groups").len() > 30);
    }
}
