//! Demonstration data, so that the first minute is useful: customers in Vietnam and Europe, invoices
//! paid, open and overdue, receipts on their way, and the agenda of whoever looks.

mod agenda;

use chrono::{DateTime, Days, TimeDelta, Utc};
use entity::access::audit::Origin;
use entity::access::{Actor, Calendar, Role, Viewer, organisation, password, user};
use entity::automation::workflow::{self, Running, StepMap, start};
use entity::clock::Clock;
use entity::customers::customer::{self, Channel, Kind, LifecycleStage, NewCustomer};
use entity::customers::{address, contact};
use entity::db::Db;
use entity::finance::invoice::{self, NewInvoice, NewLine};
use entity::finance::payment::{self, Method, NewPayment};
use entity::id::Id;
use entity::money::{Currency, Money};
use futures::FutureExt;
use rust_decimal::Decimal;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::serve::{DEMO_EMAIL, DEMO_PASSWORD};

/// A customer with what it was invoiced and what it paid.
struct Story {
    name: &'static str,
    kind: Kind,
    email: &'static str,
    street: &'static str,
    city: &'static str,
    country: &'static str,
    language: &'static str,
    zone: &'static str,
    currency: Currency,
    billing: Option<(&'static str, &'static str)>,
    /// Invoices: days ago, days to pay, what for, price, tax in percent.
    invoices: &'static [(u64, u64, &'static str, i64, i64)],
    /// Payments: days ago, amount in whole units.
    payments: &'static [(u64, i64)],
}

const STORIES: &[Story] = &[
    Story {
        name: "Công ty TNHH Thương mại Ánh Dương",
        kind: Kind::Organisation,
        email: "ketoan@anhduong.example",
        street: "12 Nguyễn Huệ, Phường Bến Nghé",
        city: "Thành phố Hồ Chí Minh",
        country: "VN",
        language: "vi",
        zone: "Asia/Ho_Chi_Minh",
        currency: Currency::VND,
        billing: Some(("Nguyễn Thị Ánh Tuyết", "tuyet@anhduong.example")),
        invoices: &[
            (75, 30, "Bảo trì hệ thống, quý III", 18_500_000, 8),
            (40, 30, "Thiết bị mạng", 46_200_000, 8),
            (6, 30, "Tư vấn triển khai", 12_000_000, 8),
        ],
        payments: &[(30, 19_980_000), (2, 20_000_000)],
    },
    Story {
        name: "Trần Quốc Đạt",
        kind: Kind::Person,
        email: "dat.tran@example.vn",
        street: "45 Lê Lợi",
        city: "Đà Nẵng",
        country: "VN",
        language: "vi",
        zone: "Asia/Ho_Chi_Minh",
        currency: Currency::VND,
        billing: None,
        invoices: &[(52, 14, "Khoá học kỹ năng bán hàng", 3_200_000, 0)],
        payments: &[(1, 1_200_000)],
    },
    Story {
        name: "Hợp tác xã Nông sản Đồng Tháp Mười",
        kind: Kind::Organisation,
        email: "lienhe@nongsandtm.example",
        street: "Ấp 3, xã Mỹ Hoà",
        city: "Đồng Tháp",
        country: "VN",
        language: "vi",
        zone: "Asia/Ho_Chi_Minh",
        currency: Currency::VND,
        billing: None,
        invoices: &[
            (98, 30, "Phần mềm quản lý kho", 64_800_000, 8),
            (20, 15, "Máy in nhãn", 9_750_000, 8),
        ],
        payments: &[],
    },
    Story {
        name: "Northgate Bakery Ltd",
        kind: Kind::Organisation,
        email: "accounts@northgate.example",
        street: "8 Mill Lane",
        city: "York",
        country: "GB",
        language: "en",
        zone: "Europe/London",
        currency: Currency::EUR,
        billing: None,
        invoices: &[
            (61, 30, "Oven sensors, 24 pieces", 2_880, 20),
            (12, 30, "Installation", 640, 20),
        ],
        payments: &[(1, 4_000)],
    },
    Story {
        name: "SIA Ķīpsala Logistics",
        kind: Kind::Organisation,
        email: "rekini@kipsala.example",
        street: "Balasta dambis 2",
        city: "Rīga",
        country: "LV",
        language: "en",
        zone: "Europe/Riga",
        currency: Currency::EUR,
        billing: Some(("Jānis Bērziņš", "janis@kipsala.example")),
        invoices: &[(33, 14, "Route planning, annual plan", 7_450, 21)],
        payments: &[],
    },
];

