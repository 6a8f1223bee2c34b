//! Keys that something is signed with: given, or in development made once and kept.

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{ConfigError, Environment, Stack};

/// The shortest key, in bytes.
const SHORTEST: usize = 32;

impl Stack {
    /// The key that was `given` by the variable `name`; in development, when none was, the one that is kept in `file` of
    /// `DATA_DIR`, which is made on first use.
    ///
    /// # Errors
    /// When it is missing in production, too short, or cannot be kept.
    pub fn key(
        &self,
        name: &'static str,
        given: Option<String>,
        file: &str,
    ) -> Result<Vec<u8>, ConfigError> {
        match given {
            Some(key) => long_enough(name, key.into_bytes()),
            None if self.environment == Environment::Production => {
                let what = "production needs a key, the same for all processes; `openssl rand -hex 32` makes one";
                Err(ConfigError::Refused(name, what.to_owned()))
            }
            None => long_enough(name, kept(&self.data_dir.join(file))?),
        }
    }
}

/// The key, if it is long enough.
///
/// # Errors
/// When it is not.
pub fn long_enough(name: &'static str, key: Vec<u8>) -> Result<Vec<u8>, ConfigError> {
    if key.len() >= SHORTEST {
        return Ok(key);
    }
    let what = "a key needs 32 characters or more; `openssl rand -hex 32` makes one";
    Err(ConfigError::Refused(name, what.to_owned()))
}

/// The key in `path`, readable by its owner only. Of processes that make it at once, one does.
fn kept(path: &Path) -> Result<Vec<u8>, ConfigError> {
    let failed = |error| ConfigError::Unreadable("DATA_DIR", path.to_owned(), error);
    match std::fs::read(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        read => return read.map_err(failed),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut draft = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let key = entity::text::hex(&rand::random::<[u8; 32]>());
    draft.write_all(key.as_bytes()).map_err(failed)?;
    match draft.persist_noclobber(path) {
        Err(error) if error.error.kind() != ErrorKind::AlreadyExists => Err(failed(error.error)),
        _ => std::fs::read(path).map_err(failed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_kept_is_the_same_for_all_who_come_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("here").join("link.key");
        let keys: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| kept(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0] && key.len() == 64));
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
