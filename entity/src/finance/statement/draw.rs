//! Drawing a statement from the ledger: a function of what the ledger says and of the statement before.

use sea_orm::prelude::Date;

use super::content::{Content, Item, ageing};
use super::slice::Slice;
use super::{Kind, Model};
use crate::id::StatementId;

/// The statement before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Previous {
    /// Which.
    pub id: StatementId,
    /// Its last day.
    pub until: Date,
    /// What was owed by it.
    pub closing: i64,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Drawn {
    pub opening: Option<i64>,
    pub adjustment: i64,
    pub closing: i64,
    pub overdue: i64,
    pub content: Content,
}

/// What a statement of `kind` says from `from` to the end of `until`, if it carries `previous` forward.
pub(super) fn draw(
    kind: Kind,
    (from, until): (Date, Date),
    slice: Slice,
    previous: Option<Previous>,
) -> Drawn {
    match kind {
        Kind::OpenItem => open_items(until, slice),
        Kind::BalanceForward => balance_forward((from, until), slice, previous),
    }
}

fn open_items(until: Date, slice: Slice) -> Drawn {
    let balance = slice.balance();
    let kept = slice.items.into_iter().filter(|(_, is_void)| !is_void);
    let items: Vec<_> = kept.map(|(item, _)| item).collect();
    let closing = items.iter().map(|item| item.open).sum::<i64>() + slice.unapplied;
    let content = Content {
        movements: Vec::new(),
        ageing: ageing(&items, until),
        unapplied: slice.unapplied,
        items,
    };
    let overdue = overdue(&content.items, until);
    Drawn { opening: None, adjustment: closing - balance, closing, overdue, content }
}

fn balance_forward((from, until): (Date, Date), slice: Slice, previous: Option<Previous>) -> Drawn {
    let closing = slice.balance();
    let movements = slice.movements.into_iter().filter(|movement| movement.on >= from);
    let movements: Vec<_> = movements.collect();
    let before = closing - movements.iter().map(|movement| movement.amount).sum::<i64>();
    let opening = previous.map_or(before, |previous| previous.closing);
    let items: Vec<_> = slice.items.into_iter().map(|(item, _)| item).collect();
    let content = Content {
        movements,
        ageing: ageing(&items, until),
        unapplied: slice.unapplied,
        items: Vec::new(),
    };
    let overdue = overdue(&items, until);
    Drawn { opening: Some(opening), adjustment: before - opening, closing, overdue, content }
}

fn overdue(items: &[Item], on: Date) -> i64 {
    items.iter().filter(|item| item.days_overdue(on) > 0).map(|item| item.open).sum()
}

impl Model {
    /// Whether there is nothing to tell: nothing is owed, and nothing has moved or is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let content = self.content();
        self.closing == 0
            && self.adjustment == 0
            && content.movements.is_empty()
            && content.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::super::content::{Movement, What};
    use super::*;

    fn day(number: i64) -> Date {
        Date::from_ymd_opt(2026, 10, 1).unwrap() + TimeDelta::days(number)
    }

    fn item(due: i64, open: i64, is_void: bool) -> (Item, bool) {
        let item = Item {
            number: None,
            issued_on: day(-90),
            due_on: day(due),
            total: open,
            open,
            disputed: false,
            promised: None,
        };
        (item, is_void)
    }

    fn movement(on: i64, amount: i64) -> Movement {
        let what = What::Invoice;
        Movement { on: day(on), what, number: None, about: None, disputed: false, amount }
    }

    fn slice() -> Slice {
        Slice {
            items: vec![item(-1, 400, false), item(0, 300, true), item(45, 200, false)],
            unapplied: -50,
            movements: vec![movement(-3, 100), movement(1, 300), movement(30, -120)],
        }
    }

    #[test]
    fn a_balance_is_carried_forward_with_what_was_posted_for_earlier_days() {
        let previous =
            Previous { id: StatementId(uuid::Uuid::nil()), until: day(-1), closing: 600 };
        let drawn = draw(Kind::BalanceForward, (day(0), day(30)), slice(), Some(previous));
        assert_eq!((drawn.opening, drawn.adjustment, drawn.closing), (Some(600), 70, 850));
        assert_eq!(drawn.content.movements.len(), 2);
        assert_eq!(drawn.overdue, 700);
        let aged = drawn.content.ageing.iter().sum::<i64>() + drawn.content.unapplied;
        assert_eq!(aged, 850);
        let first = draw(Kind::BalanceForward, (day(0), day(30)), slice(), None);
        assert_eq!((first.opening, first.adjustment), (Some(670), 0));
    }

    #[test]
    fn open_items_leave_out_what_is_void_by_now() {
        let drawn = draw(Kind::OpenItem, (day(0), day(30)), slice(), None);
        assert_eq!((drawn.opening, drawn.adjustment, drawn.closing), (None, -300, 550));
        assert_eq!(drawn.content.items.len(), 2);
        assert_eq!(drawn.content.ageing, [200, 0, 400, 0, 0]);
    }
}
