//! Steps that wait for business days.

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Role;
use entity::id::UserId;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::for_new_customers;
use crate::workflows::{change, customer, of, published, runs, steps};

/// Says that Wednesday, 4 November 2026 is a holiday in Vietnam.
async fn holiday(app: &App, chief: UserId) {
    let set = "mutation ($days: [HolidayInput!]!) { setHolidays(country: \"VN\", year: 2026, days: $days) { userErrors { code } } }";
    let made =
        change(app, chief, set, json!({ "days": [{ "on": "2026-11-04", "name": "Ngày lễ" }] }))
            .await;
    assert_eq!(made["userErrors"], json!([]));
}

/// Until when the run for the customer with the name waits.
fn until(runs: &[Value], name: &str) -> DateTime<Utc> {
    of(runs, name)["dueAt"].as_str().and_then(|at| at.parse().ok()).expect("an instant")
}

on_both_stacks! {
    /// Holidays count where the customer is, or where the manager says, and weekends everywhere.
    async fn a_step_waits_for_business_days(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        holiday(app, chief).await;
        let waiting = |wait: Value| for_new_customers(&json!([{ "key": "wait", "action": { "wait": { "businessDays": wait } } }]));
        let theirs = published(app, chief, &waiting(json!({ "days": 2, "at": "09:00" }))).await;
        let ours = published(app, chief, &waiting(json!({ "days": 1, "at": "09:00", "country": "vn" }))).await;
        let fields = |country: &str| json!({
            "timeZone": "Asia/Ho_Chi_Minh", "addresses": [{ "kind": "BILLING", "lines": "1 Phố Huế", "country": country }] });
        // It is Tuesday at nine.
        for (name, country) in [("Lan", "VN"), ("Anne", "FR")] {
            customer(app, chief, name, fields(country)).await;
        }
        let there = runs(app, chief, &theirs).await;
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("an instant");
        assert_eq!(until(&there, "Lan"), at("2026-11-06T02:00:00Z"));
        assert_eq!(until(&there, "Anne"), at("2026-11-05T02:00:00Z"));
        let everywhere = runs(app, chief, &ours).await;
        assert_eq!(until(&everywhere, "Anne"), at("2026-11-05T02:00:00Z"));
        app.advance(TimeDelta::days(3));
        let there = runs(app, chief, &theirs).await;
        assert!(there.iter().all(|run| run["state"] == "COMPLETED" && steps(run).last() == Some(&("wait", "PASSED"))), "{there:#?}");
    }
}
