//! How each failure at each step is told.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use super::server::Act::{Close, Comply, Freeze, Say, SayAndClose, Silence};
use super::server::{Script, Tls};
use super::*;

/// The outcome for a mail to a server that follows the script.
async fn outcome(script: Script) -> Outcome {
    send_one(&Server::start(script).await).await
}

#[tokio::test]
async fn an_accepted_mail_arrives_byte_for_byte() {
    let server = Server::start(|_, _| Comply).await;
    let outcome = send_one(&server).await;
    assert_eq!(outcome, Outcome::Accepted { reply: "250 2.0.0 queued as 4711".to_owned() });
    assert_eq!(*server.log.bodies.lock().unwrap(), [[MAIL, b".\r\n"].concat()]);
    assert_eq!(
        *server.log.commands.lock().unwrap(),
        [
            "EHLO [127.0.0.1]",
            "MAIL FROM:<office@rapport.example>",
            "RCPT TO:<lan@example.vn>",
            "DATA"
        ]
    );
}

#[tokio::test]
async fn a_leading_dot_is_doubled_and_no_other() {
    let server = Server::start(|_, _| Comply).await;
    let raw = b".first\r\n.\r\n..two\r\na.b\r\n.\r\nMAIL FROM:<x@y>\r\n\r\n.";
    let outcome = send(&smtp(&server, |_| ()), raw).await;
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
    let sent =
        b"..first\r\n..\r\n...two\r\na.b\r\n..\r\nMAIL FROM:<x@y>\r\n\r\n..\r\n.\r\n".to_vec();
    assert_eq!(*server.log.bodies.lock().unwrap(), [sent]);
    assert_eq!(server.log.count("MAIL"), 1);
}

#[tokio::test]
async fn a_line_end_that_servers_read_differently_is_not_sent() {
    let server = Server::start(|_, _| Comply).await;
    let smtp = smtp(&server, |_| ());
    for raw in [&b"a\n.\r\nMAIL FROM:<x@y>\r\n"[..], b"a\r.\r\n", b"a\r\n.\n", b"\n", b"a\r"] {
        assert!(matches!(send(&smtp, raw).await, Outcome::Permanent { .. }));
    }
    assert_eq!(server.log.connections(), 0);
}

#[tokio::test]
async fn a_4xx_is_temporary_and_a_5xx_permanent_at_every_step() {
    let scripts: [(Script, bool); 8] = [
        (
            |step, _| {
                if step == "MAIL" { Say("451 later") } else { Comply }
            },
            false,
        ),
        (
            |step, _| {
                if step == "MAIL" { Say("550 not you") } else { Comply }
            },
            true,
        ),
        (
            |step, _| {
                if step == "RCPT" { Say("450 greylisted") } else { Comply }
            },
            false,
        ),
        (
            |step, _| {
                if step == "RCPT" { Say("550 5.1.1 unknown") } else { Comply }
            },
            true,
        ),
        (
            |step, _| {
                if step == "DATA" { Say("452 full") } else { Comply }
            },
            false,
        ),
        (
            |step, _| {
                if step == "DATA" { Say("554 no") } else { Comply }
            },
            true,
        ),
        (
            |step, _| {
                if step == "end" { Say("451 later") } else { Comply }
            },
            false,
        ),
        (
            |step, _| {
                if step == "end" { Say("554 5.7.1 spam") } else { Comply }
            },
            true,
        ),
    ];
    for (number, (script, permanent)) in scripts.into_iter().enumerate() {
        let outcome = outcome(script).await;
        let told = if permanent {
            matches!(outcome, Outcome::Permanent { .. })
        } else {
            matches!(outcome, Outcome::Temporary { .. })
        };
        assert!(told, "script {number}: {outcome:?}");
    }
}

#[tokio::test]
async fn whatever_happens_before_the_body_is_temporary() {
    let scripts: [Script; 12] = [
        |step, _| if step == "connect" { Close } else { Comply },
        |step, _| if step == "connect" { Silence } else { Comply },
        |step, _| {
            if step == "connect" { SayAndClose("554 go away") } else { Comply }
        },
        |step, _| {
            if step == "EHLO" { SayAndClose("550 who are you") } else { Comply }
        },
        |step, _| if step == "MAIL" { Close } else { Comply },
        |step, _| {
            if step == "MAIL" { Say("530 5.7.0 authentication required") } else { Comply }
        },
        |step, _| {
            if step == "RCPT" { SayAndClose("421 shutting down") } else { Comply }
        },
        |step, _| if step == "RCPT" { Silence } else { Comply },
        |step, _| if step == "DATA" { Close } else { Comply },
        |step, _| if step == "DATA" { Silence } else { Comply },
        |step, _| {
            if step == "DATA" { Say("250 out of step") } else { Comply }
        },
        |step, _| {
            if step == "DATA" { SayAndClose("421 shutting down") } else { Comply }
        },
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        let outcome = outcome(script).await;
        assert!(matches!(outcome, Outcome::Temporary { .. }), "script {number}: {outcome:?}");
    }
    let closed = Server::start(|_, _| Comply).await;
    let port = closed.port;
    drop(closed);
    let nobody = Smtp::new(Settings::parse(&format!("smtp://127.0.0.1:{port}")).unwrap());
    assert!(matches!(send(&nobody, MAIL).await, Outcome::Temporary { .. }));
}

