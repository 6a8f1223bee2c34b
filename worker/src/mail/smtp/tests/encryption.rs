//! Passwords, and what they are sent over.

use super::server::Act::{Comply, Say};
use super::server::{CERTIFICATE, Tls};
use super::*;

fn with_password(server: &Server, user: &str, tls: &str) -> Smtp {
    let url = format!("smtp://{user}:p%2Fw@127.0.0.1:{}?tls={tls}", server.port);
    Smtp::new(Settings::parse(&url).unwrap().hello("crm.rapport.example"))
}

#[tokio::test]
async fn the_client_logs_in_and_says_its_name() {
    let server = Server::start(|_, _| Comply).await;
    let smtp = with_password(&server, "lan", "opportunistic");
    assert!(matches!(send(&smtp, MAIL).await, Outcome::Accepted { .. }));
    assert_eq!(server.log.count("EHLO crm.rapport.example"), 1);
    assert_eq!(server.log.count("AUTH PLAIN AGxhbgBwL3c="), 1);
}

#[tokio::test]
async fn a_server_that_only_knows_login_gets_login() {
    let server = Server::with("250-sink\r\n250 AUTH LOGIN", Tls::Never, |step, _| match step {
        "AUTH" => Say("334 VXNlcm5hbWU6"),
        // The answers to the challenges, in base64.
        "bGFu" => Say("334 UGFzc3dvcmQ6"),
        "cC93" => Say("235 welcome"),
        _ => Comply,
    })
    .await;
    let outcome = send(&with_password(&server, "lan", "opportunistic"), MAIL).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_refused_password_is_our_fault_and_not_the_mails() {
    let server = Server::start(|step, _| match step {
        "AUTH" => Say("535 5.7.8 bad credentials"),
        _ => Comply,
    })
    .await;
    let outcome = send(&with_password(&server, "lan", "opportunistic"), MAIL).await;
    assert!(matches!(outcome, Outcome::Temporary { .. }), "{outcome:?}");
}

#[tokio::test]
async fn without_the_required_encryption_nothing_is_said() {
    let server = Server::start(|_, _| Comply).await;
    let outcome = send(&with_password(&server, "lan", "required"), MAIL).await;
    assert!(matches!(outcome, Outcome::Temporary { .. }), "{outcome:?}");
    assert_eq!((server.log.count("AUTH"), server.log.count("MAIL")), (0, 0));
}

#[tokio::test]
async fn a_password_does_not_leave_the_machine_in_the_clear() {
    let server = Server::start(|_, _| Comply).await;
    let url = format!("smtp://lan:secret@0.0.0.0:{}?tls=opportunistic", server.port);
    let outcome = send(&Smtp::new(Settings::parse(&url).unwrap()), MAIL).await;
    assert!(matches!(outcome, Outcome::Temporary { .. }), "{outcome:?}");
    assert_eq!((server.log.count("AUTH"), server.log.count("MAIL")), (0, 0));
}

const WITH_TLS: &str = "250-sink\r\n250-STARTTLS\r\n250 AUTH PLAIN LOGIN";

fn trusting(address: &str, server: &Server) -> Smtp {
    let settings = Settings::parse(&address.replace("PORT", &server.port.to_string())).unwrap();
    Smtp::new(settings.trust(CERTIFICATE).unwrap())
}

#[tokio::test]
async fn an_offered_encryption_is_used_before_the_password_is_sent() {
    for tls in ["required", "opportunistic"] {
        let server = Server::with(WITH_TLS, Tls::Later, |_, _| Comply).await;
        let smtp = trusting(&format!("smtp://lan:secret@localhost:PORT?tls={tls}"), &server);
        for _ in 0..2 {
            let outcome = send(&smtp, MAIL).await;
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        }
        let commands: Vec<String> = server.log.commands.lock().unwrap().clone();
        let words: Vec<&str> = commands.iter().map(|line| &line[..4]).collect();
        let (login, mail) = (["EHLO", "STAR", "EHLO", "AUTH"], ["MAIL", "RCPT", "DATA"]);
        assert_eq!(words, [&login[..], &mail, &mail].concat());
    }
}

#[tokio::test]
async fn encryption_may_come_first() {
    let server = Server::with(WITH_TLS, Tls::First, |_, _| Comply).await;
    let smtp = trusting("smtps://lan:secret@127.0.0.1:PORT", &server);
    for _ in 0..2 {
        let outcome = send(&smtp, MAIL).await;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    }
    assert_eq!((server.log.connections(), server.log.count("STARTTLS")), (1, 0));
    assert_eq!(*server.log.bodies.lock().unwrap(), vec![[MAIL, b".\r\n"].concat(); 2]);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    for (tls, url) in [
        (Tls::First, "smtps://lan:secret@127.0.0.1:PORT"),
        (Tls::Later, "smtp://lan:secret@127.0.0.1:PORT?tls=required"),
        (Tls::Later, "smtp://127.0.0.1:PORT?tls=opportunistic"),
    ] {
        let server = Server::with(WITH_TLS, tls, |_, _| Comply).await;
        let url = url.replace("PORT", &server.port.to_string());
        let outcome = send(&Smtp::new(Settings::parse(&url).unwrap()), MAIL).await;
        assert!(matches!(outcome, Outcome::Temporary { .. }), "{outcome:?}");
        assert_eq!((server.log.count("AUTH"), server.log.count("MAIL")), (0, 0));
    }
}
