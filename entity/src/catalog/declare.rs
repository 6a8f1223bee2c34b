//! How a kind of record is declared.

/// Declares a kind of record; see the module.
macro_rules! catalog {
    (
        $(#[doc = $about:literal])*
        $name:ident $(($one:ident $(, $many:ident)?))? of $entity:ty
            $(, read by $read:expr)?
            $(, own by $own:expr $(, limited by $limits:expr)?)?
            $(, owned by $owner:expr)?
            $(, part of $part:expr => $whole:ty)?
            $(, private to $private:expr $(, shared by $shared:expr)?)?
            $(, seen with [$($via:expr => $with:ty),+ $(,)?])?
            $(, deleted by $deleted:expr)?
            $(, merged by $merged:expr)?;
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
                        Record {
                            name: stringify!($name),
                            about: prose(&[$($about),*]),
                            one: concat!($(stringify!($one))?),
                            many: concat!($($(stringify!($many))?)?),
                            table: sea_orm::EntityName::table_name(&<$entity>::default()),
                            prefix: <<<$entity as sea_orm::EntityTrait>::PrimaryKey as
                                sea_orm::PrimaryKeyTrait>::ValueType as $crate::id::Id>::PREFIX,
                            read: None$(.or(Some($read)))?,
                            own: None$(.or(Some(sea_orm::IdenStatic::as_str(&$own))))?,
                            limits: None$($(.or(Some(sea_orm::IdenStatic::as_str(&$limits))))?)?,
                            belongs: None
                                $(.or(Some(Belongs::To(sea_orm::IdenStatic::as_str(&$owner)))))?
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
                            fields: vec![
                                $(($shape).named(stringify!($field), prose(&[$($doc),*])),)+
                            ],
                        }
                    });
                &RECORD
            }
        }
    };
}
pub(crate) use catalog;
