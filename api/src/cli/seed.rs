//! `rapport seed`: the first administrator, or demonstration data.

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use entity::access::audit::Origin;
use entity::access::{Actor, Role, organisation, password, user};
use entity::clock::Clock;
use entity::db::Db;
use entity::money::Currency;
use futures::FutureExt;

use super::demo;

/// Fills an empty database.
#[derive(Args, Debug)]
pub struct SeedArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// Demonstration data: an organisation, a manager to log in as, Vietnamese and English customers
    /// with invoices and payments. Does nothing where an organisation is set up.
    Demo,
    /// The organisation and its first administrator. Does nothing to an organisation that is set up.
    Admin(AdminArgs),
}

#[derive(Args, Clone, Debug)]
struct AdminArgs {
    /// What the administrator logs in with.
    #[arg(long)]
    email: String,
    /// Their password, 12 characters or more; better given as `ADMIN_PASSWORD` than on a command line.
    #[arg(long, env = "ADMIN_PASSWORD", hide_env_values = true)]
    password: String,
    /// What they are called.
    #[arg(long, default_value = "Administrator")]
    name: String,
    /// The organisation's registered name, as documents show it.
    #[arg(long, default_value = "Rapport")]
    organisation: String,
    /// Who mails to customers come from [default: the administrator's address]
    #[arg(long)]
    from: Option<String>,
    /// The IANA time zone that days are counted in.
    #[arg(long, default_value = "Asia/Ho_Chi_Minh")]
    time_zone: Tz,
    /// The currency of new customers.
    #[arg(long, default_value = "VND")]
    currency: Currency,
    /// The language of new customers.
    #[arg(long, default_value = "vi")]
    locale: String,
}

/// Runs `rapport seed`.
///
/// # Errors
/// What a rule refuses: a malformed address, one that is taken, a short password; or the database.
pub async fn run(args: SeedArgs, db: &Db, clock: &Clock) -> Result<(), entity::Error> {
    match args.what {
        What::Demo => match demo::load(db, clock).await? {
            true => println!("The demonstration data is in place."),
            false => println!("An organisation is set up already; nothing was changed."),
        },
        What::Admin(admin) => {
            let email = admin.email.clone();
            create_admin(admin, db, clock).await?;
            println!("{email} can log in as administrator.");
        }
    }
    Ok(())
}

async fn create_admin(args: AdminArgs, db: &Db, clock: &Clock) -> Result<(), entity::Error> {
    let password_hash = password::hash(&args.password)?;
    let now = clock.now();
    let origin = Origin::new(Actor::System, now);
    let created = db.write_as(&origin, move |txn| {
        let (args, password_hash) = (args.clone(), password_hash.clone());
        async move {
            let settings = organisation::Settings {
                name: args.organisation,
                address: String::new(),
                tax_number: None,
                email: args.from.unwrap_or_else(|| args.email.clone()),
                phone: None,
                time_zone: args.time_zone,
                currency: args.currency,
                locale: args.locale,
            };
            organisation::set_up(txn, settings, Actor::System, now).await?;
            let role = Role::Administrator.id();
            let new = user::NewUser {
                email: args.email,
                name: args.name,
                password_hash: Some(password_hash),
                role,
                position: None,
                language: None,
            };
            user::create(txn, new, Actor::System, now).await
        }
        .boxed()
    });
    created.await.map(|_| ())
}
