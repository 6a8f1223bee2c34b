//! The connections: reused, replaced, bounded.

use std::sync::atomic::Ordering::SeqCst;

use futures::future::join_all;
use tokio::time::sleep;

use super::server::Act::{Close, Comply, Say, SayAndClose, Silence};
use super::server::Script;
use super::*;

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        sleep(Duration::from_millis(5)).await;
    }
}

fn accepted(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { .. })
}

#[tokio::test]
async fn one_mail_after_the_other_goes_over_one_connection() {
    let server = Server::start(|_, _| Comply).await;
    let smtp = smtp(&server, |_| ());
    for _ in 0..10 {
        assert!(accepted(&send(&smtp, MAIL).await));
    }
    assert_eq!(server.log.connections(), 1);
    assert_eq!((server.log.count("MAIL"), server.log.count("RSET")), (10, 0));
}

#[tokio::test]
async fn a_refused_recipient_does_not_cost_the_connection() {
    let server = Server::start(|step, _| match step {
        "RCPT" => Say("550 unknown"),
        _ => Comply,
    })
    .await;
    let smtp = smtp(&server, |_| ());
    for _ in 0..3 {
        assert!(matches!(send(&smtp, MAIL).await, Outcome::Permanent { .. }));
    }
    assert_eq!((server.log.connections(), server.log.count("RSET")), (1, 2));
}

#[tokio::test]
async fn a_connection_that_the_server_closed_meanwhile_is_replaced_unnoticed() {
    let scripts: [Script; 2] = [
        |step, connection| match (step, connection) {
            ("idle", 1) => SayAndClose("421 idle for too long"),
            _ => Comply,
        },
        // This one says nothing before the next command.
        |step, connection| match (step, connection) {
            ("idle", 1) => Close,
            _ => Comply,
        },
    ];
    for pause in [Duration::ZERO, Duration::from_millis(100), Duration::from_millis(1_100)] {
        for script in scripts {
            let server = Server::start(script).await;
            let smtp = smtp(&server, |_| ());
            assert!(accepted(&send(&smtp, MAIL).await));
            sleep(pause).await;
            let outcome = send(&smtp, MAIL).await;
            assert!(accepted(&outcome), "after {pause:?}: {outcome:?}");
            assert_eq!(server.log.connections(), 2);
            assert_eq!(server.log.bodies.lock().unwrap().len(), 2);
        }
    }
}

#[tokio::test]
async fn a_server_that_ends_every_connection_after_a_mail_gets_all_mails() {
    let server = Server::start(|step, _| match step {
        "idle" => SayAndClose("421 one is enough"),
        _ => Comply,
    })
    .await;
    let smtp = smtp(&server, |_| ());
    for _ in 0..5 {
        assert!(accepted(&send(&smtp, MAIL).await));
    }
    assert_eq!(server.log.bodies.lock().unwrap().len(), 5);
}

#[tokio::test]
async fn a_connection_that_was_idle_is_asked_before_it_gets_a_mail() {
    let server = Server::start(|_, _| Comply).await;
    let smtp = smtp(&server, |_| ());
    assert!(accepted(&send(&smtp, MAIL).await));
    sleep(Duration::from_millis(1_100)).await;
    assert!(accepted(&send(&smtp, MAIL).await));
    assert_eq!((server.log.connections(), server.log.count("RSET")), (1, 1));
}

#[tokio::test]
async fn an_idle_connection_is_closed_with_a_goodbye() {
    let server = Server::start(|_, _| Comply).await;
    let smtp = smtp(&server, |settings| {
        settings.idle = Duration::from_millis(100);
    });
    assert!(accepted(&send(&smtp, MAIL).await));
    until(|| (server.log.open.load(SeqCst), server.log.count("QUIT")) == (0, 1)).await;
    assert!(accepted(&send(&smtp, MAIL).await));
    assert_eq!(server.log.connections(), 2);
}

#[tokio::test]
async fn many_mails_at_once_share_the_connections_there_may_be() {
    let server = Server::start(|_, _| Comply).await;
    let smtp = smtp(&server, |settings| {
        settings.connections = 3;
        settings.timeouts.command = Duration::from_secs(30);
    });
    let outcomes = join_all((0..64).map(|_| send(&smtp, MAIL))).await;
    assert!(outcomes.iter().all(accepted));
    assert_eq!(server.log.most_open.load(SeqCst), 3);
    assert_eq!(server.log.bodies.lock().unwrap().len(), 64);
}

#[tokio::test]
async fn a_mail_that_finds_no_free_connection_in_time_is_temporary() {
    let server = Server::start(|step, _| match step {
        "end" => Silence,
        _ => Comply,
    })
    .await;
    let smtp = smtp(&server, |settings| {
        settings.connections = 1;
        settings.timeouts.reply = Duration::from_secs(6);
    });
    let (stuck, waiting) = tokio::join!(send(&smtp, MAIL), send(&smtp, MAIL));
    assert!(matches!(stuck, Outcome::Unknown { .. }), "{stuck:?}");
    assert!(matches!(waiting, Outcome::Temporary { .. }), "{waiting:?}");
}

#[tokio::test]
async fn a_send_that_is_cancelled_takes_its_connection_along() {
    let server = Server::start(|step, connection| match (step, connection) {
        ("RCPT", 1) => Silence,
        _ => Comply,
    })
    .await;
    let smtp = smtp(&server, |_| ());
    tokio::select! {
        outcome = send(&smtp, MAIL) => panic!("{outcome:?}"),
        () = until(|| server.log.count("RCPT") == 1) => {}
    }
    assert!(accepted(&send(&smtp, MAIL).await));
    assert_eq!(server.log.connections(), 2);
}
