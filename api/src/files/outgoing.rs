//! What links lead to, as it goes out: versions of documents, statements, and what jobs have left.
//!
//! Invariant: a file of the store goes out as it comes from there, never whole in memory.

use std::ops::Range;

use axum::body::{Body, Bytes};
use chrono::{DateTime, Utc};
use entity::access::Viewer;
use entity::collaboration::file;
use entity::collaboration::left::{self, Left};
use entity::finance::statement;
use entity::id::{FileId, JobId, StatementId};
use object_store::{GetOptions, GetRange, ObjectStore};
use sea_orm::{ConnectionTrait, DbErr};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::link::Purpose;

/// Something that goes out.
pub(super) struct Outgoing {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub media_type: String,
    /// How many bytes it has.
    pub size: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    source: Source,
}

/// Where the bytes are.
enum Source {
    /// Under a key of the file store.
    Store(String),
    /// Here.
    Memory(Bytes),
}

impl Outgoing {
    /// What is at `id` for `viewer`, if anything is.
    pub async fn at(
        db: &impl ConnectionTrait,
        (purpose, id): (Purpose, Uuid),
        viewer: &Viewer,
        now: DateTime<Utc>,
    ) -> Result<Option<Self>, DbErr> {
        match purpose {
            Purpose::Upload => Ok(None),
            Purpose::Version => {
                let file = file::readable(db, FileId(id), viewer).await?;
                Ok(file.map(Self::from))
            }
            Purpose::Statement => {
                let file = statement::file(db, StatementId(id), viewer).await?;
                Ok(file.map(Self::from))
            }
            Purpose::Result => Ok(left::by(db, JobId(id), viewer, now).await?.map(Self::from)),
        }
    }

    /// Its bytes, or those of a range that lies within them.
    pub async fn body(
        self,
        store: &dyn ObjectStore,
        range: Option<Range<u64>>,
    ) -> Result<Body, object_store::Error> {
        match self.source {
            Source::Store(key) => {
                let range = range.map(GetRange::Bounded);
                let options = GetOptions { range, ..GetOptions::default() };
                let key = object_store::path::Path::from(key);
                Ok(Body::from_stream(store.get_opts(&key, options).await?.into_stream()))
            }
            Source::Memory(bytes) => {
                let at = |place: u64| usize::try_from(place).unwrap_or(usize::MAX);
                let range = range.map_or(0..bytes.len(), |range| at(range.start)..at(range.end));
                Ok(Body::from(bytes.slice(range)))
            }
        }
    }
}

impl From<file::Model> for Outgoing {
    fn from(file: file::Model) -> Self {
        Self {
            name: file.name,
            media_type: file.media_type,
            size: file.size.unsigned_abs(),
            sha256: file.sha256,
            source: Source::Store(file.storage_key),
        }
    }
}

impl From<Left> for Outgoing {
    fn from(left: Left) -> Self {
        match left {
            Left::File(file) => file.into(),
            Left::Table { name, bytes } => Self {
                name,
                media_type: "text/csv; charset=utf-8".to_owned(),
                size: bytes.len() as u64,
                sha256: entity::text::hex(&Sha256::digest(&bytes)),
                source: Source::Memory(bytes.into()),
            },
        }
    }
}
