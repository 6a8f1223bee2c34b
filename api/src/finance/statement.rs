//! Statements of account: making them, one and many, and passing them on by a link.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::TimeDelta;
use entity::access::Permission;
use entity::automation::job;
use entity::automation::workflow::definition::Action;
use entity::customers::customer;
use entity::finance::statement::delivery::{self, Change};
use entity::finance::statement::{self, Bulk, NewStatement, Rules, Sending};
use entity::id::{CustomerId, Id, StatementId};
use futures::FutureExt;
use serde_json::json;

use crate::choice::choice;
use crate::collaboration::DownloadLink;
use crate::context::{Ask, Can, Once, write};
use crate::error::{ErrorCode, Fault, UserError};
use crate::files::link::{Link, Purpose};
use crate::id::parse;
use crate::payload::payload;
use crate::read::FilterOf;
use crate::scalar::{CurrencyCode, Date, MoneyInput};

choice! {
    /// What a statement of account lists.
    StatementKind mirrors "entity::finance::statement::Kind" {
        /// What is still to be paid, with its ages.
        OpenItem,
        /// The balance before, what has moved it since, and the balance after.
        BalanceForward,
    }
}

choice! {
    /// A stretch of the calendar.
    StatementPeriod mirrors "entity::finance::statement::Period" {
        /// A week, from Monday.
        Week,
        /// A month.
        Month,
        /// A quarter of a year.
        Quarter,
    }
}

choice! {
    /// The way in which a customer gets its statements.
    StatementChannel mirrors "entity::finance::statement::delivery::Way" {
        /// By e-mail, with the PDF attached, or a link alone when it is large.
        Email,
        /// By post: `printLetters` has them, each with a page for the window of an envelope before it.
        Letter,
    }
}

/// A statement to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateStatementInput {
    /// For whom.
    pub customer_id: ID,
    /// In what; a statement has one currency.
    pub currency: CurrencyCode,
    /// What it lists.
    #[graphql(default_with = "StatementKind::BalanceForward")]
    pub kind: StatementKind,
    /// Its first day. When absent it begins where the one before ended, so that nothing falls between two of them, and the
    /// first one on the first day of the month. For open items it is always absent.
    pub from: Option<Date>,
    /// Its last day, not later than today: it is cut off at the end of it, by the organisation's calendar.
    pub until: Date,
    /// Whether the customer gets it, in the way that `setStatementDelivery` says.
    #[graphql(default)]
    pub send: bool,
}

/// Statements of many customers.
#[derive(Clone, Debug, InputObject)]
pub struct CreateStatementsInput {
    /// Of which customers, up to 250,000.
    pub filter: FilterOf<customer::Entity>,
    /// What they list.
    #[graphql(default_with = "StatementKind::BalanceForward")]
    pub kind: StatementKind,
    /// Their first day; as in `createStatement` when absent.
    pub from: Option<Date>,
    /// Their last day, not later than today.
    pub until: Date,
    /// Whether the customers get them, in the ways that `setStatementDelivery` says.
    #[graphql(default)]
    pub send: bool,
    /// Which are left out.
    #[graphql(flatten)]
    pub rules: StatementRulesInput,
}

/// Which statements are made, and which are left out.
#[derive(Clone, Debug, InputObject)]
pub struct StatementRulesInput {
    /// In which currency; one in each in which anything was ever posted when absent.
    pub currency: Option<CurrencyCode>,
    /// Whether those are left out by which nothing is owed, and nothing has moved or is open.
    #[graphql(default = true)]
    pub skip_when_zero: bool,
    /// Those are left out by which less is owed: one amount for each currency that has one, at most 20.
    #[graphql(default, validator(max_items = 20))]
    pub minimum: Vec<MoneyInput>,
    /// Whether those are left out by which nothing is overdue.
    #[graphql(default)]
    pub only_when_overdue: bool,
}

/// The statements that a step sends: of the last week, month or quarter that is over by the organisation's calendar. There is
/// one for each customer, currency and last day, however often the step comes.
#[derive(Clone, Debug, InputObject)]
pub struct SendStatementInput {
    /// What they list.
    #[graphql(default_with = "StatementKind::BalanceForward")]
    pub kind: StatementKind,
    /// Of which stretch of the calendar. One that carries the balance forward begins where the one before ended.
    #[graphql(default_with = "StatementPeriod::Month")]
    pub period: StatementPeriod,
    /// Which are left out.
    #[graphql(flatten)]
    pub rules: StatementRulesInput,
}

impl StatementRulesInput {
    fn parse(self) -> Result<Rules, String> {
        let minimum = self.minimum.into_iter().map(MoneyInput::parse);
        Ok(Rules {
            currency: self.currency.map(|currency| currency.0),
            skip_when_zero: self.skip_when_zero,
            minimum: minimum.collect::<Result<_, _>>().map_err(|error| error.to_string())?,
            only_when_overdue: self.only_when_overdue,
        })
    }
}

impl SendStatementInput {
    /// The step that is meant.
    ///
    /// # Errors
    /// When a currency does not have an amount.
    pub fn action(self) -> Result<Action, String> {
        let sending = Sending {
            kind: self.kind.into(),
            period: self.period.into(),
            rules: self.rules.parse()?,
        };
        Ok(Action::Do { what: "sendStatement".to_owned(), with: json!(sending) })
    }
}

