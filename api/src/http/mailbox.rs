//! `/mail`: the mails that development has written to a directory, for a browser to read.
//!
//! Invariant: a name from the address is only ever compared with what the directory lists, never joined to a path;
//! what a mail contains is shown where it can run nothing, load nothing and reach nothing.

mod letter;
pub mod texts;

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path as FsPath;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};

use letter::{Attachment, Letter};

/// What the name of a mail ends with.
const MAIL: &str = "eml";
/// Mails in the list.
const NEWEST: usize = 200;
/// Read of each for the list: its headers and the beginning of its parts.
const GLANCE: u64 = 64 << 10;
/// Read of one that is opened.
const WHOLE: u64 = 32 << 20;

const PAGE: &str = "default-src 'none'; style-src 'self'; img-src data:; frame-src 'self'; \
                    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const INSIDE: &str = "default-src 'none'; img-src data: cid:; style-src 'unsafe-inline'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'self'; sandbox";
const PDF: &str =
    "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'";

struct Mailbox {
    directory: PathBuf,
    pages: Environment<'static>,
}

/// `/mail` over the `.eml` files of a directory, which need not exist yet.
///
/// # Errors
/// If a page's template is not one.
pub fn router(directory: PathBuf) -> Result<Router, minijinja::Error> {
    let mut pages = Environment::new();
    pages.add_template("frame.html", include_str!("mailbox/frame.html"))?;
    pages.add_template("list.html", include_str!("mailbox/list.html"))?;
    pages.add_template("mail.html", include_str!("mailbox/mail.html"))?;
    let style = [(CONTENT_TYPE, "text/css")];
    let style = move || async move { (style, include_str!("mailbox/style.css")) };
    Ok(Router::new()
        .route("/mail", get(list))
        .route("/mail/style.css", get(style))
        .route("/mail/{name}", get(page))
        .route("/mail/{name}/text", get(text))
        .route("/mail/{name}/html", get(html))
        .route("/mail/{name}/raw", get(raw))
        .route("/mail/{name}/files/{number}", get(file))
        .with_state(Arc::new(Mailbox { directory, pages })))
}

/// There is no such mail, or it cannot be read.
enum Unreadable {
    Absent,
    Broken,
}

impl From<io::Error> for Unreadable {
    fn from(cause: io::Error) -> Self {
        tracing::warn!(%cause, "the mailbox cannot be read");
        Self::Broken
    }
}

impl From<minijinja::Error> for Unreadable {
    fn from(cause: minijinja::Error) -> Self {
        tracing::error!(%cause, "a page of the mailbox cannot be rendered");
        Self::Broken
    }
}

impl IntoResponse for Unreadable {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Self::Absent => (StatusCode::NOT_FOUND, "There is no such mail.\n"),
            Self::Broken => (StatusCode::INTERNAL_SERVER_ERROR, "This mail cannot be shown.\n"),
        };
        (status, text).into_response()
    }
}

type Shown = Result<Response, Unreadable>;

async fn list(State(mailbox): State<Arc<Mailbox>>) -> Shown {
    blocking(move || {
        let found = names(&mailbox.directory, MAIL)?;
        let count = found.len();
        let letters: Vec<_> = found
            .into_iter()
            .take(NEWEST)
            .filter_map(|name| {
                // A mail may be deleted between listing and reading.
                let bytes = contents(&mailbox.directory, &name, GLANCE).ok()?;
                let letter = Letter::read(&bytes)?;
                Some(context! { letter => Value::from(Serde(letter)), name => percent_encoded(&name) })
            })
            .collect();
        mailbox.render("list.html", context! { letters, count, newest => NEWEST })
    })
    .await
}

async fn page(state: State<Arc<Mailbox>>, Path(name): Path<String>) -> Shown {
    show(state, name, false).await
}

async fn text(state: State<Arc<Mailbox>>, Path(name): Path<String>) -> Shown {
    show(state, name, true).await
}

