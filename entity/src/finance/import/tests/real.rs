//! A published file of receivables, if the path in `RECEIVABLES_CSV` leads to it: what was imported
//! equals what the file says, worked out without any of the code under test.

use std::collections::BTreeMap;

use super::*;
use crate::access::Viewer;

type Day = chrono::NaiveDate;

struct Line {
    customer: String,
    cents: i64,
    issued: Day,
    settled: Day,
}

fn lines(file: &str) -> Vec<Line> {
    let day = |text: &str| Day::parse_from_str(text, "%m/%d/%Y").unwrap();
    let cents = |text: &str| {
        let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
        format!("{whole}{rest:0<2}").parse().unwrap()
    };
    file.lines()
        .skip(1)
        .map(|line| line.split(',').collect::<Vec<_>>())
        .map(|cells| Line {
            customer: cells[1].to_owned(),
            cents: cents(cells[6]),
            issued: day(cells[4]),
            settled: day(cells[8]),
        })
        .collect()
}

#[tokio::test]
async fn the_published_receivables_come_in_to_the_cent() {
    let Ok(path) = std::env::var("RECEIVABLES_CSV") else {
        eprintln!("skipped: RECEIVABLES_CSV names no file");
        return;
    };
    let file = std::fs::read(path).unwrap();
    let lines = lines(std::str::from_utf8(&file).unwrap());
    let office = Office::new().await;
    let start = std::time::Instant::now();
    let report = office.import_with(&file, Options::default()).await;
    eprintln!("imported in {:?}\n{report}", start.elapsed());

    let total: i64 = lines.iter().map(|line| line.cents).sum();
    let counts = Counts {
        rows: 2_466,
        customers_created: 100,
        invoices_created: 2_466,
        payments_created: 2_466,
        ..Counts::default()
    };
    assert_eq!(report.counts, counts);
    let whole = Money::new(total, Currency::USD);
    assert_eq!(report.sums, [Sums { invoiced: whole, paid: whole }]);
    assert_eq!(office.count(invoice::Entity).await, 2_466);
    assert_eq!(office.count(invoice_line::Entity).await, 2_466);
    assert_eq!(office.count(allocation::Entity).await, 2_466);
    assert_eq!(office.count(payment::Entity).await, 2_466);
    assert_eq!(office.count(address::Entity).await, 100);

    let customers = customer::Entity::find().all(office.db.reader()).await.unwrap();
    let ids: Vec<_> = customers.iter().map(|customer| customer.id).collect();
    let viewer = Viewer::of_all(office.db.reader().get_database_backend());
    for text in ["2012-01-15", "2012-06-30", "2012-12-31", "2013-05-17", "2013-12-31", "2014-12-31"]
    {
        let day: Day = text.parse().unwrap();
        let mut expected: BTreeMap<&str, i64> = BTreeMap::new();
        for line in &lines {
            let owed = expected.entry(&line.customer).or_default();
            *owed += if line.issued <= day { line.cents } else { 0 };
            *owed -= if line.settled <= day { line.cents } else { 0 };
        }
        let open = ledger::open_receivables(office.db.reader(), &viewer, Some(day)).await.unwrap();
        let open: i64 = open.iter().map(|money| money.minor).sum();
        assert_eq!(open, expected.values().sum::<i64>(), "{day}");
        let balances = ledger::balances(office.db.reader(), &ids, Some(day)).await.unwrap();
        for customer in &customers {
            let balance = balances.iter().find(|balance| balance.customer_id == customer.id);
            let balance = balance.map_or(0, |balance| balance.amount);
            let number = customer.number.as_deref().unwrap();
            assert_eq!(balance, expected[number], "{number} on {day}");
        }
    }

    let before = office.contents().await;
    let start = std::time::Instant::now();
    let again = office.import_with(&file, Options::default()).await;
    eprintln!("again in {:?}", start.elapsed());
    assert_eq!((again.counts.invoices_unchanged, again.counts.customers_unchanged), (2_466, 100));
    assert!(!again.changes());
    assert_eq!(office.contents().await, before);
}
