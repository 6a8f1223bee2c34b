//! Positions: the reporting line. Who holds one also looks after what is below it.
//!
//! Invariant: no position reports to itself, not even by way of others.

use std::collections::{BTreeMap, HashMap};

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, QuerySelect, Statement};

use super::{AccessError, Actor, Viewer, grant, user};
use crate::catalog::{catalog, keys};
use crate::customers::parse_required;
use crate::edit::{edited, save, unchanged};
use crate::error::Error;
use crate::id::{Id, PositionId, UserId};

/// A position.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "position")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PositionId,
    /// What it is called.
    pub title: String,
    /// To which it reports.
    pub reports_to_id: Option<PositionId>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

edited!();

catalog! {
    /// A position in the reporting line.
    Position (position, positions) of Entity, versioned by Column::Version;
    /// What it is called.
    title: text(Column::Title).filtered().ordered(),
    /// To which it reports; null at the top.
    reports_to: one::<Entity>(Column::ReportsToId),
    /// Those that report to it.
    reports: list::<Entity, _>(Column::ReportsToId, Column::Title, 5).filtered(),
    /// Who holds it.
    users: many::<user::Entity>(user::Column::PositionId),
}

/// Adds a position.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`].
pub async fn create(
    txn: &impl ConnectionTrait,
    title: &str,
    reports_to: Option<PositionId>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if let Some(above) = reports_to {
        ensure(txn, above).await?;
    }
    let row = Model {
        id: PositionId::new(now),
        title: parse_required("title", title, 100)?,
        reports_to_id: reports_to,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Changes a position. The outer `None` keeps to which it reports, the inner one puts it at the top.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `Invalid`, [`Error::NoSuch`],
/// [`AccessError::ReportsToItself`], [`AccessError::BeyondYourReach`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: PositionId,
    title: Option<String>,
    reports_to: Option<Option<PositionId>>,
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    // All of them, since two changes at once could close a circle that neither sees.
    let all = Entity::find().lock_exclusive().all(txn).await?;
    let mut row =
        all.iter().find(|row| row.id == id).cloned().ok_or_else(Error::no_such::<Entity>)?;
    unchanged(&row, expected_version)?;
    if let Some(title) = title {
        row.title = parse_required("title", &title, 100)?;
    }
    if let Some(above) = reports_to.filter(|above| *above != row.reports_to_id) {
        grant::ensure_all(txn, viewer).await?;
        let above_of = |id: PositionId| all.iter().find(|row| row.id == id)?.reports_to_id;
        if above.is_some_and(|above| all.iter().all(|row| row.id != above)) {
            return Err(Error::no_such::<Entity>().at(&["input"]));
        }
        if std::iter::successors(above, |above| above_of(*above)).any(|above| above == id) {
            return Err(AccessError::ReportsToItself.into());
        }
        row.reports_to_id = above;
    }
    save::<Entity>(txn, row, viewer.into(), now).await
}

/// Removes a position that nobody holds; those below report to the one above.
///
/// # Errors
/// [`Error::NoSuch`], [`AccessError::PositionInUse`].
pub async fn delete(txn: &impl ConnectionTrait, id: PositionId) -> Result<(), Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let row = row.ok_or_else(Error::no_such::<Entity>)?;
    let users = user::Entity::find().filter(user::Column::PositionId.eq(id));
    if users.one(txn).await?.is_some() {
        return Err(AccessError::PositionInUse.into());
    }
    let below = Entity::update_many().filter(Column::ReportsToId.eq(id));
    below.col_expr(Column::ReportsToId, Expr::value(row.reports_to_id)).exec(txn).await?;
    Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

/// # Errors
/// [`Error::NoSuch`].
pub(super) async fn ensure(txn: &impl ConnectionTrait, id: PositionId) -> Result<(), Error> {
    let found = Entity::find_by_id(id).one(txn).await?;
    found.map(|_| ()).ok_or_else(|| Error::no_such::<Entity>().at(&["input"]))
}

/// Whose records are a user's own, and whose are their teams'.
type Reached = (Vec<Uuid>, Vec<Uuid>);

/// Whose records `users` reach: each their own, and their teams'. One statement, or none for nobody.
///
/// # Errors
/// The database.
pub(super) async fn reach(
    db: &impl ConnectionTrait,
    users: &[Uuid],
    now: DateTimeUtc,
) -> Result<HashMap<Uuid, Reached>, DbErr> {
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    // Own: the user's and those of the users who are away. Team: theirs, of whoever holds a position below
    // one of theirs, and of everybody who shares a team with one of all these.
    let sql = "WITH RECURSIVE \
        own (viewer, id) AS (\
            SELECT id, id FROM user_account WHERE id IN (USERS) \
            UNION SELECT deputy_id, user_id FROM absence \
                WHERE deputy_id IN (USERS) AND starts_at <= $2 AND ends_at > $2), \
        below (viewer, id) AS (\
            SELECT own.viewer, position.id FROM own JOIN user_account ON user_account.id = own.id \
                JOIN position ON position.reports_to_id = user_account.position_id \
            UNION SELECT below.viewer, position.id FROM position JOIN below ON position.reports_to_id = below.id), \
        line (viewer, id) AS (\
            SELECT viewer, id FROM own \
            UNION SELECT below.viewer, user_account.id FROM below \
                JOIN user_account ON user_account.position_id = below.id), \
        team (viewer, id) AS (\
            SELECT viewer, id FROM line \
            UNION SELECT line.viewer, theirs.user_id FROM line \
                JOIN team_member ON team_member.user_id = line.id \
                JOIN team_member AS theirs ON theirs.team_id = team_member.team_id) \
        SELECT team.viewer, team.id, CASE WHEN own.id IS NULL THEN 0 ELSE 1 END AS is_own \
            FROM team LEFT JOIN own ON own.viewer = team.viewer AND own.id = team.id \
            ORDER BY team.viewer, team.id";
    let backend = db.get_database_backend();
    let values = [keys(backend, users), now.into()];
    let sql = sql.replace("USERS", among(backend));
    let rows = db.query_all_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    let mut reached: HashMap<Uuid, Reached> = HashMap::with_capacity(users.len());
    for row in rows {
        let (own, team) = reached.entry(row.try_get_by_index(0)?).or_default();
        let id: Uuid = row.try_get_by_index(1)?;
        if row.try_get_by_index::<i32>(2)? == 1 {
            own.push(id);
        }
        team.push(id);
    }
    Ok(reached)
}

/// To whom users report, by how many levels they are above; who may not log in does not count, nor do levels without anybody
/// else.
///
/// # Errors
/// The database.
pub(crate) async fn above(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, BTreeMap<i32, Vec<UserId>>>, DbErr> {
    let users: Vec<Uuid> = users.into_iter().map(|user| user.0).collect();
    if users.is_empty() {
        return Ok(HashMap::new());
    }
    let sql = "WITH RECURSIVE above (who, id, level) AS (\
            SELECT user_account.id, position.reports_to_id, 1 FROM user_account \
                JOIN position ON position.id = user_account.position_id \
                WHERE user_account.id IN (USERS) AND position.reports_to_id IS NOT NULL \
            UNION SELECT above.who, position.reports_to_id, above.level + 1 FROM above \
                JOIN position ON position.id = above.id WHERE position.reports_to_id IS NOT NULL) \
        SELECT above.who, above.level, user_account.id FROM above \
            JOIN user_account ON user_account.position_id = above.id \
            WHERE user_account.disabled_at IS NULL";
    let backend = db.get_database_backend();
    let sql = sql.replace("USERS", among(backend));
    let statement = Statement::from_sql_and_values(backend, sql, [keys(backend, &users)]);
    let mut above = HashMap::<UserId, BTreeMap<i32, Vec<UserId>>>::new();
    for row in db.query_all_raw(statement).await? {
        let levels = above.entry(row.try_get_by_index(0)?).or_default();
        levels.entry(row.try_get_by_index(1)?).or_default().push(row.try_get_by_index(2)?);
    }
    Ok(above)
}

/// The keys that `$1` binds, see [`keys`].
fn among(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "SELECT unhex(value) FROM json_each($1)",
        _ => "SELECT unnest(CAST($1 AS uuid[]))",
    }
}
