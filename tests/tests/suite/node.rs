//! What public JavaScript clients and audits make of the API: `tests/node`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use api::serve::Development;
use tests::app::{App, On, PASSWORD};
use tokio::task::spawn_blocking;

use crate::sessions::EMAIL;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("node")
}

/// Whether a program can be run.
fn is_there(program: &str) -> bool {
    let mut version = Command::new(program);
    let version = version.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    version.status().is_ok_and(|status| status.success())
}

/// Whether what the lock file says is installed.
fn is_installed(folder: &Path) -> bool {
    let modified = |name: &str| folder.join(name).metadata().and_then(|data| data.modified()).ok();
    let (asked, installed) =
        (modified("package-lock.json"), modified("node_modules/.package-lock.json"));
    installed.is_some_and(|installed| asked.is_some_and(|asked| asked <= installed))
}

fn run(command: &mut Command) {
    let output = command.current_dir(folder()).output().expect("it runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn public_clients_and_audits_are_content() {
    if !is_there("node") || !is_there("npm") {
        eprintln!("NOT RUN: node and npm (20 or newer) are missing, which tests/node needs");
        return;
    }
    if !is_installed(&folder()) {
        run(Command::new("npm").args(["ci", "--ignore-scripts"]));
    }
    App::run(On::Embedded, async |app| {
        let mut node = Command::new("npm");
        node.args(["test", "--silent"]);
        let address = app.another_api(|parts| {
            parts.introspection = true;
            parts.development = Some(Development { mailbox: None, texts: None, demo: false });
        });
        node.env("RAPPORT_URL", format!("http://{}", address.await));
        node.env("RAPPORT_TOKEN", app.token());
        node.env("RAPPORT_EMAIL", EMAIL).env("RAPPORT_PASSWORD", PASSWORD);
        spawn_blocking(move || run(&mut node)).await.expect("all are content");
    })
    .await;
}
