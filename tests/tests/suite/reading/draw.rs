//! Draws random requests from the catalogue.

use entity::access::Viewer;
use entity::catalog::{
    AMOUNT_OPERATORS, BatchArgument, Field as Declared, Record, Scalar, Shape, operators, records,
    screaming,
};

use super::ask::{Choices, Field, Given, Item, Set, What};
use super::rows::{Cell, Rows, shown, shown_id};

/// How deep relations are followed.
const DEEPEST: usize = 3;

/// Draws requests of one viewer.
pub struct Draw<'a> {
    pub choices: Choices<'a>,
    pub rows: &'a Rows,
    pub viewer: &'a Viewer,
    /// How many aliases are in use.
    pub aliases: usize,
}

fn plain(name: &str) -> Field {
    Field { alias: None, name: name.to_owned(), arguments: Vec::new(), set: Vec::new() }
}

fn item(what: What) -> Item {
    Item { what, directive: None }
}

fn kind(scalar: &Scalar) -> &'static str {
    match scalar {
        Scalar::Id(_) => "ID",
        Scalar::Text => "String",
        Scalar::Whole => "Int",
        Scalar::Long => "Long",
        Scalar::Scaled(_) => "Decimal",
        Scalar::Truth => "Boolean",
        Scalar::Instant => "DateTime",
        Scalar::Day => "Date",
        Scalar::Currency => "CurrencyCode",
        Scalar::Choice(name, _) => name,
        Scalar::Json => "JSON",
    }
}

