//! `/sms`: the text messages that development has written to a directory, for a browser to read.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};

use super::{NEWEST, PAGE, Shown, blocking};

/// Read of each.
const WHOLE: u64 = 64 << 10;

struct Telephone {
    directory: PathBuf,
    pages: Environment<'static>,
}

/// `/sms` over the `.json` files of a directory, which need not exist yet.
///
/// # Errors
/// If the page's template is not one.
pub fn router(directory: PathBuf) -> Result<Router, minijinja::Error> {
    let mut pages = Environment::new();
    pages.add_template("texts.html", include_str!("texts.html"))?;
    let style = [(CONTENT_TYPE, "text/css")];
    let style = move || async move { (style, include_str!("style.css")) };
    Ok(Router::new()
        .route("/sms", get(list))
        .route("/sms/style.css", get(style))
        .with_state(Arc::new(Telephone { directory, pages })))
}

async fn list(State(telephone): State<Arc<Telephone>>) -> Shown {
    blocking(move || {
        let found = newest(&telephone.directory)?;
        let count = found.len();
        // One may be deleted between listing and reading.
        let texts = found.iter().take(NEWEST).filter_map(|path| read(path));
        let texts = Value::from(Serde(texts.collect::<Vec<_>>()));
        let page = telephone.pages.get_template("texts.html")?;
        let html = page.render(context! { texts, count, newest => NEWEST })?;
        Ok(([(CONTENT_SECURITY_POLICY, PAGE)], Html(html)).into_response())
    })
    .await
}

fn read(path: &Path) -> Option<serde_json::Value> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(WHOLE).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The text messages of the directory, newest first; links and directories are none.
fn newest(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(directory) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        let is_text = path.extension().is_some_and(|extension| extension == "json");
        if is_text && entry.file_type()?.is_file() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            found.push((modified, path));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, path)| path).collect())
}
