//! The API's processes of a test's Rapport.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use api::context::Shared;
use api::http::budget::{Allowance, Budget};
use api::http::documents::{Documents, Shelf};
use api::http::server::{Patience, serve};
use api::http::socket::Rules;
use api::http::store::Store;
use api::serve::{Parts, routes};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use object_store::ObjectStore;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{App, RATE_LIMIT};

impl App {
    /// Serves the API once more, as a process that is configured in another way; gives its address.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn another_api(&self, configure: impl FnOnce(&mut Parts)) -> String {
        let mut parts = parts(&self.shared, self.store.clone(), Arc::clone(&self.files));
        configure(&mut parts);
        listen(parts, &self.stop).await.expect("an API")
    }

    /// Goes on with another API and other workers, which keep files in `files`.
    ///
    /// # Panics
    /// When they do not start.
    pub async fn keep_files_in(&mut self, files: Arc<dyn ObjectStore>) {
        self.kill_workers().await;
        self.files = Arc::clone(&files);
        self.address = self.another_api(|_| ()).await;
        self.start_workers();
    }
}

fn figures() -> PrometheusHandle {
    static FIGURES: OnceLock<PrometheusHandle> = OnceLock::new();
    FIGURES.get_or_init(|| PrometheusBuilder::new().build_recorder().handle()).clone()
}

/// What the API of a test is made of: as in production, without a proxy before it.
pub(super) fn parts(shared: &Shared, store: Option<Store>, files: Arc<dyn ObjectStore>) -> Parts {
    let allowance = Allowance { account: Some(RATE_LIMIT), address: Some(RATE_LIMIT) };
    let clock = shared.clock.clone();
    Parts {
        shared: shared.clone(),
        files,
        metrics: figures(),
        proxies: 0,
        cors_origins: Vec::new(),
        max_requests: 256,
        documents: Documents::automatic(Shelf::new(store.clone(), clock.clone())),
        budget: Budget::new(allowance, clock, store),
        introspection: false,
        sockets: Rules { recheck: Duration::from_millis(200), ..Rules::default() },
        development: None,
    }
}

/// Serves the API until `stop`; gives its address.
pub(super) async fn listen(
    parts: Parts,
    stop: &CancellationToken,
) -> Result<String, Box<dyn std::error::Error>> {
    let (router, stopping) = routes(parts)?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (asked, stop) = (stopping.asked.clone(), stop.clone());
    tokio::spawn(async move {
        stop.cancelled().await;
        asked.cancel();
    });
    let patience = Patience { notice: Duration::ZERO, ..Patience::default() };
    tokio::spawn(serve(listener, router, stopping, patience));
    Ok(address)
}
