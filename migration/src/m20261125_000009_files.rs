//! Documents: files that are kept with a customer, an invoice or a payment, in versions; uploads that
//! were promised and not made yet; and the chores that keep the file store tidy.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, json_binary, string_len, string_len_null, timestamp_with_time_zone, uuid,
    uuid_null,
};
use sea_orm_migration::sea_orm::DbBackend;

use crate::column::{
    created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};

/// What documents are kept with; they go with it.
const SUBJECTS: [(&str, &str); 3] =
    [("customer_id", "customer"), ("invoice_id", "invoice"), ("payment_id", "payment")];

/// Columns that stored files get. A file that belongs to no document is one to import.
const FILE_COLUMNS: [(&str, &str); 2] = [
    ("number", "integer NOT NULL DEFAULT 1"),
    ("media_type", "varchar(127) NOT NULL DEFAULT 'application/octet-stream'"),
];

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut document = Table::create();
    document
        .table("document")
        .col(id())
        .col(string_len("title", 200))
        .col(string_len("folder", 255))
        .col(uuid_null("latest_id"))
        .col(instant_null("deleted_at"));
    for (column, table) in SUBJECTS {
        let mut subject = reference("document", column, table);
        document.col(uuid_null(column)).foreign_key(subject.on_delete(ForeignKeyAction::Cascade));
    }
    manager.create_table(updated(created(&mut document)).to_owned()).await?;
    for (column, _) in SUBJECTS {
        manager.create_index(index("document", &[column, "id"])).await?;
    }
    manager.create_index(index("document", &["title", "id"])).await?;
    manager.create_index(index("document", &["folder", "id"])).await?;
    manager.create_index(index("document", &["created_at", "id"])).await?;
    manager.create_index(index("document", &["updated_at", "id"])).await?;
    manager.create_index(index("document", &["latest_id"])).await?;
    manager.create_index(index("document", &["deleted_at"])).await?;

    let mut owner = reference("document_tag", "document_id", "document");
    manager
        .create_table(
            Table::create()
                .table("document_tag")
                .col(id())
                .col(uuid("document_id"))
                .col(string_len("name", 64))
                .foreign_key(owner.on_delete(ForeignKeyAction::Cascade))
                .to_owned(),
        )
        .await?;
    manager.create_index(unique("document_tag", &["document_id", "name"])).await?;
    manager.create_index(index("document_tag", &["name"])).await?;

    let db = manager.get_connection();
    let uuid_type = match manager.get_database_backend() {
        DbBackend::Postgres => "uuid",
        _ => "uuid_text",
    };
    let refer = format!(
        "ALTER TABLE file ADD COLUMN document_id {uuid_type} \
         REFERENCES document (id) ON DELETE CASCADE"
    );
    db.execute_unprepared(&refer).await?;
    for (name, definition) in FILE_COLUMNS {
        let add = format!("ALTER TABLE file ADD COLUMN {name} {definition}");
        db.execute_unprepared(&add).await?;
    }
    manager.create_index(unique("file", &["document_id", "number"])).await?;
    manager.create_index(index("file", &["sha256"])).await?;
    manager.create_index(index("file", &["storage_key"])).await?;

    let mut upload = Table::create();
    upload
        .table("upload")
        .col(id())
        .col(string_len("target", 40))
        .col(string_len("title", 200))
        .col(string_len("folder", 255))
        .col(json_binary("tags"))
        .col(string_len("file_name", 255))
        .col(big_integer("size"))
        .col(string_len_null("sha256", 64))
        .col(uuid_null("file_id"))
        .col(instant("expires_at"));
    manager.create_table(created(&mut upload).to_owned()).await?;
    manager.create_index(index("upload", &["expires_at"])).await?;
    manager.create_index(index("upload", &["created_by", "expires_at"])).await?;

    manager
        .create_table(
            Table::create()
                .table("chore")
                .col(string_len("name", 32).primary_key())
                .col(timestamp_with_time_zone("due_at"))
                .col(instant_null("lease_until"))
                .col(big_integer("fence"))
                .to_owned(),
        )
        .await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let db = manager.get_connection();
    db.execute_unprepared("DELETE FROM file WHERE document_id IS NOT NULL").await?;
    for name in ["file_document_id_number_key", "file_sha256_idx", "file_storage_key_idx"] {
        db.execute_unprepared(&format!("DROP INDEX {name}")).await?;
    }
    for column in ["document_id", "number", "media_type"] {
        db.execute_unprepared(&format!("ALTER TABLE file DROP COLUMN {column}")).await?;
    }
    drop_all(manager, &["document", "document_tag", "upload", "chore"]).await
}
