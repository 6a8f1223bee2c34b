//! Indexes on the references that had none, so that what refers to a row is found without going through
//! a whole table: from a job to what it imported, from a document to its postings.

use sea_orm_migration::prelude::*;

use crate::column::index;

/// Which table refers by which column.
const REFERENCES: [(&str, &str); 9] = [
    ("absence", "user_id"),
    ("invoice", "import_job_id"),
    ("payment", "import_job_id"),
    ("ledger_entry", "invoice_id"),
    ("ledger_entry", "credit_note_id"),
    ("receipt", "cancels_id"),
    ("message", "event_id"),
    ("message", "copy_of_id"),
    ("job", "result_file_id"),
];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, column) in REFERENCES {
        manager.create_index(index(table, &[column])).await?;
    }
    Ok(())
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    for (table, column) in REFERENCES {
        let name = format!("{table}_{column}_idx");
        manager.drop_index(Index::drop().name(name).table(table).to_owned()).await?;
    }
    Ok(())
}