#[tokio::test]
async fn a_body_without_a_final_answer_is_unknown() {
    let scripts: [Script; 5] = [
        |step, _| if step == "body" { Close } else { Comply },
        |step, _| if step == "end" { Close } else { Comply },
        |step, _| if step == "end" { Silence } else { Comply },
        |step, _| {
            if step == "end" { Say("354 out of step") } else { Comply }
        },
        |step, _| if step == "end" { Say("what?") } else { Comply },
    ];
    for (number, script) in scripts.into_iter().enumerate() {
        let outcome = outcome(script).await;
        assert!(matches!(outcome, Outcome::Unknown { .. }), "script {number}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_large_body_that_is_cut_off_is_unknown_unless_the_server_said_why() {
    let mut raw = MAIL.to_vec();
    raw.extend(b"0123456789\r\n".repeat(1_000_000));
    let server = Server::start(|step, _| if step == "body" { Close } else { Comply }).await;
    let outcome = send(&smtp(&server, |_| ()), &raw).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");

    // A server that does not read on blocks nothing for ever.
    let server = Server::start(|step, _| if step == "body" { Freeze } else { Comply }).await;
    let outcome = send(&smtp(&server, |_| ()), &raw).await;
    assert!(matches!(outcome, Outcome::Unknown { .. }), "{outcome:?}");

    let full = "552 5.3.4 too big";
    let server = Server::start(|step, _| match step {
        "body" => SayAndClose("552 5.3.4 too big"),
        _ => Comply,
    });
    let outcome = send(&smtp(&server.await, |_| ()), &raw).await;
    assert_eq!(outcome, Outcome::Permanent { reply: full.to_owned() });
}

#[tokio::test]
async fn what_the_server_said_is_kept_short_and_without_the_recipient() {
    let outcome = outcome(|step, _| match step {
        "RCPT" => Say("550-5.1.1 <LAN@Example.vn> is\r\n550 5.1.1 unknown, lan@example.vn"),
        _ => Comply,
    })
    .await;
    let reply = "550 5.1.1 <(recipient)> is unknown, (recipient)";
    assert_eq!(outcome, Outcome::Permanent { reply: reply.to_owned() });
    let long = tidy(&"đ\t".repeat(500), &[&address("lan@example.vn")]);
    assert_eq!(long, "đ ".repeat(250));
}

#[tokio::test]
async fn copies_go_to_whom_the_server_takes_and_their_refusal_holds_nothing_back() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(|step, _| match step {
        "RCPT" => match ASKED.fetch_add(1, SeqCst) {
            1 => Say("550 5.1.1 unknown"),
            3 => Say("450 greylisted"),
            _ => Comply,
        },
        _ => Comply,
    })
    .await;
    let copies = ["gone@a.example", "copy@a.example", "later@a.example"].map(address);
    let (from, to) = (address("office@rapport.example"), address("lan@example.vn"));
    let outcome = smtp(&server, |_| ()).send(&from, &to, &copies, MAIL).await;
    let reply = "250 2.0.0 queued as 4711 (addresses without a copy: 2)".to_owned();
    assert_eq!(outcome, Outcome::Accepted { reply });
    assert_eq!((server.log.count("RCPT"), server.log.count("DATA")), (4, 1));
    let server =
        Server::start(|step, _| if step == "RCPT" { Say("550 5.1.1 unknown") } else { Comply })
            .await;
    let outcome = smtp(&server, |_| ()).send(&from, &to, &copies, MAIL).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
    assert_eq!((server.log.count("RCPT"), server.log.count("DATA")), (1, 0));
}

#[tokio::test]
async fn what_the_server_cannot_take_is_not_sent() {
    let server = Server::with("250 sink", Tls::Never, |_, _| Comply).await;
    let smtp = smtp(&server, |_| ());
    let outcome = send(&smtp, "Chào\r\n".as_bytes()).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
    let lan = address("lán@example.vn");
    let outcome = smtp.send(&address("office@rapport.example"), &lan, &[], MAIL).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
    assert!(matches!(send(&smtp, MAIL).await, Outcome::Accepted { .. }));
    assert_eq!((server.log.connections(), server.log.count("MAIL")), (1, 1));
}