/// How a customer gets its statements. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct SetStatementDeliveryInput {
    /// The customer's id.
    pub customer_id: ID,
    /// The way.
    pub channel: Option<StatementChannel>,
    /// The addresses that get a copy of the mail, at most 5; whoever gets it sees them. None get one when it is empty.
    pub cc: Option<Vec<String>>,
}

payload! {
    /// What came of saying how a customer gets its statements.
    SetStatementDeliveryPayload {
        /// The customer as it is now; null when it was refused.
        customer: customer::Entity
    }
}

payload! {
    /// What came of making a statement.
    CreateStatementPayload {
        /// The statement; null when it was refused.
        statement: statement::Entity
    }
}

payload! {
    /// What came of asking for statements.
    CreateStatementsPayload {
        /// The job that makes them; its report counts those that were `made` and those that were `skipped`. Null when it was
        /// refused.
        job: job::Entity
    }
}

/// What came of asking for a link.
#[derive(SimpleObject)]
pub struct ShareStatementPayload {
    /// The link; null when it was refused.
    pub link: Option<DownloadLink>,
    /// Why there is none; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Making statements.
#[derive(Default)]
pub struct StatementMutation;

/// Making statements.
#[Object]
impl StatementMutation {
    /// Makes a customer's statement of account; its PDF is there moments later. If there is one for the last day, this is
    /// another revision of it.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn create_statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The statement.")] input: CreateStatementInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's statement."
        )]
        idempotency_key: String,
    ) -> Result<CreateStatementPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "createStatement", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::WritePayments, &input.customer_id, path);
        let outcome = match parse::<CustomerId>(&input.customer_id, path) {
            Ok(customer) => {
                let new = NewStatement {
                    customer,
                    currency: input.currency.0,
                    kind: input.kind.into(),
                    from: input.from.map(|day| day.0),
                    until: input.until.0,
                    send: input.send,
                };
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move { Ok(statement::issue(txn, new, actor, now).await?.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(CreateStatementPayload::from(outcome))
    }

    /// Makes the statements of all customers of a filter for whom you may, in each of their currencies. Who has one for the
    /// last day keeps that.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn create_statements(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which statements.")] input: CreateStatementsInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: String,
    ) -> Result<CreateStatementsPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(Some(&idempotency_key), "createStatements", &input);
        let (filter, rules) = (input.filter.json, input.rules.parse());
        let rules = match rules {
            Ok(rules) => rules,
            Err(message) => {
                let error = UserError::new(ErrorCode::Invalid, &message, &["input", "minimum"]);
                return Ok(Err(vec![error]).into());
            }
        };
        let bulk = Bulk {
            kind: input.kind.into(),
            from: input.from.map(|day| day.0),
            until: input.until.0,
            rules,
            send: input.send,
        };
        let outcome = write(ctx, once, move |txn, _, now| {
            let (filter, bulk, viewer) = (filter.clone(), bulk.clone(), viewer.clone());
            async move { Ok(statement::request(txn, &filter, &bulk, &viewer, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Says how a customer gets its statements from now on: by e-mail, as usual, with copies for others, or by post.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn set_statement_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What changes.")] input: SetStatementDeliveryInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<SetStatementDeliveryPayload, Fault> {
        let path = &["input", "customerId"];
        let once = Once::new(None, "setStatementDelivery", &input);
        let once = once.within(Permission::Collect, &input.customer_id, path);
        let outcome = match parse::<CustomerId>(&input.customer_id, path) {
            Ok(id) => {
                let change = Change { way: input.channel.map(Into::into), cc: input.cc };
                write(ctx, once, move |txn, actor, now| {
                    let change = change.clone();
                    async move {
                        let version = expected_version;
                        Ok(delivery::set(txn, id, change, version, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }

    /// A link to a statement's PDF to pass on to the customer, who needs nothing else to fetch it. It is good for some days,
    /// and only as long as you may see the statement.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn share_statement(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The statement's id.")] id: ID,
        #[graphql(desc = "For how many days: 1 to 30.", default = 7)] days: i32,
    ) -> Result<ShareStatementPayload, Fault> {
        let refused = |error| Ok(ShareStatementPayload { link: None, user_errors: vec![error] });
        if !(1..=30).contains(&days) {
            let message = "a link is good for 1 to 30 days";
            return refused(UserError::new(ErrorCode::Invalid, &message, &["days"]));
        }
        let (viewer, now) = (ctx.viewer()?, ctx.now());
        let file = match StatementId::parse(&id) {
            Some(id) => statement::file(ctx.reader(), id, &viewer).await?.map(|_| id),
            None => None,
        };
        let Some(id) = file else { return refused(UserError::not_found(&["id"])) };
        let expires_at = now + TimeDelta::days(days.into());
        let link = Link { id: id.0, user: viewer.user, expires_at };
        let link = ctx.shared().links.sign(Purpose::Statement, link);
        let link = Some(DownloadLink { url: format!("/files/{link}"), expires_at });
        Ok(ShareStatementPayload { link, user_errors: Vec::new() })
    }
}
