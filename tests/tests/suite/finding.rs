//! Finding: by parts of words, in whatever table, and after the schema has moved on.

use entity::access::Role;
use entity::customers::{contact, customer};
use entity::finance::{invoice, payment};
use entity::search::matches;
use entity::text::fold;
use migration::{Migrator, MigratorTrait};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, EntityTrait,
    FromQueryResult, IntoActiveModel, PaginatorTrait, QueryFilter, QuerySelect, QueryTrait,
    Statement, TransactionTrait,
};
use serde_json::{Value, json};
use tests::app::{App, beginning};
use tests::on_both_stacks;
use uuid::Uuid;

use crate::given::{
    CREATE_CUSTOMER, RECORD_PAYMENT, customer_row, invoice as issue, payment as pay,
};

const UPDATE: &str = "mutation ($id: ID!, $name: String!) {
  updateCustomer(id: $id, input: { displayName: $name }) { customer { id } userErrors { code } } }";

const OLD_CONTACTS: &str = "
  INSERT INTO customer (id, kind, stage, display_name, search_text, language, time_zone, currency,
    created_at, updated_at, version)
  VALUES ('00000000000000000000000000000001', 'PERSON', 'PROSPECT', 'Lan', 'lan', 'vi', 'UTC', 'VND',
    '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', 1);
  INSERT INTO contact (id, customer_id, name, email, billing, created_at)
  VALUES ('00000000000000000000000000000002', '00000000000000000000000000000001', 'Đặng Ánh', NULL,
    FALSE, '2026-01-01 00:00:00+00:00'),
    ('00000000000000000000000000000003', '00000000000000000000000000000001', 'Ķīpsala',
    'k@song.example', FALSE, '2026-01-01 00:00:00+00:00')";

