//! Where a Rapport of a test lives, and how it is set up there.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use entity::access::session::{self, Device};
use entity::access::{Actor, Role, organisation, user};
use entity::clock::Clock;
use entity::db::Db;
use entity::id::{SessionId, UserId};
use entity::money::Currency;
use futures::FutureExt;
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;
use uuid::Uuid;

use super::{On, PASSWORD};

/// Whom tests ask as, if they say nothing else.
const ACCOUNTANT: &str = "accountant@rapport.example";

/// Where a Rapport lives: its data goes with this.
pub struct Home {
    /// What its stack is configured with.
    pub arguments: Vec<String>,
    folder: TempDir,
}

impl Home {
    /// A home where nobody has lived yet.
    ///
    /// # Errors
    /// When there is no room for its data.
    pub async fn fresh(on: On) -> Result<Self, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let name = format!("rapport_{}", Uuid::new_v4().simple());
        let data_dir = folder.path().display().to_string();
        let mut arguments = vec!["test".to_owned(), "--data-dir".to_owned(), data_dir];
        arguments.extend(["--webhook-allow".to_owned(), "127.0.0.1".to_owned()]);
        if on == On::Production {
            let server = std::env::var("TEST_DATABASE_URL")?;
            let control = Database::connect(&server).await?;
            control.execute_unprepared(&format!("CREATE DATABASE {name}")).await?;
            control.close().await?;
            let (server, _) = server.rsplit_once('/').ok_or("TEST_DATABASE_URL has no database")?;
            arguments.extend(["--database-url".to_owned(), format!("{server}/{name}")]);
            arguments.extend(["--redis-url".to_owned(), std::env::var("TEST_REDIS_URL")?]);
            arguments.extend(["--redis-prefix".to_owned(), name.clone()]);
        }
        Ok(Self { arguments, folder })
    }

    /// The folder of its files.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.folder.path().join("files")
    }
}

/// The accountant, who has logged in. Whoever comes first sets the organisation up.
pub(super) async fn found(db: &Db, clock: &Clock) -> Result<(UserId, SessionId), entity::Error> {
    let now = clock.now();
    db.write(move |txn| {
        async move {
            let user = if let Some(user) = user::by_email(txn, ACCOUNTANT).await? {
                user.id
            } else {
                let hash = entity::access::password::hash(PASSWORD)?;
                set_up(txn, ACCOUNTANT, Role::Accountant, hash, now).await?
            };
            let begun = session::begin(txn, user, &Device::default(), now).await?;
            Ok((user, begun.session.id))
        }
        .boxed()
    })
    .await
}

/// An organisation with a user.
///
/// # Errors
/// The database.
pub async fn set_up(
    txn: &impl ConnectionTrait,
    email: &str,
    role: Role,
    password_hash: String,
    now: DateTime<Utc>,
) -> Result<UserId, entity::Error> {
    let settings = organisation::Settings {
        name: "Công ty Sông Hàn".to_owned(),
        address: "255 Trần Hưng Đạo\nĐà Nẵng".to_owned(),
        tax_number: Some("0401234567".to_owned()),
        email: "ketoan@songhan.example".to_owned(),
        phone: None,
        time_zone: chrono_tz::Asia::Ho_Chi_Minh,
        currency: Currency::VND,
        locale: "vi".to_owned(),
    };
    organisation::set_up(txn, settings, Actor::System, now).await?;
    let new = user::NewUser {
        email: email.to_owned(),
        name: "Lê Minh Châu".to_owned(),
        password_hash: Some(password_hash),
        role: role.id(),
        position: None,
        language: None,
    };
    Ok(user::create(txn, new, Actor::System, now).await?.id)
}
