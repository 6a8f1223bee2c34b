//! All that the database keeps, searched for words; and that it keeps no secret as it was handed out.

use entity::access::Role;
use entity::id::Id;
use entity::text::hex;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;
use tests::app::{App, PASSWORD};
use tests::on_both_stacks;

use crate::api_keys;
use crate::invitations::INVITE;
use crate::passwords::{mailed, request};
use crate::second_factors::enrolled;
use crate::sessions::{EMAIL, tokens};

/// The tables in which one of the words is found as a text, in any case, or as bytes; each with a row. The
/// words are in lower case.
pub async fn places(app: &App, words: &[&str]) -> Vec<(String, String)> {
    let reader = app.db.reader();
    let backend = reader.get_database_backend();
    let is_postgres = backend == DbBackend::Postgres;
    let columns = if is_postgres {
        "SELECT CAST(table_name AS text) AS t, '' AS c FROM information_schema.tables \
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1"
    } else {
        "SELECT m.name AS t, c.name AS c FROM sqlite_schema m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' ORDER BY 1, c.cid"
    };
    let columns = reader.query_all_raw(Statement::from_string(backend, columns)).await;
    let columns = columns.expect("the catalogue of the database");
    assert!(columns.len() > 40, "{}", columns.len());
    let look = |table: &str, column: &str| {
        let (text, source) = if is_postgres {
            ("lower(r::text)".to_owned(), format!("\"{table}\" AS r"))
        } else {
            (format!("lower(CAST(\"{column}\" AS text))"), format!("\"{table}\""))
        };
        let is_there = words.iter().map(|word| {
            if is_postgres {
                let bytes = hex(word.as_bytes());
                return format!("strpos({text}, '{word}') > 0 OR strpos({text}, '{bytes}') > 0");
            }
            let bytes = format!("CAST(\"{column}\" AS blob)");
            format!("instr({text}, '{word}') > 0 OR instr({bytes}, CAST('{word}' AS blob)) > 0")
        });
        let is_there = is_there.collect::<Vec<_>>().join(" OR ");
        format!("SELECT '{table}' AS t, min({text}) AS row FROM {source} WHERE {is_there}")
    };
    let mut places: Vec<(String, String)> = Vec::new();
    for column in columns {
        let text = |name| column.try_get::<String>("", name).expect("a name");
        let sql = look(&text("t"), &text("c"));
        let row = reader.query_one_raw(Statement::from_string(backend, &sql)).await.expect(&sql);
        let row = row.and_then(|row| row.try_get("", "row").expect("a text"));
        if let (Some(row), false) = (row, places.iter().any(|(table, _)| *table == text("t"))) {
            places.push((text("t"), row));
        }
    }
    places
}

on_both_stacks! {
    async fn no_secret_is_kept_as_it_was_handed_out(app: App) {
        let (access, refresh) = tokens(app).await;
        let (key, _) = api_keys::key(app, &["READ_CUSTOMERS"]).await;
        let (seed, codes) = enrolled(app, &access).await;
        request(app, EMAIL).await;
        app.drain().await;
        let reset = mailed(app);
        let administrator = app.token_of(Role::Administrator).await;
        let input = json!({ "email": "mai@rapport.example", "name": "Mai", "roleId": Role::Sales.id().global() });
        app.make_as(&administrator, "user", INVITE, json!({ "input": input })).await;
        app.drain().await;
        let invitation = mailed(app);
        assert!(reset.starts_with("rpr_") && invitation.starts_with("riv_"));

        // Of what begins with a few known letters, the rest is the secret; recovery codes have hyphens.
        let bare = |secret: &str| secret.to_lowercase().replace('-', "");
        let mut secrets: Vec<_> = [&refresh, &key, &reset, &invitation].map(|secret| bare(&secret[4..])).into();
        secrets.extend([bare(&access), bare(&seed), bare(PASSWORD)]);
        secrets.extend(codes.iter().flat_map(|code| [bare(code), code.clone()]));
        let words: Vec<_> = secrets.iter().map(String::as_str).collect();
        assert_eq!(places(app, &words).await, Vec::new());

        let visible = places(app, &[&key[..12].to_lowercase()]).await;
        assert!(!visible.is_empty(), "what is looked for is found");
    }
}
