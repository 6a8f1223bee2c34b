//! Facts to look at: what previews show and tests render, from the ordinary to the extreme.

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta};
use entity::access::password_reset::{INVITED, LIFETIME};
use entity::collaboration::notification::Notice;
use entity::customers::customer::Channel;
use entity::finance::dunning::{Asked, Owed};
use entity::finance::invoice::Kind as InvoiceKind;
use entity::finance::statement::{self, Content, Item, Movement, What};
use entity::id::{CustomerId, InvoiceId};
use entity::marketing::unsubscribe::Subscription;
use entity::money::{Currency, Money};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::{
    Addressed, Cancelled, Enclosed, InvoiceFacts, Kind, LetterFacts, Line, MeetingFacts, News,
    NoticeFacts, Opened, Party, Payment, ReceiptFacts, ResetFacts, Said, Sold, StatementFacts,
};
use crate::finance::dunning;

/// Every sample by name, in `language`.
#[must_use]
pub fn all(language: &str) -> Vec<(&'static str, ReceiptFacts)> {
    vec![
        ("ordinary", ordinary(language)),
        ("cancellation", cancellation(language)),
        ("copy", ReceiptFacts { copy: true, ..ordinary(language) }),
        ("credit-only", credit_only(language)),
        ("forty-invoices", forty_invoices(language)),
        ("extreme", extreme(language)),
    ]
}

/// One payment over three invoices, the last in part, in đồng.
#[must_use]
pub fn ordinary(language: &str) -> ReceiptFacts {
    let amount = |minor| Money::new(minor, Currency::VND);
    ReceiptFacts {
        kind: Kind::Receipt,
        copy: false,
        language: language.to_owned(),
        number: "2026-000123".to_owned(),
        issued_on: day(22),
        organisation: Party {
            name: "Công ty TNHH Giải pháp Bình Minh".to_owned(),
            address_lines: lines(&["Tầng 5, 12 Nguyễn Trãi", "Quận 1, Thành phố Hồ Chí Minh"]),
            tax_number: Some("0312345678".to_owned()),
            email: Some("ketoan@binhminh.example".to_owned()),
            phone: Some("+84 28 3822 0000".to_owned()),
        },
        customer: Party {
            name: "Nguyễn Thị Ánh Tuyết".to_owned(),
            address_lines: lines(&["48 Đường Đồng Khởi", "Thị xã Phổ Yên, Thái Nguyên"]),
            tax_number: Some("4601234567".to_owned()),
            email: Some("anh.tuyet@khach.example".to_owned()),
            phone: None,
        },
        payment: Payment {
            received_on: day(21),
            method: "BANK_TRANSFER".to_owned(),
            reference: Some("FT26325 NGUYEN THI ANH TUYET CK HD 118".to_owned()),
            amount: amount(13_200_000),
        },
        lines: vec![
            line("HD-2026-00118", 1, amount(4_950_000), amount(4_950_000)),
            line("HD-2026-00125", 5, amount(7_050_000), amount(7_050_000)),
            line("HD-2026-00131", 12, amount(12_345_678), amount(1_000_000)),
        ],
        unapplied: amount(200_000),
    }
}

