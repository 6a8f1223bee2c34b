//! The suite: what Rapport does, told by those who use it, on both stacks.

mod access;
mod api_keys;
mod attacks;
mod audit;
mod changing;
mod custom_fields;
mod customers;
mod finding;
mod given;
mod groups;
mod imports;
mod invoices;
mod limits;
mod lists;
mod live;
mod node;
mod passwords;
mod payments;
mod reading;
mod receipts;
mod saved_views;
mod schema;
mod second_factors;
mod sessions;
mod timeline;
mod webhooks;
