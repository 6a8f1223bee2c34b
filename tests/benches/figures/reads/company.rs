//! A company of many years, made by the database itself: customers, the people there, invoices half of
//! which are open, and payments.
//!
//! Invariant: the same number gives the same rows, and what Rapport's writes would have kept right is
//! right: searched text is folded, `paid` is what state says, ids are in the order of time.

use sea_orm::{ConnectionTrait, DbBackend, FromQueryResult, Statement};

use crate::figure::Failure;
use crate::house::Rapport;

/// Ids as Rapport would have made them, one a millisecond, and the outward form of an id: the limit's
/// handler reads it from a column, since it is no work for SQL.
const FUNCTIONS: &str = "
CREATE FUNCTION made_id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CAST(lpad(to_hex(1764000000000 + n), 12, '0') || '7' || substr(md5(kind || n), 1, 3)
    || '8' || substr(md5(kind || n), 4, 15) AS uuid) $$";

/// Customers. Names repeat, and every third one begins with Nguyễn.
const CUSTOMERS: &str = "
INSERT INTO customer (id, number, kind, stage, display_name, search_text, preferred_channel, email,
  language, time_zone, currency, created_at, updated_at)
SELECT made_id('customer', n), number,
  CASE WHEN n % 3 = 0 THEN 'PERSON' ELSE 'ORGANISATION' END,
  CASE n % 5 WHEN 0 THEN 'PROSPECT' WHEN 4 THEN 'LAPSED' ELSE 'CUSTOMER' END,
  family || ' ' || middle || ' ' || given,
  lower(plain || ' ' || number || ' ' || email),
  CASE n % 4 WHEN 0 THEN 'EMAIL' WHEN 1 THEN 'LETTER' END, email, 'vi', 'Asia/Ho_Chi_Minh', 'VND',
  at, at
FROM (
  SELECT n, 'K' || lpad(n::text, 7, '0') AS number, 'k' || n || '@example.vn' AS email,
    timestamptz '2025-11-24 16:00:00Z' + n * interval '1 millisecond' AS at,
    ('{Nguyễn,Nguyễn,Nguyễn,Nguyễn,Nguyễn,Trần,Trần,Lê,Lê,Phạm,Hoàng,Huỳnh,Vũ,Đặng,Bùi,Đỗ}'
      ::text[])[1 + (hashint8(n) & 15)] AS family,
    ('{nguyen,nguyen,nguyen,nguyen,nguyen,tran,tran,le,le,pham,hoang,huynh,vu,dang,bui,do}'
      ::text[])[1 + (hashint8(n) & 15)] || ' '
    || ('{van,thi,duc,minh,ngoc,thanh,quoc,huu}'::text[])[1 + (hashint8(n) >> 4 & 7)] || ' '
    || ('{an,binh,chau,dung,giang,ha,hai,hieu,huong,khanh,lan,linh,long,mai,nam,phuc}'
      ::text[])[1 + (hashint8(n) >> 7 & 15)] AS plain,
    ('{Văn,Thị,Đức,Minh,Ngọc,Thanh,Quốc,Hữu}'::text[])[1 + (hashint8(n) >> 4 & 7)] AS middle,
    ('{An,Bình,Châu,Dũng,Giang,Hà,Hải,Hiếu,Hương,Khánh,Lan,Linh,Long,Mai,Nam,Phúc}'
      ::text[])[1 + (hashint8(n) >> 7 & 15)] AS given
  FROM generate_series(1, $1::bigint) AS n
) AS drawn";

/// Three people at each customer.
const CONTACTS: &str = "
INSERT INTO contact (id, customer_id, name, role, email, phone, billing, search_text, created_at,
  updated_at)
SELECT made_id('contact', n), made_id('customer', (n - 1) / 3 + 1), 'Trần Thị Lan ' || n,
  CASE n % 3 WHEN 0 THEN 'Accountant' END, 'lan' || n || '@example.vn',
  CASE WHEN n % 2 = 0 THEN '+84 24 ' || n END, n % 3 = 0,
  'tran thi lan ' || n || ' lan' || n || '@example.vn', now(), now()
FROM generate_series(1, 3 * $1::bigint) AS n";

/// Five invoices of each customer, every second one open.
const INVOICES: &str = "
INSERT INTO invoice (id, number, customer_id, state, currency, net, tax, total, paid, credited,
  issued_on, due_on, disputed, search_text, created_at, updated_at)
SELECT made_id('invoice', n), number, made_id('customer', (n - 1) / 5 + 1),
  CASE WHEN n % 2 = 0 THEN 'OPEN' ELSE 'PAID' END, 'VND', total - total / 11, total / 11, total,
  CASE WHEN n % 2 = 0 THEN 0 ELSE total END, 0, issued_on, issued_on + 30, false, lower(number),
  now(), now()