/// A statement of a month, with an adjustment, a dispute and money that settles nothing yet.
#[must_use]
pub fn statement(language: &str) -> StatementFacts {
    let moved = |number: &str, on: u32, what, about: Option<&str>, amount| Movement {
        on: day(on),
        what,
        number: Some(number.to_owned()),
        about: about.map(str::to_owned),
        disputed: number.ends_with("125"),
        amount,
    };
    let content = Content {
        movements: vec![
            moved("INV-2026-000118", 1, What::Invoice, None, 4_950_000),
            moved("INV-2026-000125", 5, What::Invoice, None, 7_050_000),
            moved("REC-2026-000123", 12, What::Payment, None, -13_200_000),
            moved("CRN-2026-000007", 20, What::CreditNote, Some("INV-2026-000118"), -500_000),
            moved("RCN-2026-000002", 21, What::Reversal, None, 1_234_567),
            moved("LPC-2026-000003", 28, What::LateFee, Some("INV-2026-000125"), 50_000),
            moved("LPC-2026-000004", 28, What::Interest, Some("INV-2026-000125"), 61_233),
            moved("WOF-2026-000001", 29, What::WriteOff, Some("INV-2026-000090"), -111_233),
        ],
        items: Vec::new(),
        ageing: vec![7_050_000, 1_234_567, 0, 950_000, 500_000],
        unapplied: -200_000,
    };
    let amount = |minor| Money::new(minor, Currency::VND);
    let receipt = ordinary(language);
    StatementFacts {
        language: language.to_owned(),
        organisation: receipt.organisation,
        customer: receipt.customer,
        kind: statement::Kind::BalanceForward,
        from: Some(day(1)),
        until: day(30),
        issued_on: day(30),
        revision: 2,
        opening: Some(amount(9_000_000)),
        adjustment: amount(1_000_000),
        closing: amount(9_534_567),
        overdue: amount(2_684_567),
        content,
        cc: Vec::new(),
    }
}

/// A statement of so many open items, in a currency with three decimals.
#[must_use]
pub fn open_items(language: &str, count: u32) -> StatementFacts {
    let dinar: Currency = "KWD".parse().unwrap_or(Currency::USD);
    let item = |number: u32| Item {
        number: Some(format!("INV-2026-{number:06}")),
        issued_on: day(1) - TimeDelta::days(i64::from(number % 200)),
        due_on: day(30) - TimeDelta::days(i64::from(number % 200)) + TimeDelta::days(20),
        total: 2_000_000 + i64::from(number),
        open: 1_000_000 + i64::from(number),
        disputed: number % 7 == 3,
        promised: (number % 7 == 5).then(|| day(30) + TimeDelta::days(14)),
    };
    let items: Vec<_> = (1..=count).map(item).collect();
    let owed: i64 = items.iter().map(|item| item.open).sum();
    let late = items.iter().filter(|item| item.days_overdue(day(30)) > 0).map(|item| item.open);
    let overdue: i64 = late.sum();
    let amount = |minor| Money::new(minor, dinar);
    StatementFacts {
        kind: statement::Kind::OpenItem,
        from: None,
        revision: 1,
        opening: None,
        adjustment: amount(0),
        closing: amount(owed),
        overdue: amount(overdue),
        content: Content {
            movements: Vec::new(),
            ageing: vec![owed - overdue, overdue, 0, 0, 0],
            unapplied: 0,
            items,
        },
        ..statement(language)
    }
}

/// What opens a statement for a while.
#[must_use]
pub fn opened() -> Opened {
    Opened {
        address: format!("https://crm.example/statements/{}", "0aB-".repeat(20)),
        until: day(30) + TimeDelta::days(90),
    }
}

/// What somebody gets who is written to about a topic, and what of it they have ended: the topic, and all advertising.
#[must_use]
pub fn subscription(language: &str, (topic_ended, all_ended): (bool, bool)) -> Subscription {
    Subscription {
        customer: CustomerId(Uuid::nil()),
        language: language.to_owned(),
        channel: Channel::Email,
        topic: Some("khuyến-mãi".to_owned()),
        topic_ended,
        all_ended,
    }
}

/// Whom the letter of a statement is addressed to.
#[must_use]
pub fn addressed(facts: &StatementFacts) -> Addressed<'_> {
    let Party { name, address_lines, .. } = &facts.customer;
    Addressed { name, lines: address_lines, written_on: facts.issued_on }
}

/// Somebody's wish for a new password.
#[must_use]
pub fn password_reset(language: &str) -> ResetFacts {
    let organisation = ordinary(language).organisation;
    let name = "Lê Minh Châu".to_owned();
    ResetFacts {
        language: language.to_owned(),
        name,
        minutes: LIFETIME.num_minutes(),
        days: INVITED.num_days(),
        organisation,
    }
}

