//! What becomes of a mail on servers that behave and servers that do not.

mod encryption;
mod outcomes;
mod pool;
mod server;

use std::time::Duration;

use lettre::Address;

use super::*;
use server::Server;

const MAIL: &[u8] = b"Subject: Hello\r\n\r\nHello\r\n";

fn address(text: &str) -> Address {
    text.parse().unwrap()
}

/// A client of `server` with timeouts that a test can wait for.
fn smtp(server: &Server, change: impl FnOnce(&mut Settings)) -> Smtp {
    let mut settings = Settings::parse(&format!("smtp://127.0.0.1:{}", server.port)).unwrap();
    settings.timeouts = Timeouts {
        connect: Duration::from_secs(5),
        command: Duration::from_secs(2),
        reply: Duration::from_secs(2),
    };
    change(&mut settings);
    Smtp::new(settings)
}

async fn send(smtp: &Smtp, raw: &[u8]) -> Outcome {
    smtp.send(&address("office@rapport.example"), &address("lan@example.vn"), &[], raw).await
}

async fn send_one(server: &Server) -> Outcome {
    send(&smtp(server, |_| ()), MAIL).await
}
