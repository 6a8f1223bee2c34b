//! What a test's Rapport notes outside of its database.

use entity::automation::sending::Noted;
use redis::{Client, Cmd};

use super::App;

impl App {
    /// How many batches have left, as it is noted outside of the database.
    ///
    /// # Panics
    /// When nobody can say.
    pub async fn noted(&self) -> Noted {
        let sent = self.stack.sent().expect("a place");
        sent.noted().await.expect("what is noted")
    }

    /// Loses that.
    ///
    /// # Panics
    /// When it cannot be reached.
    pub async fn forget_what_is_noted(&self) {
        let Some(url) = &self.stack.redis_url else {
            return std::fs::remove_file(self.stack.data_dir.join("sent.json")).expect("a file");
        };
        let client = Client::open(url.as_str()).expect("an address");
        let mut redis = client.get_multiplexed_async_connection().await.expect("a Redis");
        let key = format!("{}:sent", self.stack.redis_prefix);
        let forgotten = Cmd::del(key).query_async::<u64>(&mut redis).await;
        assert_eq!(forgotten.expect("an answer"), 1);
    }
}
