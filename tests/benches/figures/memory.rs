//! What `rapport serve` keeps resident on the embedded stack when nobody asks for anything.
//!
//! Invariant: it is the program that is measured, with its own allocator, not this process.

use std::path::PathBuf;
use std::time::Duration;

use futures::FutureExt;
use tests::graphql;
use tests::stack::{Process, Program, free_port};
use tokio::time::sleep;

use crate::figure::{Failure, Figure, Reading};
use crate::house::House;

/// The figure.
pub const FIGURE: Figure = Figure {
    name: "idle memory of rapport serve",
    unit: "MB",
    limit: "80 MB, the most that is promised (less is better)",
    measure: |house, _| run(house).boxed_local(),
};

const LIMIT_MB: f64 = 80.0;

/// How long it idles before it is looked at.
const IDLE: Duration = Duration::from_secs(5);

async fn run(house: &House) -> Result<Reading, Failure> {
    let Some(path) = program()? else {
        let what = "the program is not built; `cargo build --release --bin rapport` does it";
        return Ok(Reading::Missing(what.to_owned()));
    };
    let data = house.dir.path().join("idle");
    std::fs::create_dir_all(&data)?;
    let address = format!("127.0.0.1:{}", free_port()?);
    let mut rapport = Process::start(Program {
        name: "rapport".to_owned(),
        path: path.clone(),
        args: vec!["serve".into()],
        env: vec![
            ("DATA_DIR", data.join("var").display().to_string()),
            ("LISTEN", address.clone()),
        ],
        dir: data,
        log: house.dir.path().join("rapport.log"),
        owner: None,
    })?;
    let limit = Duration::from_secs(2);
    let ready = || async {
        graphql::get(&address, "/readyz", limit).await.is_ok_and(|status| status.is_success())
    };
    rapport.ready(Duration::from_secs(30), ready).await?;
    sleep(IDLE).await;
    let process = rapport.id().ok_or("rapport serve ended while it idled")?;
    let measured = resident_mb(process)?;
    let note = format!("{}, {} s after it was ready", path.display(), IDLE.as_secs());
    Ok(Reading::Taken { measured, limit: LIMIT_MB, note: Some(note) })
}

/// The program that was built with the same optimisation, if it was: beside `deps`, where this one
/// is.
fn program() -> Result<Option<PathBuf>, Failure> {
    let this = std::env::current_exe()?;
    let path = this.parent().and_then(|deps| deps.parent()).map(|dir| dir.join("rapport"));
    Ok(path.filter(|path| path.is_file()))
}

fn resident_mb(process: u32) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no VmRSS in /proc")?;
    Ok(kib.parse::<f64>()? * 1024.0 / 1_000_000.0)
}