impl Draw<'_> {
    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    /// What is asked of the queries.
    pub fn query(&mut self) -> Set {
        let mut set = Vec::new();
        for _ in 0..=self.choices.below(3) {
            let mut field = match self.choices.below(4) {
                0 | 1 => self.list(),
                2 => self.one(),
                _ => self.node(),
            };
            field.alias = Some(self.alias());
            let field = self.dressed(field, "Query", true);
            set.push(field);
        }
        set
    }

    fn list(&mut self) -> Field {
        let listed: Vec<_> = records().into_iter().filter(|one| !one.many.is_empty()).collect();
        let record = *self.choices.pick(&listed);
        Field {
            arguments: self.paging(record, 0),
            set: self.connection(record, 0),
            ..plain(record.many)
        }
    }

    fn one(&mut self) -> Field {
        let named: Vec<_> = records().into_iter().filter(|one| !one.one.is_empty()).collect();
        let record = *self.choices.pick(&named);
        let id = self.id(record);
        Field {
            arguments: vec![("id".to_owned(), self.given("ID!", id))],
            set: self.object(record, 0, true),
            ..plain(record.one)
        }
    }

    fn node(&mut self) -> Field {
        let records = records();
        let mut set = vec![item(What::Field(plain("__typename")))];
        for _ in 0..=self.choices.below(3) {
            let record = *self.choices.pick(&records);
            let inner = self.object(record, 1, false);
            set.push(item(match self.choices.once_in(2) {
                true => What::Spread(record.name.to_owned(), inner),
                false => What::Inline(Some(record.name.to_owned()), inner),
            }));
        }
        let mut ids = Vec::new();
        for _ in 0..=self.choices.below(4) {
            let record = *self.choices.pick(&records);
            ids.push(self.id(record));
        }
        match self.choices.once_in(2) {
            true => Field {
                arguments: vec![("ids".to_owned(), self.given("[ID!]!", Given::List(ids)))],
                set,
                ..plain("nodes")
            },
            false => {
                Field { arguments: vec![("id".to_owned(), ids.remove(0))], set, ..plain("node") }
            }
        }
    }

    /// An id: mostly one that there is.
    fn id(&mut self, record: &Record) -> Given {
        let rows = self.rows.of(record.table);
        if rows.is_empty() || self.choices.once_in(8) {
            return Given::Text(format!("{}_00000000000000000000000000", record.prefix));
        }
        match self.choices.pick(rows)["id"] {
            Cell::Id(id) => Given::Text(shown_id(record.prefix, id)),
            _ => Given::Text("nonsense".to_owned()),
        }
    }

    /// The same value, sometimes by a variable.
    fn given(&mut self, kind: &str, given: Given) -> Given {
        match self.choices.once_in(3) {
            true => Given::Variable(kind.to_owned(), Box::new(given)),
            false => given,
        }
    }

    /// A field with a directive, a fragment around it, or as it is.
    fn dressed(&mut self, field: Field, on: &str, directives: bool) -> Item {
        // The validation does not see what is used in directives of `__typename`.
        let directives = directives && field.name != "__typename";
        let mut item = item(What::Field(field));
        if directives && self.choices.once_in(7) {
            let include = self.choices.once_in(2);
            let truth = Given::Truth(self.choices.once_in(2));
            item.directive = Some((include, self.given("Boolean!", truth)));
        }
        let what = match self.choices.below(9) {
            6 => What::Inline(None, vec![item]),
            7 => What::Inline(Some(on.to_owned()), vec![item]),
            8 => What::Spread(on.to_owned(), vec![item]),
            _ => return item,
        };
        Item { what, directive: None }
    }

    /// What is asked of a record; `bare` fields keep their names as keys, and merge with their like.
    fn object(&mut self, record: &'static Record, depth: usize, bare: bool) -> Set {
        let fields = record.fields.iter().filter(|field| !field.hidden && is_known(field));
        let fields: Vec<_> = fields.collect();
        let mut set = Vec::new();
        for _ in 0..=self.choices.below(5) {
            let declared = *self.choices.pick(&fields);
            let mut field = self.field(declared, depth);
            if !bare || !field.arguments.is_empty() || self.choices.once_in(4) {
                field.alias = Some(self.alias());
            }
            set.push(self.dressed(field, record.name, true));
        }
        if self.choices.once_in(6) {
            set.push(item(What::Inline(
                Some("Node".to_owned()),
                vec![item(What::Field(plain("id"))), item(What::Field(plain("__typename")))],
            )));
        }
        set
    }

    fn field(&mut self, declared: &'static Declared, depth: usize) -> Field {
        let mut field = plain(&declared.name);
        let deep = depth >= DEEPEST;
        match &declared.shape {
            Shape::Scalar { .. } | Shape::Search | Shape::Timeline(_) | Shape::Reach(_) => {}
            Shape::Custom { .. } => field.set = vec![item(What::Field(plain("value")))],
            Shape::Money { .. } => field.set = self.money(),
            Shape::Batch(batch) => {
                field.set = self.money();
                for argument in &batch.arguments {
                    if self.choices.once_in(3) {
                        field.arguments.push(self.argument(argument));
                    }
                }
            }
            _ if deep => return plain("__typename"),
            Shape::One { target, .. } | Shape::Single { target, .. } => {
                field.set = self.object(target(), depth + 1, true);
            }
            Shape::List { target, .. } => field.set = self.object(target(), depth + 1, true),
            Shape::Many { target, .. } => {
                if self.choices.once_in(2) {
                    field.arguments = self.paging(target(), depth);
                }
                field.set = self.connection(target(), depth + 1);
            }
        }
        field
    }

    fn argument(&mut self, argument: &BatchArgument) -> (String, Given) {
        let value = match argument.scalar {
            Scalar::Day => *self.choices.pick(&["2026-11-03", "2026-11-02", "2026-10-01"]),
            _ => *self.choices.pick(&["VND", "EUR", "JPY"]),
        };
        let given = self.given(kind(&argument.scalar), Given::Text(value.to_owned()));
        (argument.name.to_owned(), given)
    }

    fn parts(&mut self, names: &[&str]) -> Set {
        let mut set = Vec::new();
        for _ in 0..=self.choices.below(3) {
            set.push(item(What::Field(plain(self.choices.pick::<&str>(names)))));
        }
        set
    }

    fn money(&mut self) -> Set {
        self.parts(&["amount", "currency", "__typename"])
    }

    fn connection(&mut self, record: &'static Record, depth: usize) -> Set {
        let mut set = Vec::new();
        for _ in 0..=self.choices.below(3) {
            let field = match self.choices.below(5) {
                0 => Field { set: self.object(record, depth, true), ..plain("nodes") },
                1 => {
                    let node = Field { set: self.object(record, depth, true), ..plain("node") };
                    let set = vec![item(What::Field(plain("cursor"))), item(What::Field(node))];
                    Field { set, ..plain("edges") }
                }
                2 => plain("totalCount"),
                3 => Field {
                    set: self.parts(&[
                        "hasNextPage",
                        "hasPreviousPage",
                        "startCursor",
                        "endCursor",
                    ]),
                    ..plain("pageInfo")
                },
                _ => plain("__typename"),
            };
            set.push(self.dressed(field, &format!("{}Connection", record.name), false));
        }
        set
    }

    fn paging(&mut self, record: &'static Record, depth: usize) -> Vec<(String, Given)> {
        let mut arguments = Vec::new();
        let size = i64::try_from(self.choices.below(5)).unwrap_or_default() + 1;
        match self.choices.below(4) {
            0 => {}
            1 => arguments.push(("last".to_owned(), self.given("Int", Given::Int(size)))),
            2 => arguments.push(("first".to_owned(), Given::Int(size - 1))),
            _ => arguments.push(("first".to_owned(), self.given("Int", Given::Int(size)))),
        }
        if self.choices.below(4) != 0 {
            let filter = self.filter(record, depth);
            let filter = self.given(&format!("{}Filter", record.name), filter);
            arguments.push(("filter".to_owned(), filter));
        }
        let ordered: Vec<_> = record.fields.iter().filter(|field| field.ordered).collect();
        if !ordered.is_empty() && self.choices.once_in(2) {
            let mut order = Vec::new();
            for _ in 0..=self.choices.below(3) {
                let field = screaming(&self.choices.pick(&ordered).name);
                let mut entry = vec![("field".to_owned(), Given::Name(field))];
                if self.choices.once_in(2) {
                    entry.push(("direction".to_owned(), Given::Name("DESC".to_owned())));
                }
                if self.choices.once_in(2) {
                    entry.push(("nulls".to_owned(), Given::Name("FIRST".to_owned())));
                }
                order.push(Given::Object(entry));
            }
            let order = self.given(&format!("[{}Order!]", record.name), Given::List(order));
            arguments.push(("orderBy".to_owned(), order));
        }
        arguments
    }

    /// A filter of what the viewer may compare.
    fn filter(&mut self, record: &'static Record, depth: usize) -> Given {
        let may_compare = |field: &&Declared| {
            let target = match &field.shape {
                Shape::One { target, .. }
                | Shape::Many { target, .. }
                | Shape::List { target, .. } => Some(target()),
                _ => None,
            };
            let needed = [field.guard, target.and_then(|target| target.read)];
            // No custom fields are defined here.
            let compared = field.filtered && !matches!(field.shape, Shape::Custom { .. });
            compared && needed.into_iter().flatten().all(|needed| self.viewer.may(needed))
        };
        let fields: Vec<_> = record.fields.iter().filter(may_compare).collect();
        let mut filter: Vec<(String, Given)> = Vec::new();
        for _ in 0..=self.choices.below(2) {
            let (name, given) = match self.choices.below(8) {
                5 if depth < DEEPEST => ("not", self.filter(record, depth + 1)),
                6 if depth < DEEPEST => ("or", self.filters(record, depth)),
                7 if depth < DEEPEST => ("and", self.filters(record, depth)),
                _ => {
                    let field = *self.choices.pick(&fields);
                    (field.name.as_str(), self.comparison(record, field, depth))
                }
            };
            if filter.iter().all(|(known, _)| known != name) {
                filter.push((name.to_owned(), given));
            }
        }
        Given::Object(filter)
    }

    fn filters(&mut self, record: &'static Record, depth: usize) -> Given {
        let mut all = Vec::new();
        for _ in 0..=self.choices.below(2) {
            all.push(self.filter(record, depth + 1));
        }
        Given::List(all)
    }

    fn comparison(&mut self, record: &'static Record, field: &Declared, depth: usize) -> Given {
        let (name, given) = match &field.shape {
            Shape::Scalar { column, scalar } => self.operation(record, column, scalar),
            Shape::Money { amount, currency } => return self.amount(record, amount, currency),
            Shape::Search => {
                let text = self.part(record, "search_text");
                return Given::Text(text);
            }
            Shape::One { target, .. } if depth < DEEPEST => {
                return self.filter(target(), depth + 1);
            }
            Shape::Many { target, .. } | Shape::List { target, .. } if depth < DEEPEST => {
                let quantifier = *self.choices.pick(&["some", "none", "every"]);
                (quantifier, self.filter(target(), depth + 1))
            }
            _ => return Given::Object(Vec::new()),
        };
        Given::Object(vec![(name.to_owned(), given)])
    }

    fn sample(&mut self, record: &Record, column: &str) -> Option<Cell> {
        let rows = self.rows.of(record.table);
        let row = (!rows.is_empty()).then(|| self.choices.pick(rows))?;
        Some(self.rows.cell(record, row, column)).filter(|cell| *cell != Cell::Nothing)
    }

    /// A part of a text that occurs.
    fn part(&mut self, record: &Record, column: &str) -> String {
        let Some(Cell::Text(text)) = self.sample(record, column) else { return "a".to_owned() };
        let letters: Vec<_> = text.chars().collect();
        if letters.is_empty() {
            return String::new();
        }
        let start = self.choices.below(letters.len());
        let length = 1 + self.choices.below(6);
        let part: String = letters[start..].iter().take(length).collect();
        match self.choices.below(5) {
            3 => part.to_uppercase(),
            4 => part.to_lowercase(),
            _ => part,
        }
    }

    fn operation(
        &mut self,
        record: &Record,
        column: &str,
        scalar: &Scalar,
    ) -> (&'static str, Given) {
        let operator = *self.choices.pick(operators(scalar));
        if operator == "isNull" {
            return (operator, Given::Truth(self.choices.once_in(2)));
        }
        if matches!(operator, "contains" | "startsWith") {
            let part = self.part(record, column);
            return (operator, Given::Text(part));
        }
        if operator == "within" {
            return (operator, self.stretch());
        }
        let mut value = || {
            let Some(cell) = self.sample(record, column) else {
                return match scalar {
                    Scalar::Id(_) => Given::Text("nonsense".to_owned()),
                    Scalar::Truth => Given::Truth(true),
                    Scalar::Choice(_, values) => Given::Name(values[0].clone()),
                    Scalar::Currency => Given::Text("EUR".to_owned()),
                    Scalar::Instant => Given::Text("2026-11-03T00:00:00Z".to_owned()),
                    Scalar::Day => Given::Text("2026-11-03".to_owned()),
                    Scalar::Whole | Scalar::Long => Given::Int(1),
                    Scalar::Scaled(_) => Given::Text("1.5".to_owned()),
                    Scalar::Text | Scalar::Json => Given::Text("a".to_owned()),
                };
            };
            match (scalar, cell) {
                (Scalar::Choice(..), Cell::Text(name)) => Given::Name(name),
                (Scalar::Truth, Cell::Truth(truth)) => Given::Truth(truth),
                (Scalar::Whole | Scalar::Long, Cell::Number(number)) => Given::Int(number),
                (_, cell) => Given::Text(shown(scalar, &cell).as_str().unwrap_or_default().into()),
            }
        };
        if matches!(operator, "in" | "notIn") {
            return (operator, Given::List(vec![value(), value()]));
        }
        let one = value();
        (operator, self.given(kind(scalar), one))
    }

    /// A stretch of the calendar around today.
    fn stretch(&mut self) -> Given {
        let unit = *self.choices.pick(&["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"]);
        let from = i64::try_from(self.choices.below(5)).unwrap_or_default() - 3;
        let length = i64::try_from(self.choices.below(4)).unwrap_or_default();
        let mut entries = vec![("unit".to_owned(), Given::Name(unit.to_owned()))];
        let open = self.choices.below(4);
        if open != 1 {
            entries.push(("from".to_owned(), Given::Int(from)));
        }
        if open != 2 {
            entries.push(("to".to_owned(), Given::Int(from + length)));
        }
        Given::Object(entries)
    }

    fn amount(&mut self, record: &'static Record, amount: &str, currency: &str) -> Given {
        let rows = self.rows.of(record.table);
        let row = (!rows.is_empty()).then(|| self.choices.pick(rows));
        let money = row.and_then(|row| self.rows.money(record, row, amount, currency));
        let (code, value) = match money {
            Some(money) => (money.currency.code(), money.to_decimal().to_string()),
            None => ("EUR", "0.005".to_owned()),
        };
        let operator = *self.choices.pick(AMOUNT_OPERATORS);
        // Sometimes what lies between two amounts that there can be.
        let value = match self.choices.once_in(4) {
            true if value.contains('.') => format!("{value}5"),
            true => format!("{value}.5"),
            false => value,
        };
        let given = match operator {
            "in" | "notIn" if self.choices.once_in(3) => Given::List(Vec::new()),
            "in" | "notIn" => Given::List(vec![Given::Text(value), Given::Text("1".to_owned())]),
            _ => Given::Text(value),
        };
        Given::Object(vec![
            ("currency".to_owned(), Given::Text(code.to_owned())),
            (operator.to_owned(), given),
        ])
    }
}

/// Whether the naive reader knows what the field gives: code makes amounts and other things.
fn is_known(field: &Declared) -> bool {
    match &field.shape {
        Shape::Batch(batch) => batch.ty.contains("Money"),
        Shape::Timeline(_) => false,
        _ => true,
    }
}
