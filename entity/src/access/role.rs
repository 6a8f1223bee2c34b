//! Roles: what their users may do.
//!
//! Invariant: the roles that Rapport brings along cannot be changed, and there is always an administrator who
//! can log in.

use std::collections::HashMap;

use futures::FutureExt;
use sea_orm::ActiveValue::Set;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, Iterable, QuerySelect};

use super::audit::Origin;
use super::{AccessError, Actor, Permission, Scope, Viewer, grant, user};
use crate::catalog::catalog;
use crate::customers::parse_required;
use crate::db::Db;
use crate::edit::{edited, save, unchanged};
use crate::error::Error;
use crate::id::{GrantId, Id, RoleId, UserId};

/// A role that Rapport brings along.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Role {
    /// Everything.
    Administrator,
    /// Invoices, payments and receipts.
    Accountant,
    /// Customers.
    Sales,
    /// Looks, and changes nothing.
    Auditor,
}

impl Role {
    /// The role's id, which is the same in every installation.
    #[must_use]
    pub const fn id(self) -> RoleId {
        RoleId(Uuid::from_u128(0x019a_b9a4_6400_7000_8000_0000_0000_0001 + self as u128))
    }

    /// Whether the role comes with `permission`.
    #[must_use]
    pub fn allows(self, permission: Permission) -> bool {
        use Permission::{
            Collect, Import, ReadAppointments, ReadAudit, ReadCalls, ReadCustomers, ReadFinance,
            ReadOrders, ReadProducts, ReadTasks, ReadWorkflows, WriteAppointments, WriteCalls,
            WriteCustomers, WriteInvoices, WriteOrders, WritePayments, WriteProducts, WriteTasks,
        };
        match self {
            Self::Administrator => true,
            Self::Accountant => matches!(
                permission,
                ReadCustomers
                    | WriteCustomers
                    | ReadFinance
                    | WriteInvoices
                    | WritePayments
                    | Collect
                    | ReadProducts
                    | WriteProducts
                    | ReadOrders
                    | WriteOrders
                    | ReadTasks
                    | WriteTasks
                    | ReadCalls
                    | WriteCalls
                    | ReadAppointments
                    | WriteAppointments
                    | Import
            ),
            Self::Sales => matches!(
                permission,
                ReadCustomers
                    | WriteCustomers
                    | ReadProducts
                    | ReadOrders
                    | WriteOrders
                    | ReadTasks
                    | WriteTasks
                    | ReadCalls
                    | WriteCalls
                    | ReadAppointments
                    | WriteAppointments
            ),
            Self::Auditor => {
                matches!(
                    permission,
                    ReadCustomers
                        | ReadFinance
                        | ReadProducts
                        | ReadOrders
                        | ReadTasks
                        | ReadCalls
                        | ReadAppointments
                        | ReadAudit
                        | ReadWorkflows
                )
            }
        }
    }
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RoleId,
    /// Which of those that Rapport brings along; none for the organisation's own.
    pub key: Option<Role>,
    /// What it is called.
    pub name: String,
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
    /// A role: what its users may do, and with whose records.
    Role (role, roles) of Entity, versioned by Column::Version;
    /// Which of the roles that Rapport brings along, which cannot be changed; null for one of your own.
    key: choice::<Role>("RoleKey", Column::Key).filtered(),
    /// What it is called.
    name: text(Column::Name).filtered().ordered().unique(),
    /// What it lets its users do. What is missing it does not.
    grants: list::<grant::Entity, _>(grant::Column::RoleId, grant::Column::Permission, 10),
    /// Who has it.
    users: many::<user::Entity>(user::Column::RoleId),
}

/// What a role lets its users do.
pub type Grants = HashMap<Permission, Scope>;

