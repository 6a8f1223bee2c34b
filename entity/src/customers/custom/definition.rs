//! What a custom field is: its type, why it is kept, and who sees it.
//!
//! Invariant: a key is never used again, so that an archived field's values keep their meaning.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, IntoActiveModel, QueryOrder, QuerySelect};
use serde_json::{Value, json};

use super::super::{CustomersError, customer, parse_language, parse_required, parse_text};
use crate::access::{Actor, Permission, Role, Viewer, role};
use crate::catalog::{catalog, custom};
use crate::edit::{edited, save, unchanged};
use crate::error::Error;
use crate::id::{CustomFieldId, Id, RoleId, UserId};
use crate::text;

/// How many fields there are at most that are not archived.
const MOST_FIELDS: u64 = 100;

/// How many values a choice has at most.
const MOST_CHOICES: usize = 200;

/// What kind of value a custom field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Number,
    /// A decimal number.
    Decimal,
    /// A calendar day.
    Date,
    /// An instant.
    Instant,
    /// Yes or no.
    Boolean,
    /// One of the allowed values.
    Choice,
    /// Some of the allowed values.
    MultiChoice,
    /// An amount in a currency.
    Money,
    /// A web address.
    Link,
}

/// How much a value says about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Sensitivity {
    /// Nothing.
    Normal,
    /// Something: personal data (GDPR, Article 4).
    Personal,
    /// Something especially protected (GDPR, Article 9), or as private.
    Sensitive,
}

/// A custom field.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "custom_field")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomFieldId,
    /// What programs call it.
    pub key: String,
    /// What people call it.
    pub label: String,
    /// What people of other languages call it, by language tag.
    pub labels: Json,
    /// What kind of value it has.
    pub kind: Kind,
    /// Whether a new customer needs a value.
    pub required: bool,
    /// The allowed values of a choice: a list of texts.
    pub choices: Json,
    /// Why it is kept.
    pub purpose: Option<String>,
    /// How much it says about a person.
    pub sensitivity: Sensitivity,
    /// Who sees it beside administrators: a list of roles' ids; all when it is empty.
    pub visible_to: Json,
    /// Where it stands among the others.
    pub position: i32,
    /// Since when it is not used any more.
    pub archived_at: Option<DateTimeUtc>,
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
    /// A custom field of customers: what its values are, why they are kept, and who sees them.
    CustomField (customField, customFields) of Entity, read by Permission::ReadCustomers,
        versioned by Column::Version;
    /// What programs call it: a letter, then letters, digits and underscores. Never changes.
    key: text(Column::Key).filtered().ordered().unique(),
    /// What people call it.
    label: text(Column::Label).ordered(),
    /// What people of other languages call it: an object of labels by language tag.
    labels: json(Column::Labels),
    /// What kind of value it has.
    r#type: choice::<Kind>("CustomFieldType", Column::Kind).filtered(),
    /// Whether a new customer needs a value. Imported customers may be without one.
    required: truth(Column::Required).filtered(),
    /// The allowed values of a choice, in their order: a list of texts; empty for other types.
    choices: json(Column::Choices),
    /// Why it is kept; null when that was not said.
    purpose: text(Column::Purpose),
    /// How much its values say about a person.
    sensitivity: choice::<Sensitivity>("Sensitivity", Column::Sensitivity).filtered(),
    /// Who sees its values beside administrators: a list of roles; empty when all do who see customers.
    visible_to: json(Column::VisibleTo),
    /// Where it stands among the others; fields of one position stand in the order of their keys.
    position: whole(Column::Position).ordered(),
    /// Since when it is not used any more; null while it is.
    archived_at: instant(Column::ArchivedAt).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered(),
}

/// The custom fields as one request sees them: loaded when something asks for them first.
#[derive(Debug, Default)]
pub struct CustomFields {
    loaded: OnceLock<Vec<Model>>,
    wanted: AtomicBool,
}

impl CustomFields {
    /// The fields, in their order; `None`, which is noted, before they are loaded.
    #[must_use]
    pub fn get(&self) -> Option<&[Model]> {
        let fields = self.loaded.get().map(Vec::as_slice);
        if fields.is_none() {
            self.wanted.store(true, Ordering::Relaxed);
        }
        fields
    }

