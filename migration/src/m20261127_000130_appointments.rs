//! Appointments, who takes part in them, and what they are reminded of.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    boolean, date_time, date_time_null, integer, json_binary, string_len, string_len_null, text,
    text_null, uuid, uuid_null,
};

use crate::column::{
    choice, created, drop_all, id, index, instant, instant_null, reference, unique, updated,
};
use crate::search;

pub async fn up(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    appointment(manager).await?;
    attendee(manager).await?;
    let mut of_user = Table::alter();
    of_user.table("user_account").add_column(string_len_null("time_zone", 64));
    manager.alter_table(of_user).await?;
    let mut of_appointment = Table::alter();
    of_appointment.table("reminder").add_column(uuid_null("appointment_id"));
    manager.alter_table(of_appointment).await?;
    manager.create_index(unique("reminder", &["appointment_id", "user_id", "before_s"])).await
}

async fn appointment(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut appointment = Table::create();
    appointment
        .table("appointment")
        .col(id())
        .col(uuid_null("customer_id"))
        .col(uuid_null("organizer_id"))
        .col(string_len("subject", 200))
        .col(text_null("description"))
        .col(string_len_null("location", 500))
        .col(date_time("start_local"))
        .col(string_len("time_zone", 64))
        .col(integer("duration_min"))
        .col(boolean("all_day"))
        .col(instant("starts_at"))
        .col(instant("ends_at"))
        .col(string_len_null("rule", 500))
        .col(instant_null("last_ends_at"))
        .col(uuid_null("series_id"))
        .col(date_time_null("original_local"))
        .col(instant_null("original_at"))
        .col(choice("state"))
        .col(text_null("note"))
        .col(integer("sequence"))
        .col(json_binary("remind_s"))
        .col(text("search_text"))
        .col(instant_null("deleted_at"))
        .foreign_key(&mut reference("appointment", "customer_id", "customer"))
        .foreign_key(&mut reference("appointment", "organizer_id", "user_account"))
        .foreign_key(
            reference("appointment", "series_id", "appointment")
                .on_delete(ForeignKeyAction::Cascade),
        );
    manager.create_table(updated(created(&mut appointment)).to_owned()).await?;
    let indexes: [&[&'static str]; 5] = [
        &["customer_id", "created_at", "id"],
        &["organizer_id", "starts_at", "id"],
        &["starts_at", "id"],
        &["created_at", "id"],
        &["last_ends_at", "starts_at"],
    ];
    for columns in indexes {
        manager.create_index(index("appointment", columns)).await?;
    }
    manager.create_index(unique("appointment", &["series_id", "original_local"])).await?;
    search::index(manager, "appointment").await
}

async fn attendee(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let mut attendee = Table::create();
    attendee
        .table("attendee")
        .col(id())
        .col(uuid("appointment_id"))
        .col(uuid_null("user_id"))
        .col(uuid_null("contact_id"))
        .col(choice("response"))
        .col(instant_null("responded_at"))
        .foreign_key(
            reference("attendee", "appointment_id", "appointment")
                .on_delete(ForeignKeyAction::Cascade),
        )
        .foreign_key(&mut reference("attendee", "user_id", "user_account"))
        .foreign_key(
            reference("attendee", "contact_id", "contact").on_delete(ForeignKeyAction::Cascade),
        );
    manager.create_table(created(&mut attendee).to_owned()).await?;
    manager.create_index(unique("attendee", &["appointment_id", "user_id"])).await?;
    manager.create_index(unique("attendee", &["appointment_id", "contact_id"])).await?;
    manager.create_index(index("attendee", &["user_id", "appointment_id"])).await?;
    manager.create_index(index("attendee", &["contact_id"])).await
}

pub async fn down(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    search::unindex(manager, "appointment").await?;
    let mut once = Index::drop();
    once.name("reminder_appointment_id_user_id_before_s_key").table("reminder");
    manager.drop_index(once).await?;
    let mut of_appointment = Table::alter();
    of_appointment.table("reminder").drop_column("appointment_id");
    manager.alter_table(of_appointment).await?;
    let mut of_user = Table::alter();
    of_user.table("user_account").drop_column("time_zone");
    manager.alter_table(of_user).await?;
    drop_all(manager, &["appointment", "attendee"]).await
}
