//! The message ledger's choices: “did they get it, when, and if not why?” is one query.

use crate::choice::choice;

choice! {
    /// What a message is about, which says how it is treated.
    MessageClass mirrors "entity::automation::message::Class" {
        /// A receipt for money that came in.
        Receipt,
        /// Something about a user's own account.
        Account,
        /// Something that a user is told.
        Notification,
        /// What a customer has to know of what they have with us.
        Service,
        /// A reminder of what they owe.
        Collection,
        /// An offer.
        Marketing,
    }
}

choice! {
    /// Which template a message is written with.
    MessageKind mirrors "entity::automation::message::Kind" {
        /// We received your payment.
        Receipt,
        /// That receipt does not hold any more.
        ReceiptCancellation,
        /// A link for choosing a new password.
        PasswordReset,
        /// A link for choosing the first password.
        Invitation,
        /// What a user is told in Rapport, too.
        Notification,
        /// What the step of a workflow says.
        Workflow,
        /// When one meets, or that one does not.
        Meeting,
        /// What is to be paid.
        Dunning,
        /// A statement of account.
        Statement,
    }
}

choice! {
    /// How far a message has come.
    MessageState mirrors "entity::automation::message::State" {
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
    MessageReason mirrors "entity::automation::message::Reason" {
        /// The customer has no address on the channel.
        NoAddress,
        /// The address or number has no form that something can be sent to.
        BadAddress,
        /// Nothing is configured that takes messages on the channel.
        NoProvider,
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
        /// The address does not exist.
        HardBounced,
        /// Who has the address has complained.
        Complained,
        /// The customer wants nothing about its topic.
        UnsubTopic,
        /// The customer wants nothing on the channel.
        UnsubAll,
        /// The customer has not consented to it.
        NoConsent,
        /// The number is on a register of those who want no calls.
        DncRegister,
        /// The address was on a list of those to whom nothing may go.
        SuppressedImport,
        /// Enough has reached the customer, as the organisation sees it.
        FreqCap,
        /// Enough has reached the customer, as the law sees it.
        LegalCap,
        /// The law lets nothing reach the customer at this time.
        LegalWindow,
        /// The organisation lets nothing reach the customer at this time.
        QuietHours,
        /// It is a holiday where the customer is.
        Holiday,
        /// What it asks for is paid.
        Paid,
        /// What it asks for was taken back by credit notes, and what was paid of it is nothing.
        Credited,
        /// What it asks for was taken back as a whole.
        Voided,
        /// The customer disputes what it asks for.
        Disputed,
        /// The customer has promised to pay what it asks for.
        Promised,
        /// What is left of what it asks for is too little.
        BelowMin,
        /// Money came in that settles nothing yet, and is enough for what it asks for.
        PendingReceipt,
        /// The customer is asked for nothing.
        Excluded,
        /// Another ladder asks its customer: the one of its own, if it has one, or those that ask who has none.
        OtherLadder,
        /// The customer is asked for nothing for a while.
        Paused,
        /// What it asks for was written off.
        WrittenOff,
        /// A lawyer or a court asks for it.
        HandedOver,
        /// Somebody has to approve it first.
        Unapproved,
        /// Somebody has said that it is not to go.
        Rejected,
        /// A later one has taken its place before it could go.
        Superseded,
    }
}
