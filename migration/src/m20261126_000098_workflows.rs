//! Workflows, their versions, where each record is in them, and what happened on the way.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, integer, json_binary, string_len, string_len_null, text_null, uuid, uuid_null,
};

use crate::column::{
    choice, created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut workflow = Table::create();
    workflow
        .table("workflow")
        .col(id())
        .col(string_len("name", 200))
        .col(choice("state"))
        .col(json_binary("draft"))
        .col(uuid_null("active_id"))
        .col(instant_null("looked_at"));
    manager.create_table(updated(created(&mut workflow)).to_owned()).await?;

    let mut version = Table::create();
    version
        .table("workflow_version")
        .col(id())
        .col(uuid("workflow_id"))
        .col(integer("number"))
        .col(json_binary("definition"))
        .foreign_key(&mut reference("workflow_version", "workflow_id", "workflow"));
    manager.create_table(created(&mut version).to_owned()).await?;
    manager.create_index(unique("workflow_version", &["workflow_id", "number"])).await?;
    runs(manager).await?;
    steps(manager).await
}

async fn runs(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut run = Table::create();
    run.table("workflow_run")
        .col(id())
        .col(uuid("workflow_id"))
        .col(uuid("version_id"))
        .col(string_len("run_key", 200))
        .col(uuid("record_id"))
        .col(uuid_null("customer_id"))
        .col(uuid_null("event_id"))
        .col(choice("state"))
        .col(string_len_null("step", 64))
        .col(instant_null("since_at"))
        .col(instant_null("until_at"))
        .col(text_null("listens"))
        .col(boolean("met"))
        .col(instant_null("due_at"))
        .col(text_null("detail"))
        .col(instant("started_at"))
        .col(instant_null("ended_at"))
        .foreign_key(&mut reference("workflow_run", "customer_id", "customer"))
        .foreign_key(&mut reference("workflow_run", "workflow_id", "workflow"))
        .foreign_key(&mut reference("workflow_run", "version_id", "workflow_version"));
    manager.create_table(run).await?;
    manager.create_index(unique("workflow_run", &["run_key"])).await?;
    manager.create_index(index("workflow_run", &["workflow_id", "id"])).await?;
    manager.create_index(index("workflow_run", &["record_id", "workflow_id"])).await?;
    manager.create_index(index("workflow_run", &["customer_id", "id"])).await?;
    let sleeping = index("workflow_run", &["due_at", "id"])
        .name("workflow_run_due_idx")
        .and_where(Expr::col("due_at").is_not_null())
        .to_owned();
    manager.create_index(sleeping).await
}

async fn steps(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut step = Table::create();
    step.table("workflow_step")
        .col(id())
        .col(uuid("run_id"))
        .col(string_len("step", 64))
        .col(choice("outcome"))
        .col(text_null("detail"))
        .col(instant("at"))
        .foreign_key(
            reference("workflow_step", "run_id", "workflow_run")
                .on_delete(ForeignKeyAction::Cascade),
        );
    manager.create_table(step).await?;
    manager.create_index(index("workflow_step", &["run_id", "id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let tables = ["workflow", "workflow_version", "workflow_run", "workflow_step"];
    drop_all(manager, &tables).await
}
