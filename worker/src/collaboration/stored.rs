//! Files that people have uploaded, for jobs that read them.
//!
//! Invariant: a file is never whole in memory.

use std::fs::File;
use std::io::SeekFrom;

use entity::collaboration::file;
use entity::db::Db;
use entity::id::FileId;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{GetResultPayload, ObjectStore, ObjectStoreExt};
use sea_orm::EntityTrait;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};

/// Why a file cannot be had yet.
#[derive(Debug, thiserror::Error)]
pub enum NotYet {
    /// The store did not give it.
    #[error("the file store did not give it: {0}")]
    Store(#[from] object_store::Error),
    /// There was no place for it.
    #[error("it could not be put down for reading: {0}")]
    Spool(#[from] std::io::Error),
    /// The database.
    #[error(transparent)]
    Db(#[from] entity::Error),
}

/// The file with the `id`, as one that can be read more than once; or the reason for which it can never be
/// had.
///
/// # Errors
/// [`NotYet`].
pub async fn open(
    db: &Db,
    files: &dyn ObjectStore,
    id: FileId,
) -> Result<Result<File, String>, NotYet> {
    let stored = file::Entity::find_by_id(id).one(db.reader()).await.map_err(entity::Error::Db)?;
    let Some(stored) = stored else {
        return Ok(Err("there is no such file".to_owned()));
    };
    match spooled(files, &Path::from(stored.storage_key)).await {
        Ok(source) => Ok(Ok(source)),
        Err(NotYet::Store(object_store::Error::NotFound { .. })) => {
            Ok(Err("the file is not in the file store any more".to_owned()))
        }
        Err(error) => Err(error),
    }
}

async fn spooled(files: &dyn ObjectStore, path: &Path) -> Result<File, NotYet> {
    match files.get(path).await?.payload {
        GetResultPayload::File(file, _) => Ok(file),
        GetResultPayload::Stream(mut bytes) => {
            let mut spooled = tokio::fs::File::from_std(tempfile::tempfile()?);
            while let Some(block) = bytes.try_next().await? {
                spooled.write_all(&block).await?;
            }
            spooled.flush().await?;
            spooled.seek(SeekFrom::Start(0)).await?;
            Ok(spooled.into_std().await)
        }
    }
}