    /// Whether something asked for them before they were loaded.
    #[must_use]
    pub fn are_missed(&self) -> bool {
        self.loaded.get().is_none() && self.wanted.load(Ordering::Relaxed)
    }

    /// Loads them.
    ///
    /// # Errors
    /// The database.
    pub async fn load(&self, db: &impl ConnectionTrait) -> Result<(), DbErr> {
        let fields = in_use(db).await?;
        let _ = self.loaded.set(fields);
        Ok(())
    }

    /// All, at once.
    ///
    /// # Errors
    /// The database.
    pub async fn loaded(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let fields = Self::default();
        fields.load(db).await?;
        Ok(fields)
    }
}

/// The fields that are in use, in their order.
///
/// # Errors
/// The database.
pub async fn in_use(db: &impl ConnectionTrait) -> Result<Vec<Model>, DbErr> {
    let fields = Entity::find().filter(Column::ArchivedAt.is_null());
    fields.order_by_asc(Column::Position).order_by_asc(Column::Key).all(db).await
}

impl Model {
    /// Whether `viewer` sees its values.
    #[must_use]
    pub fn is_visible_to(&self, viewer: &Viewer) -> bool {
        let roles = texts(&self.visible_to);
        let is_administrator = viewer.role == Role::Administrator.id();
        roles.is_empty() || is_administrator || roles.contains(&viewer.role.global())
    }

    /// Whether everybody sees its values who sees customers.
    #[must_use]
    pub fn is_visible_to_all(&self) -> bool {
        texts(&self.visible_to).is_empty()
    }

    /// The allowed values of a choice.
    #[must_use]
    pub fn allowed(&self) -> Vec<String> {
        texts(&self.choices)
    }
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A custom field to be.
#[derive(Clone, Debug)]
pub struct NewCustomField {
    /// What programs call it.
    pub key: String,
    /// What kind of value it has.
    pub kind: Kind,
    /// The rest.
    pub change: Change,
}

/// A change of a custom field. The outer `None` keeps a value, an inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What people call it.
    pub label: Option<String>,
    /// What people of other languages call it, by language tag.
    pub labels: Option<Vec<(String, String)>>,
    /// What kind of value it has.
    pub kind: Option<Kind>,
    /// Whether a new customer needs a value.
    pub required: Option<bool>,
    /// The allowed values of a choice.
    pub choices: Option<Vec<String>>,
    /// Why it is kept.
    pub purpose: Option<Option<String>>,
    /// How much it says about a person.
    pub sensitivity: Option<Sensitivity>,
    /// Who sees it beside administrators.
    pub visible_to: Option<Vec<RoleId>>,
    /// Where it stands among the others.
    pub position: Option<i32>,
}

/// Defines a custom field.
///
/// # Errors
/// `Invalid`, [`Error::NotUnique`], [`CustomersError::TooManyFields`].
pub async fn create(
    txn: &impl ConnectionTrait,
    new: NewCustomField,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if Entity::find().filter(Column::ArchivedAt.is_null()).count(txn).await? >= MOST_FIELDS {
        return Err(CustomersError::TooManyFields(MOST_FIELDS).into());
    }
    role::ensure_all(txn, new.change.visible_to.as_deref().unwrap_or_default()).await?;
    let mut row = Model {
        id: CustomFieldId::new(now),
        key: parse_key(&new.key)?,
        label: String::new(),
        labels: json!({}),
        kind: new.kind,
        required: false,
        choices: json!([]),
        purpose: None,
        sensitivity: Sensitivity::Normal,
        visible_to: json!([]),
        position: 0,
        archived_at: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    row.change(new.change)?;
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Changes a custom field, if it still has `expected_version` (where one is given).
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], [`CustomersError::FieldInUse`],
/// [`CustomersError::ChoiceInUse`], [`Error::StaleVersion`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: CustomFieldId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let before = lock(txn, id).await?;
    unchanged(&before, expected_version)?;
    role::ensure_all(txn, change.visible_to.as_deref().unwrap_or_default()).await?;
    let mut row = before.clone();
    row.change(change)?;
    if row.kind != before.kind && is_used(txn, &before, None).await? {
        return Err(CustomersError::FieldInUse.into());
    }
    let kept = row.allowed();
    let removed: Vec<_> =
        before.allowed().into_iter().filter(|choice| !kept.contains(choice)).collect();
    if !removed.is_empty() && is_used(txn, &before, Some(&removed)).await? {
        return Err(CustomersError::ChoiceInUse.into());
    }
    save::<Entity>(txn, row, actor, now).await
}

