//! How a kind of record is declared, and the fields that most kinds have in the same words.

use super::{Field, id};
use crate::id::Id;

/// Puts the record's id before the other fields, unless they say themselves what it is.
#[must_use]
pub fn identified<I: Id>(mut fields: Vec<Field>) -> Vec<Field> {
    if fields.iter().all(|field| field.name != "id") {
        fields.insert(0, id::<I>().filtered().named("id", "Its id.".to_owned()));
    }
    fields
}

/// Declares a kind of record; see the [catalogue](super). Its id need not be declared where it is no more than
/// that; `versioned by` brings the field `version`, and `with history` the changes that the audit log has of it.
macro_rules! catalog {
    (
        $(#[doc = $about:literal])*
        $name:ident $(($one:ident $(, $many:ident)?))? of $entity:ty
            $(, read by $read:expr)?
            $(, own by $own:expr $(, limited by $limits:expr)?)?
            $(, attended by $attendee:expr, in $attended:expr, of $attendance:ty)?
            $(, owned by $owner:expr)?
            $(, given to $assignee:expr, or with $with_via:expr => $with_whole:ty)?
            $(, part of $part:expr => $whole:ty)?
            $(, private to $private:expr $(, shared by $shared:expr)?)?
            $(, seen with [$($via:expr => $with:ty),+ $(,)?])?
            $(, deleted by $deleted:expr)?
            $(, merged by $merged:expr)?
            $(, versioned by $version:expr)?
            $(, with $history:ident)?;
        $($(#[doc = $doc:literal])* $field:ident: $shape:expr,)+
    ) => {
        /// None that the ORM has to know: relations are declared in the catalogue.
        #[derive(Copy, Clone, Debug, sea_orm::EnumIter, sea_orm::DeriveRelation)]
        pub enum Relation {}

        impl sea_orm::ActiveModelBehavior for ActiveModel {}

        impl $crate::catalog::Cataloged for $entity {
            fn record() -> &'static $crate::catalog::Record {
                static RECORD: std::sync::LazyLock<$crate::catalog::Record> =
                    std::sync::LazyLock::new(|| {
                        use $crate::catalog::*;
                        type Key = <<$entity as sea_orm::EntityTrait>::PrimaryKey as
                            sea_orm::PrimaryKeyTrait>::ValueType;
                        Record {
                            name: stringify!($name),
                            about: prose(&[$($about),*]),
                            one: concat!($(stringify!($one))?),
                            many: concat!($($(stringify!($many))?)?),
                            table: sea_orm::EntityName::table_name(&<$entity>::default()),
                            prefix: <Key as $crate::id::Id>::PREFIX,
                            read: None$(.or(Some($read)))?,
                            own: None$(.or(Some(sea_orm::IdenStatic::as_str(&$own))))?,
                            attended: None$(.or(Some(Attended {
                                table: sea_orm::EntityName::table_name(&<$attendance>::default()),
                                row: sea_orm::IdenStatic::as_str(&$attended),
                                user: sea_orm::IdenStatic::as_str(&$attendee),
                            })))?,
                            limits: None$($(.or(Some(sea_orm::IdenStatic::as_str(&$limits))))?)?,
                            belongs: None
                                $(.or(Some(Belongs::To(sea_orm::IdenStatic::as_str(&$owner)))))?
                                $(.or(Some(Belongs::ToOrWith(
                                    sea_orm::IdenStatic::as_str(&$assignee),
                                    sea_orm::IdenStatic::as_str(&$with_via),
                                    <$with_whole as Cataloged>::record,
                                ))))?
                                $(.or(Some(Belongs::With(
                                    sea_orm::IdenStatic::as_str(&$part),
                                    <$whole as Cataloged>::record,
                                ))))?
                                $(.or(Some(Belongs::OnlyTo(
                                    sea_orm::IdenStatic::as_str(&$private),
                                    None$(.or(Some(sea_orm::IdenStatic::as_str(&$shared))))?,
                                ))))?
                                $(.or(Some(Belongs::SeenWith(vec![$((
                                    sea_orm::IdenStatic::as_str(&$via),
                                    <$with as Cataloged>::record as Target,
                                )),+]))))?
                                .unwrap_or(Belongs::ToNobody),
                            deleted: None$(.or(Some(sea_orm::IdenStatic::as_str(&$deleted))))?,
                            merged: None$(.or(Some(sea_orm::IdenStatic::as_str(&$merged))))?,
                            fields: identified::<Key>(vec![
                                $(whole($version).named(
                                    "version",
                                    "Counts up with every change; give it back as `expectedVersion`.".to_owned(),
                                ),)?
                                $(($shape).named(stringify!($field), prose(&[$($doc),*])),)+
                                $(many::<$crate::access::audit::Entity>(
                                    $crate::access::audit::Column::RecordId,
                                )
                                .guarded($crate::access::Permission::ReadAudit)
                                .named(stringify!($history), "Who changed what of it.".to_owned()),)?
                            ]),
                        }
                    });
                &RECORD
            }
        }
    };
}
pub(crate) use catalog;
