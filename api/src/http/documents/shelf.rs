//! The documents that clients have sent together with their hashes.
//!
//! Invariant: at most [`MOST`] of them in each process and as many in Redis; those that were not asked for
//! the longest go first. A document that Redis gives has its hash, whoever has put it there.

use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use entity::clock::Clock;
use entity::text::hex;
use lru::LruCache;
use redis::{RedisResult, Script};

use super::super::store::Store;
use super::{Hash, hash_of};

/// How many documents are kept.
const MOST: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();

/// How long Redis keeps them when nobody asks for any, in seconds.
const KEPT_S: u32 = 7 * 24 * 3_600;

/// Keys: documents by hash, hashes by when they were last asked for. Arguments: hash, time.
static GET: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local found = redis.call('HGET', KEYS[1], ARGV[1])
         if found then redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1]) end
         return found",
    )
});

/// The same keys. Arguments: hash, time, document, how many are kept, how long in seconds.
static PUT: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
         redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
         local over = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[4])
         if over > 0 then
           for i, old in ipairs(redis.call('ZPOPMIN', KEYS[2], over)) do
             if i % 2 == 1 then redis.call('HDEL', KEYS[1], old) end
           end
         end
         redis.call('EXPIRE', KEYS[1], ARGV[5])
         redis.call('EXPIRE', KEYS[2], ARGV[5])",
    )
});

/// Documents by their hashes, of this process and of all.
pub struct Shelf {
    own: Mutex<LruCache<Hash, Arc<str>>>,
    shared: Option<Store>,
    clock: Clock,
}

impl Shelf {
    /// An empty one, over what is shared if anything is.
    #[must_use]
    pub fn new(shared: Option<Store>, clock: Clock) -> Self {
        Self { own: Mutex::new(LruCache::new(MOST)), shared, clock }
    }

    pub(super) async fn get(&self, hash: Hash) -> Option<Arc<str>> {
        if let Some(own) = self.own().get(&hash) {
            return Some(Arc::clone(own));
        }
        let found = self.shared.as_ref()?;
        let found: Arc<str> = match self.get_shared(found, hash).await {
            Ok(found) => found.filter(|found| hash_of(found) == hash)?.into(),
            Err(error) => {
                tracing::debug!(%error, "the shared documents cannot be asked");
                return None;
            }
        };
        self.own().put(hash, Arc::clone(&found));
        Some(found)
    }

    pub(super) async fn put(&self, hash: Hash, document: Arc<str>) {
        let known = self.own().put(hash, Arc::clone(&document)).is_some();
        if let Some(store) = self.shared.as_ref().filter(|_| !known)
            && let Err(error) = self.put_shared(store, hash, &document).await
        {
            tracing::debug!(%error, "a document is kept by this process only");
        }
    }

    async fn get_shared(&self, store: &Store, hash: Hash) -> RedisResult<Option<String>> {
        let [documents, used] = keys(store);
        let mut call = GET.prepare_invoke();
        call.key(documents).key(used).arg(hex(&hash)).arg(self.now());
        call.invoke_async(&mut store.connection()).await
    }

    async fn put_shared(&self, store: &Store, hash: Hash, document: &str) -> RedisResult<()> {
        let [documents, used] = keys(store);
        let mut call = PUT.prepare_invoke();
        call.key(documents).key(used).arg(hex(&hash)).arg(self.now());
        call.arg(document).arg(MOST.get()).arg(KEPT_S);
        call.invoke_async(&mut store.connection()).await
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    fn own(&self) -> MutexGuard<'_, LruCache<Hash, Arc<str>>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn keys(store: &Store) -> [String; 2] {
    ["text", "used"].map(|name| store.key("documents", name))
}
