//! How much credit customers have.

use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::dunning::{ask, invoice, ladder, level, make, manage, on, pay, publish, refused};
use crate::given::{self, ISSUE_INVOICE, RECORD_PAYMENT, REVERSE_PAYMENT};

const SET: &str =
    "mutation ($input: SetCreditLimitInput!, $version: Int) { setCreditLimit(input: $input, expectedVersion: $version) {
  creditLimit { id version amount { amount currency } action holdLevel holdDays } userErrors { code message field } } }";

const OVERRIDE: &str = "mutation ($id: ID!, $input: OverrideCreditLimitInput!) { overrideCreditLimit(id: $id, input: $input) {
  creditLimit { id overrideUntil overrideAmount { amount } overrideReason } userErrors { code message field } } }";

const END: &str = "mutation ($id: ID!) { endCreditOverride(id: $id) {
  creditLimit { overrideUntil } userErrors { code message } } }";

const REMOVE: &str =
    "mutation ($id: ID!) { removeCreditLimit(id: $id) { deletedId userErrors { code } } }";

const PLACE: &str = "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) {
  order { id number state total { amount } } userErrors { code message field } } }";

const CANCEL: &str =
    "mutation ($id: ID!) { cancelOrder(id: $id) { order { state } userErrors { code message } } }";

const BILL: &str = "mutation ($input: IssueInvoiceInput!) { issueInvoice(input: $input) {
  invoice { id salesOrder { number state invoiced { amount } } } userErrors { code message field } } }";

const STANDING: &str =
    "query ($id: ID!) { creditProfile(customerId: $id) { limits { holds exposure { amount }
  available { amount } limit { amount { amount } } } } }";

async fn set(app: &App, customer: &str, limit: &str, more: Value) -> Value {
    let mut input =
        json!({ "customerId": customer, "limit": { "amount": limit, "currency": "VND" } });
    for (name, value) in more.as_object().expect("fields") {
        input[name] = value.clone();
    }
    manage(app, "creditLimit", SET, json!({ "input": input })).await
}

async fn standing(app: &App, customer: &str) -> Value {
    ask(app, STANDING, json!({ "id": customer })).await["creditProfile"]["limits"][0].clone()
}

/// The code with which an invoice is refused; null when it is not.
async fn tried(app: &App, customer: &str, amount: &str, currency: &str) -> Value {
    let line = json!({ "description": "Consulting", "unitPrice": amount });
    let input = json!({ "customerId": customer, "currency": currency, "dueOn": "2027-03-01", "lines": [line] });
    let answer = ask(app, ISSUE_INVOICE, json!({ "input": input })).await;
    answer["issueInvoice"]["userErrors"][0]["code"].clone()
}

