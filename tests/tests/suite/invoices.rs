//! Issuing invoices, and taking them back.

use futures::future::join_all;
use serde_json::json;
use tests::on_both_stacks;

use crate::given::{ISSUE_INVOICE, RECORD_PAYMENT, customer, invoice, payment};

pub const VOID: &str = "mutation ($id: ID!, $reason: String!) { voidInvoice(id: $id, input: { reason: $reason }) {
  invoice { state open { amount } creditNotes { number net { amount } tax { amount } reason } } userErrors { code field message } } }";

const CREDIT: &str = "mutation ($id: ID!, $amount: MoneyInput) {
  issueCreditNote(input: { invoiceId: $id, amount: $amount, reason: \"Discount\" }) {
    creditNote { number net { amount } tax { amount } total { amount } } invoice { state open { amount } } userErrors { code field message } } }";

on_both_stacks! {
    async fn an_invoice_is_rounded_once_at_its_currencys_unit(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let lines = json!([
            { "description": "Hours", "quantity": "2.5", "unitPrice": "333333", "taxRate": "0.08" },
            { "description": "Discount", "unitPrice": "-33333", "taxRate": "0.08" },
        ]);
        let input = json!({ "customerId": lan, "dueOn": "2026-12-01", "lines": lines });
        let issued = app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await;
        // 833332.5 - 33333 = 799999.5, half to even 800000; tax 63999.96, rounded 64000.
        assert_eq!(issued["net"]["amount"], "800000");
        assert_eq!(issued["tax"]["amount"], "64000");
        assert_eq!(issued["total"], json!({ "amount": "864000", "currency": "VND" }));
    }

    async fn numbers_have_no_gaps_whatever_is_refused_at_once(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let requests = (0..40).map(|index| {
            let price = if index % 5 == 0 { "0" } else { "1000" };
            let line = json!({ "description": "Consulting", "unitPrice": price });
            let input = json!({ "customerId": lan, "dueOn": "2026-12-20", "lines": [line] });
            app.ask(ISSUE_INVOICE, json!({ "input": input }))
        });
        let answers = join_all(requests).await;
        let mut numbers: Vec<_> =
            answers.iter().filter_map(|answer| answer["issueInvoice"]["invoice"]["number"].as_str()).collect();
        numbers.sort_unstable();
        let expected: Vec<_> = (1..=32).map(|ordinal| format!("INV-2026-{ordinal:06}")).collect();
        assert_eq!(numbers, expected);
    }

    async fn a_void_invoice_is_taken_back_by_a_credit_note(app: App) {
        let lan = customer(app, "Lan", "vi", "EUR").await;
        let lines = json!([{ "description": "Lamp", "unitPrice": "99.99", "taxRate": "0.21" }]);
        let input = json!({ "customerId": lan, "dueOn": "2026-12-01", "lines": lines });
        let issued = app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await;
        assert_eq!(app.refusal(VOID, json!({ "id": issued["id"], "reason": " " })).await, ("INVALID".into(), "input.reason".into()));
        let void = app.make("invoice", VOID, json!({ "id": issued["id"], "reason": "Wrong customer" })).await;
        assert_eq!(void, json!({
            "state": "VOID", "open": { "amount": "0.00" },
            "creditNotes": [{ "number": "CRN-2026-000001", "net": { "amount": "99.99" }, "tax": { "amount": "21.00" }, "reason": "Wrong customer" }],
        }));
        assert_eq!(app.refusal(VOID, json!({ "id": issued["id"], "reason": "Again" })).await.0, "INVALID_STATE");
        assert_eq!(app.number("SELECT COALESCE(CAST(SUM(amount) AS bigint), 0) AS n FROM ledger_entry WHERE account = 'TAX'").await, 0);
    }

    async fn a_paid_invoice_is_not_void_but_can_be_credited(app: App) {
        let lan = customer(app, "Lan", "vi", "EUR").await;
        let issued = invoice(app, &lan, "100", "EUR").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "60", "EUR", "k")).await;
        assert_eq!(app.refusal(VOID, json!({ "id": issued["id"], "reason": "No" })).await.0, "INVALID_STATE");
        let much = json!({ "amount": "40.01", "currency": "EUR" });
        assert_eq!(app.refusal(CREDIT, json!({ "id": issued["id"], "amount": much })).await.0, "EXCEEDS_OPEN");
        let foreign = json!({ "amount": "10", "currency": "VND" });
        assert_eq!(app.refusal(CREDIT, json!({ "id": issued["id"], "amount": foreign })).await.0, "WRONG_CURRENCY");
        let part = app.ask(CREDIT, json!({ "id": issued["id"], "amount": { "amount": "15", "currency": "EUR" } })).await;
        assert_eq!(part["issueCreditNote"]["invoice"], json!({ "state": "OPEN", "open": { "amount": "25.00" } }));
        let rest = app.ask(CREDIT, json!({ "id": issued["id"] })).await;
        assert_eq!(rest["issueCreditNote"]["invoice"], json!({ "state": "PAID", "open": { "amount": "0.00" } }));
    }

    async fn an_invoice_that_makes_no_sense_is_refused(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let line = json!({ "description": "Lamp", "unitPrice": "1000" });
        let cases = [
            (json!({ "customerId": lan, "dueOn": "2026-12-01", "lines": [] }), "input.lines"),
            (json!({ "customerId": lan, "dueOn": "2026-10-01", "lines": [line] }), "input.dueOn"),
            (json!({ "customerId": lan, "issuedOn": "2026-12-24", "dueOn": "2026-12-25", "lines": [line] }), "input.issuedOn"),
            (json!({ "customerId": lan, "dueOn": "2026-12-01", "lines": [{ "description": "", "unitPrice": "1" }] }), "input.lines"),
            (json!({ "customerId": lan, "dueOn": "2026-12-01", "lines": [{ "description": "Lamp", "unitPrice": "1", "taxRate": "8" }] }), "input.lines"),
            (json!({ "customerId": lan, "dueOn": "2026-12-01", "lines": [{ "description": "Lamp", "quantity": "0.0001", "unitPrice": "1" }] }), "input.lines"),
        ];
        for (input, path) in cases {
            let refusal = app.refusal(ISSUE_INVOICE, json!({ "input": input })).await;
            assert_eq!(refusal, ("INVALID".to_owned(), path.to_owned()), "{input}");
        }
    }
}
