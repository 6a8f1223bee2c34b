//! A step of the schema's history: two functions of a module, which gives the step its name.

use std::pin::Pin;

use sea_orm_migration::prelude::*;

type Change = for<'a> fn(
    &'a SchemaManager<'_>,
) -> Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send + 'a>>;

/// A step. It is one transaction on both databases.
pub struct Step {
    /// The name under which databases remember that it was taken; never changes.
    pub name: &'static str,
    /// Takes it.
    pub up: Change,
    /// Takes it back.
    pub down: Change,
}

impl MigrationName for Step {
    fn name(&self) -> &str {
        self.name
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        (self.up)(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        (self.down)(manager).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The steps of modules that have the functions `up` and `down`.
macro_rules! steps {
    ($($module:ident),+ $(,)?) => {
        vec![$(Box::new($crate::step::Step {
            name: stringify!($module),
            up: |manager| Box::pin($crate::$module::up(manager)),
            down: |manager| Box::pin($crate::$module::down(manager)),
        })),+]
    };
}
pub(crate) use steps;