on_both_stacks! {
    async fn nothing_gets_a_customer_over_its_limit_but_who_may_let_it(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        assert_eq!(ask(app, STANDING, json!({ "id": lan })).await["creditProfile"]["limits"], json!([]));
        let limit = set(app, &lan, "1000000", json!({})).await;
        assert_eq!((&limit["action"], &limit["version"]), (&json!("BLOCK"), &json!(1)));
        assert_eq!(tried(app, &lan, "700000", "VND").await, Value::Null);
        assert_eq!(tried(app, &lan, "300001", "VND").await, "CREDIT_LIMIT_EXCEEDED");
        assert_eq!(tried(app, &lan, "5000", "EUR").await, Value::Null, "the limit is one of another currency");
        let now = standing(app, &lan).await;
        assert_eq!((&now["exposure"]["amount"], &now["available"]["amount"], &now["holds"]), (&json!("700000"), &json!("300000"), &json!([])));

        let reply = app.send_as(Some(&app.token_of(Role::Accountant).await), OVERRIDE, json!({ "id": limit["id"], "input": { "until": "2026-11-05", "reason": "x" } })).await;
        assert_eq!(reply.error_code(), Some("FORBIDDEN"), "who invoices does not let anybody over a limit");
        let most = json!({ "amount": "1500000", "currency": "VND" });
        let input = json!({ "until": "2026-11-05", "limit": most, "reason": "Big order" });
        let over = manage(app, "creditLimit", OVERRIDE, json!({ "id": limit["id"], "input": input })).await;
        assert_eq!((&over["overrideUntil"], &over["overrideAmount"]["amount"]), (&json!("2026-11-05"), &json!("1500000")));
        assert_eq!(tried(app, &lan, "700000", "VND").await, Value::Null);
        assert_eq!(tried(app, &lan, "100001", "VND").await, "CREDIT_LIMIT_EXCEEDED");
        on(app, "2026-11-06").await;
        let now = standing(app, &lan).await;
        assert_eq!((&now["holds"], &now["available"]["amount"]), (&json!(["OVER_LIMIT"]), &json!("-400000")));
        assert_eq!(tried(app, &lan, "1", "VND").await, "CREDIT_LIMIT_EXCEEDED");

        // Money releases it, and taking that money back holds it again.
        let paid = make(app, "payment", RECORD_PAYMENT, given::payment(&lan, "1000000", "VND", "paid")).await;
        assert_eq!(tried(app, &lan, "100000", "VND").await, Value::Null);
        let reversal = json!({ "id": paid["id"], "reason": "Returned" });
        make(app, "payment", REVERSE_PAYMENT, reversal).await;
        assert_eq!(tried(app, &lan, "1", "VND").await, "CREDIT_LIMIT_EXCEEDED");
        let gone = app.token_of(Role::Administrator).await;
        let gone = app.send_as(Some(&gone), REMOVE, json!({ "id": limit["id"] })).await;
        assert_eq!(gone.data["removeCreditLimit"]["deletedId"], limit["id"]);
        assert_eq!(tried(app, &lan, "9000000", "VND").await, Value::Null);
    }

    /// Two invoices at once cannot both take what is left.
    async fn two_at_once_do_not_share_what_is_left(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        set(app, &lan, "1000000", json!({})).await;
        let all = futures::future::join_all((0..8).map(|_| tried(app, &lan, "300000", "VND"))).await;
        let refused = all.iter().filter(|code| **code == "CREDIT_LIMIT_EXCEEDED").count();
        assert_eq!(refused, 5, "{all:?}");
        assert_eq!(standing(app, &lan).await["exposure"]["amount"], "900000");
    }

    /// What is ordered counts until it is invoiced or called off; to invoice what was ordered takes no more room.
    async fn an_order_takes_credit_until_it_is_invoiced_or_called_off(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        set(app, &lan, "1000000", json!({})).await;
        let order = async |amount: &str| {
            let total = json!({ "amount": amount, "currency": "VND" });
            let input = json!({ "customerId": lan, "total": total, "reference": "PO 7" });
            ask(app, PLACE, json!({ "input": input })).await["placeOrder"].clone()
        };
        let first = order("800000").await["order"].clone();
        assert_eq!((&first["number"], &first["state"]), (&json!("ORD-2026-000001"), &json!("OPEN")));
        assert_eq!(order("200001").await["userErrors"][0]["code"], "CREDIT_LIMIT_EXCEEDED");
        assert_eq!(tried(app, &lan, "200001", "VND").await, "CREDIT_LIMIT_EXCEEDED");
        assert_eq!(standing(app, &lan).await["exposure"]["amount"], "800000");

        let bill = async |amount: &str| {
            let line = json!({ "description": "Consulting", "unitPrice": amount });
            let input = json!({ "customerId": lan, "orderId": first["id"], "dueOn": "2027-03-01", "lines": [line] });
            ask(app, BILL, json!({ "input": input })).await["issueInvoice"].clone()
        };
        let part = bill("500000").await["invoice"].clone();
        assert_eq!(part["salesOrder"], json!({ "number": "ORD-2026-000001", "state": "OPEN", "invoiced": { "amount": "500000" } }));
        assert_eq!(standing(app, &lan).await["exposure"]["amount"], "800000", "it is owed now and not ordered any more");
        assert_eq!(bill("500001").await["userErrors"][0]["code"], "CREDIT_LIMIT_EXCEEDED", "only 300,000 of that was ordered");
        let rest = bill("500000").await["invoice"].clone();
        assert_eq!(rest["salesOrder"]["state"], "INVOICED");
        assert_eq!(bill("1").await["userErrors"][0]["code"], "INVALID_STATE");
        assert_eq!(standing(app, &lan).await["available"]["amount"], "0");

        pay(app, &lan, "1000000", "VND").await;
        let second = order("1000000").await["order"].clone();
        assert_eq!(tried(app, &lan, "1", "VND").await, "CREDIT_LIMIT_EXCEEDED");
        let off = make(app, "order", CANCEL, json!({ "id": second["id"] })).await;
        assert_eq!(off["state"], "CANCELLED");
        assert_eq!(tried(app, &lan, "1", "VND").await, Value::Null);
        let again = ask(app, CANCEL, json!({ "id": second["id"] })).await["cancelOrder"].clone();
        assert_eq!(again["userErrors"][0]["code"], "INVALID_STATE");
        let found = ask(app, "{ salesOrders(filter: { search: \"po\" }, orderBy: [{ field: NUMBER }]) { nodes { number } } }", json!({})).await;
        assert_eq!(found["salesOrders"]["nodes"].as_array().map(Vec::len), Some(2));
    }

    async fn an_order_says_what_is_wrong(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        let minh = given::customer(app, "Minh", "vi", "VND").await;
        let no = async |input: Value| ask(app, PLACE, json!({ "input": input })).await["placeOrder"]["userErrors"][0].clone();
        let total = |amount: &str| json!({ "amount": amount, "currency": "VND" });
        assert_eq!(no(json!({ "customerId": lan, "total": total("0") })).await["field"], json!(["input", "amount"]));
        assert_eq!(no(json!({ "customerId": lan, "total": total("1"), "orderedOn": "2026-12-24" })).await["field"], json!(["input", "orderedOn"]));
        assert_eq!(no(json!({ "customerId": "cus_x", "total": total("1") })).await["field"], json!(["input", "customerId"]));
        let input = json!({ "customerId": lan, "total": total("100") });
        let order = make(app, "order", PLACE, json!({ "input": input })).await;
        let line = json!({ "description": "Consulting", "unitPrice": "1" });
        let mut input = json!({ "customerId": minh, "orderId": order["id"], "dueOn": "2027-03-01", "lines": [line] });
        let others = ask(app, BILL, json!({ "input": input })).await["issueInvoice"]["userErrors"][0].clone();
        assert_eq!((&others["code"], &others["field"]), (&json!("NOT_FOUND"), &json!(["input", "orderId"])));
        input["customerId"] = json!(lan);
        input["currency"] = json!("EUR");
        let euro = ask(app, BILL, json!({ "input": input })).await["issueInvoice"]["userErrors"][0].clone();
        assert_eq!(euro["code"], "WRONG_CURRENCY");
        assert_eq!(app.number("SELECT count(*) AS n FROM invoice").await, 0);
    }

    /// There is one limit in a currency, whoever sets the first one at the same moment.
    async fn a_limit_that_several_set_at_once_is_one(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        let all = futures::future::join_all((0..6).map(|_| set(app, &lan, "1000000", json!({})))).await;
        assert!(all.iter().all(|limit| limit["id"] == all[0]["id"]), "{all:?}");
        assert_eq!(app.number("SELECT count(*) AS n FROM credit_limit").await, 1);
    }

    async fn a_limit_that_warns_lets_through_and_says_so(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        set(app, &lan, "100", json!({ "action": "WARN" })).await;
        assert_eq!(tried(app, &lan, "101", "VND").await, Value::Null);
        assert_eq!(standing(app, &lan).await["holds"], json!(["OVER_LIMIT"]));
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'credit_limit.exceeded'").await, 1);
    }

    /// Who has reached a level, or is late for too long, gets no more credit until it has paid.
    async fn who_does_not_pay_is_on_hold(app: App) {
        publish(app, &ladder(&json!([level(3, "Reminder"), level(10, "Second")]))).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let minh = given::customer(app, "Minh", "en", "VND").await;
        set(app, &lan, "9000000", json!({ "holdLevel": 2 })).await;
        let limit = set(app, &minh, "9000000", json!({ "holdDays": 5 })).await;
        for customer in [&lan, &minh] {
            invoice(app, customer, "1000000", "VND", "2026-11-06").await;
        }
        on(app, "2026-11-11").await;
        assert_eq!(tried(app, &lan, "1", "VND").await, Value::Null);
        assert_eq!(tried(app, &minh, "1", "VND").await, Value::Null);
        on(app, "2026-11-12").await;
        assert_eq!(tried(app, &minh, "1", "VND").await, "CREDIT_HOLD");
        assert_eq!(standing(app, &minh).await["holds"], json!(["OVERDUE"]));
        on(app, "2026-11-16").await;
        assert_eq!(tried(app, &lan, "1", "VND").await, "CREDIT_HOLD");
        assert_eq!(standing(app, &lan).await["holds"], json!(["LEVEL"]));
        pay(app, &lan, "1000000", "VND").await;
        assert_eq!(tried(app, &lan, "1", "VND").await, Value::Null);
        let input = json!({ "until": "2026-11-20", "reason": "Known to pay" });
        manage(app, "creditLimit", OVERRIDE, json!({ "id": limit["id"], "input": input })).await;
        assert_eq!(tried(app, &minh, "99000000", "VND").await, Value::Null);
        assert_eq!(standing(app, &minh).await["available"], Value::Null);
        manage(app, "creditLimit", END, json!({ "id": limit["id"] })).await;
        assert_eq!(tried(app, &minh, "1", "VND").await, "CREDIT_LIMIT_EXCEEDED");
    }

    async fn a_limit_that_makes_no_sense_is_refused(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        let no = async |query: &str, variables: Value| refused(app, query, variables).await;
        let input = |amount: &str, more: Value| {
            let mut input = json!({ "customerId": lan, "limit": { "amount": amount, "currency": "VND" } });
            for (name, value) in more.as_object().expect("fields") {
                input[name] = value.clone();
            }
            json!({ "input": input })
        };
        assert_eq!(no(SET, input("-1", json!({}))).await["field"], json!(["input", "limit"]));
        assert_eq!(no(SET, input("1.5", json!({}))).await["code"], "INVALID");
        assert_eq!(no(SET, input("1", json!({ "holdLevel": 0 }))).await["field"], json!(["input", "holdLevel"]));
        assert_eq!(no(SET, input("1", json!({ "holdDays": -1 }))).await["field"], json!(["input", "holdDays"]));
        let limit = set(app, &lan, "1000", json!({})).await;
        let stale = json!({ "input": input("1", json!({}))["input"], "version": 9 });
        assert_eq!(no(SET, stale).await["code"], "STALE_VERSION");
        let over = |until: &str, amount: Option<&str>, reason: &str| {
            let amount = amount.map(|amount| json!({ "amount": amount, "currency": "VND" }));
            json!({ "id": limit["id"], "input": { "until": until, "limit": amount, "reason": reason } })
        };
        assert_eq!(no(OVERRIDE, over("2026-11-02", None, "x")).await["field"], json!(["input", "until"]));
        assert_eq!(no(OVERRIDE, over("2028-11-02", None, "x")).await["field"], json!(["input", "until"]));
        assert_eq!(no(OVERRIDE, over("2026-11-05", Some("1000"), "x")).await["field"], json!(["input", "limit"]));
        assert_eq!(no(OVERRIDE, over("2026-11-05", None, " ")).await["field"], json!(["input", "reason"]));
        assert_eq!(no(END, json!({ "id": limit["id"] })).await["code"], "INVALID_STATE");
        assert_eq!(set(app, &lan, "2000", json!({})).await["id"], limit["id"], "there is one in a currency");
    }
}