/// An appointment at which the clocks are not changed, with a name that is hostile.
#[must_use]
pub fn meeting(language: &str, news: News) -> MeetingFacts {
    let organisation = ordinary(language).organisation;
    let at = |minute| day(22).and_time(NaiveTime::MIN) + TimeDelta::minutes(minute);
    MeetingFacts {
        language: language.to_owned(),
        name: "Trần <b>Đạt</b> {{ 7*7 }}".to_owned(),
        organizer: Some("Lê Minh Châu".to_owned()),
        subject: "Ký hợp đồng: bản 2\r\nBcc: x@example.com".to_owned(),
        description: Some("Mang theo CCCD.\nGửi xe ở tầng hầm.".to_owned()),
        location: Some("Tầng 5, 12 Nguyễn Trãi".to_owned()),
        starts: at(9 * 60),
        ends: at(10 * 60 + 30),
        time_zone: "Asia/Ho_Chi_Minh".to_owned(),
        all_day: false,
        repeats: news == News::Invited,
        news,
        calendar: "BEGIN:VCALENDAR".to_owned(),
        organisation,
    }
}

/// What a workflow says about an invoice, with values of each kind, some of them hostile.
#[must_use]
pub fn letter(language: &str) -> LetterFacts {
    let ReceiptFacts { organisation, customer, .. } = ordinary(language);
    let record = [
        ("number", Said::Text("<b>INV-7</b> {{ 7*7 }}\r\nBcc: x@example.com".to_owned())),
        ("total", Said::Money(Money::new(1_234_567, Currency::VND))),
        ("rate", Said::Number(Decimal::new(123_456_789, 4))),
        ("dueOn", Said::Day(day(22))),
        ("createdAt", Said::Instant(DateTime::UNIX_EPOCH)),
        ("disputed", Said::Truth(false)),
    ];
    LetterFacts {
        language: language.to_owned(),
        subject: Some("{{ record.number }}: {{ record.total }}".to_owned()),
        plain: false,
        text: "Dear {{ addressee }},\n\n{{ record.number }} over {{ record.total }} at {{ record.rate }} since {{ record.createdAt }} \
               is due on {{ record.dueOn }}{% if record.disputed %}, disputed{% endif %}.\nPlease pay it.\n\n\n\
               {{ customer.number | default('without a number') }}\n\n{{ organisation.name }}, {{ organisation.address }}"
            .to_owned(),
        addressee: "Lê Minh Châu <châu>".to_owned(),
        written_on: day(22),
        time_zone: "Asia/Ho_Chi_Minh".to_owned(),
        number: None,
        organisation,
        customer,
        record: record.map(|(name, said)| (name.to_owned(), said)).into(),
        asked: None,
        enclosed: Vec::new(),
    }
}

/// A notice that asks for several invoices, one of them disputed in part, and a fee.
#[must_use]
pub fn notice(language: &str) -> LetterFacts {
    let facts = letter(language);
    let (subject, text) = match language {
        "vi" => (
            "Nhắc thanh toán: {{ record.total }}",
            "Kính gửi {{ addressee }},\n\nTính đến hôm nay, các hóa đơn dưới đây đã quá hạn, hóa đơn cũ nhất từ ngày \
             {{ record.firstDueOn }}. Kính đề nghị Quý khách thanh toán {{ record.total }} trong vòng bảy ngày.\n\n\
             Trân trọng,\n{{ organisation.name }}",
        ),
        _ => (
            "Payment reminder: {{ record.total }}",
            "Dear {{ addressee }},\n\nThe invoices below are overdue today, the oldest since {{ record.firstDueOn }}. \
             Please pay {{ record.total }} within seven days.\n\nKind regards\n{{ organisation.name }}",
        ),
    };
    let money = |minor| Money::new(minor, Currency::VND);
    let owed = |number: &str, due, level, total, open, disputed| Owed {
        invoice: InvoiceId(Uuid::nil()),
        number: number.to_owned(),
        issued_on: day(1),
        due_on: day(due),
        days_late: i64::from(22 - due),
        level,
        total: money(total),
        open: money(open),
        disputed: money(disputed),
        charge: None,
    };
    let fee = owed("FEE-2026-000007", 20, 0, 50_000, 50_000, 0);
    let items = vec![
        owed("HD-2026-00118", 2, 3, 4_950_000, 4_950_000, 0),
        owed("HD-2026-00125", 12, 1, 112_345_678, 100_345_678, 12_000_000),
        Owed { charge: Some(InvoiceKind::LateFee), ..fee },
    ];
    let total = money(items.iter().map(|item| item.open.minor).sum());
    let unapplied = money(200_000);
    let asked = Asked { level: 3, items, total, unapplied, charges: Vec::new() };
    LetterFacts {
        subject: Some(subject.to_owned()),
        text: text.to_owned(),
        addressee: facts.customer.name.clone(),
        record: dunning::said(&asked, Channel::Email, DateTime::UNIX_EPOCH),
        asked: Some(asked),
        ..facts
    }
}

