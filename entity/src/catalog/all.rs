//! Everything in the catalogue.

use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use super::{Cataloged, Record};
use crate::access::{
    absence, api_key, audit, grant, membership, position, role, session, share, team, user,
};
use crate::automation::gate::holiday;
use crate::automation::webhook::{delivery, endpoint};
use crate::automation::workflow::{forecast, run, step, version};
use crate::automation::{job, message, workflow};
use crate::collaboration::appointment::attendee;
use crate::collaboration::{
    appointment, call, document, document_tag, file, note, notification, reminder, saved_view, task,
};
use crate::customers::custom::definition;
use crate::customers::import::template;
use crate::customers::{address, change, contact, customer};
use crate::finance::{
    allocation, credit_limit, credit_note, dispute, dunning, invoice, invoice_line, payment,
    promise, receipt, statement,
};
use crate::marketing::segment::{member, part};
use crate::marketing::{consent, segment, suppression};
use crate::sales::{order, product};

/// Every kind of record.
#[must_use]
pub fn records() -> [&'static Record; 59] {
    [
        user::Entity::record(),
        session::Entity::record(),
        api_key::Entity::record(),
        role::Entity::record(),
        grant::Entity::record(),
        team::Entity::record(),
        membership::Entity::record(),
        position::Entity::record(),
        share::Entity::record(),
        absence::Entity::record(),
        customer::Entity::record(),
        definition::Entity::record(),
        contact::Entity::record(),
        address::Entity::record(),
        invoice::Entity::record(),
        invoice_line::Entity::record(),
        credit_note::Entity::record(),
        payment::Entity::record(),
        allocation::Entity::record(),
        receipt::Entity::record(),
        dispute::Entity::record(),
        promise::Entity::record(),
        promise::item::Entity::record(),
        promise::instalment::Entity::record(),
        credit_limit::Entity::record(),
        dunning::notice::Entity::record(),
        dunning::item::Entity::record(),
        statement::Entity::record(),
        product::Entity::record(),
        order::Entity::record(),
        message::Entity::record(),
        holiday::Entity::record(),
        consent::Entity::record(),
        suppression::Entity::record(),
        segment::Entity::record(),
        member::Entity::record(),
        part::Entity::record(),
        job::Entity::record(),
        template::Entity::record(),
        audit::Entity::record(),
        saved_view::Entity::record(),
        note::Entity::record(),
        task::Entity::record(),
        call::Entity::record(),
        appointment::Entity::record(),
        attendee::Entity::record(),
        reminder::Entity::record(),
        notification::Entity::record(),
        change::Entity::record(),
        endpoint::Entity::record(),
        delivery::Entity::record(),
        document::Entity::record(),
        document_tag::Entity::record(),
        file::Entity::record(),
        workflow::Entity::record(),
        version::Entity::record(),
        run::Entity::record(),
        step::Entity::record(),
        forecast::Entity::record(),
    ]
}

/// The kind of record whose ids begin with `prefix`.
#[must_use]
pub fn by_prefix(prefix: &str) -> Option<&'static Record> {
    records().into_iter().find(|record| record.prefix == prefix)
}

/// The kind of record with the name, such as `Customer`.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Record> {
    records().into_iter().find(|record| record.name == name)
}

/// The record that an id from outside names: its kind, and which. It need not exist.
#[must_use]
pub fn named(id: &str) -> Option<(&'static Record, Uuid)> {
    let id: TypeSafeId<DynamicType> = id.parse().ok()?;
    Some((by_prefix(id.type_prefix())?, id.uuid()))
}

/// The kind of record whose rows are in `table`.
#[must_use]
pub fn by_table(table: &str) -> Option<&'static Record> {
    records().into_iter().find(|record| record.table == table)
}
