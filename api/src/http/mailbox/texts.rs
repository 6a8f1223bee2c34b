//! `/sms`: the text messages that development has written to a directory, for a browser to read.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};

use super::{NEWEST, PAGE, Shown, blocking, contents, names};

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
        let found = names(&telephone.directory, "json")?;
        let count = found.len();
        // One may be deleted between listing and reading.
        let texts = found.iter().take(NEWEST).filter_map(|name| {
            let bytes = contents(&telephone.directory, name, WHOLE).ok()?;
            serde_json::from_slice::<serde_json::Value>(&bytes).ok()
        });
        let texts = Value::from(Serde(texts.collect::<Vec<_>>()));
        let page = telephone.pages.get_template("texts.html")?;
        let html = page.render(context! { texts, count, newest => NEWEST })?;
        Ok(([(CONTENT_SECURITY_POLICY, PAGE)], Html(html)).into_response())
    })
    .await
}
