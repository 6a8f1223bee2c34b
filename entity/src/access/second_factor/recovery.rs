//! Recovery codes: what opens when the device is lost. Each opens once.

use sea_orm::ActiveValue::Set;
use sea_orm::PaginatorTrait;
use sea_orm::entity::prelude::*;

use crate::access::AccessError;
use crate::access::secret::sha256;
use crate::error::Error;
use crate::id::UserId;
use crate::text::hex;

/// How many there are.
const COUNT: usize = 10;

/// A recovery code.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "recovery_code")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// What is stored of it. It has 80 bits of chance, which need no slow hash.
    #[sea_orm(primary_key, auto_increment = false)]
    pub secret_sha256: String,
    /// When it was used.
    pub used_at: Option<DateTimeUtc>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Four groups of five digits: `3f9a1-07c2e-b4d86-1e55f`.
fn fresh() -> String {
    let digits = hex(&rand::random::<[u8; 10]>());
    let groups = [&digits[..5], &digits[5..10], &digits[10..15], &digits[15..]];
    groups.join("-")
}

/// What is stored of a code, however it is typed.
fn stored(code: &str) -> String {
    let digits = code.chars().filter(char::is_ascii_alphanumeric);
    sha256(&digits.collect::<String>().to_ascii_lowercase())
}

/// Fresh codes instead of those that the user has.
pub(super) async fn issue(txn: &impl ConnectionTrait, user: UserId) -> Result<Vec<String>, Error> {
    forget(txn, user).await?;
    let codes: Vec<_> = (0..COUNT).map(|_| fresh()).collect();
    let rows = codes.iter().map(|code| ActiveModel {
        user_id: Set(user),
        secret_sha256: Set(stored(code)),
        used_at: Set(None),
    });
    Entity::insert_many(rows).exec_without_returning(txn).await?;
    Ok(codes)
}

/// Uses a code up.
pub(super) async fn take(
    txn: &impl ConnectionTrait,
    user: UserId,
    code: &str,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let taken = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::val(now))
        .filter(Column::UserId.eq(user))
        .filter(Column::SecretSha256.eq(stored(code)))
        .filter(Column::UsedAt.is_null())
        .exec(txn)
        .await?;
    match taken.rows_affected {
        0 => Err(AccessError::WrongCode.into()),
        _ => Ok(()),
    }
}

/// Forgets the user's codes.
pub(super) async fn forget(txn: &impl ConnectionTrait, user: UserId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::UserId.eq(user)).exec(txn).await?;
    Ok(())
}

/// How many codes the user has left.
///
/// # Errors
/// The database.
pub async fn left(db: &impl ConnectionTrait, user: UserId) -> Result<u64, DbErr> {
    Entity::find().filter(Column::UserId.eq(user)).filter(Column::UsedAt.is_null()).count(db).await
}
