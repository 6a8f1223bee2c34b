//! Whole imports against a database of their own.

use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use tempfile::TempDir;

use super::*;
use crate::access::organisation::Settings;
use crate::customers::{address, customer};
use crate::finance::{allocation, invoice, invoice_line, ledger, payment, receipt};

mod real;

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
        db.write(move |txn| organisation::set_up(txn, settings.clone(), Actor::System, now).boxed())
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

    async fn import_as(&self, under: Under, file: &[u8], options: Options) -> Result<Report, ImportError> {
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
        let named = |id| customers.iter().find(|customer| customer.id == id).unwrap().number.clone();
        let mut lines: Vec<String> = customers
            .iter()
            .map(|it| format!("{:?} {} {:?} {} {}", it.number, it.display_name, it.preferred_channel, it.currency, it.search_text))
            .collect();
        for it in address::Entity::find().all(db).await.unwrap() {
            lines.push(format!("{:?} {:?} {:?}", named(it.customer_id), it.region, it.country));
        }
        let invoices = invoice::Entity::find().all(db).await.unwrap();
        for it in &invoices {
            lines.push(format!(
                "{} {:?} {:?} {} {} {} {} {} {}",
                it.number, named(it.customer_id), it.state, it.currency, it.total, it.paid, it.issued_on, it.due_on, it.disputed
            ));
        }
        for it in allocation::Entity::find().all(db).await.unwrap() {
            lines.push(format!("{} {} {}", it.amount, it.open_after, it.allocated_on));
        }
        for it in payment::Entity::find().all(db).await.unwrap() {
            lines.push(format!("{:?} {:?} {} {} {}", named(it.customer_id), it.reference, it.amount, it.allocated, it.received_on));
        }
        for it in ledger::Entity::find().all(db).await.unwrap() {
            let invoice = invoices.iter().find(|invoice| Some(invoice.id) == it.invoice_id);
            lines.push(format!(
                "{:?} {:?} {} {} {} {:?}",
                it.account, named(it.customer_id), it.currency, it.amount, it.booked_on, invoice.map(|it| &it.number)
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
    let report = office.import(&[PAID, OPEN]).await;
    assert_eq!(report.counts.rows, 2);
    assert_eq!(reasons(&report), [""; 0]);
    assert_eq!(
        office.contents().await,
        [
            "100050 … placeholder"
        ]
    );
}

#[tokio::test]
async fn the_report_reads_well_on_a_terminal() {
    let office = Office::new().await;
    let report = office.import(&[PAID, OPEN, "C3,,,1/2/2013,2/1/2013,1.00,No,,,"]).await;
    assert_eq!(report.to_string(), "");
}
