//! What writes the audit log: a trigger on each table of people's records, made of the table's columns.
//!
//! Invariant: no change of such a table is without its entry, whichever code makes it, and each entry is
//! in the transaction of its change. A table is audited when it says who made or changed its rows, unless
//! it is among [`NOT_AUDITED`]. The triggers are made anew whenever a step of the history was taken, so a
//! new table or column is audited without anybody thinking of it.

use std::fmt::Write as _;

use sea_orm_migration::sea_orm::{
    self, ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement,
};

/// Tables that are a ledger themselves, or that machines write as they work.
const NOT_AUDITED: [&str; 8] = [
    "ledger_entry",
    "allocation",
    "message",
    "dunning_notice",
    "dunning_item",
    "promise_item",
    "job",
    "upload",
];

/// Columns that follow from others, count changes, or note that a record is used or was looked at; so do all whose name
/// ends with `_key`.
const SKIPPED: [&str; 11] = [
    "id",
    "created_at",
    "created_by",
    "updated_at",
    "updated_by",
    "version",
    "search_text",
    "used_at",
    "look_at",
    "noted_at",
    "planned",
];

/// Parts of the names of columns whose values nobody may read, not even in the audit log.
const HIDDEN: [&str; 4] = ["password", "secret", "token", "hash"];

/// What is audited, and the rows that a statement's trigger looks at.
const EVENTS: [(&str, &str); 3] = [
    ("INSERT", "NEW TABLE AS new_rows"),
    ("UPDATE", "OLD TABLE AS old_rows NEW TABLE AS new_rows"),
    ("DELETE", "OLD TABLE AS old_rows"),
];

#[derive(FromQueryResult)]
struct Column {
    table_name: String,
    name: String,
    kind: String,
}

impl Column {
    fn skipped(&self) -> bool {
        SKIPPED.contains(&self.name.as_str()) || self.name.ends_with("_key")
    }

    fn hidden(&self) -> bool {
        let binary = ["blob", "binary", "bytea"].iter().any(|kind| self.kind.contains(kind));
        binary || HIDDEN.iter().any(|part| self.name.contains(part))
    }
}

/// Puts the triggers on all audited tables.
///
/// # Errors
/// The database.
pub(crate) async fn install(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    uninstall(db).await?;
    for (table, columns) in audited(db).await? {
        let sql = match db.get_database_backend() {
            DbBackend::Postgres => postgres(&table, &columns),
            _ => sqlite(&table, &columns),
        };
        db.execute_unprepared(&sql).await?;
    }
    Ok(())
}

/// Whether all audited tables have them.
///
/// # Errors
/// The database.
pub(crate) async fn is_installed(db: &impl ConnectionTrait) -> Result<bool, DbErr> {
    Ok(triggers(db).await?.len() == audited(db).await?.len() * EVENTS.len())
}

/// Takes them away.
///
/// # Errors
/// The database.
pub(crate) async fn uninstall(db: &impl ConnectionTrait) -> Result<(), DbErr> {
    let mut drops = String::new();
    for Trigger { name, table_name } in triggers(db).await? {
        let on = match db.get_database_backend() {
            DbBackend::Postgres => format!(" ON {table_name}"),
            _ => String::new(),
        };
        let _ = write!(drops, "DROP TRIGGER {name}{on};");
    }
    if drops.is_empty() {
        return Ok(());
    }
    db.execute_unprepared(&drops).await.map(|_| ())
}

#[derive(FromQueryResult)]
struct Trigger {
    name: String,
    table_name: String,
}

/// The triggers that there are.
async fn triggers(db: &impl ConnectionTrait) -> Result<Vec<Trigger>, DbErr> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT t.tgname::text AS name, c.relname::text AS table_name FROM pg_trigger t \
             JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname LIKE 'audited\\_%' \
             AND c.relnamespace = current_schema()::regnamespace"
        }
        _ => {
            "SELECT name, tbl_name AS table_name FROM sqlite_schema \
             WHERE type = 'trigger' AND name LIKE 'audited\\_%' ESCAPE '\\'"
        }
    };
    Trigger::find_by_statement(Statement::from_string(backend, sql)).all(db).await
}

/// The tables that are audited, with their columns in order.
async fn audited(db: &impl ConnectionTrait) -> Result<Vec<(String, Vec<Column>)>, DbErr> {
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => {
            "SELECT c.table_name::text AS table_name, c.column_name::text AS name, \
             c.data_type::text AS kind FROM information_schema.columns c \
             JOIN information_schema.tables t USING (table_schema, table_name) \
             WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' \
             ORDER BY 1, c.ordinal_position"
        }
        _ => {
            "SELECT s.name AS table_name, c.name AS name, lower(c.type) AS kind \
             FROM sqlite_schema s, pragma_table_info(s.name) c WHERE s.type = 'table' ORDER BY 1, c.cid"
        }
    };
    let columns = Column::find_by_statement(Statement::from_string(backend, sql)).all(db).await?;
    let mut tables: Vec<(String, Vec<Column>)> = Vec::new();
    for column in columns {
        match tables.last_mut() {
            Some((table, columns)) if *table == column.table_name => columns.push(column),
            _ => tables.push((column.table_name.clone(), vec![column])),
        }
    }
    let has = |columns: &[Column], name| columns.iter().any(|column| column.name == name);
    tables.retain(|(table, columns)| {
        has(columns, "id")
            && (has(columns, "created_by") || has(columns, "updated_by"))
            && !NOT_AUDITED.contains(&table.as_str())
    });
    Ok(tables)
}

