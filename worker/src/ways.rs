//! The ways in which messages leave.

use std::sync::Arc;

use entity::automation::message::{self, Ready};
use entity::customers::customer::Channel;
use object_store::ObjectStore;

use crate::config::{ConfigError, Stack};
use crate::mail::transport::{Outcome, Transport, addresses};
use crate::printing::tray::Tray;
use crate::sms::{Gateway, Text};

/// What takes messages, on each of the channels.
#[derive(Clone)]
pub struct Ways {
    /// What takes mails.
    pub mail: Transport,
    /// What takes text messages.
    pub sms: Gateway,
    /// What takes letters by post.
    pub post: Tray,
}

impl Ways {
    /// Those that `stack` describes, with letters going to `files`.
    ///
    /// # Errors
    /// When an address is malformed.
    pub fn of(stack: &Stack, files: Arc<dyn ObjectStore>) -> Result<Self, ConfigError> {
        Ok(Self { mail: stack.transport()?, sms: stack.gateway()?, post: Tray::new(files) })
    }

    /// Hands a message over by the channel that it goes by; a mail as one from `from`.
    pub async fn send(&self, message: &message::Model, row: &Ready, from: &str) -> Outcome {
        let refused = |reply: &str| Outcome::Permanent { reply: reply.to_owned() };
        match message.channel {
            Channel::Email => match (from.parse(), row.recipient.parse()) {
                (Ok(from), Ok(to)) => {
                    let copies = addresses(&row.copies).collect::<Vec<_>>();
                    self.mail.send(&from, &to, &copies, &row.body).await
                }
                _ => refused("an address is malformed"),
            },
            Channel::Sms => match String::from_utf8(row.body.clone()) {
                Ok(text) => {
                    let (id, to) = (message.message_id.clone(), row.recipient.clone());
                    self.sms.send(Text { id, to, from: None, text }).await
                }
                Err(_) => refused("it is no text"),
            },
            Channel::Letter => self.post.send(message, row.body.clone()).await,
            _ => refused("nothing is sent on this channel"),
        }
    }
}
