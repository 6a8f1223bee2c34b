use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::routing::get;
use futures::stream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::super::toy::{Toy, toy, until};
use super::*;

const QUICK: Patience = Patience {
    headers: Duration::from_millis(500),
    unread: Duration::from_millis(500),
    notice: Duration::from_millis(20),
    drain: Duration::from_secs(10),
    connections: 64,
};

async fn start(toy: &Toy, patience: Patience) -> (SocketAddr, Stop, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = Stop { asked: CancellationToken::new(), running: toy.admission.running().clone() };
    let serving = serve(listener, toy.router.clone(), stop.clone(), patience);
    (address, stop, tokio::spawn(async { serving.await.unwrap() }))
}

fn request(body: &str) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn ask(stream: &mut TcpStream, body: &str) -> String {
    stream.write_all(request(body).as_bytes()).await.unwrap();
    let mut buffer = vec![0; 16 << 10];
    let length = stream.read(&mut buffer).await.unwrap();
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

#[tokio::test]
async fn idle_and_silent_connections_do_not_hold_the_stop() {
    let toy = toy();
    let patient = Patience { headers: Duration::from_mins(1), ..QUICK };
    let (address, stop, serving) = start(&toy, patient).await;
    let mut idle = TcpStream::connect(address).await.unwrap();
    assert!(ask(&mut idle, r#"{"query":"{hello}"}"#).await.contains("hello"));
    let silent = TcpStream::connect(address).await.unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;

    let started = Instant::now();
    stop.asked.cancel();
    assert!(serving.await.unwrap(), "something was cut off");
    assert!(started.elapsed() < QUICK.drain, "{:?}", started.elapsed());
    assert!(TcpStream::connect(address).await.is_err());
    drop((idle, silent));
}

#[tokio::test]
async fn what_is_in_progress_is_finished_and_what_hangs_is_cut() {
    let toy = toy();
    let (address, stop, serving) = start(&toy, QUICK).await;
    let asking = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        ask(&mut stream, r#"{"query":"{slow}"}"#).await
    });
    // A client that has gone, but whose change has begun.
    let mut gone = TcpStream::connect(address).await.unwrap();
    gone.write_all(request(r#"{"query":"mutation{change}"}"#).as_bytes()).await.unwrap();
    until(|| toy.hands.begun.load(Ordering::SeqCst) == 2).await;
    drop(gone);
    stop.asked.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    toy.hands.gate.add_permits(2);
    assert!(serving.await.unwrap(), "something was cut off");
    assert!(asking.await.unwrap().contains(r#""slow":true"#));
    assert_eq!(toy.hands.finished.load(Ordering::SeqCst), 2);

    let hanging = super::super::toy::toy();
    let (address, stop, serving) =
        start(&hanging, Patience { drain: Duration::from_millis(200), ..QUICK }).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request(r#"{"query":"{slow}"}"#).as_bytes()).await.unwrap();
    until(|| hanging.hands.begun.load(Ordering::SeqCst) == 1).await;
    let started = Instant::now();
    stop.asked.cancel();
    assert!(!serving.await.unwrap(), "the deadline was not noticed");
    assert!(started.elapsed() < QUICK.drain, "{:?}", started.elapsed());
}

#[tokio::test]
async fn headers_that_trickle_in_have_a_time_limit() {
    let toy = toy();
    let (address, stop, serving) = start(&toy, QUICK).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    let started = Instant::now();
    let mut end = [0; 1];
    for byte in "GET /graphql?query=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".bytes() {
        let _ = slow.write_all(&[byte]).await;
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    assert!(matches!(slow.read(&mut end).await, Ok(0) | Err(_)));
    assert!(started.elapsed() < Duration::from_secs(30));
    stop.asked.cancel();
    assert!(serving.await.unwrap());
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_given_up_and_a_slow_reader_is_served() {
    let (ended, stop) = (CancellationToken::new(), Stop::default());
    let guard = ended.clone();
    let endless = move || {
        let guard = guard.clone().drop_guard();
        let block = move || {
            let _held = &guard;
            Ok::<_, io::Error>(Bytes::from(vec![7; 64 << 10]))
        };
        async move { Body::from_stream(stream::repeat_with(block)) }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/", get(endless));
    let serving = tokio::spawn(serve(listener, router, stop.clone(), QUICK));
    let mut reader = TcpStream::connect(address).await.unwrap();
    reader.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut some = vec![0; 256 << 10];
    for _ in 0..40 {
        reader.read_exact(&mut some).await.unwrap();
        tokio::time::sleep(QUICK.unread / 20).await;
    }
    assert!(!ended.is_cancelled(), "it was dropped while it read");
    timeout(Duration::from_secs(30), ended.cancelled()).await.expect("it is dropped");
    stop.asked.cancel();
    assert!(serving.await.unwrap().unwrap());
}

#[tokio::test]
async fn a_body_of_sixty_megabytes_is_refused_on_the_wire() {
    let toy = toy();
    let (address, stop, serving) = start(&toy, QUICK).await;
    let (mut answers, mut sender) = TcpStream::connect(address).await.unwrap().into_split();
    let head = "POST /graphql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let sending = tokio::spawn(async move {
        sender.write_all(head.as_bytes()).await?;
        let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
        for _ in 0..960 {
            sender.write_all(chunk.as_bytes()).await?;
        }
        io::Result::Ok(())
    });
    let mut answer = Vec::new();
    let _ = answers.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    assert!(sending.await.unwrap().is_err(), "the server has read all of it");
    stop.asked.cancel();
    assert!(serving.await.unwrap());
}

#[tokio::test]
async fn who_reads_only_after_they_have_sent_all_gets_the_refusal_too() {
    let toy = toy();
    let (address, stop, serving) = start(&toy, QUICK).await;
    for _ in 0..10 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request(&" ".repeat(8 << 20)).as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    }
    stop.asked.cancel();
    assert!(serving.await.unwrap());
}

#[tokio::test]
async fn who_asks_before_they_send_is_refused_without_being_told_to_go_on() {
    let toy = toy();
    let (address, stop, serving) = start(&toy, QUICK).await;
    let head =
        request(&" ".repeat(8 << 20)).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(head.trim_end_matches(' ').as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let ends = timeout(Duration::from_secs(4), stream.read_to_end(&mut answer)).await;
        ends.expect("nobody waits for a body that does not come").unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
    }
    stop.asked.cancel();
    assert!(serving.await.unwrap());
}
