//! Transactions: whenever a caller goes away, none is left open.

use std::time::Duration;

use futures::FutureExt;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;
use tests::app::App;
use tests::graphql::PATIENCE;
use tests::on_both_stacks;

/// How many transactions of this database are open.
async fn open(app: &App) -> i64 {
    if app.db.reader().get_database_backend() != DbBackend::Postgres {
        return 0;
    }
    let sql = "SELECT count(*) FROM pg_stat_activity \
               WHERE datname = current_database() AND state LIKE 'idle in transaction%'";
    let sql = Statement::from_string(DbBackend::Postgres, sql);
    let row = app.db.reader().query_one_raw(sql).await.expect("a count").expect("a row");
    row.try_get_by_index(0).expect("a number")
}

/// Waits until no transaction is open.
async fn all_closed(app: &App) {
    while open(app).await > 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

on_both_stacks! {
    async fn a_caller_who_goes_away_leaves_no_transaction_open(app: App) {
        // Timers count milliseconds, in which a transaction has long begun: they go away after so many looks.
        for looks in 0..150 {
            let mut work = app.db.write(|_| async { Ok(()) }.boxed()).boxed();
            for _ in 0..looks {
                if futures::poll!(&mut work).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(work);
            // What was begun without anybody waiting for it shows as soon as its connection is used.
            futures::future::join_all((0..4).map(|_| app.ask("{ me { id } }", json!({})))).await;
            let closed = tokio::time::timeout(PATIENCE, all_closed(app)).await;
            assert_eq!(closed, Ok(()), "after {looks} looks");
        }
        // SQLite has one writer: an open transaction would keep this one waiting until it fails.
        app.db.write(|_| async { Ok(()) }.boxed()).await.expect("a transaction of its own");
    }
}
