//! The protocol, spoken over real sockets to a schema without Rapport behind it.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::super::admission::Admission;
use super::super::server::{Patience, serve};
use super::super::toy::{Toy, toy_of, until};
use super::*;

const QUICK: Rules = Rules {
    init: Duration::from_secs(2),
    keepalive: Duration::from_secs(20),
    recheck: Duration::from_millis(50),
    write: Duration::from_millis(300),
    connections: 4,
    account_connections: 3,
    account_operations: 3,
};

struct House {
    toy: Toy,
    address: SocketAddr,
    serving: JoinHandle<bool>,
}

async fn house(rules: Rules) -> House {
    let toy = toy_of(Admission::new(8), Duration::from_secs(30), rules);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let patience = Patience { notice: Duration::from_millis(20), ..Patience::default() };
    let serving = serve(listener, toy.router.clone(), toy.stop.clone(), patience);
    House { toy, address, serving: tokio::spawn(async { serving.await.unwrap() }) }
}

struct Socket(WebSocketStream<TcpStream>);

impl House {
    async fn open(&self, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        let mut request =
            format!("ws://{}/graphql/ws", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let stream = TcpStream::connect(self.address).await.unwrap();
        match tokio_tungstenite::client_async(request, stream).await {
            Ok((socket, _)) => Ok(Socket(socket)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    async fn socket(&self) -> Socket {
        self.open(&[("sec-websocket-protocol", protocol::NAME)]).await.unwrap()
    }

    async fn lan(&self) -> Socket {
        let mut socket = self.socket().await;
        socket
            .say(
                &json!({ "type": "connection_init", "payload": { "Authorization": "Bearer lan" } }),
            )
            .await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "connection_ack" })));
        socket
    }
}

