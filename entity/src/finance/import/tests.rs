//! Whole imports against a database of their own.

use std::io::Cursor;

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use tempfile::TempDir;

use super::*;
use crate::access::organisation::Settings;
use crate::customers::{address, customer};
use crate::finance::{allocation, invoice, invoice_line, ledger, payment, receipt};
use crate::money::{Currency, Money};

mod encodings;
mod real;
mod refusals;

/// A database with an organisation in it, on 22 November 2026 in Việt Nam.
struct Office {
    db: Db,
    clock: Clock,
    _folder: TempDir,
}

const HEADER: &str = "customerID,customerName,invoiceNumber,InvoiceDate,DueDate,InvoiceAmount,Disputed,SettledDate,PaperlessBill,countryCode";

impl Office {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/rapport.db", folder.path().display());
        let db = Db::connect(&url, 4).await.unwrap();
        migration::migrate(db.reader()).await.unwrap();
        let clock = Clock::manual("2026-11-22T02:00:00Z".parse().unwrap());
        let settings = Settings {
            name: "Công ty Cửu Long".into(),
            address: "Cần Thơ".into(),
            tax_number: None,
            email: "office@example.vn".into(),
            phone: None,
            time_zone: chrono_tz::Asia::Ho_Chi_Minh,
            currency: Currency::USD,
            locale: "vi".into(),
        };
        let now = clock.now();
        db.write(move |txn| {
            organisation::set_up(txn, settings.clone(), Actor::System, now).boxed()
        })
        .await
        .unwrap();
        Self { db, clock, _folder: folder }
    }

    async fn job(&self) -> Under {
        let (now, lease) = (self.clock.now(), TimeDelta::minutes(1));
        let leased = self
            .db
            .write(move |txn| {
                async move {
                    let kind = job::Kind::ImportReceivables;
                    let job = job::create(txn, kind, Json::Null, Actor::System, now).await?;
                    job::lease(txn, job.id, now + lease, now).await
                }
                .boxed()
            })
            .await;
        let job = leased.unwrap().unwrap();
        let job = Leased { id: job.id, fence: job.fence };
        Under { job, actor: Actor::System, lease }
    }

    async fn import_as(
        &self,
        under: Under,
        file: &[u8],
        options: Options,
    ) -> Result<Report, ImportError> {
        run(&self.db, &self.clock, Some(under), options, Cursor::new(file.to_vec()), |_| {}).await
    }

    async fn import_with(&self, file: &[u8], options: Options) -> Report {
        self.import_as(self.job().await, file, options).await.unwrap()
    }

    async fn import(&self, rows: &[&str]) -> Report {
        self.import_with(csv(rows).as_bytes(), Options::default()).await
    }

    async fn count<E: EntityTrait<Model: Sync>>(&self, _: E) -> u64 {
        E::find().count(self.db.reader()).await.unwrap()
    }

    async fn events(&self, kind: event::Kind) -> u64 {
        let events = event::Entity::find().filter(event::Column::Kind.eq(kind));
        events.count(self.db.reader()).await.unwrap()
    }

    /// All that an import writes, without ids and instants.
    async fn contents(&self) -> Vec<String> {
        let db = self.db.reader();
        let customers = customer::Entity::find().all(db).await.unwrap();
        let named =
            |id| customers.iter().find(|customer| customer.id == id).unwrap().number.clone();
        let mut lines: Vec<String> = customers
            .iter()
            .map(|it| {
                format!(
                    "{:?} {} {:?} {} {}",
                    it.number, it.display_name, it.preferred_channel, it.currency, it.search_text
                )
            })
            .collect();
        for it in address::Entity::find().all(db).await.unwrap() {
            lines.push(format!("{:?} {:?} {:?}", named(it.customer_id), it.region, it.country));
        }
        let invoices = invoice::Entity::find().all(db).await.unwrap();
        for it in &invoices {
            lines.push(format!(
                "{} {:?} {:?} {} {} {} {} {} {}",
                it.number,
                named(it.customer_id),
                it.state,
                it.currency,
                it.total,
                it.paid,
                it.issued_on,
                it.due_on,
                it.disputed
            ));
        }
        for it in allocation::Entity::find().all(db).await.unwrap() {
            lines.push(format!("{} {} {}", it.amount, it.open_after, it.allocated_on));
        }
        for it in payment::Entity::find().all(db).await.unwrap() {
            lines.push(format!(
                "{:?} {:?} {} {} {}",
                named(it.customer_id),
                it.reference,
                it.amount,
                it.allocated,
                it.received_on
            ));
        }
        for it in ledger::Entity::find().all(db).await.unwrap() {
            let invoice = invoices.iter().find(|invoice| Some(invoice.id) == it.invoice_id);
            lines.push(format!(
                "{:?} {:?} {} {} {} {:?}",
                it.account,
                named(it.customer_id),
                it.currency,
                it.amount,
                it.booked_on,
                invoice.map(|it| &it.number)
            ));
        }
        lines.push(format!("{} lines", invoice_line::Entity::find().count(db).await.unwrap()));
        lines.sort();
        lines
    }
}

