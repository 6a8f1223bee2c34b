//! The sink, talked to as a sender would.

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;

const HEAD: &str = "Message-ID: <one@example.org>\r\nSubject: Receipt\r\n\r\n";

/// Sends one mail, and returns the last reply, or none if the connection ended without one.
async fn send(sink: &Sink, body: &str) -> Option<String> {
    let mut stream = BufReader::new(TcpStream::connect(sink.address).await.unwrap());
    reply(&mut stream).await?;
    for command in ["HELO me", "MAIL FROM:<us@example.org>", "RCPT TO:<lan@example.vn>", "DATA"] {
        stream.write_all(format!("{command}\r\n").as_bytes()).await.ok()?;
        let last = reply(&mut stream).await?;
        if !last.starts_with(['2', '3']) {
            return Some(last);
        }
    }
    // A sink that cuts in the middle resets the connection, which is the outcome, not a failure.
    stream.write_all(format!("{HEAD}{body}\r\n.\r\n").as_bytes()).await.ok()?;
    reply(&mut stream).await
}

async fn reply(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    let read = timeout(Duration::from_secs(5), stream.read_line(&mut line)).await.ok()?.ok()?;
    (read > 0).then_some(line)
}

async fn sink() -> (tempfile::TempDir, Sink) {
    let dir = tempfile::tempdir().unwrap();
    let sink = Sink::start(dir.path(), 1).await.unwrap();
    (dir, sink)
}

#[tokio::test]
async fn an_accepted_mail_is_kept_with_its_envelope_and_bytes() {
    let (_dir, sink) = sink().await;
    let answer = send(&sink, "..a line with a dot").await.unwrap();
    assert!(answer.starts_with("250"), "{answer}");
    let mails = sink.mails().unwrap();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].envelope.from, "us@example.org");
    assert_eq!(mails[0].envelope.to, ["lan@example.vn"]);
    assert_eq!(mails[0].bytes, format!("{HEAD}.a line with a dot\r\n").as_bytes());
    assert!(sink.incidents().is_empty());
}

#[tokio::test]
async fn every_mishap_answers_keeps_and_notes_what_it_says() {
    let long = format!("{}\r\n", "x".repeat(70)).repeat(200);
    for (mishap, answer, kept, knows_the_mail) in [
        (Mishap::DeferRecipient, Some("451"), 0, false),
        (Mishap::RefuseRecipient, Some("550"), 0, false),
        (Mishap::ShutDown, Some("421"), 0, false),
        (Mishap::CutBeforeData, None, 0, false),
        (Mishap::CutInData, None, 0, true),
        (Mishap::RefuseBody, Some("554"), 0, true),
        (Mishap::SilentUnstored, None, 0, true),
        (Mishap::CutAfterStore, None, 1, true),
        (Mishap::SilentStored, None, 1, true),
    ] {
        let (_dir, sink) = sink().await;
        let silence = Duration::from_millis(50);
        sink.set_weather(Weather { silence, ..Weather::only(mishap, 1.0) });
        let heard = send(&sink, &long).await;
        assert_eq!(heard.as_deref().map(|line| &line[..3]), answer, "{mishap:?}");
        assert_eq!(sink.mails().unwrap().len(), kept, "{mishap:?}");
        let incidents = sink.incidents();
        assert_eq!(incidents.len(), 1, "{mishap:?}");
        assert_eq!(incidents[0].mishap, mishap);
        assert_eq!(incidents[0].recipient.as_deref(), Some("lan@example.vn"), "{mishap:?}");
        let id = knows_the_mail.then_some("one@example.org");
        assert_eq!(incidents[0].message_id.as_deref(), id, "{mishap:?}");
        assert_eq!(mishap.undecidable(), answer.is_none() && knows_the_mail);
    }
}

#[tokio::test]
async fn a_silent_connection_is_never_greeted() {
    let (_dir, sink) = sink().await;
    let silence = Duration::from_millis(50);
    sink.set_weather(Weather { silence, ..Weather::only(Mishap::SilentConnection, 1.0) });
    assert_eq!(send(&sink, "").await, None);
    assert_eq!(sink.counts(), BTreeMap::from([(Mishap::SilentConnection, 1)]));
}

#[tokio::test]
async fn several_mails_go_over_one_connection() {
    let (_dir, sink) = sink().await;
    let mut stream = BufReader::new(TcpStream::connect(sink.address).await.unwrap());
    reply(&mut stream).await.unwrap();
    for _ in 0..3 {
        for line in ["RSET", "MAIL FROM:<a@b>", "RCPT TO:<c@d>", "DATA", "Subject: x\r\n\r\ny\r\n."]
        {
            stream.write_all(format!("{line}\r\n").as_bytes()).await.unwrap();
            assert!(reply(&mut stream).await.unwrap().starts_with(['2', '3']));
        }
    }
    assert_eq!(sink.mails().unwrap().len(), 3);
}