/// How many rows of `E` are found by `text`.
async fn found<E>(db: &DatabaseConnection, table: &'static str, text: &str) -> Result<u64, DbErr>
where
    E: EntityTrait<Model: FromQueryResult + Send + Sync>,
{
    let condition = matches(db.get_database_backend(), table, text);
    E::find().filter(condition).count(db).await
}

async fn customers(app: &App, text: &str) -> u64 {
    found::<customer::Entity>(app.db.reader(), "customer", text).await.expect("a count")
}

/// How a statement is carried out.
async fn plan(db: &impl ConnectionTrait, statement: Statement) -> String {
    let backend = db.get_database_backend();
    let explain = match backend {
        DbBackend::Postgres => "EXPLAIN",
        _ => "EXPLAIN QUERY PLAN",
    };
    let explain = Statement::from_string(backend, format!("{explain} {statement}"));
    let rows = db.query_all_raw(explain).await.expect("a plan");
    let steps = rows.iter().map(|row| match backend {
        DbBackend::Postgres => row.try_get_by_index(0),
        _ => row.try_get_by_index::<String>(3),
    });
    steps.collect::<Result<Vec<_>, _>>().expect("steps").join("\n")
}

/// Some texts of the form of `pattern`, the same ones each time.
fn texts(runner: &mut TestRunner, count: usize, pattern: &str) -> Vec<String> {
    let tree = proptest::collection::vec(pattern, count).new_tree(runner);
    tree.expect("a pattern").current()
}

on_both_stacks! {
    async fn a_search_finds_what_a_look_at_every_name_would(app: App) {
        let mut runner = TestRunner::deterministic();
        let names = texts(&mut runner, 300, r#"[aAbđĐ%_"\\*' .ễềıİßĪķ日本\u{301}x]{0,9}"#);
        let words = texts(&mut runner, 300, r#"[aAbđ%_"\\*' .ềıİß日x]{1,4}"#);
        let rows: Vec<_> = names.iter().map(|name| customer_row(name, beginning())).collect();
        let insert = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        let insert = customer::Entity::insert_many(insert);
        insert.exec_without_returning(app.db.reader()).await.expect("rows");
        let mut hits = 0;
        for text in names.iter().take(100).chain(&words) {
            let folded = fold(text);
            let has_all = |row: &&customer::Model| {
                let name = fold(&row.display_name);
                folded.split(' ').all(|word| name.contains(word))
            };
            let expected = rows.iter().filter(has_all).count() as u64;
            hits += expected;
            assert_eq!(customers(app, text).await, expected, "{text:?}");
        }
        assert!(hits > 1_000, "{hits}");
    }

    async fn a_search_goes_by_an_index(app: App) {
        let txn = app.db.reader().begin().await.expect("a transaction");
        let backend = txn.get_database_backend();
        if backend == DbBackend::Postgres {
            // An empty table is read as a whole, whatever its indexes.
            txn.execute_unprepared("SET LOCAL enable_seqscan = off").await.expect("a setting");
        }
        let ids = customer::Entity::find().select_only().column(customer::Column::Id);
        let found = ids.filter(matches(backend, "customer", "duc nguyen"));
        let steps = plan(&txn, found.build(backend)).await;
        let index = match backend {
            DbBackend::Postgres => "customer_search_idx",
            _ => "VIRTUAL TABLE INDEX",
        };
        assert!(steps.contains(index), "{steps}");
    }

    async fn lists_are_searched(app: App) {
        let contacts = json!([{ "name": "Trần Ánh" }]);
        let input = json!({ "kind": "PERSON", "displayName": "Nguyễn Đức", "currency": "VND", "contacts": contacts });
        let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        let id = made["id"].as_str().expect("an id");
        let bill = issue(app, id, "1000", "VND").await;
        app.make("payment", RECORD_PAYMENT, pay(id, "1000", "VND", "k")).await;
        let query = "query ($c: CustomerFilter, $i: InvoiceFilter, $p: PaymentFilter) {
          customers(filter: $c) { totalCount } invoices(filter: $i) { totalCount } payments(filter: $p) { totalCount } }";
        for (customer, number, reference, count) in
            [("duc", &bill["number"], "ft26", 1), ("duck", &json!("%"), "_", 0)]
        {
            let variables = json!({
                "c": { "search": customer, "contacts": { "some": { "search": "tran anh" } } },
                "i": { "search": number, "customer": { "search": "nguyen" } },
                "p": { "search": reference },
            });
            let data = app.ask(query, variables).await;
            let total = json!({ "totalCount": count });
            assert_eq!(data, json!({ "customers": total, "invoices": total, "payments": total }));
        }
    }

    async fn every_part_of_a_word_finds_a_customer(app: App) {
        let contacts = json!([{ "name": "Trần Thị Ánh", "email": "anh@song.example", "phone": "0905 111 222" }]);
        let input = json!({ "kind": "PERSON", "displayName": "Nguyễn \"Đức\" 100%", "number": "C_01", "contacts": contacts });
        let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        for text in ["", "guye", "duc nguyen", "\"DUC\"", "c_01", "00% uc", "n", "ễ", "uc\" 1"] {
            assert_eq!(customers(app, text).await, 1, "{text}");
        }
        for text in ["cx01", "guyenduc", "nguyen lan", "x", "\"nguyen\"", "%%", "AND", "100*"] {
            assert_eq!(customers(app, text).await, 0, "{text}");
        }
        let db = app.db.reader();
        for (text, count) in [("tran anh", 1), ("0905", 1), ("song.ex", 1), ("nguyen", 0)] {
            assert_eq!(found::<contact::Entity>(db, "contact", text).await, Ok(count), "{text}");
        }

        app.make("customer", UPDATE, json!({ "id": made["id"], "name": "Lê Lan" })).await;
        assert_eq!(customers(app, "nguyen").await, 0);
        assert_eq!(customers(app, "le lan c_0").await, 1);
    }

    async fn one_search_finds_records_of_all_kinds_the_best_first(app: App) {
        let contacts = json!([{ "name": "Trần Lan" }]);
        let input = json!({ "kind": "ORGANISATION", "displayName": "Hoa Lan", "currency": "VND", "contacts": contacts });
        let flower = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        for name in ["Lan", "Lan Anh", "Ireland", "Minh"] {
            let input = json!({ "kind": "PERSON", "displayName": name });
            app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        }
        let id = flower["id"].as_str().expect("an id");
        let bill = issue(app, id, "1000", "VND").await;
        app.make("payment", RECORD_PAYMENT, pay(id, "1000", "VND", "k")).await;
        let query = "query ($text: String!, $types: [SearchType!], $first: Int) { search(text: $text, types: $types, first: $first) {
          __typename ... on Customer { displayName contacts { name } } ... on Contact { name }
          ... on Invoice { number customer { displayName } } ... on Payment { reference } } }";
        let found = async |text: &str, types: Value, first: Value| {
            let data = app.ask(query, json!({ "text": text, "types": types, "first": first })).await;
            data["search"].clone()
        };
        let names = |found: &Value| {
            let found = found.as_array().expect("a list").iter();
            let name = |one: &Value| one["displayName"].as_str().or(one["name"].as_str()).map(str::to_owned);
            found.filter_map(name).collect::<Vec<_>>()
        };
        let all = found("LÀN", Value::Null, Value::Null).await;
        assert_eq!(names(&all), ["Lan", "Lan Anh", "Hoa Lan", "Trần Lan", "Ireland"]);
        assert_eq!(all[2]["contacts"], contacts);
        let some = found("lan", json!(["CONTACT"]), Value::Null).await;
        assert_eq!(some, json!([{ "__typename": "Contact", "name": "Trần Lan" }]));
        assert_eq!(names(&found("lan", Value::Null, json!(2)).await), ["Lan", "Lan Anh"]);
        let number = bill["number"].as_str().expect("a number");
        let bills = found(number, Value::Null, Value::Null).await;
        assert_eq!(bills[0], json!({ "__typename": "Invoice", "number": number, "customer": { "displayName": "Hoa Lan" } }));
        let payments = found("ft26", json!(["PAYMENT"]), Value::Null).await;
        assert_eq!(payments, json!([{ "__typename": "Payment", "reference": "FT26" }]));
        assert_eq!(found(" ", Value::Null, Value::Null).await, json!([]));
        assert_eq!(found("nobody", Value::Null, Value::Null).await, json!([]));

        let sales = app.token_of(Role::Sales).await;
        let hidden = app.send_as(Some(&sales), query, json!({ "text": number })).await;
        assert_eq!(hidden.data["search"], json!([]));
        let much = app.send(query, json!({ "text": "lan", "first": 51 })).await;
        assert_eq!(much.error_code(), Some("BAD_REQUEST"));
    }

    async fn invoices_and_payments_are_found_by_number_and_reference(app: App) {
        let input = json!({ "kind": "PERSON", "displayName": "Lan", "currency": "VND" });
        let lan = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        let lan = lan["id"].as_str().expect("an id");
        let bill = issue(app, lan, "1000", "VND").await;
        app.make("payment", RECORD_PAYMENT, pay(lan, "1000", "VND", "k")).await;
        let db = app.db.reader();
        let number = bill["number"].as_str().expect("a number");
        assert_eq!(found::<invoice::Entity>(db, "invoice", number).await, Ok(1));
        assert_eq!(found::<payment::Entity>(db, "payment", "ft2").await, Ok(1));
        assert_eq!(found::<payment::Entity>(db, "payment", "ft3").await, Ok(0));
    }

    async fn what_was_written_before_there_was_a_searched_text_is_found(app: App) {
        let folder = tempfile::tempdir().expect("a folder");
        let url = match app.db.reader().get_database_backend() {
            DbBackend::Postgres => {
                let name = format!("rapport_{}", Uuid::new_v4().simple());
                app.db.reader().execute_unprepared(&format!("CREATE DATABASE {name}")).await.expect("a database");
                let server = std::env::var("TEST_DATABASE_URL").expect("a server");
                format!("{}/{name}", server.rsplit_once('/').expect("a database").0)
            }
            _ => format!("sqlite://{}?mode=rwc", folder.path().join("old.db").display()),
        };
        let db = Database::connect(url).await.expect("a connection");
        let steps = Migrator::migrations();
        let before = steps.iter().position(|step| step.name().ends_with("_finding"));
        let before = u32::try_from(before.expect("the step")).expect("few steps");
        Migrator::up(&db, Some(before)).await.expect("the schema of before");
        db.execute_unprepared(OLD_CONTACTS).await.expect("old rows");

        Migrator::up(&db, None).await.expect("the schema of today");
        for (text, count) in [("dang", 1), ("song kip", 1), ("a", 2), ("0905", 0)] {
            assert_eq!(found::<contact::Entity>(&db, "contact", text).await, Ok(count), "{text}");
        }
        assert_eq!(found::<customer::Entity>(&db, "customer", "lan").await, Ok(1));

        let since = u32::try_from(steps.len()).expect("few steps") - before;
        Migrator::down(&db, Some(since)).await.expect("the way back");
        Migrator::up(&db, None).await.expect("the way there again");
        assert_eq!(found::<contact::Entity>(&db, "contact", "dang").await, Ok(1));
        db.close().await.expect("a closed database");
    }
}