/// Archives a custom field: its values stay, but nobody sees or sets them any more.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn archive(
    txn: &impl ConnectionTrait,
    id: CustomFieldId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = lock(txn, id).await?;
    save::<Entity>(txn, Model { archived_at: Some(now), ..row }, actor, now).await
}

async fn lock(txn: &impl ConnectionTrait, id: CustomFieldId) -> Result<Model, Error> {
    let rows = Entity::find_by_id(id).filter(Column::ArchivedAt.is_null()).lock_exclusive();
    rows.one(txn).await?.ok_or_else(Error::no_such::<Entity>)
}

/// Whether any customer, deleted or not, has a value, or one of the `choices`.
async fn is_used(
    txn: &impl ConnectionTrait,
    field: &Model,
    choices: Option<&[String]>,
) -> Result<bool, DbErr> {
    let backend = txn.get_database_backend();
    let has = match choices {
        Some(choices) => custom::has_any(backend, field, choices),
        None => custom::has_value(backend, field),
    };
    let found = customer::Entity::find().select_only().column(customer::Column::Id).filter(has);
    Ok(found.into_tuple::<Uuid>().one(txn).await?.is_some())
}

impl Model {
    fn change(&mut self, change: Change) -> Result<(), Error> {
        if let Some(label) = change.label {
            self.label = label;
        }
        self.label = parse_required("label", &self.label, 100)?;
        if let Some(labels) = change.labels {
            let labels = labels.into_iter().map(|(language, label)| {
                let label = parse_required("labels", &label, 100)?;
                Ok((parse_language(&language)?, label.into()))
            });
            self.labels = Value::Object(labels.collect::<Result<_, Error>>()?);
        }
        self.kind = change.kind.unwrap_or(self.kind);
        self.required = change.required.unwrap_or(self.required);
        self.sensitivity = change.sensitivity.unwrap_or(self.sensitivity);
        self.position = change.position.unwrap_or(self.position);
        if let Some(purpose) = change.purpose {
            self.purpose = parse_text("purpose", purpose, 500)?;
        }
        if let Some(roles) = change.visible_to {
            self.visible_to = roles.iter().map(|role| role.global()).collect();
        }
        if let Some(choices) = change.choices {
            self.choices = parse_choices(&choices)?.into();
        }
        match (self.kind, self.allowed().is_empty()) {
            (Kind::Choice | Kind::MultiChoice, true) => {
                return Err(Error::invalid("choices", "a choice needs its allowed values"));
            }
            (Kind::Choice | Kind::MultiChoice, false) | (_, true) => {}
            (_, false) => {
                return Err(Error::invalid("choices", "only a choice has allowed values"));
            }
        }
        if self.sensitivity != Sensitivity::Normal && self.purpose.is_none() {
            let message = "say for what purpose this is kept about people";
            return Err(Error::invalid("purpose", message));
        }
        if self.sensitivity == Sensitivity::Sensitive && texts(&self.visible_to).is_empty() {
            let message = "say which roles see this; name ADMINISTRATOR if no other does";
            return Err(Error::invalid("visibleTo", message));
        }
        Ok(())
    }
}

fn parse_key(given: &str) -> Result<String, Error> {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = given.starts_with(|c: char| c.is_ascii_lowercase());
    if starts && given.len() <= 40 && given.chars().all(known) {
        return Ok(given.to_owned());
    }
    let message = "a key is a small letter, then letters, digits and underscores, 40 at most";
    Err(Error::invalid("key", message))
}

fn parse_choices(given: &[String]) -> Result<Vec<String>, Error> {
    let invalid = |message: String| Err(Error::invalid("choices", message));
    if given.len() > MOST_CHOICES {
        return invalid(format!("a choice has at most {MOST_CHOICES} allowed values"));
    }
    let mut choices = Vec::with_capacity(given.len());
    for choice in given {
        let choice = text::clean(choice);
        if choice.is_empty() || choice.chars().count() > 100 {
            return invalid("an allowed value has 1 to 100 characters".to_owned());
        }
        if choices.contains(&choice) {
            return invalid(format!("{choice} is there twice"));
        }
        choices.push(choice);
    }
    Ok(choices)
}
