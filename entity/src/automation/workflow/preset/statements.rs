//! Statements of account, again and again.

use serde_json::{Value, json};

use super::{Preset, act, step};
use crate::automation::workflow::definition::{Action, Definition, Reentry, Trigger, Wait, Zone};

/// On the first of each month every customer who can be reached gets the statement of the month before, at nine where the
/// customer is.
///
/// Customers who want theirs otherwise have a custom field that says so, and a copy of this workflow each: one with
/// `0 6 * * 1` and weeks for the condition `statements = WEEKLY`, one with `0 6 1 1,4,7,10 *` and quarters for
/// `statements = QUARTERLY`, one for another day of the month; this one then leaves those out by its condition.
pub(super) fn monthly() -> Preset {
    let sending = json!({ "kind": "BALANCE_FORWARD", "period": "MONTH", "skipWhenZero": true });
    let nine = Wait::Until { at: super::nine(), zone: Zone::Customer };
    Preset {
        key: "monthly-statement",
        name: "Monthly statement of account",
        active: false,
        definition: Definition {
            record: "Customer".to_owned(),
            trigger: Trigger::Schedule { cron: "0 6 1 * *".to_owned(), zone: None },
            condition: json!({ "email": { "isNull": false } }),
            goal: Value::Null,
            reentry: Reentry::Always,
            most_per_hour: None,
            steps: vec![
                step("morning", Action::Wait(nine)),
                step("statement", act("sendStatement", sending)),
            ],
        },
    }
}
