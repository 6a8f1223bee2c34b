//! The link by which a customer opens a statement of account, without logging in.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::StatementId;
use url::Url;
use uuid::Uuid;

use super::{Links, Purpose, below};

/// How long it is good.
pub const LIFETIME: TimeDelta = TimeDelta::days(90);

/// Which statement, and until when it can be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementLink {
    /// The statement.
    pub statement: StatementId,
    /// Until when the link is good, to the second.
    pub expires_at: DateTime<Utc>,
}

impl StatementLink {
    /// The link as it stands in a mail, below where people reach Rapport.
    #[must_use]
    pub fn address(self, links: &Links, public: &Url) -> String {
        below(public, &format!("statements/{}", self.token(links)))
    }

    /// The last part of the address.
    fn token(self, links: &Links) -> String {
        let mut said = self.statement.0.into_bytes().to_vec();
        said.extend_from_slice(&self.expires_at.timestamp().to_be_bytes());
        links.sign(Purpose::Statement, &said)
    }

    /// What the last part of an address says, if it is of a link of ours, whether or not it has expired.
    #[must_use]
    pub fn open(links: &Links, token: &str) -> Option<Self> {
        let said = links.open(Purpose::Statement, token)?;
        let (id, seconds) = said.split_first_chunk::<16>()?;
        let seconds = i64::from_be_bytes(seconds.try_into().ok()?);
        Some(Self {
            statement: StatementId(Uuid::from_bytes(*id)),
            expires_at: DateTime::from_timestamp(seconds, 0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_says_which_statement_it_opens_and_until_when() {
        let links = Links::new(&[7; 32]);
        let link = StatementLink {
            statement: StatementId(Uuid::from_u128(7)),
            expires_at: DateTime::from_timestamp(1_793_671_200, 0).unwrap(),
        };
        let public = "https://crm.example/rapport/".parse().unwrap();
        let address = link.address(&links, &public);
        let token = address.strip_prefix("https://crm.example/rapport/statements/").unwrap();
        assert_eq!(StatementLink::open(&links, token), Some(link));
        assert_eq!(StatementLink::open(&Links::new(&[8; 32]), token), None);
        assert_eq!(StatementLink::open(&links, &links.sign(Purpose::Statement, b"short")), None);
    }
}
