//! Recording, allocating and reversing payments.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tests::on_both_stacks;

use crate::given::{RECORD_PAYMENT, REVERSE_PAYMENT, customer, invoice, payment};

on_both_stacks! {
    async fn a_payment_settles_the_oldest_invoices_and_keeps_the_rest(app: App) {
        let lan = customer(app, "Nguyễn Thị Lan", "vi", "VND").await;
        invoice(app, &lan, "1000000", "VND").await;
        invoice(app, &lan, "500000", "VND").await;

        let paid = app.make("payment", RECORD_PAYMENT, payment(&lan, "1200000", "VND", "k1")).await;
        assert_eq!(paid["allocations"], json!([
            { "amount": { "amount": "1000000" },
              "invoice": { "number": "INV-2026-000001", "state": "PAID", "open": { "amount": "0" } } },
            { "amount": { "amount": "200000" },
              "invoice": { "number": "INV-2026-000002", "state": "OPEN", "open": { "amount": "300000" } } },
        ]));
        let more = app.make("payment", RECORD_PAYMENT, payment(&lan, "450000", "VND", "k2")).await;
        assert_eq!(more["unapplied"]["amount"], "150000");
        assert_eq!(more["receipt"]["number"], "REC-2026-000002");
        let balance = "query ($id: ID!) { customer(id: $id) { balance { amount currency } } }";
        let balance = app.ask(balance, json!({ "id": lan })).await;
        assert_eq!(balance["customer"]["balance"], json!({ "amount": "-150000", "currency": "VND" }));
    }

    async fn ten_requests_with_one_key_are_one_payment_one_receipt_and_one_mail(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        invoice(app, &lan, "1000000", "VND").await;

        let requests = (0..10).map(|_| app.make("payment", RECORD_PAYMENT, payment(&lan, "1000000", "VND", "once")));
        let answers: Vec<Value> = join_all(requests).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:#?}");

        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM payment").await, 1);
        assert_eq!(app.number("SELECT last AS n FROM counter WHERE series = 'RECEIPT'").await, 1);
    }

    async fn a_key_stands_for_one_request(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "1000", "VND", "k")).await;
        let refusal = app.refusal(RECORD_PAYMENT, payment(&lan, "2000", "VND", "k")).await;
        assert_eq!(refusal, ("IDEMPOTENCY_KEY_REUSED".into(), "idempotencyKey".into()));
        let refusal = app.refusal(RECORD_PAYMENT, payment(&lan, "2000", "VND", "")).await;
        assert_eq!(refusal, ("INVALID".into(), "idempotencyKey".into()));
        // What was refused used no key up.
        let mut refused = payment(&lan, "-5", "VND", "again");
        assert_eq!(app.refusal(RECORD_PAYMENT, refused.clone()).await.0, "INVALID");
        refused["input"]["amount"]["amount"] = json!("5");
        app.make("payment", RECORD_PAYMENT, refused).await;
    }

    async fn a_hundred_payments_at_once_against_one_invoice_never_overpay_it(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let owed = invoice(app, &lan, "1000", "VND").await;
        // Whoever finds no connection free within two seconds is told to come back, and does.
        let insist = async |request: Value| loop {
            let reply = app.send(RECORD_PAYMENT, request.clone()).await;
            match reply.error_code() {
                Some("OVERLOADED") => tokio::time::sleep(Duration::from_secs(1)).await,
                other => {
                    assert_eq!(other, None, "{:#?}", reply.errors);
                    return reply.data;
                }
            }
        };
        let requests = (0..100).map(|index| {
            let mut request = payment(&lan, "30", "VND", &format!("k{index}"));
            request["input"]["allocations"] = json!([{ "invoiceId": owed["id"], "amount": "30" }]);
            insist(request)
        });
        let answers = join_all(requests).await;
        let refused = answers.iter().filter(|answer| answer["recordPayment"]["payment"].is_null());
        // 33 payments of 30 fit into 1000; the other 67 were told so.
        assert_eq!(refused.clone().count(), 67);
        assert!(refused.clone().all(|answer| answer["recordPayment"]["userErrors"][0]["code"] == "EXCEEDS_OPEN"));
        assert_eq!(app.number("SELECT paid AS n FROM invoice").await, 990);
        assert_eq!(app.number("SELECT last AS n FROM counter WHERE series = 'RECEIPT'").await, 33);
        assert_eq!(app.number("SELECT COUNT(DISTINCT number) AS n FROM receipt").await, 33);
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 33);
    }

    async fn a_reversed_payment_opens_its_invoices_and_cancels_its_receipt(app: App) {
        let lan = customer(app, "Lan", "en", "EUR").await;
        invoice(app, &lan, "100.50", "EUR").await;
        let paid = app.make("payment", RECORD_PAYMENT, payment(&lan, "120.00", "EUR", "k")).await;

        let reversed = json!({ "id": paid["id"], "reason": "The cheque bounced" });
        let payment = app.make("payment", REVERSE_PAYMENT, reversed.clone()).await;
        assert_eq!(payment, json!({
            "id": paid["id"], "state": "REVERSED",
            "allocated": { "amount": "0.00" }, "unapplied": { "amount": "0.00" },
            "cancellation": { "number": "RCN-2026-000001", "kind": "CANCELLATION", "cancels": { "number": "REC-2026-000001" } },
        }));
        let open = app.ask("{ invoices { nodes { state open { amount } } } openReceivables { amount } }", json!({})).await;
        assert_eq!(open["invoices"]["nodes"][0], json!({ "state": "OPEN", "open": { "amount": "100.50" } }));
        assert_eq!(open["openReceivables"], json!([{ "amount": "100.50" }]));
        assert_eq!(app.refusal(REVERSE_PAYMENT, reversed).await.0, "INVALID_STATE");
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 2);
    }

    async fn unapplied_cash_settles_a_later_invoice(app: App) {
        const ALLOCATE: &str = "mutation ($id: ID!, $input: AllocatePaymentInput!) {
          allocatePayment(id: $id, input: $input) { payment { allocated { amount } unapplied { amount } } userErrors { code field message } } }";
        let lan = customer(app, "Lan", "en", "EUR").await;
        let paid = app.make("payment", RECORD_PAYMENT, payment(&lan, "50", "EUR", "k")).await;
        let owed = invoice(app, &lan, "30", "EUR").await;

        let too_much = json!([{ "invoiceId": owed["id"], "amount": "31" }]);
        let refusal = app.refusal(ALLOCATE, json!({ "id": paid["id"], "input": { "allocations": too_much } })).await;
        assert_eq!(refusal.0, "EXCEEDS_OPEN");
        let settled = app.make("payment", ALLOCATE, json!({ "id": paid["id"], "input": {} })).await;
        assert_eq!(settled, json!({ "allocated": { "amount": "30.00" }, "unapplied": { "amount": "20.00" } }));
        let again = app.make("payment", ALLOCATE, json!({ "id": paid["id"], "input": {} })).await;
        assert_eq!(again, settled);
    }

    async fn what_cannot_be_is_refused_with_its_field(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let other = customer(app, "Minh", "vi", "VND").await;
        let owed = invoice(app, &other, "1000", "VND").await;
        let with = |change: &dyn Fn(&mut Value)| {
            let mut request = payment(&lan, "1000", "VND", "k");
            change(&mut request["input"]);
            request
        };
        let allocated = |id: &Value, amount: &str| json!([{ "invoiceId": id, "amount": amount }]);
        let cases = [
            (with(&|input| input["amount"]["amount"] = json!("0.5")), "INVALID", "input.amount"),
            (with(&|input| input["amount"]["amount"] = json!("0")), "INVALID", "input.amount"),
            (with(&|input| input["customerId"] = json!("cus_nonsense")), "NOT_FOUND", "input.customerId"),
            (with(&|input| input["customerId"] = owed["id"].clone()), "NOT_FOUND", "input.customerId"),
            (with(&|input| input["receivedOn"] = json!("2027-01-01")), "INVALID", "input.receivedOn"),
            (with(&|input| input["allocations"] = allocated(&owed["id"], "10")), "INVALID", "input.allocations"),
            (with(&|input| input["allocations"] = allocated(&json!("inv_x"), "10")), "NOT_FOUND", "input.allocations.0.invoiceId"),
            (with(&|input| input["reference"] = json!("x".repeat(201))), "INVALID", "input.reference"),
        ];
        for (request, code, path) in cases {
            let refusal = app.refusal(RECORD_PAYMENT, request.clone()).await;
            assert_eq!(refusal, (code.to_owned(), path.to_owned()), "{request}");
        }
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM payment").await, 0);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM idempotency_key").await, 0);
    }
}
