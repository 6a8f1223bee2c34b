//! What balancers and monitors ask: `/healthz`, `/readyz`, `/metrics`.
//!
//! Invariant: answering costs no more the more often it is asked; the checks run once a second at most, and one
//! at a time. Why a check failed is in the log, not in the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use futures::future::{BoxFuture, join_all};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

const CHECK_WITHIN: Duration = Duration::from_secs(2);
const FRESH_FOR: Duration = Duration::from_secs(1);

type Check = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Whether requests should be sent here: the checks pass and the server is not about to stop.
#[derive(Clone)]
pub struct Readiness(Arc<Inner>);

struct Inner {
    checks: Vec<(&'static str, Check)>,
    draining: CancellationToken,
    last: Mutex<Option<(Instant, Report)>>,
}

/// The answer of `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether requests should be sent here.
    pub ready: bool,
    /// The server is about to stop.
    pub draining: bool,
    /// The names of the checks that failed.
    pub failed: Vec<&'static str>,
}

/// Collects the checks of a [`Readiness`].
#[derive(Default)]
pub struct Checks(Vec<(&'static str, Check)>);

impl Checks {
    /// Adds a check; what it says on failure is logged.
    #[must_use]
    pub fn with<F, R>(mut self, name: &'static str, check: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push((name, Box::new(move || Box::pin(check()))));
        self
    }

    /// Ready while the checks pass and `draining` is not cancelled.
    #[must_use]
    pub fn until(self, draining: CancellationToken) -> Readiness {
        Readiness(Arc::new(Inner { checks: self.0, draining, last: Mutex::new(None) }))
    }
}

impl Readiness {
    /// Runs the checks, each for two seconds at most, unless that was done a moment ago.
    pub async fn report(&self) -> Report {
        if self.0.draining.is_cancelled() {
            return Report { ready: false, draining: true, failed: Vec::new() };
        }
        let mut last = self.0.last.lock().await;
        if let Some((at, report)) = &*last
            && at.elapsed() < FRESH_FOR
        {
            return report.clone();
        }
        let outcomes = join_all(self.0.checks.iter().map(async |(name, check)| {
            let outcome = timeout(CHECK_WITHIN, check()).await;
            let outcome = outcome.unwrap_or_else(|_| Err("it took more than two seconds".into()));
            outcome.err().map(|cause| {
                tracing::warn!(check = name, cause, "not ready");
                *name
            })
        }));
        let failed: Vec<_> = outcomes.await.into_iter().flatten().collect();
        let report = Report { ready: failed.is_empty(), draining: false, failed };
        *last = Some((Instant::now(), report.clone()));
        report
    }
}

/// `/healthz` (the process lives), `/readyz` (send requests here), `/metrics` (Prometheus).
pub fn router(readiness: Readiness, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready).with_state(readiness))
        .route("/metrics", get(figures).with_state(metrics))
}

async fn ready(State(readiness): State<Readiness>) -> Response {
    let report = readiness.report().await;
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn figures(State(metrics): State<PrometheusHandle>) -> Response {
    metrics.run_upkeep();
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics.render()).into_response()
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_check_that_fails_or_hangs_is_named() {
        let readiness = Checks::default()
            .with("database", || async { Ok(()) })
            .with("queue", || async { Err("connection refused".to_owned()) })
            .with("files", pending)
            .until(CancellationToken::new());
        let started = Instant::now();
        assert_eq!(readiness.report().await.failed, ["queue", "files"]);
        assert!((CHECK_WITHIN..CHECK_WITHIN * 5).contains(&started.elapsed()));
    }

    #[tokio::test]
    async fn a_draining_server_is_not_ready_and_a_thousand_questions_are_one_check() {
        static RUNS: AtomicUsize = AtomicUsize::new(0);
        let draining = CancellationToken::new();
        let readiness = Checks::default()
            .with("database", || async {
                RUNS.fetch_add(1, Ordering::Relaxed);
                Ok(())
            })
            .until(draining.clone());
        for report in join_all((0..1000).map(|_| readiness.report())).await {
            assert!(report.ready);
        }
        assert_eq!(RUNS.load(Ordering::Relaxed), 1);
        draining.cancel();
        assert!(!readiness.report().await.ready);
    }
}