/// The same notice with what goes with it: a copy of an invoice, and a statement.
#[must_use]
pub fn enclosed(language: &str) -> LetterFacts {
    let facts = notice(language);
    let enclosed =
        vec![Enclosed::Invoice(invoice(language)), Enclosed::Statement(open_items(language, 6))];
    LetterFacts { enclosed, ..facts }
}

/// The copy of an invoice of three lines, one of them a discount, of which a part was paid.
#[must_use]
pub fn invoice(language: &str) -> InvoiceFacts {
    let ReceiptFacts { organisation, customer, .. } = ordinary(language);
    let money = |minor| Money::new(minor, Currency::VND);
    let sold = |description: &str, milli, price, percent, net| Sold {
        description: description.to_owned(),
        quantity: Decimal::new(milli, 3),
        unit_price: money(price),
        tax_percent: Decimal::new(percent, 2),
        net: money(net),
    };
    InvoiceFacts {
        language: language.to_owned(),
        organisation,
        customer,
        number: "HD-2026-00125".to_owned(),
        reference: Some("PO 4711".to_owned()),
        issued_on: day(5),
        due_on: day(12),
        lines: vec![
            sold(
                "Máy đo độ ẩm ngũ cốc, kèm hộp đựng và giấy hiệu chuẩn",
                2_000,
                50_000_000,
                1_000,
                100_000_000,
            ),
            sold("Lắp đặt tại kho, theo giờ", 7_500, 650_000, 800, 4_875_000),
            sold("Chiết khấu", 1_000, -2_500_000, 1_000, -2_500_000),
        ],
        net: money(102_375_000),
        tax: money(10_140_000),
        total: money(112_515_000),
        settled: money(12_169_322),
        open: money(100_345_678),
    }
}

/// A letter by post of one page, as a reminder reads.
#[must_use]
pub fn paper(language: &str) -> LetterFacts {
    let facts = letter(language);
    let text = match language {
        "vi" => {
            "Kính gửi {{ addressee }},\n\nTheo ghi nhận của chúng tôi, hóa đơn số {{ record.number }} với số tiền {{ record.total }} \
             đã quá hạn thanh toán từ ngày {{ record.dueOn }}. Kính đề nghị Quý khách thanh toán trong vòng bảy ngày. Nếu Quý \
             khách đã thanh toán, xin vui lòng bỏ qua thư này.\n\nMọi thắc mắc xin liên hệ {{ organisation.phone }}.\n\n\
             Trân trọng,\n\n{{ organisation.name }}"
        }
        _ => {
            "Dear {{ addressee }},\n\nAccording to our records invoice {{ record.number }} over {{ record.total }} has been due \
             since {{ record.dueOn }}. Please pay it within seven days. If you have paid it already, please disregard this \
             letter.\n\nIf you have any questions, please call {{ organisation.phone }}.\n\nKind regards\n\n{{ organisation.name }}"
        }
    };
    let record = [
        ("number", Said::Text("HD-2026-00131".to_owned())),
        ("total", Said::Money(Money::new(12_345_678, Currency::VND))),
        ("dueOn", Said::Day(day(12))),
    ];
    LetterFacts {
        subject: Some("{{ record.number }} · {{ record.dueOn }}".to_owned()),
        text: text.to_owned(),
        addressee: facts.customer.name.clone(),
        record: record.map(|(name, said)| (name.to_owned(), said)).into(),
        ..facts
    }
}

