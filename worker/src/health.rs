//! What operators ask a worker process: `/healthz`, `/readyz`, `/metrics`.

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use entity::db::Db;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers until `shutdown`: `/healthz` while the process lives, `/readyz` while its database answers
/// and it is not stopping, `/metrics` in Prometheus's text format.
///
/// # Errors
/// When the socket fails.
pub async fn serve(
    listener: TcpListener,
    db: Db,
    figures: PrometheusHandle,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let stopping = shutdown.clone();
    let ready = move || {
        let (db, stopping) = (db.clone(), stopping.clone());
        async move {
            let answer = tokio::time::timeout(Duration::from_secs(2), db.ping()).await;
            match answer {
                Ok(Ok(())) if !stopping.is_cancelled() => (StatusCode::OK, "ready\n"),
                Ok(Ok(())) => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
                _ => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
            }
        }
    };
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || figures.render()));
    axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned()).await
}