fn csv(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn reasons(report: &Report) -> Vec<String> {
    report.bad_rows.iter().map(|row| row.to_string().trim().to_owned()).collect()
}

const PAID: &str = "C1,Nguyễn Thị Ánh Tuyết,A-1,1/2/2013,2/1/2013,55.94,No,1/15/2013,Paper,391";
const OPEN: &str = "C2,Đỗ Hữu Phước,A-2,1/20/2013,2/19/2013,\"1,000.50\",Yes,,Electronic,VN";

#[tokio::test]
async fn a_file_becomes_customers_invoices_payments_and_a_balanced_ledger() {
    let office = Office::new().await;
    let under = office.job().await;
    let report =
        office.import_as(under, csv(&[PAID, OPEN]).as_bytes(), Options::default()).await.unwrap();
    assert_eq!(reasons(&report), [""; 0]);
    let expected = [
        "2 lines",
        "5594 0 2013-01-15",
        r#"A-1 Some("C1") Paid USD 5594 5594 2013-01-02 2013-02-01 false"#,
        r#"A-2 Some("C2") Open USD 100050 0 2013-01-20 2013-02-19 true"#,
        r#"Cash Some("C1") USD 5594 2013-01-15 None"#,
        r#"Receivable Some("C1") USD -5594 2013-01-15 Some("A-1")"#,
        r#"Receivable Some("C1") USD 5594 2013-01-02 Some("A-1")"#,
        r#"Receivable Some("C2") USD 100050 2013-01-20 Some("A-2")"#,
        r#"Revenue Some("C1") USD -5594 2013-01-02 Some("A-1")"#,
        r#"Revenue Some("C2") USD -100050 2013-01-20 Some("A-2")"#,
        r#"Some("C1") Nguyễn Thị Ánh Tuyết Some(Letter) USD nguyen thi anh tuyet c1"#,
        r#"Some("C1") Some("391") None"#,
        r#"Some("C1") Some("A-1") 5594 5594 2013-01-15"#,
        r#"Some("C2") None Some("VN")"#,
        r#"Some("C2") Đỗ Hữu Phước Some(Email) USD do huu phuoc c2"#,
    ];
    assert_eq!(office.contents().await, expected);
    let customers = customer::Entity::find().all(office.db.reader()).await.unwrap();
    assert!(customers.iter().all(|customer| customer.import_job_id == Some(under.job.id)));
    let job = job::Entity::find_by_id(under.job.id).one(office.db.reader()).await.unwrap().unwrap();
    assert_eq!((job.state, job.done, job.total), (job::State::Succeeded, 2, Some(2)));
    assert_eq!(serde_json::from_value::<Report>(job.report.unwrap()).unwrap(), report);
}

#[tokio::test]
async fn an_import_is_silent_but_for_one_event() {
    let office = Office::new().await;
    office.import(&[PAID, OPEN]).await;
    assert_eq!(office.count(receipt::Entity).await, 0);
    assert_eq!(office.count(event::Entity).await, 1);
    assert_eq!(office.events(event::Kind::ReceivablesImported).await, 1);
}

#[tokio::test]
async fn receipts_are_numbered_and_announced_when_they_are_asked_for() {
    let office = Office::new().await;
    let second = PAID.replace("A-1", "A-3");
    let options = Options { receipts: true, ..Options::default() };
    let report = office.import_with(csv(&[PAID, OPEN, &second]).as_bytes(), options.clone()).await;
    assert_eq!(report.counts.receipts_issued, 2);
    assert_eq!(office.events(event::Kind::PaymentRecorded).await, 2);
    let receipts = receipt::Entity::find().order_by_asc(receipt::Column::Number);
    let numbers: Vec<_> =
        receipts.all(office.db.reader()).await.unwrap().into_iter().map(|it| it.number).collect();
    assert_eq!(numbers, ["REC-2026-000001", "REC-2026-000002"]);
    office.import_with(csv(&[PAID, OPEN, &second]).as_bytes(), options).await;
    assert_eq!(office.count(receipt::Entity).await, 2);
}

#[tokio::test]
async fn the_same_file_twice_changes_nothing() {
    let office = Office::new().await;
    office.import(&[PAID, OPEN]).await;
    let before = office.contents().await;
    let again = office.import(&[PAID, OPEN]).await;
    assert_eq!(office.contents().await, before);
    let expected =
        Counts { rows: 2, customers_unchanged: 2, invoices_unchanged: 2, ..Counts::default() };
    assert_eq!(again.counts, expected);
    assert_eq!(again.sums, []);
    assert_eq!(office.events(event::Kind::ReceivablesImported).await, 1);
}

#[tokio::test]
async fn a_dry_run_gives_the_same_report_and_writes_nothing() {
    let office = Office::new().await;
    office.import(&[OPEN]).await;
    let before = office.contents().await;
    let bad = PAID.replace("A-1", "A-3").replace("55.94", "-1");
    let rows = csv(&[PAID, OPEN, &bad]);
    let options = Options { dry_run: true, ..Options::default() };
    let dry = office.import_with(rows.as_bytes(), options).await;
    let source = Cursor::new(rows.clone().into_bytes());
    let without_job =
        run(&office.db, &office.clock, None, Options::default(), source, |_| {}).await.unwrap();
    assert_eq!(office.contents().await, before);
    assert_eq!(without_job, dry);
    let real = office.import_with(rows.as_bytes(), Options::default()).await;
    assert_eq!(Report { dry_run: false, ..dry }, real);
    assert_eq!(
        (real.counts.invoices_created, real.counts.invoices_unchanged, real.counts.bad),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn a_day_of_settlement_that_is_new_pays_what_is_open() {
    let office = Office::new().await;
    office.import(&[OPEN]).await;
    let settled = OPEN.replace("Yes,,", "Yes,2/1/2013,");
    let report = office.import(&[&settled]).await;
    assert_eq!((report.counts.invoices_settled, report.counts.payments_created), (1, 1));
    assert_eq!(report.sums[0].paid, Money::new(100_050, Currency::USD));
    let contents = office.contents().await;
    assert!(
        contents.contains(
            &r#"A-2 Some("C2") Paid USD 100050 100050 2013-01-20 2013-02-19 true"#.to_owned()
        ),
        "{contents:#?}"
    );
    assert_eq!(office.import(&[&settled]).await.counts.invoices_unchanged, 1);
    // An older file that does not know of the payment yet takes nothing back.
    assert_eq!(office.import(&[OPEN]).await.counts.invoices_unchanged, 1);
    assert_eq!(office.contents().await, contents);
}

#[tokio::test]
async fn an_import_fills_blanks_and_overwrites_nothing() {
    let office = Office::new().await;
    office.import(&["C1,,A-1,1/20/2013,2/1/2013,1.00,,,,"]).await;
    let report = office.import(&["C1,Nguyễn,A-2,1/20/2013,2/1/2013,1.00,,,Paper,VN"]).await;
    assert_eq!((report.counts.customers_updated, report.counts.customers_created), (1, 0));
    let report = office.import(&["C1,Another,A-3,1/20/2013,2/1/2013,1.00,,,Electronic,LV"]).await;
    assert_eq!((report.counts.customers_updated, report.counts.customers_unchanged), (0, 1));
    let contents = office.contents().await;
    assert!(
        contents.contains(&r#"Some("C1") Nguyễn Some(Letter) USD nguyen c1"#.to_owned()),
        "{contents:#?}"
    );
    assert!(contents.contains(&r#"Some("C1") None Some("VN")"#.to_owned()), "{contents:#?}");
}

#[tokio::test]
async fn a_file_of_many_chunks_that_is_interrupted_goes_on_where_it_stopped() {
    let rows: Vec<String> = (0..1_300)
        .map(|n| {
            let settled = if n % 3 == 0 { "" } else { "2/28/2013" };
            format!(
                "C{},Name {},N-{n},1/20/2013,2/19/2013,{n}.01,No,{settled},Paper,391",
                n % 40,
                n % 40
            )
        })
        .collect();
    let file = csv(&rows.iter().map(String::as_str).collect::<Vec<_>>());
    let (once, twice) = (Office::new().await, Office::new().await);
    let expected = once.import_with(file.as_bytes(), Options::default()).await;
    assert_eq!(expected.counts.invoices_created, 1_300);

    let under = twice.job().await;
    let stop = tokio::sync::Notify::new();
    let source = Cursor::new(file.clone().into_bytes());
    let interrupted =
        run(&twice.db, &twice.clock, Some(under), Options::default(), source, |progress| {
            assert_eq!(progress, Progress { done: 500, total: 1_300 });
            stop.notify_one();
        });
    tokio::select! {
        biased;
        () = stop.notified() => {}
        _ = interrupted => panic!("nobody stopped it"),
    }
    assert_eq!(twice.count(invoice::Entity).await, 500);

    twice.clock.advance(TimeDelta::minutes(2));
    let now = twice.clock.now();
    let leased =
        twice.db.write(move |txn| job::lease(txn, under.job.id, now + under.lease, now).boxed());
    let fence = leased.await.unwrap().unwrap().fence;
    let late = twice.import_as(under, file.as_bytes(), Options::default()).await;
    assert!(matches!(late, Err(ImportError::LeaseLost)), "{late:?}");
    assert_eq!(twice.count(invoice::Entity).await, 500);

    let job = Leased { id: under.job.id, fence };
    let report =
        twice.import_as(Under { job, ..under }, file.as_bytes(), Options::default()).await.unwrap();
    assert_eq!(report, expected);
    assert_eq!(twice.contents().await, once.contents().await);
    assert_eq!(twice.events(event::Kind::ReceivablesImported).await, 1);
}

#[tokio::test]
async fn the_report_reads_well_on_a_terminal() {
    let office = Office::new().await;
    let report = office.import(&[PAID, OPEN, "C3,,,1/2/2013,2/1/2013,1.00,No,,,"]).await;
    let expected = "\
Rows               3   0 repeated, 1 bad
Customers          2 new   0 updated, 0 unchanged
Invoices           2 new   0 settled, 0 unchanged
Payments           1 new   0 with a receipt
Sums       1056.44 USD invoiced, 55.94 USD paid

Encoding   UTF-8 (found in the file)
Delimiter  comma
Dates      MM/dd/yyyy (found in the file)
Decimals   point (found in the file)

Rows that were not taken:
  line 4, invoiceNumber: is empty
";
    assert_eq!(report.to_string(), expected);
}
