//! Bookkeepers against an API that fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// An API that logs everybody in, and gives its payment answers in turn; the last one for ever.
async fn api(answers: &'static [&'static str]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 65_536];
            let length = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let body = if request.contains("LoginInput") {
                r#"{"data":{"login":{"accessToken":"t","userErrors":[]}}}"#
            } else {
                let turn = count.fetch_add(1, Ordering::Relaxed);
                answers[turn.min(answers.len() - 1)]
            };
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            // An empty answer stands for a connection that breaks.
            if !body.is_empty() {
                stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
            }
        }
    });
    (address, asked)
}

fn office(address: String) -> Arc<Office> {
    Arc::new(Office {
        addresses: vec![address.clone(), address],
        login: ("a@b".to_owned(), "c".to_owned()),
        today: NaiveDate::from_ymd_opt(2026, 11, 22).unwrap(),
        journal: Journal::default(),
        closed: CancellationToken::new(),
        token: Mutex::default(),
    })
}

fn bookkeeper(office: &Arc<Office>) -> Bookkeeper {
    let debtor = Debtor { customer: "cus_1".to_owned(), invoices: vec!["inv_1".to_owned()] };
    Bookkeeper::new(office.clone(), Arc::new(vec![debtor]), 1, 0)
}

const PAID: &str = r#"{"data":{"recordPayment":{"payment":{"id":"pay_1","receipt":{"number":"R-1"}},"userErrors":[]}}}"#;

#[tokio::test]
async fn a_payment_is_repeated_under_its_key_until_it_is_answered() {
    let unavailable = r#"{"data":null,"errors":[{"extensions":{"code":"UNAVAILABLE"}}]}"#;
    let answers: &'static [&str] = Box::leak(Box::new(["", unavailable, PAID]));
    let (address, asked) = api(answers).await;
    let office = office(address);
    bookkeeper(&office).pay().await;
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    let journal = office.journal.asked();
    assert_eq!((journal.len(), journal[0].sent), (1, 3));
    let receipt = Some("R-1".to_owned());
    assert_eq!(journal[0].answers, [Answer::Done { payment: "pay_1".to_owned(), receipt }]);
    let faults: Vec<_> = office.journal.faults().into_keys().collect();
    assert_eq!(faults, ["error UNAVAILABLE", "no connection"]);
}

#[tokio::test]
async fn a_refusal_is_an_answer() {
    let refused =
        r#"{"data":{"recordPayment":{"payment":null,"userErrors":[{"code":"OVERPAID"}]}}}"#;
    let (address, _) = api(Box::leak(Box::new([refused]))).await;
    let office = office(address);
    bookkeeper(&office).pay().await;
    let refusal = Answer::Refused { code: "OVERPAID".to_owned() };
    assert_eq!(office.journal.asked()[0].answers, [refusal]);
}

#[tokio::test]
async fn a_stutter_is_one_key_with_ten_answers() {
    let (address, _) = api(Box::leak(Box::new([PAID]))).await;
    let office = office(address);
    bookkeeper(&office).stutter().await;
    let journal = office.journal.asked();
    assert_eq!((journal.len(), journal[0].sent, journal[0].answers.len()), (1, 10, 10));
}

#[tokio::test]
async fn a_closed_office_waits_for_no_answer() {
    let (address, _) = api(&[""]).await;
    let office = office(address);
    office.closed.cancel();
    bookkeeper(&office).pay().await;
    assert!(office.journal.asked()[0].answers.is_empty());
}

#[test]
fn the_seed_decides_what_a_bookkeeper_asks_for() {
    let office = office(String::new());
    let ask = |seed| {
        let mut bookkeeper =
            Bookkeeper { chance: StdRng::seed_from_u64(seed), ..bookkeeper(&office) };
        let amount = bookkeeper.chance.random_range(100..5000);
        bookkeeper.payment(0, amount, Some("inv_1")).1
    };
    assert_eq!(ask(1), ask(1));
    assert_ne!(ask(1), ask(2));
    assert_eq!(ask(1)["i"]["allocations"][0]["invoiceId"], "inv_1");
}
