//! Mappings of columns that people keep, so that the next file of the same kind needs none.
//!
//! Invariant: a name is one template's; saving it again replaces its mapping.

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use super::mapping::known;
use crate::access::{Actor, Permission};
use crate::catalog::catalog;
use crate::customers::custom::definition::in_use;
use crate::customers::parse_required;
use crate::error::Error;
use crate::id::{Id, ImportTemplateId, UserId};

/// A template.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "import_template")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ImportTemplateId,
    /// What it is called.
    pub name: String,
    /// Pairs of a column's heading and a field's name.
    pub mapping: Json,
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

catalog! {
    /// A mapping of a file's columns to fields of customers, kept for the next file.
    ImportTemplate (importTemplate, importTemplates) of Entity, read by Permission::Import;
    /// Counts up with every change.
    version: whole(Column::Version),
    /// What it is called.
    name: text(Column::Name).filtered().ordered(),
    /// Pairs of a column's heading and the field that it fills.
    mapping: json(Column::Mapping),
    /// When it was last saved.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

/// Saves a mapping under a name, in place of what was there.
///
/// # Errors
/// `Invalid` for a field that there is not.
pub async fn save(
    txn: &impl ConnectionTrait,
    name: &str,
    mapping: &[(String, String)],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let name = parse_required("name", name, 100)?;
    let fields = in_use(txn).await?;
    for (_, field) in mapping {
        known(field, &fields).map_err(|error| Error::invalid("mapping", error.to_string()))?;
    }
    let mapping = serde_json::to_value(mapping).unwrap_or_default();
    let there = Entity::find().filter(Column::Name.eq(&name)).one(txn).await?;
    if let Some(there) = there {
        let version = there.version + 1;
        let updated_by = actor.user();
        let row = Model { mapping, updated_at: now, updated_by, version, ..there };
        return Ok(row.into_active_model().reset_all().update(txn).await?);
    }
    let row = Model {
        id: ImportTemplateId::new(now),
        name,
        mapping,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// The mapping of a template.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn mapping(
    db: &impl ConnectionTrait,
    id: ImportTemplateId,
) -> Result<Vec<(String, String)>, Error> {
    let row = Entity::find_by_id(id)
        .one(db)
        .await?
        .ok_or_else(|| Error::no_such::<Entity>().at(&["input", "templateId"]))?;
    Ok(serde_json::from_value(row.mapping).unwrap_or_default())
}
