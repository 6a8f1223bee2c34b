//! Custom fields: defining them, and their values in inputs.

use async_graphql::{Context, ID, InputObject, Json, MaybeUndefined, Object};
use entity::access::Permission;
use entity::customers::custom::CustomValue;
use entity::customers::custom::definition::{self, Change, NewCustomField};
use entity::id::{CustomFieldId, Id, RoleId};
use futures::FutureExt;
use uuid::Uuid;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::{change, payload};

choice! {
    /// What kind of value a custom field has.
    CustomFieldType mirrors "entity::customers::custom::Kind" {
        /// Text of at most 1000 characters.
        Text,
        /// A whole number of 64 bits.
        Number,
        /// A decimal number with at most six decimals.
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
}

choice! {
    /// How much a value says about a person.
    Sensitivity mirrors "entity::customers::custom::Sensitivity" {
        /// Nothing.
        Normal,
        /// Something: personal data (GDPR, Article 4).
        Personal,
        /// Something especially protected (GDPR, Article 9), or as private.
        Sensitive,
    }
}

/// A value that a custom field is to get.
#[derive(Clone, Debug, InputObject)]
pub struct CustomFieldInput {
    /// What programs call the field.
    pub key: String,
    /// The value, of the field's type and in the form in which it is shown; null takes it away.
    pub value: Option<Json<serde_json::Value>>,
}

impl From<CustomFieldInput> for CustomValue {
    fn from(input: CustomFieldInput) -> Self {
        let value = input.value.map_or(serde_json::Value::Null, |value| value.0);
        Self { key: input.key, value }
    }
}

/// What people of a language call something.
#[derive(Clone, Debug, InputObject)]
pub struct LabelInput {
    /// The language, as a tag such as `vi`.
    pub language: String,
    /// The label, up to 100 characters.
    pub label: String,
}

fn labels(given: Option<Vec<LabelInput>>) -> Option<Vec<(String, String)>> {
    Some(given?.into_iter().map(|input| (input.language, input.label)).collect())
}

/// An id that cannot be read is that of a role that there is not.
fn roles(given: Option<Vec<ID>>) -> Option<Vec<RoleId>> {
    Some(given?.iter().map(|id| RoleId::parse(id).unwrap_or(RoleId(Uuid::nil()))).collect())
}

/// A custom field to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateCustomFieldInput {
    /// What programs call it: a small letter, then letters, digits and underscores, 40 at most. Unique
    /// among all fields there are and were.
    pub key: String,
    /// What people call it, up to 100 characters.
    pub label: String,
    /// What people of other languages call it.
    #[graphql(validator(max_items = 50))]
    pub labels: Option<Vec<LabelInput>>,
    /// What kind of value it has.
    #[graphql(name = "type")]
    pub kind: CustomFieldType,
    /// Whether a new customer needs a value.
    #[graphql(default)]
    pub required: bool,
    /// The allowed values of a choice, in their order.
    pub choices: Option<Vec<String>>,
    /// Why it is kept, up to 500 characters; needed for what says something about people.
    pub purpose: Option<String>,
    /// How much it says about a person.
    #[graphql(default_with = "Sensitivity::Normal")]
    pub sensitivity: Sensitivity,
    /// The ids of the roles that see it beside administrators; all who see customers when it is absent or empty. Needed for
    /// what is sensitive.
    pub visible_to: Option<Vec<ID>>,
    /// Where it stands among the others.
    #[graphql(default)]
    pub position: i32,
}

impl From<CreateCustomFieldInput> for NewCustomField {
    fn from(input: CreateCustomFieldInput) -> Self {
        Self {
            key: input.key,
            kind: input.kind.into(),
            change: Change {
                label: Some(input.label),
                labels: labels(input.labels),
                kind: None,
                required: Some(input.required),
                choices: input.choices,
                purpose: Some(input.purpose),
                sensitivity: Some(input.sensitivity.into()),
                visible_to: roles(input.visible_to),
                position: Some(input.position),
            },
        }
    }
}

/// A change of a custom field. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateCustomFieldInput {
    /// What people call it, up to 100 characters.
    pub label: Option<String>,
    /// What people of other languages call it: all of them.
    #[graphql(validator(max_items = 50))]
    pub labels: Option<Vec<LabelInput>>,
    /// What kind of value it has; fixed once there are values.
    #[graphql(name = "type")]
    pub kind: Option<CustomFieldType>,
    /// Whether a new customer needs a value.
    pub required: Option<bool>,
    /// The allowed values of a choice, in their order; those that customers have stay among them.
    pub choices: Option<Vec<String>>,
    /// Why it is kept, up to 500 characters.
    pub purpose: MaybeUndefined<String>,
    /// How much it says about a person.
    pub sensitivity: Option<Sensitivity>,
    /// The ids of the roles that see it beside administrators; all who see customers when it is empty.
    pub visible_to: Option<Vec<ID>>,
    /// Where it stands among the others.
    pub position: Option<i32>,
}

impl From<UpdateCustomFieldInput> for Change {
    fn from(input: UpdateCustomFieldInput) -> Self {
        Self {
            label: input.label,
            labels: labels(input.labels),
            kind: input.kind.map(Into::into),
            required: input.required,
            choices: input.choices,
            purpose: change(input.purpose),
            sensitivity: input.sensitivity.map(Into::into),
            visible_to: roles(input.visible_to),
            position: input.position,
        }
    }
}

payload! {
    /// What came of defining, changing or archiving a custom field.
    CustomFieldPayload {
        /// The field as it is now; null when it was refused.
        custom_field: definition::Entity
    }
}

/// Defining custom fields.
#[derive(Default)]
pub struct CustomFieldMutation;

/// Defining custom fields.
#[Object]
impl CustomFieldMutation {
    /// Defines a custom field of customers.
    #[graphql(guard = "Can(Permission::DefineFields)")]
    async fn create_custom_field(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The field.")] input: CreateCustomFieldInput,
    ) -> Result<CustomFieldPayload, Fault> {
        let once = Once::new(None, "createCustomField", &input);
        let new = NewCustomField::from(input);
        let outcome = write(ctx, once, move |txn, actor, now| {
            let new = new.clone();
            async move { Ok(definition::create(txn, new, actor, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Changes a custom field. Its key stays, and so does its type once there are values.
    #[graphql(guard = "Can(Permission::DefineFields)")]
    async fn update_custom_field(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The field's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateCustomFieldInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CustomFieldPayload, Fault> {
        let once = Once::new(None, "updateCustomField", &input).about(&id);
        let id = match parse::<CustomFieldId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let change = Change::from(input);
        let outcome = write(ctx, once, move |txn, actor, now| {
            let change = change.clone();
            async move {
                let row = definition::update(txn, id, change, expected_version, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Archives a custom field: its values stay stored, but nobody sees, sets or compares them any more.
    #[graphql(guard = "Can(Permission::DefineFields)")]
    async fn archive_custom_field(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The field's id.")] id: ID,
    ) -> Result<CustomFieldPayload, Fault> {
        let once = Once::new(None, "archiveCustomField", &id);
        let id = match parse::<CustomFieldId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            async move { Ok(definition::archive(txn, id, actor, now).await?.id.into()) }.boxed()
        });
        outcome.await.map(Into::into)
    }
}