/// The same with an address that has more lines than a window, and so much to say that it takes two pages.
#[must_use]
pub fn long_paper(language: &str) -> LetterFacts {
    let mut facts = paper(language);
    let more = "\n\nCăn hộ 12.05, chung cư Thuận Việt: ".to_owned()
        + &"nghiêng ngả, khuỷu tay, ưỡn ngực. ".repeat(9);
    facts.text.push_str(&more.repeat(7));
    facts.addressee = "CÔNG TY TRÁCH NHIỆM HỮU HẠN MỘT THÀNH VIÊN THƯƠNG MẠI DỊCH VỤ".into();
    facts.customer.address_lines = lines(&[
        "Phòng Kế toán",
        "Căn hộ 12.05, Chung cư Thuận Việt",
        "319 Lý Thường Kiệt",
        "Phường 15",
        "Quận 11",
        "70000 Thành phố Hồ Chí Minh",
        "VN",
    ]);
    facts
}

/// What followers are told.
#[must_use]
pub fn notification(language: &str) -> NoticeFacts {
    let notice = Notice {
        language: language.to_owned(),
        kind: "FOLLOWED".to_owned(),
        detail: Some("CHANGED".to_owned()),
        record: Some("cus".to_owned()),
        actor: Some("Trần Quốc Bảo".to_owned()),
        times: 3,
    };
    told(language, vec![notice])
}

/// What there is in the morning for somebody who was away.
#[must_use]
pub fn digest(language: &str) -> NoticeFacts {
    let notice = |kind: &str, detail: Option<&str>, record: Option<&str>| Notice {
        language: language.to_owned(),
        kind: kind.to_owned(),
        detail: detail.map(str::to_owned),
        record: record.map(str::to_owned),
        actor: None,
        times: 1,
    };
    let mut notices = vec![
        notice("REMINDER", Some("DUE"), Some("cal")),
        notice("REMINDER", Some("LATE"), Some("tsk")),
        notice("WORKFLOW", Some("Khách hàng <VIP> chưa được gọi lại"), Some("cal")),
        notice("WORKFLOW_HELD", Some("Hai ngày trước hạn"), Some("wfl")),
        notice("SENDING_HELD", None, None),
    ];
    notices.extend(vec![notice("OWNED", None, None); 3]);
    let other = |number| notice("WORKFLOW", Some(&format!("Hóa đơn {number} quá hạn")), None);
    notices.extend((1..=47).map(other));
    told(language, notices)
}

fn told(language: &str, notices: Vec<Notice>) -> NoticeFacts {
    let organisation = ordinary(language).organisation;
    NoticeFacts {
        language: language.to_owned(),
        notices,
        name: "Lê Minh Châu".to_owned(),
        organisation,
    }
}

/// The reversal of the ordinary payment.
#[must_use]
pub fn cancellation(language: &str) -> ReceiptFacts {
    let receipt = ordinary(language);
    ReceiptFacts {
        kind: Kind::Cancellation {
            cancels: Cancelled { number: receipt.number, issued_on: receipt.issued_on },
            reason: Some("Ngân hàng hoàn lại lệnh chuyển tiền".to_owned()),
        },
        number: "2026-000124".to_owned(),
        issued_on: day(24),
        lines: receipt
            .lines
            .into_iter()
            .map(|settled| Line { remaining: settled.total, ..settled })
            .collect(),
        ..ordinary(language)
    }
}

