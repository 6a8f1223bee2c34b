//! Signed links: who may do one thing with one file, and until when.
//!
//! Invariant: a link is good for one purpose, one id and one user, as [`Signer`] has them.

use chrono::{DateTime, Utc};
use entity::id::UserId;
use uuid::Uuid;
use worker::link::Signer;

/// What links are signed with under a process's secret; another purpose gets another key.
const CONTEXT: &[u8] = b"rapport: links to files, 1";

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sending the file of an upload.
    Upload = 1,
    /// Fetching a version of a document.
    Version = 2,
    /// Fetching what a job has left.
    Result = 3,
    /// Fetching a statement of account.
    Statement = 4,
}

impl Purpose {
    fn parse(number: u8) -> Option<Self> {
        let all = [Self::Upload, Self::Version, Self::Result, Self::Statement];
        all.into_iter().find(|it| *it as u8 == number)
    }
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of the upload, the version, the job or the statement.
    pub id: Uuid,
    /// For whom it was made.
    pub user: UserId,
    /// Until when it is good, to the second.
    pub expires_at: DateTime<Utc>,
}

/// Signs links, and checks them.
#[derive(Clone, Debug)]
pub struct Links(Signer);

impl Links {
    /// With a key derived from `secret`, which has at least 32 bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Signer::new(CONTEXT, secret))
    }

    /// The same, which also takes links that were signed with `secret` before it was replaced.
    #[must_use]
    pub fn after(self, secret: &[u8]) -> Self {
        Self(self.0.after(secret))
    }

    /// The link as it stands in an address.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, link: Link) -> String {
        let mut said = link.id.into_bytes().to_vec();
        said.extend_from_slice(link.user.0.as_bytes());
        said.extend_from_slice(&link.expires_at.timestamp().to_be_bytes());
        self.0.sign(purpose as u8, &said)
    }

    /// What `text` says and is good for, if it is a link of ours, whether or not it has expired.
    #[must_use]
    pub fn open(&self, text: &str) -> Option<(Purpose, Link)> {
        let (number, said) = self.0.open(text)?;
        let (id, rest) = said.split_first_chunk::<16>()?;
        let (user, rest) = rest.split_first_chunk::<16>()?;
        let seconds = i64::from_be_bytes(rest.try_into().ok()?);
        let link = Link {
            id: Uuid::from_bytes(*id),
            user: UserId(Uuid::from_bytes(*user)),
            expires_at: DateTime::from_timestamp(seconds, 0)?,
        };
        Some((Purpose::parse(number)?, link))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link() -> Link {
        Link {
            id: Uuid::from_u128(7),
            user: UserId(Uuid::from_u128(8)),
            expires_at: DateTime::from_timestamp(1_793_671_200, 0).unwrap(),
        }
    }

    #[test]
    fn a_link_is_good_for_its_purpose_and_its_key_only() {
        let links = Links::new(&[7; 32]);
        for purpose in [Purpose::Upload, Purpose::Version, Purpose::Result, Purpose::Statement] {
            assert_eq!(links.open(&links.sign(purpose, link())), Some((purpose, link())));
        }
        let text = links.sign(Purpose::Version, link());
        assert_eq!(Links::new(&[8; 32]).open(&text), None);
    }

    #[test]
    fn a_link_stays_good_while_its_key_is_replaced() {
        let text = Links::new(&[7; 32]).sign(Purpose::Upload, link());
        let links = Links::new(&[8; 32]).after(&[7; 32]);
        assert_eq!(links.open(&text), Some((Purpose::Upload, link())));
    }

    #[test]
    fn a_link_that_a_customer_got_is_none() {
        let customers = worker::link::Links::new(&[7; 32]);
        let statement = worker::link::statement::StatementLink {
            statement: entity::id::StatementId(Uuid::from_u128(7)),
            expires_at: link().expires_at,
        };
        let address = statement.address(&customers, &"https://crm.example".parse().unwrap());
        let token = address.rsplit('/').next().unwrap();
        assert_eq!(Links::new(&[7; 32]).open(token), None);
    }
}
