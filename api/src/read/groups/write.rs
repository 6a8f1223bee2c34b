//! Groups as JSON.

use entity::catalog::{Group, Summary, write_key};

use super::Related;
use super::plan::{GroupPart, GroupPlan, KeyPart, SumPart};
use super::types::name;
use crate::read::write::{Failed, Writer};

impl Writer {
    /// All groups, one after the other.
    pub(super) fn groups(
        &mut self,
        plan: &GroupPlan<'_>,
        groups: &[Group],
        related: &[Related],
    ) -> Result<(), Failed> {
        self.list(groups, |writer, group| writer.group(plan, group, related))
    }

    fn group(
        &mut self,
        plan: &GroupPlan<'_>,
        group: &Group,
        related: &[Related],
    ) -> Result<(), Failed> {
        self.object(&plan.parts, |writer, part| {
            match part {
                GroupPart::Typename => writer.text(&name(plan.record, "Group")),
                GroupPart::Count => writer.put(&group.count.to_string()),
                GroupPart::Keys(parts) => {
                    writer.object(parts, |writer, part| writer.part(plan, group, related, part))?;
                }
                GroupPart::Sums(index, parts) => writer
                    .list(&group.sums[*index], |writer, sum| {
                        writer.object(parts, |writer, part| writer.summary(sum, part))
                    })?,
            }
            Ok(())
        })
    }

    fn part(
        &mut self,
        plan: &GroupPlan<'_>,
        group: &Group,
        related: &[Related],
        part: &KeyPart,
    ) -> Result<(), Failed> {
        let key = match part {
            KeyPart::Typename => {
                self.text(&name(plan.record, "GroupKeys"));
                return Ok(());
            }
            KeyPart::Absent => {
                self.put("null");
                return Ok(());
            }
            KeyPart::Value(key) | KeyPart::One(key, _) => *key,
        };
        let id = match (&group.keys[key], part) {
            (Some(entity::catalog::Key::Id(id)), KeyPart::One(_, which)) => Some((id, *which)),
            (Some(value), _) => {
                write_key(value, &plan.keys[key].scalar, &mut self.out);
                return Ok(());
            }
            (None, _) => None,
        };
        let found = id.and_then(|(id, which)| Some((which, *related[which].at.get(id)?)));
        let Some((which, row)) = found else {
            self.put("null");
            return Ok(());
        };
        self.row(&plan.related[which].1, 0, &related[which].level, row)
    }

    fn summary(&mut self, sum: &Summary, part: &SumPart<'_>) -> Result<(), Failed> {
        match part {
            SumPart::Typename => self.text("AmountSummary"),
            SumPart::Currency => self.text(sum.sum.currency.code()),
            SumPart::Count => self.put(&sum.count.to_string()),
            SumPart::Sum(parts) => self.money(sum.sum, parts)?,
            SumPart::Min(parts) => self.money(sum.min, parts)?,
            SumPart::Max(parts) => self.money(sum.max, parts)?,
            SumPart::Average(parts) => self.money(sum.average(), parts)?,
        }
        Ok(())
    }
}
