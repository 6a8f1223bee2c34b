//! A program that runs beside us, and everything that may befall it.
//!
//! Invariant: it dies with its handle. It has a process group of its own, so a Ctrl-C reaches it
//! through us only; its output goes to a file that every new start continues.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::StackError;

/// How to start a program, again and again in the same way.
#[derive(Clone, Debug)]
pub struct Program {
    /// What to call it in reports.
    pub name: String,
    /// The executable.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment: nothing is inherited but `PATH` and `HOME`.
    pub env: Vec<(&'static str, String)>,
    /// Where it runs.
    pub dir: PathBuf,
    /// Where its output goes.
    pub log: PathBuf,
    /// User and group to run as, if not ours.
    pub owner: Option<(u32, u32)>,
}

impl Program {
    /// The command, for one start.
    ///
    /// # Errors
    /// When the log cannot be opened.
    pub fn command(&self) -> io::Result<Command> {
        let out = self.open_log()?;
        let mut command = Command::new(&self.path);
        command.args(&self.args).current_dir(&self.dir).env_clear().process_group(0);
        command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        for name in ["PATH", "HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        Ok(command)
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub async fn run(&self) -> Result<(), StackError> {
        let mut process = Process::start(self.clone())?;
        let status = process.wait(Duration::from_mins(2)).await?;
        match status {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(self.failed(format!("ended with {status}"))),
            None => Err(self.failed("did not end within 120 s".to_owned())),
        }
    }

    /// The error that tells what became of it, with the end of its output.
    #[must_use]
    pub fn failed(&self, what: String) -> StackError {
        let (name, log) = (self.name.clone(), self.log.display().to_string());
        StackError::Failed { name, what, log, tail: self.tail(12) }
    }

    /// The last line of its output.
    #[must_use]
    pub fn last_line(&self) -> String {
        self.tail(1)
    }

    fn tail(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn open_log(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.log)
    }
}

/// A program and, while it runs, its process.
#[derive(Debug)]
pub struct Process {
    program: Program,
    child: Option<Child>,
}

impl Process {
    /// Starts `program`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(program: Program) -> io::Result<Self> {
        let mut process = Self { program, child: None };
        process.start_again()?;
        Ok(process)
    }

    /// How it is started.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Starts it anew, after it was stopped or killed; harmless while it runs.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_again(&mut self) -> io::Result<()> {
        if !self.is_running() {
            self.child = Some(self.program.command()?.spawn()?);
        }
        Ok(())
    }

    /// Whether it runs, frozen or not.
    pub fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Its process id, while it runs.
    pub fn id(&mut self) -> Option<u32> {
        let running = self.is_running();
        self.child.as_ref().filter(|_| running).map(Child::id)
    }

    /// `kill -9`: it gets no chance to finish anything.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // Both fail only for a process that is gone already, which is what we want.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Sends a signal; a process that is gone does not mind.
    pub fn signal(&mut self, signal: Signal) {
        if let Some(child) = &mut self.child
            && matches!(child.try_wait(), Ok(None))
        {
            let _ = kill_process(Pid::from_child(child), signal);
        }
    }

    /// `SIGSTOP`: it stands still, with all its connections and locks, until [`Process::thaw`].
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
    }

    /// `SIGCONT`: it goes on as if no time had passed.
    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Asks it by `signal` to end, and kills it if it has not done so within `grace`.
    ///
    /// # Errors
    /// [`StackError::Failed`] when it had to be killed.
    pub async fn stop(&mut self, signal: Signal, grace: Duration) -> Result<(), StackError> {
        self.signal(signal);
        if self.wait(grace).await?.is_some() {
            self.child = None;
            return Ok(());
        }
        self.kill();
        Err(self.program.failed(format!("did not stop within {} s", grace.as_secs())))
    }

    /// How it ended, or none if it has not by then.
    async fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        let Some(child) = self.child.as_mut() else {
            return Ok(Some(ExitStatus::default()));
        };
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until `ready` says so.
    ///
    /// # Errors
    /// [`StackError::Failed`] when the process ends first or `limit` passes.
    pub async fn ready<F: Future<Output = bool>>(
        &mut self,
        limit: Duration,
        ready: impl Fn() -> F,
    ) -> Result<(), StackError> {
        let deadline = Instant::now() + limit;
        loop {
            if !self.is_running() {
                return Err(self.program.failed("ended before it was ready".to_owned()));
            }
            if ready().await {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(self.program.failed(format!("was not ready in {} s", limit.as_secs())));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &std::path::Path) -> Program {
        Program {
            name: "sleep".to_owned(),
            path: "sleep".into(),
            args: vec!["60".into()],
            env: Vec::new(),
            dir: dir.to_owned(),
            log: dir.join("sleep.log"),
            owner: None,
        }
    }

    #[tokio::test]
    async fn a_killed_process_can_be_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = Process::start(sleeper(dir.path())).unwrap();
        assert!(process.is_running());
        process.kill();
        assert!(!process.is_running());
        process.start_again().unwrap();
        assert!(process.is_running());
        process.freeze();
        process.thaw();
        process.stop(Signal::TERM, Duration::from_secs(5)).await.unwrap();
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn a_process_that_does_not_stop_is_killed() {
        let dir = tempfile::tempdir().unwrap();
        let mut program = sleeper(dir.path());
        program.path = "sh".into();
        program.args = vec!["-c".into(), "trap '' TERM; echo deaf; exec sleep 60".into()];
        let log = program.log.clone();
        let mut process = Process::start(program).unwrap();
        let deaf = || async { std::fs::read_to_string(&log).is_ok_and(|text| text == "deaf\n") };
        process.ready(Duration::from_secs(20), deaf).await.unwrap();
        let stopped = process.stop(Signal::TERM, Duration::from_millis(50)).await;
        assert!(stopped.unwrap_err().to_string().contains("did not stop"));
        assert!(!process.is_running());
    }

    #[tokio::test]
    async fn a_failed_program_shows_its_last_words() {
        let dir = tempfile::tempdir().unwrap();
        let mut program = sleeper(dir.path());
        program.path = "sh".into();
        program.args = vec!["-c".into(), "echo no disk left; exit 3".into()];
        let error = program.run().await.unwrap_err().to_string();
        assert!(error.contains("no disk left") && error.contains("exit status: 3"), "{error}");
    }
}
