//! Relations: what refers to a record is found by an index, whatever the size of its table.

use std::collections::BTreeSet;

use entity::catalog::{Record, Shape, records};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tests::app::App;
use tests::on_both_stacks;

/// The column of a relation by which other records refer to the record, with their table.
fn referring(record: &'static Record) -> impl Iterator<Item = (&'static str, &'static str)> {
    record.fields.iter().filter_map(|field| match field.shape {
        Shape::Many { column, target }
        | Shape::List { column, target, .. }
        | Shape::Single { column, target, .. } => Some((target().table, column)),
        _ => None,
    })
}

/// The columns with which an index of all rows of `table` begins.
async fn indexed(app: &App, table: &str) -> BTreeSet<String> {
    let db = app.db.reader();
    let backend = db.get_database_backend();
    let sql = match backend {
        DbBackend::Postgres => format!(
            "SELECT a.attname::text FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid \
             AND a.attnum = i.indkey[0] WHERE i.indrelid = '{table}'::regclass AND i.indpred IS NULL"
        ),
        _ => format!(
            "SELECT i.name FROM pragma_index_list('{table}') AS l, pragma_index_info(l.name) AS i \
             WHERE i.seqno = 0 AND l.partial = 0 AND i.name IS NOT NULL"
        ),
    };
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await.expect("indexes");
    rows.iter().map(|row| row.try_get_by_index(0).expect("a column")).collect()
}

on_both_stacks! {
    async fn what_refers_to_a_record_is_found_by_an_index(app: App) {
        let mut missing = Vec::new();
        for record in records() {
            for (table, column) in referring(record) {
                if !indexed(app, table).await.contains(column) {
                    missing.push(format!("{table}.{column}"));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }
}
