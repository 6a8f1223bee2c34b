//! What is asked of groups.

use async_graphql::Name;
use async_graphql::parser::types::SelectionSet;
use entity::catalog::{Field, GroupKey, Record, Shape, condition};
use sea_orm::Condition;

use super::types::name;
use crate::error::Fault;
use crate::read::plan::{Ask, Part, Planner, Rows, argument, invalid};

/// The groups that are asked for, and what is made of each.
pub(in crate::read) struct GroupPlan<'a> {
    /// Their kind of record.
    pub record: &'static Record,
    /// What they share.
    pub keys: Vec<GroupKey>,
    /// What is added up.
    pub sums: Vec<&'static Field>,
    /// Which records.
    pub filter: Condition,
    /// For which key, what is read of the records that it refers to.
    pub related: Vec<(usize, Rows<'a>)>,
    /// What is made of a group.
    pub parts: Vec<(&'a Name, GroupPart<'a>)>,
}

/// A part of a group.
pub(in crate::read) enum GroupPart<'a> {
    /// The name of its type.
    Typename,
    /// What its records share.
    Keys(Vec<(&'a Name, KeyPart)>),
    /// How many there are.
    Count,
    /// What a field comes to: which of the sums.
    Sums(usize, Vec<(&'a Name, SumPart<'a>)>),
}

/// A part of what records share.
pub(in crate::read) enum KeyPart {
    /// The name of its type.
    Typename,
    /// What was not grouped by.
    Absent,
    /// A value: which key.
    Value(usize),
    /// A record: which key, and which of the related.
    One(usize, usize),
}

/// A part of what amounts come to.
pub(in crate::read) enum SumPart<'a> {
    /// The name of its type.
    Typename,
    /// Their currency.
    Currency,
    /// How many there are.
    Count,
    /// All together.
    Sum(Vec<(&'a Name, Part)>),
    /// The smallest.
    Min(Vec<(&'a Name, Part)>),
    /// The largest.
    Max(Vec<(&'a Name, Part)>),
    /// The mean.
    Average(Vec<(&'a Name, Part)>),
}

impl<'a> Planner<'a> {
    /// The groups that `ask` asks for.
    pub(in crate::read) fn groups(
        self,
        record: &'static Record,
        ask: Ask<'a>,
        sets: &[&'a SelectionSet],
    ) -> Result<GroupPlan<'a>, Fault> {
        let by = argument(self.query, ask, "by");
        let given = argument(self.query, ask, "filter");
        let filter =
            condition(record, &given, self.scope, "filter").map_err(|error| invalid(&error))?;
        let mut plan = GroupPlan {
            record,
            keys: GroupKey::parse(record, &by, self.scope, "by")
                .map_err(|error| invalid(&error))?,
            sums: Vec::new(),
            filter: record.listed(&given).add(filter),
            related: Vec::new(),
            parts: Vec::new(),
        };
        plan.parts = self.parts(sets, &name(record, "Group"), |ask, sets| {
            Ok(Some(match ask.node.name.node.as_str() {
                "keys" => GroupPart::Keys(self.keys(&mut plan, &sets)?),
                "count" => GroupPart::Count,
                name => match record.field(name).filter(|field| field.summed) {
                    Some(field) => GroupPart::Sums(self.sum(&mut plan, field)?, self.sums(&sets)?),
                    None => GroupPart::Typename,
                },
            }))
        })?;
        Ok(plan)
    }

    fn sum(self, plan: &mut GroupPlan<'a>, field: &'static Field) -> Result<usize, Fault> {
        if !self.scope.sees(field) {
            return Err(Fault::forbidden());
        }
        let known = plan.sums.iter().position(|known| known.name == field.name);
        Ok(known.unwrap_or_else(|| {
            plan.sums.push(field);
            plan.sums.len() - 1
        }))
    }

    fn keys(
        self,
        plan: &mut GroupPlan<'a>,
        sets: &[&'a SelectionSet],
    ) -> Result<Vec<(&'a Name, KeyPart)>, Fault> {
        self.parts(sets, &name(plan.record, "GroupKeys"), |ask, sets| {
            let asked = ask.node.name.node.as_str();
            if plan.record.field(asked).is_none() {
                return Ok(Some(KeyPart::Typename));
            }
            let Some(key) = plan.keys.iter().position(|key| key.field.name == asked) else {
                return Ok(Some(KeyPart::Absent));
            };
            Ok(Some(match &plan.keys[key].field.shape {
                Shape::One { target, .. } => {
                    plan.related.push((key, self.rows(target(), &sets)?));
                    KeyPart::One(key, plan.related.len() - 1)
                }
                _ => KeyPart::Value(key),
            }))
        })
    }

    fn sums(self, sets: &[&'a SelectionSet]) -> Result<Vec<(&'a Name, SumPart<'a>)>, Fault> {
        self.parts(sets, "AmountSummary", |ask, sets| {
            Ok(Some(match ask.node.name.node.as_str() {
                "currency" => SumPart::Currency,
                "count" => SumPart::Count,
                "sum" => SumPart::Sum(self.money(&sets)?),
                "min" => SumPart::Min(self.money(&sets)?),
                "max" => SumPart::Max(self.money(&sets)?),
                "average" => SumPart::Average(self.money(&sets)?),
                _ => SumPart::Typename,
            }))
        })
    }
}
