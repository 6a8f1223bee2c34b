//! Pages as JSON.

use async_graphql::{Name, Pos};
use entity::catalog::Cursor;
use sea_orm::{DbErr, QueryResult};

use super::{Failed, Writer};
use crate::read::keyed::Found;
use crate::read::load::Level;
use crate::read::plan::{Connection, ConnectionPart, EdgePart, InfoPart};

impl Writer {
    /// A page of the level's rows.
    pub(in crate::read) fn connection(
        &mut self,
        plan: &Connection<'_>,
        level: &Level,
        found: &Found,
        pos: Pos,
    ) -> Result<(), Failed> {
        self.object(&plan.parts, |writer, part| {
            match part {
                ConnectionPart::Typename => {
                    writer.text(&format!("{}Connection", plan.rows.record.name));
                }
                ConnectionPart::TotalCount => writer.put(&found.total.to_string()),
                ConnectionPart::Nodes(selection) => writer
                    .list(found.rows.clone(), |writer, index| {
                        writer.row(&plan.rows, *selection, level, index)
                    })?,
                ConnectionPart::Edges(parts) => writer
                    .list(found.rows.clone(), |writer, index| {
                        writer.edge(plan, parts, level, index, pos)
                    })?,
                ConnectionPart::PageInfo(parts) => {
                    writer.page_info(plan, parts, level, found, pos)?;
                }
            }
            Ok(())
        })
    }

    fn edge(
        &mut self,
        plan: &Connection<'_>,
        parts: &[(&Name, EdgePart)],
        level: &Level,
        index: usize,
        pos: Pos,
    ) -> Result<(), Failed> {
        self.object(parts, |writer, part| match part {
            EdgePart::Typename => {
                writer.text(&format!("{}Edge", plan.rows.record.name));
                Ok(())
            }
            EdgePart::Cursor => writer.cursor(plan, &level.rows[index], pos),
            EdgePart::Node(selection) => writer.row(&plan.rows, *selection, level, index),
        })
    }

    fn cursor(&mut self, plan: &Connection<'_>, row: &QueryResult, pos: Pos) -> Result<(), Failed> {
        let place = place(plan, row);
        let place = place.map_err(|cause| self.broken(&cause, pos))?;
        self.text(&place.encode());
        Ok(())
    }

    fn page_info(
        &mut self,
        plan: &Connection<'_>,
        parts: &[(&Name, InfoPart)],
        level: &Level,
        found: &Found,
        pos: Pos,
    ) -> Result<(), Failed> {
        let paging = &plan.paging;
        let backwards = paging.page.backwards;
        let has_next = if backwards { paging.before } else { found.more };
        let has_previous = if backwards { found.more } else { paging.after };
        let place = |index: Option<usize>| index.map(|index| place(plan, &level.rows[index]));
        let start = place(found.rows.clone().next()).transpose();
        let end = place(found.rows.clone().next_back()).transpose();
        let start = start.map_err(|cause| self.broken(&cause, pos))?;
        let end = end.map_err(|cause| self.broken(&cause, pos))?;
        self.page_place(parts, (has_next, has_previous), (start, end))
    }

    /// Where a page lies: whether others follow and precede, and its first and last place.
    pub(in crate::read) fn page_place(
        &mut self,
        parts: &[(&Name, InfoPart)],
        (has_next, has_previous): (bool, bool),
        (start, end): (Option<Cursor>, Option<Cursor>),
    ) -> Result<(), Failed> {
        self.object(parts, |writer, part| {
            let place = match part {
                InfoPart::Typename => {
                    writer.text("PageInfo");
                    return Ok(());
                }
                InfoPart::HasNext => {
                    writer.put(&has_next.to_string());
                    return Ok(());
                }
                InfoPart::HasPrevious => {
                    writer.put(&has_previous.to_string());
                    return Ok(());
                }
                InfoPart::Start => &start,
                InfoPart::End => &end,
            };
            match place {
                Some(place) => writer.text(&place.encode()),
                None => writer.put("null"),
            }
            Ok(())
        })
    }
}

/// The place of a row in its list.
fn place(plan: &Connection<'_>, row: &QueryResult) -> Result<Cursor, DbErr> {
    plan.paging.page.order.place(row, &plan.order_cells, 0)
}
