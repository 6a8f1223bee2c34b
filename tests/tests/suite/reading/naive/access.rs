//! Who sees which rows.

use entity::access::{Permission, Scope};
use entity::catalog::{Attended, Belongs, Record};
use uuid::Uuid;

use super::Naive;
use crate::reading::rows::{Cell, Row};

impl Naive<'_> {
    /// Whether the viewer sees any row of a kind.
    pub(super) fn sees(&self, record: &Record) -> bool {
        let is_for_anybody = record.own.is_some() || self.attended(record).is_some();
        is_for_anybody || record.read.is_none_or(|needed| self.viewer.may(needed))
    }

    /// Where it stands who takes part in a row; nowhere for an API key.
    fn attended(&self, record: &Record) -> Option<Attended> {
        record.attended.filter(|_| self.viewer.limits().is_none())
    }

    /// Whether the viewer sees a row.
    pub(super) fn sees_row(&self, record: &Record, row: &Row) -> bool {
        if let Belongs::SeenWith(others) = &record.belongs {
            return others.iter().any(|(column, target)| {
                let mut others = self.rows.of(target().table).iter();
                let other = others.find(|other| other["id"] == row[*column]);
                other.is_some_and(|other| self.sees_row(target(), other))
            });
        }
        if let Belongs::OnlyTo(column, shared) = record.belongs {
            let is_shared = shared.is_some_and(|shared| row[shared] == Cell::Truth(true));
            return row[column] == Cell::Id(self.viewer.user.0) || is_shared;
        }
        let own = |column: &str| row[column] == Cell::Id(self.viewer.user.0);
        record.read.is_none_or(|needed| self.reaches(record, row, needed, false))
            || record.own.is_some_and(own)
            || self.attended(record).is_some_and(|list| {
                let mut attendees = self.rows.of(list.table).iter();
                let viewer = Cell::Id(self.viewer.user.0);
                attendees.any(|one| one[list.row] == row["id"] && one[list.user] == viewer)
            })
    }

    /// Whether what the viewer may do, which is a change where `writing`, reaches to a row.
    pub(super) fn reaches(
        &self,
        record: &Record,
        row: &Row,
        needed: Permission,
        writing: bool,
    ) -> bool {
        match self.viewer.scope(needed) {
            Scope::All => true,
            Scope::None => false,
            scope => self.is_theirs(record, row, scope, writing),
        }
    }

    fn is_theirs(&self, record: &Record, row: &Row, scope: Scope, writing: bool) -> bool {
        let among = |users: &[Uuid], cell: &Cell| users.iter().any(|user| *cell == Cell::Id(*user));
        let own = self.viewer.whose(Scope::Own);
        match record.belongs {
            Belongs::ToNobody | Belongs::OnlyTo(..) | Belongs::SeenWith(_) => false,
            Belongs::ToOrWith(user, column, target) => {
                let mut others = self.rows.of(target().table).iter();
                let other = others.find(|other| other["id"] == row[column]);
                among(self.viewer.whose(scope), &row[user])
                    || other.is_some_and(|other| self.is_theirs(target(), other, scope, writing))
            }
            Belongs::With(column, target) => {
                let mut others = self.rows.of(target().table).iter();
                let other = others.find(|other| other["id"] == row[column]);
                other.is_some_and(|other| self.is_theirs(target(), other, scope, writing))
            }
            Belongs::To(column) => {
                let mut shares = self.rows.of("share").iter();
                let is_in = |team: &Cell| {
                    let mut members = self.rows.of("team_member").iter();
                    members.any(|one| one["team_id"] == *team && among(own, &one["user_id"]))
                };
                among(self.viewer.whose(scope), &row[column])
                    || shares.any(|share| {
                        share["record_id"] == row["id"]
                            && (!writing || share["writable"] == Cell::Truth(true))
                            && (among(own, &share["user_id"]) || is_in(&share["team_id"]))
                    })
            }
        }
    }
}