/// Loads the demonstration data into an empty database. False when an organisation is set up already.
///
/// # Errors
/// The database.
pub async fn load(db: &Db, clock: &Clock) -> Result<bool, entity::Error> {
    if organisation::find(db.reader()).await?.is_some() {
        return Ok(false);
    }
    let password_hash = password::hash(DEMO_PASSWORD)?;
    let now = clock.now();
    let origin = Origin::new(Actor::System, now);
    let loaded = db.write_as(&origin, move |txn| {
        let password_hash = password_hash.clone();
        async move {
            let settings = organisation::Settings {
                name: "Công ty Cổ phần Sông Hàn".to_owned(),
                address: "255 Trần Hưng Đạo\nQuận Sơn Trà, Đà Nẵng\nViệt Nam".to_owned(),
                tax_number: Some("0401 234 567".to_owned()),
                email: "ketoan@songhan.example".to_owned(),
                phone: Some("+84 236 3555 010".to_owned()),
                time_zone: chrono_tz::Asia::Ho_Chi_Minh,
                currency: Currency::VND,
                locale: "vi".to_owned(),
            };
            organisation::set_up(txn, settings, Actor::System, now).await?;
            let manager = user::NewUser {
                email: DEMO_EMAIL.to_owned(),
                name: "Lê Minh Châu".to_owned(),
                password_hash: Some(password_hash),
                role: Role::Administrator.id(),
                position: None,
                language: None,
            };
            let manager = Actor::User(user::create(txn, manager, Actor::System, now).await?.id);
            for story in STORIES {
                tell(txn, story, manager, now).await?;
            }
            remind(txn, manager, now).await?;
            agenda::plan(txn, manager, now).await
        }
        .boxed()
    });
    loaded.await.map(|()| true)
}

async fn tell(
    txn: &impl ConnectionTrait,
    story: &Story,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), entity::Error> {
    let customer = customer::create(txn, story.customer(actor), actor, now).await?;
    let today = organisation::get(txn).await?.today(now);
    let day = |ago: u64| today - Days::new(ago);
    for (index, &(ago, days, description, price, tax)) in story.invoices.iter().enumerate() {
        let invoice = NewInvoice {
            order: None,
            customer: customer.id,
            currency: Some(story.currency),
            issued_on: Some(day(ago)),
            due_on: day(ago) + Days::new(days),
            reference: None,
            lines: vec![NewLine {
                description: description.to_owned(),
                quantity: Decimal::ONE,
                unit_price: Decimal::from(price),
                tax_rate: Decimal::new(tax, 2),
            }],
        };
        // A little apart, so that their ids are in the order in which they are told.
        let at = now + TimeDelta::milliseconds(i64::try_from(index).unwrap_or_default());
        invoice::issue(txn, invoice, actor, at).await?;
    }
    for &(ago, amount) in story.payments {
        let amount = Money::from_decimal(Decimal::from(amount), story.currency);
        let payment = NewPayment {
            customer: customer.id,
            amount: amount.map_err(entity::finance::FinanceError::from)?,
            received_on: Some(day(ago)),
            method: Method::BankTransfer,
            reference: Some(format!("FT{ago:02}26")),
            allocations: None,
        };
        payment::record(txn, payment, actor, now).await?;
    }
    Ok(())
}

/// A ladder under way: what is overdue is asked for, level by level.
async fn remind(
    txn: &impl ConnectionTrait,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), entity::Error> {
    let ladder = workflow::Entity::find()
        .filter(workflow::Column::Preset.eq("dunning-vn"))
        .one(txn)
        .await?
        .ok_or_else(entity::Error::no_such::<workflow::Entity>)?;
    let row = workflow::copy(txn, ladder.id, "Overdue invoices", actor, now).await?;
    let calendar = Calendar::at(now, organisation::get(txn).await?.zone());
    let viewer = Viewer::rapport(txn.get_database_backend(), calendar);
    workflow::publish(txn, row.id, (Running::RunOut, &StepMap::new()), None, &viewer, now).await?;
    let open = invoice::Entity::find().filter(invoice::Column::State.eq(invoice::State::Open));
    let open = open.all(txn).await?.iter().map(|invoice| invoice.id.global()).collect::<Vec<_>>();
    start::by_hand(txn, row.id, &open, "demonstration", &viewer, now).await?;
    Ok(())
}

impl Story {
    fn customer(&self, owner: Actor) -> NewCustomer {
        let address = address::ActiveModel {
            kind: Set(address::Kind::Billing),
            lines: Set(self.street.to_owned()),
            city: Set(Some(self.city.to_owned())),
            region: Set(None),
            postcode: Set(None),
            country: Set(Some(self.country.to_owned())),
            ..Default::default()
        };
        let contact = self.billing.map(|(name, email)| contact::ActiveModel {
            name: Set(name.to_owned()),
            role: Set(None),
            email: Set(Some(email.to_owned())),
            phone: Set(None),
            billing: Set(true),
            ..Default::default()
        });
        NewCustomer {
            number: None,
            kind: self.kind,
            stage: LifecycleStage::Customer,
            display_name: self.name.to_owned(),
            owner_id: owner.user(),
            preferred_channel: Some(Channel::Email),
            email: Some(self.email.to_owned()),
            phone: None,
            tax_number: None,
            language: Some(self.language.to_owned()),
            time_zone: Some(self.zone.to_owned()),
            currency: Some(self.currency),
            contacts: contact.into_iter().collect(),
            addresses: vec![address],
            custom: Vec::new(),
        }
    }
}
