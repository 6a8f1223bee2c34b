//! How one language writes numbers, money and dates, and its sentences: the `locale.toml` of its folder.
//!
//! Invariant: a `Locale` has every label and sentence that the fallback language has, so that a template
//! cannot miss one; see [`Locale::differences`]. Money is formatted from whole minor units.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use chrono::format::StrftimeItems;
use entity::money::Money;
use rust_decimal::Decimal;
use serde::Deserialize;

/// One language.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Locale {
    number: NumberFormat,
    money: MoneyFormat,
    date: DateFormat,
    /// By ISO 4217 code: the symbol, and whatever `words.j2` needs to speak of the currency.
    currency: BTreeMap<String, toml::Table>,
    /// By code of the method: what to call it.
    method: BTreeMap<String, String>,
    /// By kind of job: what to call it.
    job: BTreeMap<String, String>,
    /// By the prefix of a record's id: one of its kind, in the middle of a sentence.
    record: BTreeMap<String, String>,
    /// Words that mean the same in every document.
    pub label: BTreeMap<String, String>,
    /// The sentences of the receipt: templates over its facts.
    pub receipt: BTreeMap<String, String>,
    /// The sentences of the cancellation of a receipt.
    pub receipt_cancelled: BTreeMap<String, String>,
    /// The sentences of the mail for choosing a new password.
    pub password_reset: BTreeMap<String, String>,
    /// The sentences of the mail for choosing the first password.
    pub invitation: BTreeMap<String, String>,
    /// By kind of notification: what it says.
    pub notification: BTreeMap<String, String>,
    /// The sentences around it in a mail.
    pub notification_mail: BTreeMap<String, String>,
    /// The sentences of a mail about an appointment.
    pub meeting: BTreeMap<String, String>,
    /// The sentences of a statement of account, and of its mail.
    pub statement: BTreeMap<String, String>,
    /// The sentences of the copy of an invoice.
    pub invoice: BTreeMap<String, String>,
    /// What the pages say on which one unsubscribes.
    pub unsubscribe: BTreeMap<String, String>,
    /// The sentences of pages for links that lead to nothing.
    pub page: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberFormat {
    group: String,
    decimal: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MoneyFormat {
    symbol: String,
    code: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DateFormat {
    pattern: String,
    months: [String; 12],
}

impl Locale {
    /// Parses a `locale.toml`.
    ///
    /// # Errors
    /// The line and what is wrong with it, for whoever edits the file.
    pub fn parse(source: &str) -> Result<Self, String> {
        let locale: Self = toml::from_str(source).map_err(|error| error.to_string())?;
        for (name, pattern) in [("symbol", &locale.money.symbol), ("code", &locale.money.code)] {
            if !pattern.contains("{amount}") || !pattern.contains(&format!("{{{name}}}")) {
                return Err(format!("`money.{name}` needs {{amount}} and {{{name}}}"));
            }
        }
        StrftimeItems::new(&locale.date.pattern)
            .parse()
            .map_err(|error| format!("`date.pattern`: {error}"))?;
        for (name, names) in
            [("method", &locale.method), ("job", &locale.job), ("record", &locale.record)]
        {
            if !names.contains_key("OTHER") {
                return Err(format!("`{name}.OTHER` is missing"));
            }
        }
        Ok(locale)
    }

    /// The keys that only one of the two has, as `label.copy`: none if they are interchangeable.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        self.keys().symmetric_difference(&other.keys()).cloned().collect()
    }

    fn keys(&self) -> BTreeSet<String> {
        let sections = [
            ("label", &self.label),
            ("method", &self.method),
            ("receipt", &self.receipt),
            ("receipt_cancelled", &self.receipt_cancelled),
            ("password_reset", &self.password_reset),
            ("invitation", &self.invitation),
            ("job", &self.job),
            ("record", &self.record),
            ("notification", &self.notification),
            ("notification_mail", &self.notification_mail),
            ("meeting", &self.meeting),
            ("statement", &self.statement),
            ("invoice", &self.invoice),
            ("unsubscribe", &self.unsubscribe),
            ("page", &self.page),
        ];
        sections
            .into_iter()
            .flat_map(|(name, section)| section.keys().map(move |key| format!("{name}.{key}")))
            .collect()
    }

    /// An amount with the currency's symbol, or its code where the language has no symbol for it.
    pub fn money(&self, money: Money) -> String {
        let amount = self.decimal(money);
        let code = money.currency.code();
        let text = match self.currency.get(code).and_then(|names| names.get("symbol")?.as_str()) {
            Some(symbol) => self.money.symbol.replace("{symbol}", symbol),
            None => self.money.code.replace("{code}", code),
        };
        let sign = if money.minor < 0 { "-" } else { "" };
        format!("{sign}{}", text.replace("{amount}", &amount))
    }

    /// The absolute amount, grouped by thousands, with exactly the currency's decimals.
    fn decimal(&self, money: Money) -> String {
        let exponent = money.currency.exponent() as usize;
        let digits = format!("{:0width$}", money.minor.unsigned_abs(), width = exponent + 1);
        let (whole, decimals) = digits.split_at(digits.len() - exponent);
        let mut text = String::with_capacity(digits.len() * 2);
        self.group(whole, &mut text);
        if exponent > 0 {
            text.push_str(&self.number.decimal);
            text.push_str(decimals);
        }
        text
    }

    /// A number with as many decimals as it has, grouped by thousands.
    pub fn number(&self, number: Decimal) -> String {
        let text = number.abs().normalize().to_string();
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let mut written = if number.is_sign_negative() { "-".to_owned() } else { String::new() };
        self.group(whole, &mut written);
        if !decimals.is_empty() {
            written.push_str(&self.number.decimal);
            written.push_str(decimals);
        }
        written
    }

    /// Digits, grouped by thousands.
    fn group(&self, digits: &str, text: &mut String) {
        for (index, digit) in digits.chars().enumerate() {
            if index > 0 && (digits.len() - index).is_multiple_of(3) {
                text.push_str(&self.number.group);
            }
            text.push(digit);
        }
    }

    /// A day.
    pub fn date(&self, day: NaiveDate) -> String {
        let month = &self.date.months[chrono::Datelike::month0(&day) as usize];
        day.format(&self.date.pattern.replace("%B", month)).to_string()
    }

    /// What to call a method of payment.
    pub fn method(&self, code: &str) -> &str {
        self.method.get(code).unwrap_or_else(|| &self.method["OTHER"])
    }

    /// What to call a kind of job.
    pub fn job(&self, kind: &str) -> &str {
        self.job.get(kind).unwrap_or_else(|| &self.job["OTHER"])
    }

    /// One record of the kind whose ids have the prefix, such as “a customer”.
    pub fn record(&self, prefix: &str) -> &str {
        self.record.get(prefix).unwrap_or_else(|| &self.record["OTHER"])
    }

    /// What `words.j2` is told about a currency: the table of the file, if there is one, and the `code`.
    pub fn currency(&self, code: &str) -> toml::Table {
        let mut names = self.currency.get(code).cloned().unwrap_or_default();
        names.insert("code".to_owned(), code.into());
        names
    }
}
