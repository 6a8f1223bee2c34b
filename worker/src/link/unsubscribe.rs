//! The link by which who gets advertising says that they do not want it any more, without logging in. It never expires.

use entity::id::MessageId;
use url::Url;
use uuid::Uuid;

use super::{Links, Purpose, below};

/// What to do about a message that one does not want.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsubscribeLink {
    /// The message.
    pub message: MessageId,
}

impl UnsubscribeLink {
    /// The link as it stands in a mail, below where people reach Rapport.
    #[must_use]
    pub fn address(self, links: &Links, public: &Url) -> String {
        let token = links.sign(Purpose::Unsubscribe, self.message.0.as_bytes());
        below(public, &format!("unsubscribe/{token}"))
    }

    /// What the last part of an address says, if it is of a link of ours.
    #[must_use]
    pub fn open(links: &Links, token: &str) -> Option<Self> {
        let said = links.open(Purpose::Unsubscribe, token)?;
        Some(Self { message: MessageId(Uuid::from_bytes(said.try_into().ok()?)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_which_message_is_not_wanted() {
        let links = Links::new(&[7; 32]);
        let link = UnsubscribeLink { message: MessageId(Uuid::from_u128(7)) };
        let address = link.address(&links, &"https://crm.example/rapport/".parse().unwrap());
        let token = address.strip_prefix("https://crm.example/rapport/unsubscribe/").unwrap();
        assert_eq!(UnsubscribeLink::open(&links, token), Some(link));
        assert_eq!(UnsubscribeLink::open(&Links::new(&[8; 32]), token), None);
        assert_eq!(
            UnsubscribeLink::open(&links, &links.sign(Purpose::Unsubscribe, b"short")),
            None
        );
    }
}
