//! The message ledger: “did they get it, when, and if not why?” is one query.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::automation::message;
use entity::id::{Id, MessageId};
use sea_orm::EntityTrait;

use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::customers::{Channel, Customer, CustomerFilter};
use crate::error::Fault;
use crate::id::global;
use crate::list::{DateTimeFilter, EnumFilter, IdFilter, PageArgs, StringFilter, list, page};

choice! {
    /// Which template a message is written with.
    MessageKind mirrors message::Kind as "entity::automation::message::Kind" {
        /// We received your payment.
        Receipt,
        /// That receipt does not hold any more.
        ReceiptCancellation,
    }
}

choice! {
    /// How far a message has come.
    MessageState mirrors message::State as "entity::automation::message::State" {
        /// It will be sent when it is due.
        Planned,
        /// A worker has it; nothing has left yet.
        Claimed,
        /// It is on the wire.
        Transmitting,
        /// The receiving server took it.
        Accepted,
        /// The receiving server refused it for good.
        Refused,
        /// It will be tried again when it is due.
        Deferred,
        /// It was decided not to send it; see the reason.
        Suppressed,
        /// It could not be sent in time.
        Expired,
        /// Somebody called it off.
        Cancelled,
        /// It may or may not have been taken; nobody can tell, and it is not sent again by itself.
        Unknown,
    }
}

choice! {
    /// Why a message is where it is.
    MessageReason mirrors message::Reason as "entity::automation::message::Reason" {
        /// The customer has no address on the channel.
        NoAddress,
        /// The address has no form that mail can be sent to.
        BadAddress,
        /// It could not be written; see the detail.
        RenderError,
        /// The receiving server asked to come back later.
        ProviderTemp,
        /// The receiving server refused for good.
        ProviderPerm,
        /// The worker or the connection died while it was on the wire.
        UnknownOutcome,
        /// It was tried for as long as it made sense.
        ExpiredLate,
    }
}

list! {
    message as Message in MessageConnection of MessageEdge;
    /// Which messages a list has. All that is given has to hold.
    filter MessageFilter {
        /// By id.
        id: IdFilter => Id,
        /// By the customer's id.
        customer_id: IdFilter => CustomerId,
        /// By what holds for the customer.
        customer: CustomerFilter => CustomerId,
        /// By the id of the receipt it is about.
        subject_id: IdFilter => SubjectId,
        /// By how far it has come.
        state: EnumFilter<MessageState> => State,
        /// By the template it is written with.
        kind: EnumFilter<MessageKind> => Kind,
        /// By channel.
        channel: EnumFilter<Channel> => Channel,
        /// By address, exactly as it went out.
        recipient: StringFilter => Recipient,
        /// By when it may be sent.
        due_at: DateTimeFilter => DueAt,
        /// By when its outcome was clear.
        settled_at: DateTimeFilter => SettledAt,
        /// By when it was planned.
        created_at: DateTimeFilter => CreatedAt,
    }
    /// By what messages are ordered.
    order MessageOrder by MessageOrderField {
        /// By when it was planned.
        CreatedAt,
        /// By when it may be sent.
        DueAt,
        /// By when its outcome was clear.
        SettledAt,
        /// By address.
        Recipient,
    }
}

/// Something meant for a customer, whether or not it went out, and why.
#[derive(Clone, Debug)]
pub struct Message(pub message::Model);

impl From<message::Model> for Message {
    fn from(row: message::Model) -> Self {
        Self(row)
    }
}

impl Message {
    pub(crate) async fn load(ctx: &Context<'_>, id: MessageId) -> Result<Option<Self>, Fault> {
        Ok(message::Entity::find_by_id(id).one(ctx.reader()).await?.map(Self))
    }
}

/// Something meant for a customer, whether or not it went out, and why.
#[Object]
impl Message {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Whom it is for.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Customer, Fault> {
        Customer::of(ctx, self.0.customer_id).await
    }

    /// Which template it is written with.
    async fn kind(&self) -> MessageKind {
        self.0.kind.into()
    }

    /// The way it goes.
    async fn channel(&self) -> Channel {
        self.0.channel.into()
    }

    /// How far it has come.
    async fn state(&self) -> MessageState {
        self.0.state.into()
    }

    /// Why it is there; null when there is nothing to explain.
    async fn reason(&self) -> Option<MessageReason> {
        self.0.reason.map(Into::into)
    }

    /// What the receiving server said, or what was wrong; null when nothing was.
    async fn detail(&self) -> Option<&str> {
        self.0.detail.as_deref()
    }

    /// Where it went; null before it was written.
    async fn recipient(&self) -> Option<&str> {
        self.0.recipient.as_deref()
    }

    /// Its subject line; null before it was written.
    async fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The part of its Message-ID before the `@`, as it stands in the logs of mail servers.
    async fn message_id(&self) -> &str {
        &self.0.message_id
    }

    /// The SHA-256 of the exact bytes that were sent; null before it was written.
    async fn body_sha256(&self) -> Option<&str> {
        self.0.body_sha256.as_deref()
    }

    /// The message that it is a copy of; null for an original.
    async fn copy_of(&self, ctx: &Context<'_>) -> Result<Option<Message>, Fault> {
        match self.0.copy_of_id {
            Some(id) => Ok(crate::loader::load(ctx, id).await?.map(Message)),
            None => Ok(None),
        }
    }

    /// How often it was put on the wire.
    async fn attempts(&self) -> i32 {
        self.0.attempts
    }

    /// When it may be sent, or sent again.
    async fn due_at(&self) -> DateTime<Utc> {
        self.0.due_at
    }

    /// When it was last put on the wire; null before that.
    async fn transmitted_at(&self) -> Option<DateTime<Utc>> {
        self.0.transmitted_at
    }

    /// When its outcome was clear; null while it is under way.
    async fn settled_at(&self) -> Option<DateTime<Utc>> {
        self.0.settled_at
    }

    /// When it was planned.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// Reading messages.
#[derive(Default)]
pub struct MessageQuery;

/// Reading messages.
#[Object]
impl MessageQuery {
    /// One message; null when there is none with the id.
    #[graphql(guard = "Can(Permission::ReadFinance)")]
    async fn message(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The message's id.")] id: ID,
    ) -> Result<Option<Message>, Fault> {
        match MessageId::parse(&id) {
            Some(id) => Message::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Everything ever meant for customers, first planned first unless an order is given.
    #[graphql(
        guard = "Can(Permission::ReadFinance)",
        complexity = "crate::schema::list_cost(first, last, child_complexity)"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn messages(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 0 to 100, 25 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which messages.")] filter: Option<MessageFilter>,
        #[graphql(desc = "In which order; later entries decide among equals.")] order_by: Option<
            Vec<MessageOrder>,
        >,
    ) -> Result<MessageConnection, Fault> {
        let args = PageArgs { first, after, last, before };
        page(ctx, message::Entity::find(), args, filter, order_by).await
    }
}