FROM (
  SELECT n, 'INV-2026-' || lpad(n::text, 7, '0') AS number, 1100000 + n % 1000 * 11000 AS total,
    date '2025-01-01' + (n * 7 % 600)::int AS issued_on
  FROM generate_series(1, 5 * $1::bigint) AS n
) AS drawn";

/// Two payments of each customer.
const PAYMENTS: &str = "
INSERT INTO payment (id, customer_id, state, method, currency, amount, allocated, received_on,
  reference, search_text, created_at, updated_at)
SELECT made_id('payment', n), made_id('customer', (n - 1) / 2 + 1), 'RECORDED', 'BANK_TRANSFER',
  'VND', amount, amount, date '2025-01-15' + (n * 7 % 600)::int, 'FT' || n, 'ft' || n, now(), now()
FROM (SELECT n, 1100000 + n % 1000 * 11000 AS amount FROM generate_series(1, 2 * $1::bigint) AS n)
  AS drawn";

/// What has the outward form of its ids in a column, and their prefix.
const OUTWARD: [(&str, &str); 4] =
    [("customer", "cus"), ("contact", "con"), ("invoice", "inv"), ("payment", "pay")];

#[derive(FromQueryResult)]
struct Index {
    name: String,
    definition: String,
}

/// Fills an empty database with `customers` and all that hangs on them.
pub async fn found(rapport: &Rapport, customers: usize) -> Result<(), Failure> {
    let db = rapport.db.reader();
    db.execute_unprepared(FUNCTIONS).await?;
    db.execute_unprepared(&outward()).await?;
    for (table, prefix) in OUTWARD {
        let column = format!(
            "ALTER TABLE {table} ADD COLUMN outward text \
             GENERATED ALWAYS AS (outward('{prefix}', id)) STORED"
        );
        db.execute_unprepared(&column).await?;
    }
    let rows = [CUSTOMERS, CONTACTS, INVOICES, PAYMENTS];
    fill(rapport, &OUTWARD.map(|(table, _)| table), &rows, customers).await
}

/// Fills an empty database with customers and nothing else.
pub async fn customers(rapport: &Rapport, customers: usize) -> Result<(), Failure> {
    rapport.db.reader().execute_unprepared(FUNCTIONS).await?;
    fill(rapport, &["customer"], &[CUSTOMERS], customers).await
}

/// Runs the statements, without indexes meanwhile and without triggers, and leaves the tables as if
/// they had been in use for long.
async fn fill(
    rapport: &Rapport,
    tables: &[&str],
    rows: &[&str],
    customers: usize,
) -> Result<(), Failure> {
    let names = tables.iter().map(|table| format!("'{table}'::regclass"));
    let indexes = Index::find_by_statement(Statement::from_string(
        DbBackend::Postgres,
        format!(
            "SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition \
             FROM pg_index WHERE indrelid IN ({}) AND NOT indisunique",
            names.collect::<Vec<_>>().join(", ")
        ),
    ));
    let indexes = indexes.all(rapport.db.reader()).await?;
    let settings = [
        "SET LOCAL session_replication_role = replica",
        "SET LOCAL statement_timeout = 0",
        "SET LOCAL maintenance_work_mem = '256MB'",
    ];
    let mut script = settings.map(str::to_owned).to_vec();
    script.extend(indexes.iter().map(|index| format!("DROP INDEX {}", index.name)));
    script.extend(rows.iter().map(|row| row.replace("$1", &customers.to_string())));
    script.extend(indexes.into_iter().map(|index| index.definition));
    // Several statements that are sent at once are one transaction.
    rapport.db.reader().execute_unprepared(&script.join("; ")).await?;
    rapport.db.reader().execute_unprepared("VACUUM ANALYZE").await?;
    Ok(())
}

/// The function that gives an id's outward form: 26 letters of five bits each behind a prefix, the
/// first of which has three.
fn outward() -> String {
    let letters = (0..26).map(|letter| {
        let (byte, bit) =
            if letter == 0 { (0, 0) } else { ((5 * letter - 2) / 8, (5 * letter - 2) % 8) };
        let bits = match (letter, bit) {
            (0, _) => "get_byte(bytes, 0) >> 5".to_owned(),
            (_, 0..=3) => format!("get_byte(bytes, {byte}) >> {}", 3 - bit),
            _ => format!(
                "(get_byte(bytes, {byte}) << 8 | get_byte(bytes, {})) >> {}",
                byte + 1,
                11 - bit
            ),
        };
        format!("substr('0123456789abcdefghjkmnpqrstvwxyz', (({bits}) & 31) + 1, 1)")
    });
    format!(
        "CREATE FUNCTION outward(prefix text, id uuid) RETURNS text LANGUAGE sql IMMUTABLE \
         PARALLEL SAFE AS $$ SELECT prefix || '_' || {} FROM (SELECT uuid_send(id) AS bytes) AS id $$",
        letters.collect::<Vec<_>>().join(" || ")
    )
}