impl Socket {
    async fn say(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    async fn ask(&mut self, id: &str, query: &str) {
        self.say(&json!({ "type": "subscribe", "id": id, "payload": { "query": query } })).await;
    }

    /// The next message that is no ping; or the code that the socket was closed with.
    async fn hear(&mut self) -> Result<Value, u16> {
        let heard = async {
            loop {
                match self.0.next().await {
                    Some(Ok(Message::Text(text))) => {
                        let message: Value = serde_json::from_str(&text).unwrap();
                        if message["type"] != "ping" {
                            return Ok(message);
                        }
                        let _ = self.0.send(Message::text(r#"{"type":"pong"}"#)).await;
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return Err(frame.map_or(0, |frame| frame.code.into()));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return Err(0),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard).await.expect("a message in time")
    }
}

#[tokio::test]
async fn queries_mutations_and_subscriptions_come_over_one_socket() {
    let house = house(Rules::default()).await;
    let mut socket = house.lan().await;
    let variables =
        json!({ "query": "query ($n: String) { hello(name: $n) }", "variables": { "n": "Lan" } });
    socket.say(&json!({ "type": "subscribe", "id": "q", "payload": variables })).await;
    let next = socket.hear().await.unwrap();
    assert_eq!((&next["type"], &next["id"]), (&json!("next"), &json!("q")));
    assert_eq!(next["payload"]["data"], json!({ "hello": "hello Lan" }));
    assert_eq!(socket.hear().await, Ok(json!({ "type": "complete", "id": "q" })));

    house.toy.hands.gate.add_permits(1);
    socket.ask("q", "mutation { change }").await;
    assert_eq!(socket.hear().await.unwrap()["payload"]["data"], json!({ "change": true }));
    assert_eq!(socket.hear().await.unwrap()["type"], "complete");

    socket.ask("s", "subscription { count(to: 3) }").await;
    for number in 1..=3 {
        let event = socket.hear().await.unwrap();
        assert_eq!(
            event,
            json!({ "type": "next", "id": "s", "payload": { "data": { "count": number } } })
        );
    }
    assert_eq!(socket.hear().await, Ok(json!({ "type": "complete", "id": "s" })));

    socket.say(&json!({ "type": "ping", "payload": { "a": 1 } })).await;
    assert_eq!(socket.hear().await, Ok(json!({ "type": "pong", "payload": { "a": 1 } })));
}

#[tokio::test]
async fn what_is_refused_over_http_is_refused_here_and_faults_are_hidden() {
    let house = house(Rules::default()).await;
    let mut socket = house.lan().await;
    let chain = (0..28).map(|n| format!("fragment F{n} on Query {{ ...F{0} ...F{0} }}", n + 1));
    let fragments =
        chain.collect::<Vec<_>>().join(" ") + " fragment F28 on Query { hello } { ...F0 }";
    let deep = format!("{{ hello(name: {}{}) }}", "[".repeat(2_500), "]".repeat(2_500));
    for (query, code) in [
        ("{", "GRAPHQL_PARSE_FAILED"),
        ("{ absent }", "GRAPHQL_VALIDATION_FAILED"),
        ("subscription { absent }", "GRAPHQL_VALIDATION_FAILED"),
        (&fragments, "TOO_COMPLEX"),
        (&deep, "TOO_COMPLEX"),
        ("{ customers(first: 5001) { name } }", "TOO_COMPLEX"),
        ("{ panic }", "INTERNAL"),
        ("subscription { panic }", "INTERNAL"),
    ] {
        socket.ask("1", query).await;
        let refused = socket.hear().await.unwrap();
        assert_eq!(refused["type"], "error", "{refused}");
        assert_eq!(refused["payload"][0]["extensions"]["code"], code, "{query}: {refused}");
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    socket.ask("1", "subscription { fault }").await;
    let event = socket.hear().await.unwrap();
    assert_eq!(event["payload"]["errors"][0]["extensions"]["code"], "INTERNAL", "{event}");
    assert!(!event.to_string().contains("secret"), "{event}");
    assert_eq!(socket.hear().await.unwrap()["type"], "complete");
}

#[tokio::test]
async fn who_breaks_the_protocol_is_closed_with_its_code() {
    let init = json!({ "type": "connection_init", "payload": { "authorization": "Bearer lan" } });
    let subscribe = json!({ "type": "subscribe", "id": "1", "payload": { "query": "subscription { silence }" } });
    let none = json!({ "type": "connection_init" });
    let expired =
        json!({ "type": "connection_init", "payload": { "authorization": "Bearer expired" } });
    let empty = json!({ "type": "subscribe", "id": "1", "payload": {} });
    for (messages, code) in [
        (vec![], 4408),
        (vec![&subscribe], 4401),
        (vec![&none], 4403),
        (vec![&expired], 4403),
        (vec![&init, &init], 4429),
        (vec![&init, &subscribe, &subscribe], 4409),
        (vec![&init, &empty], 4400),
        (vec![&json!({ "type": "start" })], 4400),
        (vec![&json!([])], 4400),
    ] {
        let house = house(QUICK).await;
        let mut socket = house.socket().await;
        for message in &messages {
            socket.say(message).await;
        }
        let code_heard = loop {
            if let Err(code) = socket.hear().await {
                break code;
            }
        };
        assert_eq!(code_heard, code, "{messages:?}");
    }
    let house = house(QUICK).await;
    let mut binary = house.socket().await;
    binary.0.send(Message::binary(vec![1])).await.unwrap();
    assert_eq!(binary.hear().await, Err(4400));
    let mut other = house.open(&[]).await.unwrap();
    assert_eq!(other.hear().await, Err(4406));
    let mut long = house.lan().await;
    let _ = long.0.send(Message::text("x".repeat((1 << 20) + 1))).await;
    assert!(long.hear().await.is_err());
}

#[tokio::test]
async fn a_foreign_page_cannot_connect_and_neither_can_what_is_no_websocket() {
    let house = house(Rules::default()).await;
    let own = format!("http://{}", house.address);
    for (origin, refused) in [
        ("https://crm.example.com", None),
        (own.as_str(), None),
        ("https://evil.example", Some(403)),
        ("null", Some(403)),
    ] {
        let opened =
            house.open(&[("sec-websocket-protocol", protocol::NAME), ("origin", origin)]).await;
        assert_eq!(opened.err(), refused, "{origin}");
    }
    let plain = axum::http::Request::get("/graphql/ws").body(axum::body::Body::empty()).unwrap();
    let answer = house.toy.send(plain).await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["upgrade"]),
        (426, &"websocket".parse().unwrap())
    );
}

#[tokio::test]
async fn what_a_client_gives_up_ends_and_its_id_is_free() {
    let house = house(Rules::default()).await;
    let hands = &house.toy.hands;
    let mut socket = house.lan().await;
    for round in 1..=3 {
        socket.ask("s", "subscription { silence }").await;
        until(|| hands.begun.load(Ordering::SeqCst) == round).await;
        socket.say(&json!({ "type": "complete", "id": "s" })).await;
        until(|| hands.finished.load(Ordering::SeqCst) == round).await;
    }
    // A change that has begun is finished, whoever has left.
    socket.ask("m", "mutation { change }").await;
    until(|| hands.begun.load(Ordering::SeqCst) == 4).await;
    drop(socket);
    hands.gate.add_permits(1);
    until(|| hands.finished.load(Ordering::SeqCst) == 4).await;
}

#[tokio::test]
async fn a_token_that_is_not_good_any_more_ends_the_socket() {
    let house = house(QUICK).await;
    let mut idle = house.lan().await;
    let mut following = house.lan().await;
    following.ask("s", "subscription { silence }").await;
    until(|| house.toy.hands.begun.load(Ordering::SeqCst) == 1).await;
    house.toy.hands.revoked.store(true, Ordering::SeqCst);
    assert_eq!(idle.hear().await, Err(4403));
    assert_eq!(following.hear().await, Err(4403));
    until(|| house.toy.hands.finished.load(Ordering::SeqCst) == 1).await;
}

#[tokio::test]
async fn an_account_has_so_many_sockets_and_operations_and_the_server_so_many_sockets() {
    let house = house(Rules { init: Duration::from_mins(1), ..QUICK }).await;
    let mut sockets = [house.lan().await, house.lan().await, house.lan().await];
    let mut fourth = house.socket().await;
    let fifth = house.open(&[("sec-websocket-protocol", protocol::NAME)]).await;
    assert_eq!(fifth.err(), Some(503));
    fourth
        .say(&json!({ "type": "connection_init", "payload": { "authorization": "Bearer lan" } }))
        .await;
    assert_eq!(fourth.hear().await, Err(4429));
    for socket in &mut sockets {
        socket.ask("s", "subscription { silence }").await;
    }
    until(|| house.toy.hands.begun.load(Ordering::SeqCst) == 3).await;
    sockets[0].ask("t", "{ hello }").await;
    let refused = sockets[0].hear().await.unwrap();
    assert_eq!(refused["payload"][0]["extensions"]["code"], "RATE_LIMITED", "{refused}");
    sockets[0].say(&json!({ "type": "complete", "id": "s" })).await;
    until(|| house.toy.hands.finished.load(Ordering::SeqCst) == 1).await;
    sockets[0].ask("t", "{ hello }").await;
    assert_eq!(sockets[0].hear().await.unwrap()["type"], "next");
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_up_itself_only() {
    let house = house(QUICK).await;
    let begun = &house.toy.hands.begun;
    let mut socket = house.lan().await;
    socket.ask("f", "subscription { flood }").await;
    until(|| begun.load(Ordering::SeqCst) > 8).await;
    // It is cut off; meanwhile no more was made than the system's buffers and the queue hold.
    until(|| house.toy.admission.running().is_empty()).await;
    let made = begun.load(Ordering::SeqCst);
    assert!(made < 400, "{made} words of 64 KiB were made for nobody");
    let mut other = house.lan().await;
    other.ask("1", "{ hello }").await;
    assert_eq!(other.hear().await.unwrap()["type"], "next");
}

#[tokio::test]
async fn a_client_that_is_silent_is_gone_and_one_that_answers_stays() {
    let keepalive = Duration::from_millis(400);
    let house = house(Rules { init: Duration::from_mins(1), keepalive, ..QUICK }).await;
    let silent = house.socket().await;
    assert_eq!(house.toy.admission.running().len(), 1);
    until(|| house.toy.admission.running().is_empty()).await;
    drop(silent);
    let mut talking = house.lan().await;
    let deadline = tokio::time::Instant::now() + keepalive * 6;
    while tokio::time::Instant::now() < deadline {
        let message = talking.0.next().await;
        assert!(matches!(message, Some(Ok(Message::Text(_)))), "{message:?}");
        talking.say(&json!({ "type": "pong" })).await;
    }
}

#[tokio::test]
async fn a_stopping_server_says_that_it_is_going_away() {
    let house = house(Rules::default()).await;
    let mut socket = house.lan().await;
    socket.ask("s", "subscription { silence }").await;
    until(|| house.toy.hands.begun.load(Ordering::SeqCst) == 1).await;
    house.toy.stop.asked.cancel();
    assert_eq!(socket.hear().await, Err(1001));
    assert!(house.serving.await.unwrap(), "something was cut off");
}

#[tokio::test]
async fn a_client_that_closes_is_answered() {
    let house = house(Rules::default()).await;
    let mut socket = house.lan().await;
    socket.ask("s", "subscription { silence }").await;
    until(|| house.toy.hands.begun.load(Ordering::SeqCst) == 1).await;
    socket.0.close(None).await.unwrap();
    while let Some(message) = socket.0.next().await {
        assert!(message.is_ok(), "{message:?}");
    }
    until(|| house.toy.hands.finished.load(Ordering::SeqCst) == 1).await;
}
