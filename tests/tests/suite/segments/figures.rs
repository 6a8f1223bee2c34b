//! What is known of segments: whom something can reach, samples of them, and what they are worth.

use std::collections::HashSet;

use entity::access::Role;
use entity::id::UserId;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::{made, members, segment};
use crate::given::invoice;
use crate::workflows::{ask, change, customer};

const REACH: &str = "query ($id: ID!, $channel: Channel, $topic: String) {
  segmentReach(segmentId: $id, channel: $channel, topic: $topic) {
    reach { total reachable reasons { reason count } channels { channel total reachable } } userErrors { message } } }";

const SAMPLE: &str = "query ($id: ID!, $sample: SampleInput!, $first: Int, $after: ID) {
  segmentSample(segmentId: $id, sample: $sample, first: $first, after: $after) {
    sample { of size strata { value of drawn } customers { id displayName } } userErrors { code field } } }";

async fn reach(
    app: &App,
    chief: UserId,
    id: &str,
    channel: Option<&str>,
    topic: Option<&str>,
) -> Value {
    let variables = json!({ "id": id, "channel": channel, "topic": topic });
    ask(app, chief, REACH, variables).await["segmentReach"]["reach"].clone()
}

on_both_stacks! {
    /// How many can be reached, and why the others cannot, is what the gate says of each of them.
    async fn reach_is_what_the_gate_says_of_each(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let mut ids = Vec::new();
        for (name, fields) in [
            ("Lan", json!({ "email": "Lan@example.vn", "phone": "+84 901 234 567" })),
            ("Minh", json!({ "email": "minh@example.vn", "preferredChannel": "PHONE" })),
            ("Hoa", json!({ "email": "hoa@example.vn", "phone": "12", "preferredChannel": "SMS" })),
            ("An", json!({ "phone": "0901 000 111", "preferredChannel": "PHONE" })),
            ("Binh", json!({ "email": "binh@example.vn" })),
        ] {
            ids.push(customer(app, chief, name, fields).await);
        }
        app.drain().await;
        let consent = async |id: &str, channel: &str, topic: Value, standing: &str| {
            let query = "mutation ($id: ID!, $input: RecordConsentInput!) { recordConsent(customerId: $id, input: $input) { userErrors { message } } }";
            let input = json!({ "channel": channel, "topic": topic, "standing": standing, "proof": "a form" });
            assert_eq!(change(app, chief, query, json!({ "id": id, "input": input })).await["userErrors"], json!([]));
            app.advance(chrono::TimeDelta::seconds(1));
        };
        for id in [&ids[0], &ids[2], &ids[4]] {
            consent(id, "EMAIL", Value::Null, "GIVEN").await;
        }
        consent(&ids[4], "EMAIL", json!("news"), "WITHDRAWN").await;
        consent(&ids[3], "PHONE", Value::Null, "GIVEN").await;
        let suppress = "mutation { suppressAddress(input: { channel: EMAIL, address: \"HOA@example.vn\", cause: HARD_BOUNCED }) { userErrors { message } } }";
        assert_eq!(change(app, chief, suppress, json!({})).await["userErrors"], json!([]));
        let all = segment(app, chief, "All", json!({})).await;
        let news = reach(app, chief, &all, Some("EMAIL"), Some("news")).await;
        assert_eq!((&news["total"], &news["reachable"]), (&json!(5), &json!(1)), "{news:#}");
        let explain = "query ($about: ExplainMessageInput!) { explainMessage(about: $about) { explanation { verdict reason } } }";
        for channel in ["EMAIL", "SMS", "PHONE", "LETTER"] {
            for topic in [None, Some("news")] {
                let counted = reach(app, chief, &all, Some(channel), topic).await;
                let (mut goes, mut reasons) = (0, Vec::new());
                for id in &ids {
                    let about = json!({ "customer": { "id": id, "channel": channel, "topic": topic } });
                    let seen = ask(app, chief, explain, json!({ "about": about })).await["explainMessage"]["explanation"].clone();
                    match seen["verdict"] == "SUPPRESSED" {
                        true => reasons.push(seen["reason"].as_str().expect("a reason").to_owned()),
                        false => goes += 1,
                    }
                }
                let told = counted["reasons"].as_array().expect("reasons").iter();
                let mut told: Vec<_> = told.flat_map(|one| {
                    let many = usize::try_from(one["count"].as_u64().expect("a count")).expect("few");
                    std::iter::repeat_n(one["reason"].as_str().expect("a reason").to_owned(), many)
                }).collect();
                told.sort();
                reasons.sort();
                assert_eq!((&counted["reachable"], told), (&json!(goes), reasons), "{channel} {topic:?}: {counted:#}");
            }
        }
        let preferred = reach(app, chief, &all, None, None).await;
        let channels: Vec<_> = preferred["channels"].as_array().expect("channels").iter().map(|one| (one["channel"].as_str(), one["total"].as_u64())).collect();
        assert_eq!(channels, [(Some("EMAIL"), Some(2)), (Some("SMS"), Some(1)), (Some("PHONE"), Some(2))], "{preferred:#}");
    }

    /// The same seed draws the same customers, exactly as many as were asked for, and of each value its share.
    async fn a_sample_is_decided_by_its_seed(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        for number in 0..24 {
            let stage = if number % 4 == 0 { "PROSPECT" } else { "CUSTOMER" };
            customer(app, chief, &format!("C{number:02}"), json!({ "stage": stage })).await;
        }
        app.drain().await;
        let all = segment(app, chief, "All", json!({})).await;
        let draw = async |sample: Value, first: i32, after: Option<&str>| {
            let variables = json!({ "id": all, "sample": sample, "first": first, "after": after });
            ask(app, chief, SAMPLE, variables).await["segmentSample"].clone()
        };
        let names = |sample: &Value| {
            let customers = sample["sample"]["customers"].as_array().expect("customers").iter();
            let names = customers.map(|one| one["displayName"].as_str().expect("a name").to_owned());
            names.collect::<Vec<_>>()
        };
        let wanted = json!({ "size": 8, "seed": "spring", "stratifyBy": "STAGE" });
        let drawn = draw(wanted.clone(), 100, None).await;
        let strata = json!([{ "value": "CUSTOMER", "of": 18, "drawn": 6 }, { "value": "PROSPECT", "of": 6, "drawn": 2 }]);
        assert_eq!((&drawn["sample"]["of"], &drawn["sample"]["size"], &drawn["sample"]["strata"]), (&json!(24), &json!(8), &strata));
        assert_eq!(names(&drawn).len(), 8);
        let first = draw(wanted.clone(), 5, None).await;
        let last = first["sample"]["customers"][4]["id"].as_str().expect("an id");
        let rest = draw(wanted.clone(), 5, Some(last)).await;
        assert_eq!([names(&first), names(&rest)].concat(), names(&drawn), "pages are parts of one sample");
        let seeds = ["a", "b", "c", "d"];
        let mut others = HashSet::new();
        for seed in seeds {
            let one = draw(json!({ "percent": "25", "seed": seed }), 100, None).await;
            assert_eq!(one["sample"]["size"], 6);
            others.insert(names(&one));
        }
        assert!(others.len() > 1, "another seed draws others");
        let list = made(app, chief, "Sample", json!({ "list": { "segmentId": all, "sample": wanted } })).await;
        let mut expected = names(&drawn);
        expected.sort();
        assert_eq!(members(app, chief, &list).await, expected);
        for wrong in [json!({ "seed": "a" }), json!({ "size": 1, "percent": "1", "seed": "a" }), json!({ "percent": "101", "seed": "a" })] {
            let refused = draw(wrong.clone(), 1, None).await;
            assert_eq!((&refused["sample"], &refused["userErrors"][0]["code"]), (&Value::Null, &json!("INVALID")), "{wrong}");
        }
    }

    /// What segments are worth is said side by side, by currency, and who has bought nothing counts as such.
    async fn segments_are_compared_by_what_they_are_worth(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let lan = customer(app, chief, "Lan", json!({ "currency": "VND" })).await;
        let minh = customer(app, chief, "Minh", json!({ "currency": "VND" })).await;
        customer(app, chief, "Hoa", json!({ "currency": "VND" })).await;
        invoice(app, &lan, "1000", "VND").await;
        invoice(app, &lan, "500", "VND").await;
        invoice(app, &minh, "2000", "VND").await;
        app.drain().await;
        let all = segment(app, chief, "All", json!({})).await;
        let one = made(app, chief, "One", json!({ "list": { "customerIds": [lan] } })).await;
        let query = "query ($ids: [ID!]!) { segmentStats(segmentIds: $ids) { segment { name } customers buyers
          amounts { buyers invoices invoiced { amount currency } average { amount } open { amount } paid { amount } }
          lastPurchases { withinDays customers } } }";
        let seen = ask(app, chief, query, json!({ "ids": [one, all] })).await["segmentStats"].clone();
        let names = [&seen[0]["segment"]["name"], &seen[1]["segment"]["name"]];
        assert_eq!((names, &seen[0]["customers"], &seen[1]["customers"]), ([&json!("One"), &json!("All")], &json!(1), &json!(3)));
        assert_eq!((&seen[0]["buyers"], &seen[1]["buyers"]), (&json!(1), &json!(2)));
        let amounts = &seen[1]["amounts"][0];
        assert_eq!((&amounts["buyers"], &amounts["invoices"]), (&json!(2), &json!(3)), "{seen:#}");
        assert_eq!(amounts["invoiced"], json!({ "amount": "3500", "currency": "VND" }));
        assert_eq!((&amounts["average"]["amount"], &amounts["open"]["amount"], &amounts["paid"]["amount"]), (&json!("1750"), &json!("3500"), &json!("0")));
        assert_eq!(seen[1]["lastPurchases"][0], json!({ "withinDays": 30, "customers": 2 }), "{seen:#}");
    }
}