/// Brings the roles that Rapport brings along up to date with this version. Changes nothing when they are.
///
/// # Errors
/// The database.
pub async fn install(db: &Db, now: DateTimeUtc) -> Result<(), Error> {
    let origin = Origin::new(Actor::System, now);
    db.write_as(&origin, |txn| {
        async move {
            // Of several processes that start at once the first one does it.
            Entity::find_by_id(Role::Administrator.id()).lock_exclusive().one(txn).await?;
            for role in <Role as Iterable>::iter() {
                let wanted = <Permission as Iterable>::iter().filter(|one| role.allows(*one));
                let wanted = wanted.map(|permission| (permission, Scope::All)).collect();
                if grant::of(txn, role.id()).await? != wanted
                    && let Some(row) = Entity::find_by_id(role.id()).one(txn).await?
                {
                    replace(txn, &row, &wanted).await?;
                }
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

/// Makes sure that the viewer may do all that `grants` let do.
///
/// # Errors
/// [`AccessError::BeyondYourRole`].
fn ensure_within(grants: &Grants, viewer: &Viewer) -> Result<(), AccessError> {
    match grants.iter().all(|(permission, scope)| *scope <= viewer.scope(*permission)) {
        true => Ok(()),
        false => Err(AccessError::BeyondYourRole),
    }
}

/// Makes sure that there are all of `roles`.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn ensure_all(txn: &impl ConnectionTrait, roles: &[RoleId]) -> Result<(), Error> {
    if roles.is_empty() {
        return Ok(());
    }
    let known = Entity::find().filter(Column::Id.is_in(roles.iter().copied())).all(txn).await?;
    match roles.iter().all(|id| known.iter().any(|role| role.id == *id)) {
        true => Ok(()),
        false => Err(Error::no_such::<Entity>().at(&["input", "roleId"])),
    }
}

/// Makes sure that there is a role, and that the viewer may do all that it lets do.
///
/// # Errors
/// [`Error::NoSuch`], [`AccessError::BeyondYourRole`].
pub(super) async fn ensure(
    txn: &impl ConnectionTrait,
    id: RoleId,
    viewer: &Viewer,
) -> Result<(), Error> {
    Entity::find_by_id(id)
        .one(txn)
        .await?
        .ok_or_else(|| Error::no_such::<Entity>().at(&["input", "roleId"]))?;
    Ok(ensure_within(&grant::of(txn, id).await?, viewer)?)
}

async fn replace(txn: &impl ConnectionTrait, role: &Model, grants: &Grants) -> Result<(), DbErr> {
    grant::Entity::delete_many().filter(grant::Column::RoleId.eq(role.id)).exec(txn).await?;
    let granted = grants.iter().filter(|(_, scope)| **scope != Scope::None);
    let rows: Vec<_> = granted
        .map(|(permission, scope)| grant::ActiveModel {
            id: Set(GrantId(Uuid::new_v5(&role.id.0, permission.to_value().as_bytes()))),
            role_id: Set(role.id),
            permission: Set(*permission),
            scope: Set(*scope),
            created_at: Set(role.updated_at),
            created_by: Set(role.updated_by),
        })
        .collect();
    if !rows.is_empty() {
        grant::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    Ok(())
}

/// Adds a role.
///
/// # Errors
/// `Invalid`, [`Error::NotUnique`], [`AccessError::BeyondYourRole`].
pub async fn create(
    txn: &impl ConnectionTrait,
    name: &str,
    grants: &Grants,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    ensure_within(grants, viewer)?;
    let row = Model {
        id: RoleId::new(now),
        key: None,
        name: parse_required("name", name, 100)?,
        created_at: now,
        created_by: Some(viewer.user),
        updated_at: now,
        updated_by: Some(viewer.user),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    replace(txn, &row, grants).await?;
    Ok(row)
}

/// Changes one of the organisation's own roles. `grants` replace those it has.
///
/// # Errors
/// [`Error::NoSuch`], [`AccessError::SystemRole`], [`AccessError::BeyondYourRole`],
/// [`Error::StaleVersion`], `Invalid`.
pub async fn update(
    txn: &impl ConnectionTrait,
    id: RoleId,
    name: Option<String>,
    grants: Option<Grants>,
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = own(txn, id).await?;
    ensure_within(&grant::of(txn, id).await?, viewer)?;
    unchanged(&row, expected_version)?;
    if let Some(name) = name {
        row.name = parse_required("name", &name, 100)?;
    }
    if let Some(grants) = grants {
        ensure_within(&grants, viewer)?;
        replace(txn, &row, &grants).await?;
    }
    save::<Entity>(txn, row, Actor::from(viewer), now).await
}

/// Removes one of the organisation's own roles that nobody has.
///
/// # Errors
/// [`Error::NoSuch`], [`AccessError::SystemRole`], [`AccessError::RoleInUse`].
pub async fn delete(txn: &impl ConnectionTrait, id: RoleId) -> Result<(), Error> {
    own(txn, id).await?;
    let users = user::Entity::find().filter(user::Column::RoleId.eq(id));
    if users.one(txn).await?.is_some() {
        return Err(AccessError::RoleInUse.into());
    }
    grant::Entity::delete_many().filter(grant::Column::RoleId.eq(id)).exec(txn).await?;
    Entity::delete_by_id(id).exec(txn).await?;
    Ok(())
}

async fn own(txn: &impl ConnectionTrait, id: RoleId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    match row.ok_or_else(Error::no_such::<Entity>)? {
        row if row.key.is_some() => Err(AccessError::SystemRole.into()),
        row => Ok(row),
    }
}