async fn show(State(mailbox): State<Arc<Mailbox>>, name: String, as_text: bool) -> Shown {
    open(mailbox, name, move |mailbox, name, bytes| {
        let letter = Letter::read(bytes).ok_or(Unreadable::Broken)?;
        let as_text = as_text || !letter.has_html;
        let letter = Value::from(Serde(letter));
        mailbox.render("mail.html", context! { letter, name => percent_encoded(name), as_text })
    })
    .await
}

async fn html(State(mailbox): State<Arc<Mailbox>>, Path(name): Path<String>) -> Shown {
    open(mailbox, name, |_, _, bytes| {
        let html = letter::html(bytes).ok_or(Unreadable::Absent)?;
        let guards = [(CONTENT_SECURITY_POLICY, INSIDE), (X_FRAME_OPTIONS, "SAMEORIGIN")];
        Ok((guards, Html(html)).into_response())
    })
    .await
}

async fn raw(State(mailbox): State<Arc<Mailbox>>, Path(name): Path<String>) -> Shown {
    open(mailbox, name, |_, name, bytes| {
        Ok(download("application/octet-stream", &disposition("attachment", name), bytes.to_vec()))
    })
    .await
}

async fn file(
    State(mailbox): State<Arc<Mailbox>>,
    Path((name, number)): Path<(String, usize)>,
) -> Shown {
    open(mailbox, name, move |_, _, bytes| {
        let Attachment { name, bytes, .. } =
            letter::attachment(bytes, number).ok_or(Unreadable::Absent)?;
        if !bytes.starts_with(b"%PDF-") {
            let to_disk = disposition("attachment", &name);
            return Ok(download("application/octet-stream", &to_disk, bytes));
        }
        let mut response = download("application/pdf", &disposition("inline", &name), bytes);
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, PDF.parse().map_err(|_| Unreadable::Broken)?);
        Ok(response)
    })
    .await
}

impl Mailbox {
    fn render(&self, page: &str, values: Value) -> Shown {
        let html = self.pages.get_template(page)?.render(values)?;
        Ok(([(CONTENT_SECURITY_POLICY, PAGE)], Html(html)).into_response())
    }
}

async fn open(
    mailbox: Arc<Mailbox>,
    name: String,
    show: impl FnOnce(&Mailbox, &str, &[u8]) -> Shown + Send + 'static,
) -> Shown {
    blocking(move || {
        let listed = names(&mailbox.directory, MAIL)?.into_iter().find(|listed| *listed == name);
        let name = listed.ok_or(Unreadable::Absent)?;
        let bytes = contents(&mailbox.directory, &name, WHOLE)?;
        show(&mailbox, &name, &bytes)
    })
    .await
}

async fn blocking(work: impl FnOnce() -> Shown + Send + 'static) -> Shown {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Unreadable::Broken))
}

/// The files of the directory that end with an extension, newest first; links and directories are none.
fn names(directory: &FsPath, ending: &str) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Err(err) if err.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().into_string();
        if let Ok(name) = name
            && FsPath::new(&name).extension().is_some_and(|extension| extension == ending)
            && entry.file_type()?.is_file()
        {
            let modified = entry.metadata().and_then(|metadata| metadata.modified()).ok();
            found.push((modified, name));
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found.into_iter().map(|(_, name)| name).collect())
}

/// The first `limit` bytes of a file that [`names`] has listed.
fn contents(directory: &FsPath, listed: &str, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(directory.join(listed))?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn download(kind: &'static str, disposition: &str, bytes: Vec<u8>) -> Response {
    let kind: [(HeaderName, &str); 2] = [(CONTENT_TYPE, kind), (CONTENT_DISPOSITION, disposition)];
    (kind, bytes).into_response()
}

/// RFC 6266, with the name in RFC 5987's encoding, which holds no byte that means something to a header.
fn disposition(how: &str, name: &str) -> String {
    format!("{how}; filename*=UTF-8''{}", percent_encoded(name))
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => char::from(byte).into(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests;
