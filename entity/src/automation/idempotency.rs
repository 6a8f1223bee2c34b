//! Requests that may come twice. Invariant: a user's key stands for one request, and has one outcome.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sha2::{Digest, Sha256};

use super::AutomationError;
use crate::error::Error;
use crate::id::UserId;

/// A request that was made.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency_key")]
pub struct Model {
    /// Who made it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The key they gave it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// What was asked.
    pub operation: String,
    /// A hash of what it was asked with.
    pub input_sha256: String,
    /// The record that came of it.
    pub outcome: Option<Uuid>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A request with its key.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who makes it.
    pub user: UserId,
    /// The key they give it.
    pub key: String,
    /// What is asked, such as `recordPayment`.
    pub operation: &'static str,
    /// A hash of the input.
    pub input_sha256: String,
}

impl Request {
    /// The request of `operation` with `input`, whatever the order of the input's fields.
    ///
    /// # Errors
    /// [`AutomationError::IdempotencyKeyMalformed`].
    pub fn new(
        user: UserId,
        key: &str,
        operation: &'static str,
        input: &serde_json::Value,
    ) -> Result<Self, AutomationError> {
        if key.is_empty() || key.chars().count() > 255 {
            return Err(AutomationError::IdempotencyKeyMalformed);
        }
        // serde_json's maps are sorted by key, so equal inputs have equal texts.
        let digest = Sha256::digest(input.to_string());
        let input_sha256 = crate::text::hex(&digest);
        Ok(Self { user, key: key.to_owned(), operation, input_sha256 })
    }
}

/// Claims a request in the transaction that carries it out. `Some` is the outcome of an earlier one.
/// A parallel one with the same key waits here until this transaction has ended.
///
/// # Errors
/// [`AutomationError::IdempotencyKeyReused`].
pub async fn claim(
    txn: &impl ConnectionTrait,
    request: &Request,
    now: DateTimeUtc,
) -> Result<Option<Uuid>, Error> {
    let row = ActiveModel {
        user_id: Set(request.user),
        key: Set(request.key.clone()),
        operation: Set(request.operation.to_owned()),
        input_sha256: Set(request.input_sha256.clone()),
        outcome: Set(None),
        created_at: Set(now),
    };
    let once = OnConflict::columns([Column::UserId, Column::Key]).do_nothing().to_owned();
    if Entity::insert(row).on_conflict(once).exec_without_returning(txn).await? == 1 {
        return Ok(None);
    }
    let earlier = Entity::find_by_id((request.user, request.key.clone())).one(txn).await?;
    match earlier {
        Some(row)
            if row.operation == request.operation && row.input_sha256 == request.input_sha256 =>
        {
            Ok(row.outcome)
        }
        _ => Err(AutomationError::IdempotencyKeyReused.into()),
    }
}

/// Notes what came of a claimed request.
///
/// # Errors
/// The database.
pub async fn settle(
    txn: &impl ConnectionTrait,
    request: &Request,
    outcome: Uuid,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Outcome, Expr::val(outcome))
        .filter(Column::UserId.eq(request.user))
        .filter(Column::Key.eq(&request.key))
        .exec(txn)
        .await?;
    Ok(())
}
