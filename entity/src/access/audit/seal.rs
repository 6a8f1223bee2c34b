//! Sealing: what turns entries into a chain.
//!
//! Whoever changes a record writes its entry without a hash, so that writers never wait for one another.
//! The sealer, one at a time, takes the entries that are committed and not sealed, gives them the next
//! positions, and hashes each with the hash before it. A transaction that commits late is sealed late:
//! positions follow the order in which changes became visible, and have no gaps.
//!
//! ```text
//! digest = SHA-256(salt, before, after)                          hash = SHA-256(previous hash, entry, digest)
//! ```
//!
//! All of it as JSON without spaces and with sorted keys. Once the salt is erased with what was changed, nobody
//! can find out by trying what the digest was made of. An entry that was erased before it was sealed has none.
//!
//! Invariant: the head says how long the chain is and what its last hash is, in the same transaction.

use chrono::{DateTime, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{DbBackend, QueryOrder, QuerySelect, Statement};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Column, Entity, Model};
use crate::error::Error;
use crate::text::hex;

/// How many bytes of chance a salt has.
const SALT: usize = 16;

/// The end of the chain.
pub(super) mod head {
    use sea_orm::entity::prelude::*;

    /// The one row.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "audit_head")]
    pub struct Model {
        /// Always one.
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        /// How many entries are sealed.
        pub position: i64,
        /// The hash of the last one; empty when there is none.
        pub hash: String,
    }

    /// None.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Seals up to `limit` entries, oldest first; none when somebody else is at it. Gives how many.
///
/// # Errors
/// The database.
pub async fn seal(
    txn: &impl ConnectionTrait,
    limit: u64,
    now: DateTime<Utc>,
) -> Result<usize, Error> {
    let head = head::Entity::find_by_id(1)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .one(txn)
        .await?;
    let Some(head) = head else { return Ok(0) };
    // What is just being erased is sealed when that is over.
    let waiting = Entity::find()
        .filter(Column::Position.is_null())
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .all(txn)
        .await?;
    let sealed = waiting.len();
    let (mut position, mut hash) = (head.position, head.hash);
    let mut seals = Vec::with_capacity(sealed);
    for mut entry in waiting {
        position += 1;
        if entry.erased_at.is_none() {
            let salt = hex(&rand::random::<[u8; SALT]>());
            entry.digest = Some(digest(&salt, &entry));
            entry.salt = Some(salt);
        }
        hash = hashed(&hash, &entry, position, now);
        seals.push(json!({
            "id": entry.id.0.simple().to_string(), "position": position, "hash": hash,
            "salt": entry.salt, "digest": entry.digest,
        }));
    }
    if seals.is_empty() {
        return Ok(0);
    }
    write(txn, seals.into(), now).await?;
    head::Entity::update_many()
        .col_expr(head::Column::Position, Expr::val(position))
        .col_expr(head::Column::Hash, Expr::val(hash))
        .exec(txn)
        .await?;
    Ok(sealed)
}

async fn write(txn: &impl ConnectionTrait, seals: Value, now: DateTime<Utc>) -> Result<(), Error> {
    let backend = txn.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "UPDATE audit_entry SET position = s.position, hash = s.hash, salt = s.salt, \
             digest = s.digest, sealed_at = $2 FROM jsonb_to_recordset($1) \
             AS s(id uuid, position bigint, hash text, salt text, digest text) \
             WHERE audit_entry.id = s.id"
        }
        _ => {
            "UPDATE audit_entry SET position = s.value ->> 'position', hash = s.value ->> 'hash', \
             salt = s.value ->> 'salt', digest = s.value ->> 'digest', sealed_at = ?2 \
             FROM json_each(?1) AS s WHERE audit_entry.id = unhex(s.value ->> 'id')"
        }
    };
    let sealed = Statement::from_sql_and_values(backend, sql, [seals.into(), now.into()]);
    txn.execute_raw(sealed).await?;
    Ok(())
}

/// The hash of `entry` at `position`, after an entry with the hash `previous`.
pub(super) fn hashed(
    previous: &str,
    entry: &Model,
    position: i64,
    sealed: DateTime<Utc>,
) -> String {
    let content = json!([
        previous,
        position,
        entry.id,
        entry.at.timestamp_micros(),
        entry.user_id,
        entry.job_id,
        entry.request_id,
        entry.record_table,
        entry.record_id,
        entry.action.to_value(),
        entry.digest,
        sealed.timestamp_micros(),
    ]);
    canonical_hash(&content)
}

/// The hash of what an entry says was changed.
pub(super) fn digest(salt: &str, entry: &Model) -> String {
    canonical_hash(&json!([salt, entry.before, entry.after]))
}

fn canonical_hash(content: &Value) -> String {
    let mut canonical = Vec::with_capacity(512);
    write_canonical(content, &mut canonical);
    hex(&Sha256::digest(&canonical))
}

/// Writes JSON so that equal values give equal bytes, however their keys are ordered.
fn write_canonical(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                crate::catalog::write_text(name, out);
                out.push(b':');
                write_canonical(value, out);
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_canonical(item, out);
            }
            out.push(b']');
        }
        scalar => out.extend_from_slice(scalar.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_give_equal_bytes() {
        let text = |json: &str| {
            let mut out = Vec::new();
            write_canonical(&serde_json::from_str(json).unwrap(), &mut out);
            String::from_utf8(out).unwrap()
        };
        let canonical = r#"[{"a":{"c":[1,true],"d":"\""},"b":null}]"#;
        assert_eq!(text(r#"[ {"b": null, "a": {"d": "\"", "c": [1, true]}} ]"#), canonical);
        assert_eq!(text(canonical), canonical);
    }
}
