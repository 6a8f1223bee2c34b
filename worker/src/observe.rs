//! Logs and figures. Invariant: neither has personal data; records appear by id.

use std::io::IsTerminal;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{ConfigError, Environment, LogFormat, Stack};

/// Starts the log. A second call in a process changes nothing.
///
/// # Errors
/// When the filter is malformed.
pub fn start_log(stack: &Stack) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&stack.log).map_err(|_| {
        ConfigError::Refused(
            "LOG",
            "write a level (error, warn, info, debug, trace) or a filter such as info,worker=debug"
                .to_owned(),
        )
    })?;
    let usual = match stack.environment {
        Environment::Production => LogFormat::Json,
        Environment::Development => LogFormat::Text,
    };
    let registry = tracing_subscriber::registry().with(filter);
    let started = match stack.log_format.unwrap_or(usual) {
        LogFormat::Text => {
            let coloured = std::io::stderr().is_terminal();
            let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
            registry.with(lines.with_ansi(coloured)).try_init()
        }
        LogFormat::Json => registry
            .with(tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr))
            .try_init(),
    };
    drop(started);
    Ok(())
}

/// Starts collecting figures for `/metrics`.
///
/// # Errors
/// When the process collects them already.
pub fn start_metrics() -> Result<PrometheusHandle, BuildError> {
    let seconds =
        [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &seconds)?
        .install_recorder()
}

/// Ends when the process is asked to stop, by SIGTERM or by Ctrl+C.
///
/// # Errors
/// When the signals cannot be listened to.
pub async fn stop_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = terminate.recv() => {}
        interrupt = tokio::signal::ctrl_c() => interrupt?,
    }
    tracing::info!("stopping: what is under way is finished first");
    Ok(())
}