/// One statement for all rows of a change, by what the step `audit` has made.
fn postgres(table: &str, columns: &[Column]) -> String {
    let list = |which: fn(&Column) -> bool| {
        let names = columns.iter().filter(|column| which(column));
        names.map(|column| column.name.as_str()).collect::<Vec<_>>().join(",")
    };
    let (skipped, hidden) = (list(Column::skipped), list(Column::hidden));
    let triggers = EVENTS.map(|(event, rows)| {
        let name = event.to_lowercase();
        format!(
            "CREATE TRIGGER audited_{name} AFTER {event} ON {table} REFERENCING {rows} \
             FOR EACH STATEMENT EXECUTE FUNCTION audit_write('{{{skipped}}}', '{{{hidden}}}');"
        )
    });
    triggers.concat()
}

/// A trigger for each row: SQLite has no other, and one writer.
fn sqlite(table: &str, columns: &[Column]) -> String {
    let shown: Vec<_> = columns.iter().filter(|column| !column.skipped()).collect();
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let row = |of: &str, names: &[&str]| {
        let known = names.iter().filter(|name| has(name));
        known.map(|name| format!("{of}.\"{name}\", ")).collect::<Vec<_>>().concat()
    };
    let image = |of: &str| {
        let cells = shown.iter().map(|column| {
            let value = value(column, of);
            format!("SELECT '{0}' AS k, {value} AS v WHERE {of}.\"{0}\" IS NOT NULL", column.name)
        });
        let cells = cells.collect::<Vec<_>>().join(" UNION ALL ");
        format!("(SELECT json_group_object(k, json(v)) FROM ({cells}))")
    };
    let cells = shown.iter().map(|column| {
        let (old, new) = (value(column, "OLD"), value(column, "NEW"));
        let name = &column.name;
        format!("SELECT '{name}' AS k, {old} AS b, {new} AS a WHERE OLD.\"{name}\" IS NOT NEW.\"{name}\"")
    });
    let cells = cells.collect::<Vec<_>>().join(" UNION ALL ");
    let differs = shown.iter().map(|column| format!("OLD.\"{0}\" IS NOT NEW.\"{0}\"", column.name));
    let differs = differs.collect::<Vec<_>>().join(" OR ");
    let entry = |of: &str,
                 action: &str,
                 times: &[&str],
                 users: &[&str],
                 before: &str,
                 after: &str| {
        let (times, users) = (row(of, times), row(of, users));
        format!(
            "INSERT INTO audit_entry \
             (id, at, user_id, job_id, request_id, record_table, record_id, action, before, after) \
             SELECT unhex(printf('%012x70008%015x', CAST(round(unixepoch(at, 'subsec') * 1000) AS INTEGER), \
             (SELECT coalesce(max(rowid), 0) + 1 FROM audit_entry))), at, \
             coalesce((SELECT user_id FROM audit_origin), {users}NULL), \
             (SELECT job_id FROM audit_origin), (SELECT request_id FROM audit_origin), \
             '{table}', {of}.id, '{action}', {before}, {after} \
             FROM (SELECT coalesce((SELECT at FROM audit_origin), {times}\
             strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now')) AS at)"
        )
    };
    let created = entry(
        "NEW",
        "CREATED",
        &["created_at", "updated_at"],
        &["created_by", "updated_by"],
        "NULL",
        &image("NEW"),
    );
    let differing =
        |side: &str| format!("(SELECT json_group_object(k, json({side})) FROM ({cells}))");
    let updated =
        entry("NEW", "UPDATED", &["updated_at"], &["updated_by"], &differing("b"), &differing("a"));
    let deleted = entry("OLD", "DELETED", &[], &[], &image("OLD"), "NULL");
    format!(
        "CREATE TRIGGER audited_{table}_insert AFTER INSERT ON {table} BEGIN {created}; END;
         CREATE TRIGGER audited_{table}_update AFTER UPDATE ON {table} WHEN {differs} \
         BEGIN {updated}; END;
         CREATE TRIGGER audited_{table}_delete AFTER DELETE ON {table} BEGIN {deleted}; END;"
    )
}

/// A cell of SQLite as JSON, in the form that PostgreSQL gives it.
fn value(column: &Column, of: &str) -> String {
    let cell = format!("{of}.\"{}\"", column.name);
    if column.hidden() {
        return format!("iif({cell} IS NULL, 'null', '\"(hidden)\"')");
    }
    if column.kind.contains("uuid") {
        let part = |from: u8, length: u8| format!("substr(hex({cell}), {from}, {length})");
        let parts = [part(1, 8), part(9, 4), part(13, 4), part(17, 4), part(21, 12)];
        let text = parts.join(" || '-' || ");
        return format!("iif({cell} IS NULL, 'null', '\"' || lower({text}) || '\"')");
    }
    if column.kind.contains("json") {
        return format!("coalesce({cell}, 'null')");
    }
    if column.kind.contains("bool") {
        return format!("iif({cell} IS NULL, 'null', iif({cell}, 'true', 'false'))");
    }
    format!("json_quote({cell})")
}
