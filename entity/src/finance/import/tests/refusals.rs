//! Rows that are not taken, and what is said of them.

use super::*;

#[tokio::test]
async fn a_payment_that_was_reversed_is_not_imported_again() {
    let office = Office::new().await;
    office.import(&[PAID]).await;
    let paid = payment::Entity::find().one(office.db.reader()).await.unwrap().unwrap();
    let now = office.clock.now();
    let reversed = office
        .db
        .write(move |txn| payment::reverse(txn, paid.id, "bounced", Actor::System, now).boxed());
    reversed.await.unwrap();
    let report = office.import(&[PAID]).await;
    assert_eq!(
        reasons(&report),
        ["line 2, SettledDate “2013-01-15”: its payment of this day was reversed here since"]
    );
    let later = office.import(&[&PAID.replace("1/15/2013", "3/15/2013")]).await;
    assert_eq!(later.counts.payments_created, 1);
}

#[tokio::test]
async fn an_invoice_that_differs_from_the_one_here_is_refused() {
    let office = Office::new().await;
    office.import(&[PAID, OPEN]).await;
    let before = office.contents().await;
    let report = office.import(&[&PAID.replace("55.94", "60"), &OPEN.replace("C2", "C1")]).await;
    assert_eq!(
        reasons(&report),
        [
            "line 2, InvoiceAmount “60.00 USD”: differs: invoice A-1 has 55.94 USD here",
            "line 3, customerID “C1”: differs: invoice A-2 has another customer here",
        ]
    );
    let report =
        office.import(&[&PAID.replace("1/15/2013", "1/16/2013"), &OPEN.replace("Yes", "No")]).await;
    assert_eq!(
        reasons(&report),
        [
            "line 2, SettledDate “2013-01-16”: differs: invoice A-1 has a payment of 2013-01-15 here",
            "line 3, Disputed “No”: differs: invoice A-2 has Yes here",
        ]
    );
    assert_eq!(office.contents().await, before);
}

#[tokio::test]
async fn bad_rows_are_named_by_line_and_good_ones_are_kept() {
    let office = Office::new().await;
    let long = "9".repeat(70);
    let report = office
        .import(&[
            PAID,
            "",
            "\"C2\",\"two\nlines\",A-2,1/20/2013,2/19/2013,12.00,No,,,",
            "C3,,,1/2/2013,2/1/2013,1.00,No,,,",
            "C3,,B-1,13/13/2013,2/1/2013,1.00,No,,,",
            "C3,,B-2,1/2/2013,1/1/2013,1.00,No,,,",
            "C3,,B-3,1/2/2013,2/1/2013,1.005,No,,,",
            "C3,,B-4,11/23/2026,12/1/2026,1.00,No,,,",
            "C3,,B-5,1/2/2013,2/1/2013,1.00,maybe,,,",
            "C3,,B-6,1/2/2013",
            &format!("C3,,{long},1/2/2013,2/1/2013,1.00,No,,,"),
            "C3,,B-7,1/2/2013,2/1/2013,1.00,No,1/1/2013,,",
            PAID,
            &PAID.replace("Paper", "Electronic"),
            "C3,,B-8,1/2/2013,2/1/2013,1.00,No,,Pigeon,",
        ])
        .await;
    let many_nines = format!(
        "line 12, invoiceNumber “{}…”: has 70 characters, at most 64 are possible",
        "9".repeat(59)
    );
    assert_eq!(
        reasons(&report),
        [
            "line 6, invoiceNumber: is empty",
            "line 7, InvoiceDate “13/13/2013”: is no day written as MM/dd/yyyy",
            "line 8, DueDate “1/1/2013”: is before the invoice's date",
            "line 9, InvoiceAmount “1.005”: USD has 2 decimals; 1.005 has more",
            "line 10, InvoiceDate “11/23/2026”: is in the future",
            "line 11, Disputed “maybe”: is neither Yes nor No",
            "line 12: has 4 fields where the header has 10",
            &many_nines.replace("line 12", "line 13"),
            "line 14, SettledDate “1/1/2013”: is before the invoice's date",
            "line 16, invoiceNumber “A-1”: line 2 has this invoice with other content",
            "line 17, PaperlessBill “Pigeon”: neither Electronic nor Paper, nor another channel",
        ]
    );
    let counts = report.counts;
    assert_eq!((counts.rows, counts.invoices_created, counts.repeated, counts.bad), (14, 2, 1, 11));
    assert_eq!(counts.customers_created, 2);
}

#[tokio::test]
async fn lines_are_counted_as_an_editor_does_whatever_ends_them() {
    let office = Office::new().await;
    for end in ["\n", "\r\n", "\r"] {
        let file = format!("\n{HEADER}\n\nC3,,B-1\nC3,,B-2").replace('\n', end);
        let options = Options { dry_run: true, ..Options::default() };
        let report = office.import_with(file.as_bytes(), options).await;
        let lines: Vec<_> = report.bad_rows.iter().map(|row| row.line).collect();
        assert_eq!(lines, [4, 5], "{end:?}");
    }
}

#[tokio::test]
async fn a_deleted_customer_gets_no_invoices() {
    let office = Office::new().await;
    office.import(&[PAID]).await;
    let now = office.clock.now();
    let deleted = office.db.write(move |txn| {
        async move {
            let all = customer::Entity::update_many();
            let gone = sea_orm::sea_query::Expr::val(now);
            all.col_expr(customer::Column::DeletedAt, gone).exec(txn).await?;
            Ok(())
        }
        .boxed()
    });
    deleted.await.unwrap();
    let report = office.import(&[&PAID.replace("A-1", "A-9")]).await;
    assert_eq!(
        reasons(&report),
        ["line 2, customerID “C1”: is a deleted customer; restore it first"]
    );
}
