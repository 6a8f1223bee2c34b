//! The ways in which messages leave.

use entity::automation::message::{self, Ready};
use entity::customers::customer::Channel;

use crate::config::{ConfigError, Stack};
use crate::mail::transport::{Outcome, Transport};
use crate::sms::{Gateway, Text};

/// What takes messages, on each of the channels.
#[derive(Clone)]
pub struct Ways {
    /// What takes mails.
    pub mail: Transport,
    /// What takes text messages.
    pub sms: Gateway,
}

impl Ways {
    /// Those that `stack` describes.
    ///
    /// # Errors
    /// When an address is malformed.
    pub fn of(stack: &Stack) -> Result<Self, ConfigError> {
        Ok(Self { mail: stack.transport()?, sms: stack.gateway()? })
    }

    /// Hands a message over by the channel that it goes by; a mail as one from `from`.
    pub async fn send(&self, message: &message::Model, row: &Ready, from: &str) -> Outcome {
        let refused = |reply: &str| Outcome::Permanent { reply: reply.to_owned() };
        match message.channel {
            Channel::Email => match (from.parse(), row.recipient.parse()) {
                (Ok(from), Ok(to)) => self.mail.send(&from, &to, &row.body).await,
                _ => refused("an address is malformed"),
            },
            Channel::Sms => match String::from_utf8(row.body.clone()) {
                Ok(text) => {
                    let (id, to) = (message.message_id.clone(), row.recipient.clone());
                    self.sms.send(Text { id, to, from: None, text }).await
                }
                Err(_) => refused("it is no text"),
            },
            _ => refused("nothing is sent on this channel"),
        }
    }
}
