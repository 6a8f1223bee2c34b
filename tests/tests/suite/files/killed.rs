//! An upload whose server is killed in the middle, as a machine that loses its power does it.
//!
//! Invariant: the victim is this very test program, started once more to serve and nothing else.

use std::path::Path;
use std::time::Duration;

use chrono::TimeDelta;
use entity::clock::Clock;
use entity::collaboration::file;
use object_store::ObjectStoreExt;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::app::{App, Home, On};
use tests::stack::{Process, Program};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{objects, promise, put, text};
use crate::given;

const VICTIM: &str = "files::killed::victim";

const SIZE: usize = 20_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is started, and killed, by the tests below"]
async fn victim() {
    let (Ok(home), Ok(note)) = (std::env::var("VICTIM_HOME"), std::env::var("VICTIM_NOTE")) else {
        return;
    };
    let arguments: Vec<String> = serde_json::from_str(&home).expect("arguments");
    App::run_in(arguments, async |app| {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        given::document(app, &json!(customer), "kept.txt", b"kept").await;
        let input = json!({ "record": customer, "fileName": "film.mp4", "size": SIZE });
        let told = json!({ "address": app.address, "upload": promise(app, input).await });
        let draft = format!("{note}.draft");
        std::fs::write(&draft, told.to_string()).expect("a note");
        std::fs::rename(draft, note).expect("a note");
        std::future::pending::<()>().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn embedded() {
    nothing_is_half_there_after_a_kill(On::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the production half runs by tests/run"]
async fn production() {
    nothing_is_half_there_after_a_kill(On::Production).await;
}

async fn nothing_is_half_there_after_a_kill(on: On) {
    let home = Home::fresh(on).await.expect("a home");
    let folder = tempfile::tempdir().expect("a folder");
    let note = folder.path().join("note");
    let arguments = serde_json::to_string(&home.arguments).expect("arguments");
    let program = Program {
        name: "victim".to_owned(),
        path: std::env::current_exe().expect("this program"),
        args: [VICTIM, "--exact", "--ignored", "--nocapture"].map(Into::into).into(),
        env: vec![("VICTIM_HOME", arguments), ("VICTIM_NOTE", note.display().to_string())],
        dir: folder.path().to_owned(),
        log: folder.path().join("victim.log"),
        owner: None,
    };
    let mut process = Process::start(program).expect("the victim starts");
    let limit = Duration::from_mins(1);
    process.ready(limit, async || note.exists()).await.expect("the victim serves");
    let told = std::fs::read_to_string(&note).expect("the note");
    let told: Value = serde_json::from_str(&told).expect("the note");
    let upload = text(&told["upload"]);
    let mut stream = TcpStream::connect(text(&told["address"])).await.expect("a connection");
    let head = format!("PUT {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: {SIZE}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("a head");
    stream.write_all(&vec![7; SIZE / 2]).await.expect("a half");
    let kept = home.files().join("uploads");
    process.ready(limit, async || parts(&kept) == 1).await.expect("a part is stored");
    process.kill();

    App::run_in(home.arguments.clone(), async |app| {
        let rows = file::Entity::find().all(app.db.reader()).await.expect("files");
        assert_eq!((rows.len(), objects(app).await, parts(&kept)), (1, 1, 1));
        for row in rows {
            let key = object_store::path::Path::from(row.storage_key);
            app.files.head(&key).await.expect("no row is without its bytes");
        }
        assert_eq!(put(app, upload, &vec![7; SIZE]).await, 201, "the link is as good as before");
        // The parts are as old as this machine's clock says.
        app.advance(Clock::system().now() - app.clock.now() + TimeDelta::days(2));
        app.upkeep().tidy().await.expect("tidy");
        assert_eq!((objects(app).await, parts(&kept)), (2, 0));
    })
    .await;
}

/// How many files there are in `folder` that are not whole.
fn parts(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().contains('#')).count()
}
