//! `rapport audit`: proving that nobody has tampered with the audit log.

use clap::{Args, Subcommand};
use entity::access::audit::{self, Head};
use entity::db::Db;
use sea_orm::DbErr;

/// The commands about the audit log.
#[derive(Args, Clone, Debug)]
pub struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Subcommand, Clone, Debug)]
enum AuditCommand {
    /// Walk the chain of hashes. Ends with 1 and names the first entry that was changed, deleted or
    /// inserted afterwards, or whose values were erased without a trace, if there is one.
    Verify {
        /// An earlier output's `POSITION:HASH`, which the chain has to contain.
        #[arg(long, value_name = "POSITION:HASH", value_parser = noted)]
        head: Option<Head>,
    },
}

fn noted(text: &str) -> Result<Head, String> {
    let head = text.split_once(':').and_then(|(position, hash)| {
        Some(Head { position: position.parse().ok()?, hash: hash.to_owned() })
    });
    head.ok_or_else(|| "write it as an earlier run printed it, such as 1200:9f86d0…".to_owned())
}

/// How a command ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What it says.
    pub text: String,
    /// The status of its process: 0, or 1 when somebody has tampered with the log.
    pub status: u8,
}

/// Carries the command out.
///
/// # Errors
/// The database.
pub async fn run(args: AuditArgs, db: &Db) -> Result<Ending, DbErr> {
    let AuditCommand::Verify { head } = args.command;
    Ok(match audit::verify(db, head.as_ref()).await? {
        Ok(verified) => {
            let Head { position, hash } = verified.head;
            let waiting = match verified.unsealed {
                0 => String::new(),
                count => format!("\n{count} more wait for being sealed."),
            };
            let text = format!(
                "{position} entries are as they were written.{waiting}\nHead: {position}:{hash}"
            );
            Ending { text, status: 0 }
        }
        Err(finding) => {
            Ending { text: format!("The audit log was tampered with: {finding}."), status: 1 }
        }
    })
}
