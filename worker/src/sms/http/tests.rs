use std::sync::Mutex;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What a provider does with a request.
#[derive(Clone, Copy)]
enum Does {
    Answer(&'static str),
    CloseBeforeReading,
    CloseAfterReading,
    Hang,
}

struct Provider {
    url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// A provider that does the same with each request.
async fn provider(does: Does) -> Provider {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://:s%C3%A9cret@{}/send?x=1", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if matches!(does, Does::CloseBeforeReading) {
                continue;
            }
            tokio::spawn(serve(stream, does, Arc::clone(&seen)));
        }
    });
    Provider { url, requests }
}

async fn serve(mut stream: TcpStream, does: Does, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        let mut block = [0; 4096];
        match stream.read(&mut block).await {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&block[..read]),
        }
    }
    seen.lock().unwrap().push(String::from_utf8(request).unwrap());
    match does {
        Does::Answer(answer) => {
            let head =
                format!("content-length: {}\r\n", answer.split("\r\n\r\n").nth(1).unwrap().len());
            let answer = answer.replacen("\r\n\r\n", &format!("\r\n{head}\r\n"), 1);
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
        Does::Hang => std::future::pending().await,
        Does::CloseAfterReading | Does::CloseBeforeReading => {}
    }
}

fn text() -> Text {
    Text {
        id: "4f2c".to_owned(),
        to: "+84901234567".to_owned(),
        from: None,
        text: "Chào".to_owned(),
    }
}

async fn sent(url: &str) -> Outcome {
    let settings = Settings::parse(url, None, Some("Rapport".to_owned())).unwrap();
    let gateway = HttpGateway::new(settings).unwrap();
    HttpGateway { patience: Duration::from_millis(700), ..gateway }.send(text()).await
}

#[tokio::test]
async fn a_provider_gets_a_message_with_its_id_and_the_token() {
    let provider = provider(Does::Answer("HTTP/1.1 201 Created\r\n\r\n{\"id\":\"sm-7\"}")).await;
    // A token of its own is put before the password of the address.
    let settings = Settings::parse(&provider.url, Some("other".to_owned()), None).unwrap();
    let gateway = HttpGateway::new(settings).unwrap();
    assert_eq!(gateway.send(text()).await, Outcome::Accepted { reply: "sm-7".to_owned() });
    assert_eq!(sent(&provider.url).await, Outcome::Accepted { reply: "sm-7".to_owned() });
    let requests = provider.requests.lock().unwrap().clone();
    let has = |request: &str, header: &str| request.to_lowercase().contains(header);
    assert!(has(&requests[0], "authorization: bearer other\r\n"), "{requests:?}");
    assert!(!requests[0].contains("from"), "{requests:?}");
    assert!(requests[1].starts_with("POST /send?x=1 HTTP/1.1\r\n"), "{requests:?}");
    assert!(has(&requests[1], "authorization: bearer sécret\r\n"), "{requests:?}");
    assert!(has(&requests[1], "idempotency-key: 4f2c\r\n"), "{requests:?}");
    let body = r#"{"id":"4f2c","to":"+84901234567","from":"Rapport","text":"Chào"}"#;
    assert!(requests[1].ends_with(body), "{requests:?}");
}

#[tokio::test]
async fn an_answer_says_what_became_of_a_message() {
    let reply = |text: &str| text.to_owned();
    for (answer, expected) in [
        ("HTTP/1.1 200 OK\r\n\r\nqueued", Outcome::Accepted { reply: reply("200 queued") }),
        ("HTTP/1.1 429 Slow\r\n\r\n", Outcome::Temporary { reply: reply("429") }),
        ("HTTP/1.1 503 Away\r\n\r\nlater", Outcome::Temporary { reply: reply("503 later") }),
        (
            "HTTP/1.1 400 Bad\r\n\r\nno +84901234567, no 84901234567",
            Outcome::Permanent { reply: reply("400 no +…, no …") },
        ),
        ("HTTP/1.1 401 Who\r\n\r\n", Outcome::Temporary { reply: reply("401") }),
        ("HTTP/1.1 302 There\r\nlocation: /\r\n\r\n", Outcome::Permanent { reply: reply("302") }),
        ("HTTP/1.1 500 Oops\r\n\r\n", Outcome::Unknown { reply: reply("500") }),
        ("HTTP/1.1 504 Late\r\n\r\n", Outcome::Unknown { reply: reply("504") }),
    ] {
        let provider = provider(Does::Answer(answer)).await;
        assert_eq!(sent(&provider.url).await, expected);
        assert_eq!(provider.requests.lock().unwrap().len(), 1, "nothing is followed or repeated");
    }
}

#[tokio::test]
async fn what_was_handed_over_and_not_answered_is_not_known() {
    for does in [Does::CloseAfterReading, Does::Hang] {
        let provider = provider(does).await;
        let outcome = sent(&provider.url).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");
        assert_eq!(provider.requests.lock().unwrap().len(), 1, "it is not sent again");
    }
}

#[tokio::test]
async fn what_was_not_handed_over_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let outcome = sent(&gone).await;
    assert!(matches!(outcome, Outcome::Temporary { .. }), "{outcome:?}");
    // Nobody knows whether what was written before the connection broke had come there.
    let provider = provider(Does::CloseBeforeReading).await;
    let outcome = sent(&provider.url).await;
    assert!(
        !matches!(outcome, Outcome::Accepted { .. } | Outcome::Permanent { .. }),
        "{outcome:?}"
    );
}

#[test]
fn an_address_is_encrypted_unless_it_is_near() {
    let parse = |address: &str| Settings::parse(address, None, None);
    for address in
        ["https://gateway.example/v1", "http://127.0.0.1:9/", "http://localhost/", "http://[::1]/"]
    {
        assert!(parse(address).is_ok(), "{address}");
    }
    assert!(matches!(parse("http://gateway.example/"), Err(SettingsError::Clear)));
    for address in ["", "gateway", "ftp://gateway.example/", "https://"] {
        assert!(matches!(parse(address), Err(SettingsError::Address)), "{address}");
    }
    let basic = parse("https://user:pass@gateway.example/").unwrap();
    assert_eq!(basic.authorization.as_deref(), Some("Basic dXNlcjpwYXNz"));
    assert_eq!(basic.uri.to_string(), "https://gateway.example/");
    let refused = Settings::parse("https://x.example/", Some("a\nb".to_owned()), None);
    assert!(matches!(refused, Err(SettingsError::Token)));
}