/// A payment in euros that settles nothing, from a customer of whom only the name is known.
#[must_use]
pub fn credit_only(language: &str) -> ReceiptFacts {
    let paid = Money::new(123_450, Currency::EUR);
    let nobody = |name: &str| Party {
        name: name.to_owned(),
        address_lines: Vec::new(),
        tax_number: None,
        email: None,
        phone: None,
    };
    ReceiptFacts {
        organisation: nobody("SIA Daugava"),
        customer: nobody("Ķīpsalas Kokapstrāde"),
        payment: Payment {
            received_on: day(2),
            method: "CASH".to_owned(),
            reference: None,
            amount: paid,
        },
        lines: Vec::new(),
        unapplied: paid,
        ..ordinary(language)
    }
}

/// One payment over forty invoices.
#[must_use]
pub fn forty_invoices(language: &str) -> ReceiptFacts {
    let lines: Vec<Line> = (1..=40)
        .map(|index| {
            let total = Money::new(1_111_111 * index, Currency::VND);
            line(&format!("HD-2026-{:05}", 200 + index), 1, total, total)
        })
        .collect();
    let paid = lines.iter().map(|settled| settled.applied.minor).sum();
    let receipt = ordinary(language);
    ReceiptFacts {
        payment: Payment { amount: Money::new(paid, Currency::VND), ..receipt.payment },
        lines,
        unapplied: Money::new(0, Currency::VND),
        ..receipt
    }
}

/// Names that try to be markup, very long words, and large amounts in a currency of three decimals.
#[must_use]
pub fn extreme(language: &str) -> ReceiptFacts {
    let dinar: Currency = "KWD".parse().unwrap_or(Currency::USD);
    let amount = |minor| Money::new(minor, dinar);
    let receipt = ordinary(language);
    ReceiptFacts {
        copy: true,
        organisation: Party {
            name: "Tổng Công ty Cổ phần Xuất nhập khẩu và Dịch vụ Thương mại Kỹ thuật Hữu nghị Đồng bằng \
                   sông Cửu Long – Chi nhánh Ķīpsala"
                .to_owned(),
            address_lines: lines(&[
                "Lô 17–19, Khu công nghiệp Công nghệ cao Đắk Nông mở rộng, Phường Nghĩa Đức",
                "Thành phố Gia Nghĩa",
            ]),
            ..receipt.organisation
        },
        customer: Party {
            name: format!(
                "<script>alert(1)</script> {{{{7*7}}}} #link(\"x\") $x$ *b* {}",
                "Đườngkhôngcókhoảngtrắng".repeat(4)
            ),
            address_lines: lines(&["&amp; \\ ` ~ _đây_ // /* */ @ref <label>", "ữ ậ ỗ ẵ ợ ẫ ễ ỵ Ỹ Ữ Ậ Ỗ"]),
            tax_number: Some("'; DROP TABLE customer; --".to_owned()),
            email: Some(format!("{}@khach.example", "rat-dai.".repeat(7) + "dia-chi")),
            phone: Some("+84\r\nBcc: x@example.com".to_owned()),
        },
        payment: Payment {
            method: "PIGEON".to_owned(),
            reference: Some("X".repeat(140)),
            amount: amount(1_234_567_890_123),
            ..receipt.payment
        },
        lines: vec![
            line("INV/2026/VERY-LONG-NUMBER/0000000000012345", 1, amount(999_999_999_999), amount(999_999_999_999)),
            line("<b>2</b>", 3, amount(999_999_999_999), amount(234_567_890_123)),
        ],
        unapplied: amount(1),
        ..receipt
    }
}

fn line(number: &str, issued_day: u32, total: Money, applied: Money) -> Line {
    Line {
        invoice_number: number.to_owned(),
        issued_on: day(issued_day),
        due_on: day(issued_day) + chrono::Days::new(30),
        total,
        applied,
        remaining: Money::new(total.minor - applied.minor, total.currency),
    }
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

/// A day of November 2026.
fn day(day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, day).unwrap_or_default()
}
