//! Sets: segments that are made of others.

use entity::access::Role;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tests::on_both_stacks;

use super::{CREATE, DELETE, UPDATE, looked, made, members, segment, started_by, update, whose};
use crate::workflows::{change, customer};

const ADD: &str = "mutation ($id: ID!, $ids: [ID!]!) { addSegmentMembers(id: $id, input: { customerIds: $ids }) { userErrors { code } } }";

fn set(operation: &str, ids: &[&String]) -> Value {
    json!({ "set": { "operation": operation, "segmentIds": ids } })
}

on_both_stacks! {
    /// Who belongs to a set follows from who belongs to its parts, at once, through several layers, and each turn is told.
    async fn sets_follow_their_parts(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let lan = customer(app, chief, "Lan", json!({ "stage": "CUSTOMER" })).await;
        let minh = customer(app, chief, "Minh", json!({ "stage": "PROSPECT", "language": "en" })).await;
        let hoa = customer(app, chief, "Hoa", json!({ "stage": "CUSTOMER", "language": "en" })).await;
        app.drain().await;
        let buyers = segment(app, chief, "Buyers", json!({ "stage": { "eq": "CUSTOMER" } })).await;
        let english = segment(app, chief, "English", json!({ "language": { "eq": "en" } })).await;
        let guests = made(app, chief, "Guests", json!({ "list": { "customerIds": [lan, hoa] } })).await;
        let either = made(app, chief, "Either", set("UNION", &[&buyers, &english])).await;
        let both = made(app, chief, "Both", set("INTERSECTION", &[&buyers, &english])).await;
        let rest = made(app, chief, "Rest", set("DIFFERENCE", &[&either, &guests])).await;
        assert_eq!(members(app, chief, &either).await, ["Hoa", "Lan", "Minh"]);
        assert_eq!(members(app, chief, &both).await, ["Hoa"]);
        assert_eq!(members(app, chief, &rest).await, ["Minh"]);
        let (entered, left) = (started_by(app, chief, &both, "ENTERED").await, started_by(app, chief, &rest, "LEFT").await);
        update(app, chief, &minh, json!({ "stage": "CUSTOMER" })).await;
        assert_eq!(members(app, chief, &both).await, ["Hoa", "Minh"]);
        assert_eq!(whose(app, chief, &entered).await, ["Minh"]);
        assert_eq!(change(app, chief, ADD, json!({ "id": guests, "ids": [minh] })).await["userErrors"], json!([]));
        looked(app).await;
        assert_eq!(members(app, chief, &rest).await, [""; 0]);
        assert_eq!(whose(app, chief, &left).await, ["Minh"]);
        update(app, chief, &lan, json!({ "stage": "LAPSED" })).await;
        assert_eq!(members(app, chief, &either).await, ["Hoa", "Minh"]);
        let other = json!({ "id": either, "input": set("DIFFERENCE", &[&english, &both]) });
        assert_eq!(change(app, chief, UPDATE, other).await["userErrors"], json!([]));
        looked(app).await;
        assert_eq!(members(app, chief, &either).await, [""; 0]);
    }

    /// A set is of what there is, and of nothing that is made of it; what it is made of is kept.
    async fn sets_have_no_circles(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let a = segment(app, chief, "A", json!({})).await;
        let b = segment(app, chief, "B", json!({})).await;
        let inner = made(app, chief, "Inner", set("UNION", &[&a, &b])).await;
        let outer = made(app, chief, "Outer", set("UNION", &[&inner, &a])).await;
        let circle = json!({ "id": inner, "input": set("UNION", &[&a, &outer]) });
        let refused = change(app, chief, UPDATE, circle).await["userErrors"][0].clone();
        assert_eq!((&refused["code"], &refused["field"]), (&json!("INVALID"), &json!(["input", "set"])));
        assert_eq!(refused["message"], "Outer is made of this segment itself, so it cannot be a part of it");
        let mut twice = set("UNION", &[&a, &a]);
        twice["name"] = "Twice".into();
        assert_eq!(change(app, chief, CREATE, json!({ "input": twice })).await["userErrors"][0]["code"], "INVALID");
        let kept = change(app, chief, DELETE, json!({ "id": inner })).await;
        assert_eq!(kept["userErrors"][0]["code"], "INVALID_STATE", "{kept}");
        assert_eq!(change(app, chief, DELETE, json!({ "id": outer })).await["id"], json!(outer));
        assert_eq!(change(app, chief, DELETE, json!({ "id": inner })).await["id"], json!(inner));
    }

    /// Whatever belongs to the parts, sets of them are what sets are.
    async fn sets_are_what_sets_are(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let names = ["A", "B", "C", "D", "E", "F"];
        let mut ids = Vec::new();
        for name in names {
            ids.push(customer(app, chief, name, json!({})).await);
        }
        app.drain().await;
        let drawn = prop::collection::vec(prop::collection::vec(any::<bool>(), names.len()), 3);
        let mut runner = TestRunner::new(Config { rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..Config::default() });
        for round in 0..4 {
            let belongs = drawn.new_tree(&mut runner).expect("a tree").current();
            let mut parts = Vec::new();
            for (place, belongs) in belongs.iter().enumerate() {
                let these: Vec<_> = ids.iter().zip(belongs).filter(|(_, is)| **is).map(|(id, _)| id).collect();
                let list = json!({ "name": format!("{round} part {place}"), "list": { "customerIds": these } });
                let made = change(app, chief, CREATE, json!({ "input": list })).await;
                parts.push(made["segment"]["id"].as_str().expect("an id").to_owned());
            }
            let parts: Vec<_> = parts.iter().collect();
            let mut made = Vec::new();
            for operation in ["UNION", "INTERSECTION", "DIFFERENCE"] {
                let mut input = set(operation, &parts);
                input["name"] = format!("{round} {operation}").into();
                let set = change(app, chief, CREATE, json!({ "input": input })).await;
                made.push(set["segment"]["id"].as_str().expect("an id").to_owned());
            }
            looked(app).await;
            for (set, is_in) in made.iter().zip([
                (|is: [bool; 3]| is[0] || is[1] || is[2]) as fn([bool; 3]) -> bool,
                |is| is[0] && is[1] && is[2],
                |is| is[0] && !is[1] && !is[2],
            ]) {
                let naive: Vec<_> = (0..names.len()).filter(|one| is_in([0, 1, 2].map(|part| belongs[part][*one]))).map(|one| names[one]).collect();
                assert_eq!(members(app, chief, set).await, naive, "{belongs:?}");
            }
        }
    }
}
