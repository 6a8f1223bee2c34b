//! What the worker removes from the file store, and what it leaves.

use chrono::TimeDelta;
use entity::access::Role;
use entity::clock::Clock;
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions};
use serde_json::json;
use tests::on_both_stacks;

use super::{DOWNLOAD, get, promise, text};
use crate::given::{self, DELETE_DOCUMENT};

on_both_stacks! {
    async fn upkeep_removes_what_nobody_needs_and_nothing_else(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let kept = given::document(app, &customer, "kept.txt", b"shared").await;
        let gone = given::document(app, &customer, "gone.txt", b"gone").await;
        let twin = given::document(app, &customer, "twin.txt", b"shared").await;
        promise(app, json!({ "record": customer, "fileName": "x", "size": 1 })).await;
        for document in [&gone, &twin] {
            app.ask(DELETE_DOCUMENT, json!({ "id": document["documentId"] })).await;
        }
        app.files.put_opts(&Path::from("uploads/orphan"), "x".into(), PutOptions::default()).await.expect("an orphan");
        let folder = app.upkeep().folder.expect("a folder").join("uploads");
        std::fs::write(folder.join("killed#1"), "x").expect("a part");
        // The objects are as old as this machine's clock says.
        app.advance(Clock::system().now() - app.clock.now() + TimeDelta::days(2));
        let upkeep = app.upkeep();
        let (one, other) = tokio::join!(upkeep.tidy(), upkeep.tidy());
        let tidied = [one.expect("tidy"), other.expect("tidy")];
        assert!(tidied.iter().filter(|tidied| tidied.is_some()).count() <= 1, "one at a time: {tidied:?}");
        app.advance(TimeDelta::days(31));
        upkeep.tidy().await.expect("tidy");
        app.advance(TimeDelta::days(1));
        upkeep.tidy().await.expect("tidy");
        let names: Vec<_> = app.files.list(None).map_ok(|object| object.location).try_collect().await.expect("a list");
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(std::fs::read_dir(&folder).expect("a folder").count(), 1);
        let counts = "SELECT (SELECT COUNT(*) FROM document) * 100 + (SELECT COUNT(*) FROM file) * 10
            + (SELECT COUNT(*) FROM upload) AS n";
        assert_eq!(app.number(counts).await, 110);
        let auditor = app.token_of(Role::Auditor).await;
        let answer = app.send_as(Some(&auditor), DOWNLOAD, json!({ "id": kept["versionId"] })).await;
        let file = get(app, text(&answer.data["downloadLink"]["url"]), &[]).await;
        assert_eq!(file.body().as_ref(), b"shared");
    }
}
