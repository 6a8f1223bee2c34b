//! What templates make of facts, in every language that there is a folder for.

use std::sync::LazyLock;

use entity::money::{Currency, Money};
use insta::assert_snapshot;
use proptest::prelude::*;

use super::locale::Locale;
use super::*;

static DOCUMENTS: LazyLock<Documents> = LazyLock::new(|| Documents::embedded().unwrap());

fn in_words(language: &str, minor: i64, currency: &str) -> String {
    let library = &DOCUMENTS.0.library;
    let (language, locale) = library.language(language);
    let amount = Money::new(minor, currency.parse().unwrap());
    library.in_words(language, locale, amount).unwrap()
}

fn money(language: &str, minor: i64, currency: &str) -> String {
    let money = Money::new(minor, currency.parse().unwrap());
    DOCUMENTS.0.library.language(language).1.money(money).replace('\u{a0}', " ")
}

fn mail(facts: &ReceiptFacts) -> String {
    let rendered = DOCUMENTS.receipt(facts).unwrap();
    format!("{}\n{}\n\n{}", rendered.subject, rendered.attachments[0].file_name, rendered.text)
}

#[test]
fn a_receipt_reads_well_in_english() {
    assert_snapshot!(mail(&sample::ordinary("en")));
}

#[test]
fn a_receipt_reads_well_in_vietnamese() {
    assert_snapshot!(mail(&sample::ordinary("vi")));
}

fn reset(language: &str) -> String {
    let link = "https://crm.example/reset-password#token=rpr_0";
    let rendered = DOCUMENTS.password_reset(&sample::password_reset(language), link).unwrap();
    let html = rendered.html.replace("&#x2f;", "/");
    assert_eq!(html.matches(link).count(), 2, "as a button, and to copy");
    format!("{}\n\n{}", rendered.subject, rendered.text)
}

#[test]
fn a_mail_for_a_new_password_reads_well_in_english() {
    assert_snapshot!(reset("en"));
}

#[test]
fn a_mail_for_a_new_password_reads_well_in_vietnamese() {
    assert_snapshot!(reset("vi"));
}

#[test]
fn a_mail_about_an_appointment_reads_well() {
    for language in ["en", "vi"] {
        for news in [News::Invited, News::Changed, News::Cancelled] {
            let rendered = DOCUMENTS.meeting(&sample::meeting(language, news)).unwrap();
            let Attachment { file_name, media_type, .. } = &rendered.attachments[0];
            assert!(!rendered.html.contains("<b>"), "names are no markup");
            let mail =
                format!("{}\n{file_name} {media_type}\n\n{}", rendered.subject, rendered.text);
            assert_snapshot!(format!("meeting_{language}_{news:?}"), mail);
        }
    }
}

/// What people write is a template; what it names never is, nor is it markup.
#[test]
fn a_letter_says_what_was_written_with_values_as_its_language_writes_them() {
    let written = |language| {
        let rendered = DOCUMENTS.letter(&sample::letter(language), None).unwrap();
        assert!(
            rendered.html.contains("&lt;b&gt;INV-7&lt;&#x2f;b&gt; {{ 7*7 }} Bcc: x@example.com")
        );
        assert!(!rendered.html.contains("<châu>") && !rendered.subject.contains('\n'));
        format!("{}\n\n{}", rendered.subject, rendered.text)
    };
    assert_snapshot!("letter_en", written("en"));
    assert_snapshot!("letter_vi", written("vi"));
}

/// What is asked for stands before the last paragraph, in the mail as in its text, and the file goes with it.
#[test]
fn a_notice_shows_what_is_asked_for_before_it_takes_leave() {
    for (language, parts) in [
        (
            "vi",
            [
                "Kính gửi",
                "105.345.678",
                "HD-2026-00118",
                "phí trả chậm",
                "Tiền trả trước",
                "Trân trọng",
            ],
        ),
        (
            "en",
            [
                "Dear",
                "105,345,678",
                "HD-2026-00118",
                "late fee",
                "Unapplied payments",
                "Kind regards",
            ],
        ),
    ] {
        let rendered = DOCUMENTS.letter(&sample::notice(language), None).unwrap();
        for written in [&rendered.html, &rendered.text] {
            // The subject stands before the greeting in a title that nobody sees.
            let body = &written[written.rfind(parts[0]).unwrap()..];
            let places =
                parts.map(|part| body.find(part).unwrap_or_else(|| panic!("{part}: {body}")));
            assert!(places.is_sorted(), "{language}: {places:?}");
        }
        // A paragraph outside of a text would be one that nobody can read.
        assert!(!rendered.html.contains("<td style=\"font-size:0px;word-break:break-word;\"><p"));
        assert_eq!(rendered.attachments.len(), 1);
        assert!(rendered.attachments[0].bytes.starts_with(b"%PDF"));
    }
}

#[test]
fn a_letter_of_which_nothing_is_left_is_not_written() {
    let facts =
        LetterFacts { text: "{% if false %}x{% endif %}".to_owned(), ..sample::letter("en") };
    assert!(matches!(DOCUMENTS.letter(&facts, None), Err(DocumentError::Wording { .. })));
}

#[test]
fn a_cancellation_reads_well_in_english() {
    assert_snapshot!(mail(&sample::cancellation("en")));
}

#[test]
fn a_cancellation_reads_well_in_vietnamese() {
    assert_snapshot!(mail(&sample::cancellation("vi")));
}

#[test]
fn an_amount_is_written_as_its_language_writes_it() {
    assert_eq!(money("vi", 1_234_567, "VND"), "1.234.567 ₫");
    assert_eq!(money("en", 1_234_567, "VND"), "₫1,234,567");
    assert_eq!(money("vi", 123_450, "EUR"), "1.234,50 €");
    assert_eq!(money("en", 123_450, "EUR"), "€1,234.50");
    assert_eq!(money("en", 5, "USD"), "$0.05");
    assert_eq!(money("en", -123_456, "USD"), "-$1,234.56");
    assert_eq!(money("en", 999, "VND"), "₫999");
    assert_eq!(money("vi", 1_234_500, "KWD"), "1.234,500 KWD");
    assert_eq!(money("en", i64::MIN, "VND"), "-₫9,223,372,036,854,775,808");
}

#[test]
fn a_day_is_written_as_its_language_writes_it() {
    let day = chrono::NaiveDate::from_ymd_opt(2026, 2, 3).unwrap();
    let library = &DOCUMENTS.0.library;
    assert_eq!(library.language("en").1.date(day), "3 February 2026");
    assert_eq!(library.language("vi").1.date(day), "03/02/2026");
}

#[test]
fn a_tag_finds_the_nearest_language() {
    let language = |tag| DOCUMENTS.0.library.language(tag).0;
    assert_eq!(language("vi"), "vi");
    assert_eq!(language("vi-VN"), "vi");
    assert_eq!(language("VI_vn"), "vi");
    assert_eq!(language("vi-Latn-VN"), "vi");
    assert_eq!(language("lv"), "en");
    assert_eq!(language("vie"), "en");
    assert_eq!(language(""), "en");
    assert_eq!(language("layout"), "en");
}

#[test]
fn an_amount_in_words_is_right_in_vietnamese() {
    let cases: &[(i64, &str)] = &[
        (0, "Không đồng"),
        (1, "Một đồng"),
        (4, "Bốn đồng"),
        (5, "Năm đồng"),
        (10, "Mười đồng"),
        (11, "Mười một đồng"),
        (14, "Mười bốn đồng"),
        (15, "Mười lăm đồng"),
        (20, "Hai mươi đồng"),
        (21, "Hai mươi mốt đồng"),
        (24, "Hai mươi tư đồng"),
        (25, "Hai mươi lăm đồng"),
        (91, "Chín mươi mốt đồng"),
        (99, "Chín mươi chín đồng"),
        (100, "Một trăm đồng"),
        (101, "Một trăm lẻ một đồng"),
        (104, "Một trăm lẻ bốn đồng"),
        (105, "Một trăm lẻ năm đồng"),
        (110, "Một trăm mười đồng"),
        (111, "Một trăm mười một đồng"),
        (115, "Một trăm mười lăm đồng"),
        (155, "Một trăm năm mươi lăm đồng"),
        (205, "Hai trăm lẻ năm đồng"),
        (555, "Năm trăm năm mươi lăm đồng"),
        (1_000, "Một nghìn đồng"),
        (1_001, "Một nghìn không trăm lẻ một đồng"),
        (1_010, "Một nghìn không trăm mười đồng"),
        (1_100, "Một nghìn một trăm đồng"),
        (2_345, "Hai nghìn ba trăm bốn mươi lăm đồng"),
        (10_000, "Mười nghìn đồng"),
        (15_500, "Mười lăm nghìn năm trăm đồng"),
        (21_000, "Hai mươi mốt nghìn đồng"),
        (100_000, "Một trăm nghìn đồng"),
        (105_005, "Một trăm lẻ năm nghìn không trăm lẻ năm đồng"),
        (1_000_000, "Một triệu đồng"),
        (1_000_005, "Một triệu không trăm lẻ năm đồng"),
        (1_005_000, "Một triệu không trăm lẻ năm nghìn đồng"),
        (1_050_000, "Một triệu không trăm năm mươi nghìn đồng"),
        (1_200_000, "Một triệu hai trăm nghìn đồng"),
        (13_200_000, "Mười ba triệu hai trăm nghìn đồng"),
        (1_000_000_000, "Một tỷ đồng"),
        (1_050_000_000, "Một tỷ không trăm năm mươi triệu đồng"),
        (21_000_000_001, "Hai mươi mốt tỷ không trăm lẻ một đồng"),
        (1_000_000_000_000, "Một nghìn tỷ đồng"),
        (1_000_000_000_000_000, "Một triệu tỷ đồng"),
    ];
    for (amount, words) in cases {
        assert_eq!(in_words("vi", *amount, "VND"), *words, "{amount}");
    }
    assert_eq!(
        in_words("vi", 123_442, "USD"),
        "Một nghìn hai trăm ba mươi tư đô la Mỹ và bốn mươi hai xu"
    );
    assert_eq!(in_words("vi", -5_000, "VND"), "Âm năm nghìn đồng");
    assert_eq!(in_words("vi", 1_500, "KWD"), "Một KWD và 500/1000");
}

#[test]
fn an_amount_in_words_is_right_in_english() {
    let cases: &[(i64, &str, &str)] = &[
        (0, "VND", "Zero dong"),
        (1_200_000, "VND", "One million two hundred thousand dong"),
        (100, "EUR", "One euro"),
        (101, "EUR", "One euro and one cent"),
        (42, "EUR", "Zero euros and forty-two cents"),
        (123_442, "EUR", "One thousand two hundred thirty-four euros and forty-two cents"),
        (1_999, "USD", "Nineteen US dollars and ninety-nine cents"),
        (2_000_015, "GBP", "Twenty thousand pounds sterling and fifteen pence"),
        (1_000_001, "VND", "One million one dong"),
        (1_000_000_000_000_000, "VND", "One quadrillion dong"),
        (-110, "EUR", "Minus one euro and ten cents"),
        (1_234_500, "KWD", "One thousand two hundred thirty-four KWD and 500/1000"),
    ];
    for (minor, currency, words) in cases {
        assert_eq!(in_words("en", *minor, currency), *words, "{minor} {currency}");
    }
}

#[test]
fn the_first_hundred_thousand_numbers_all_read_differently() {
    for language in ["en", "vi"] {
        let words: std::collections::HashSet<_> =
            (0..100_000).step_by(23).map(|n| in_words(language, n, "VND")).collect();
        assert_eq!(words.len(), 4_348, "{language}");
    }
}

#[test]
fn every_sample_renders_in_every_language() {
    for language in DOCUMENTS.languages() {
        for (name, facts) in sample::all(language) {
            let rendered = DOCUMENTS.receipt(&facts).unwrap();
            assert_eq!(rendered.language, language);
            assert!(rendered.attachments[0].bytes.starts_with(b"%PDF-"), "{language} {name}");
            for text in [&rendered.subject, &rendered.text] {
                assert!(
                    !text.contains("{%") && !text.contains("none"),
                    "{language} {name}: {text}"
                );
            }
        }
    }
}

#[test]
fn the_same_facts_give_the_same_bytes() {
    let again = Documents::embedded().unwrap();
    for facts in [sample::ordinary("vi"), sample::extreme("en")] {
        let first = DOCUMENTS.receipt(&facts).unwrap();
        assert_eq!(first, DOCUMENTS.receipt(&facts).unwrap());
        assert_eq!(first, again.receipt(&facts).unwrap());
    }
}

#[test]
fn facts_survive_being_frozen() {
    for (_, facts) in sample::all("vi") {
        let frozen = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<ReceiptFacts>(&frozen).unwrap(), facts);
    }
}

#[test]
fn data_never_becomes_markup() {
    let rendered = DOCUMENTS.receipt(&sample::extreme("en")).unwrap();
    assert!(!rendered.html.contains("<script"), "an element came from data");
    assert!(!rendered.html.contains("<b>2"), "an element came from data");
    assert!(rendered.html.contains("&lt;script&gt;"));
    assert!(rendered.html.contains("{{7*7}}"), "data was taken for a template");
    assert!(rendered.text.contains("<script>alert(1)</script> {{7*7}} #link(\"x\") $x$ *b*"));
}

#[test]
fn a_line_break_or_a_turned_line_in_a_name_is_gone() {
    let mut facts = sample::ordinary("en");
    facts.number = "2026-1\r\nBcc: x@example.com".to_owned();
    facts.customer.name = "A\u{202e}B\u{0}C\nD".to_owned();
    let rendered = DOCUMENTS.receipt(&facts).unwrap();
    assert!(!rendered.subject.contains(['\r', '\n']));
    assert_eq!(rendered.attachments[0].file_name, "Receipt 2026-1 Bcc- x@example.com.pdf");
    assert!(rendered.text.contains("Dear AB C D,"));
}

#[test]
fn a_mail_names_fifty_invoices_and_says_how_many_more_there_are() {
    let mut facts = sample::forty_invoices("en");
    facts.lines = facts.lines.iter().cycle().take(2_000).cloned().collect();
    let library = &DOCUMENTS.0.library;
    let (language, locale) = library.language("en");
    let view = View::new(&facts, language, locale, String::new());
    let say = library.sentences(language, "receipt", &locale.receipt, &view).unwrap();
    let values = Values { view: &view, label: &locale.label, say };
    let text = library.render("layout/receipt.txt", &values).unwrap();
    let html = library.render("layout/receipt.mjml", &values).unwrap();
    assert_eq!(text.matches("Invoice HD-").count(), 50);
    assert!(text.contains("1950 more invoices are listed"));
    assert!(html.len() < 100_000, "{} bytes are cut off by mail programs", html.len());
}

#[test]
fn an_amount_stays_with_its_symbol() {
    let rendered = DOCUMENTS.receipt(&sample::ordinary("vi")).unwrap();
    for text in [&rendered.subject, &rendered.text, &rendered.html] {
        assert!(text.contains("13.200.000\u{a0}₫") && !text.contains("13.200.000 ₫"));
    }
}

#[test]
fn a_mail_loads_nothing_from_elsewhere() {
    for (_, facts) in sample::all("vi") {
        let html = DOCUMENTS.receipt(&facts).unwrap().html;
        for reference in ["src=", "href=", "url(", "@import"] {
            assert!(!html.contains(reference), "{reference}");
        }
    }
}

#[test]
fn a_locale_that_cannot_format_is_refused_with_the_reason() {
    let english = include_str!("../../templates/en/locale.toml");
    let problem = |from: &str, to: &str| Locale::parse(&english.replacen(from, to, 1)).unwrap_err();
    assert!(problem("{symbol}{amount}", "{symbol}").contains("money.symbol"));
    assert!(problem("%-d %B %Y", "%Q").contains("date.pattern"));
    assert!(problem("OTHER = ", "ANOTHER = ").contains("method.OTHER"));
    assert!(problem("[number]", "[numbers]").contains("numbers"));
    assert!(problem("group = ", "grouping = ").contains("grouping"));

    let other = Locale::parse(&english.replacen("in_words", "words", 1)).unwrap();
    let differences = Locale::parse(english).unwrap().differences(&other);
    assert_eq!(differences, ["label.in_words", "label.words"]);
}

#[test]
fn a_template_that_names_something_unknown_or_never_ends_fails() {
    let mut library = library::Library::embedded().unwrap();
    library.compile("unknown".to_owned(), "{{ nothing }}".to_owned()).unwrap();
    library
        .compile("endless".to_owned(), "{% for a in range(99999) %}{{ a }}{% for b in range(99999) %}{{ b }}{% endfor %}{% endfor %}".to_owned())
        .unwrap();
    assert!(library.render("unknown", &()).is_err());
    assert!(library.render("endless", &()).is_err());
}

/// How many pages a PDF has.
fn pages(pdf: &[u8]) -> usize {
    hayro_syntax::Pdf::new(pdf.to_vec()).unwrap().pages().len()
}

#[test]
fn a_letter_by_post_has_as_many_pages_as_it_takes_and_a_batch_has_all_of_them() {
    for language in ["vi", "en", "en-GB", "de"] {
        let short = DOCUMENTS.paper(&sample::paper(language)).unwrap();
        assert_eq!(short, DOCUMENTS.paper(&sample::paper(language)).unwrap());
        assert_eq!((short.subject.as_str(), pages(&short.pdf)), (expected(language), 1));
        let long = DOCUMENTS.paper(&sample::long_paper(language)).unwrap();
        assert_eq!(pages(&long.pdf), 2);
        let letters = || vec![short.pdf.clone(), long.pdf.clone(), short.pdf.clone()];
        let (batch, counts) = DOCUMENTS.batch(letters(), false).unwrap();
        assert_eq!((pages(&batch), counts), (4, vec![1, 2, 1]));
        let (batch, counts) = DOCUMENTS.batch(letters(), true).unwrap();
        assert_eq!((pages(&batch), counts), (5, vec![1, 2, 1]), "each begins on a front");
    }
    assert!(DOCUMENTS.batch(vec![b"no PDF".to_vec()], false).is_err());
}

fn expected(language: &str) -> &'static str {
    match language {
        "vi" => "HD-2026-00131 · 12/11/2026",
        _ => "HD-2026-00131 · 12 November 2026",
    }
}

#[test]
fn the_mail_of_a_statement_reads_well() {
    for language in ["en", "vi"] {
        let facts = sample::statement(language);
        let file = DOCUMENTS.statement_file(&facts).unwrap();
        let name = file.file_name.clone();
        let rendered = DOCUMENTS.statement(&facts, Some(&sample::opened()), Some(file)).unwrap();
        let mail = format!("{}\n{name}\n\n{}", rendered.subject, rendered.text);
        assert_snapshot!(format!("statement_{language}"), mail);
    }
}

#[test]
fn the_mail_of_a_statement_says_how_one_comes_to_it() {
    for (language, attached, linked, opens) in [
        ("en", "Please find attached", "too large for an e-mail", "Open the statement"),
        ("vi", "gửi kèm", "không đính kèm theo thư", "Mở bảng kê công nợ"),
    ] {
        let facts = sample::statement(language);
        let opened = sample::opened();
        let foreseen = DOCUMENTS.statement(&facts, None, None).unwrap();
        assert!(foreseen.text.contains(attached) && !foreseen.html.contains(opens));
        let link = DOCUMENTS.statement(&facts, Some(&opened), None).unwrap();
        let html = link.html.replace("&#x2f;", "/");
        for body in [&link.text, &html] {
            assert!(body.contains(linked) && body.contains(opens), "{body}");
            assert!(body.contains(&opened.address) && !body.contains(attached), "{body}");
        }
        assert!(link.attachments.is_empty());
    }
}

#[test]
fn a_page_is_in_the_first_language_that_there_is_and_escapes_names() {
    let organisation = Party { name: "<b>A & B</b>".into(), ..sample::ordinary("en").organisation };
    let page =
        |languages: &[&str]| DOCUMENTS.page(Page::Expired, languages, Some(&organisation)).unwrap();
    let vietnamese = page(&["tlh", "vi-VN", "en"]);
    assert!(
        vietnamese.contains("<html lang=\"vi\">") && vietnamese.contains("Liên kết đã hết hạn")
    );
    assert!(!vietnamese.contains("<b>") && !vietnamese.contains("<script"), "{vietnamese}");
    assert!(page(&[]).contains("This link has expired"));
    let nobody = DOCUMENTS.page(Page::Unknown, &["en"], None).unwrap();
    assert!(nobody.contains("This link does not work") && !nobody.contains("<address>"));
}

#[test]
fn the_letter_of_a_statement_has_all_of_its_pages_behind_its_own() {
    for language in ["vi", "en"] {
        let facts = sample::open_items(language, 40);
        let to = sample::addressed(&facts);
        let file = DOCUMENTS.statement_file(&facts).unwrap().bytes;
        let letter = DOCUMENTS.statement_paper(&facts, to, Some(file.clone())).unwrap();
        assert_eq!(pages(&letter.pdf), 1 + pages(&file));
        assert_eq!(letter, DOCUMENTS.statement_paper(&facts, to, Some(file)).unwrap());
        let (tag, subject, text) = DOCUMENTS.statement_paper_text(&facts).unwrap();
        assert_eq!((&*tag, &subject), (language, &letter.subject));
        assert_snapshot!(format!("statement_letter_{language}"), text);
        assert!(DOCUMENTS.statement_paper(&facts, to, Some(b"no PDF".to_vec())).is_err());
    }
}

#[test]
fn a_statement_has_as_many_pages_as_it_takes_and_always_the_same_bytes() {
    for language in ["vi", "en", "de"] {
        let facts = sample::statement(language);
        let file = DOCUMENTS.statement_file(&facts).unwrap();
        assert_eq!(pages(&file.bytes), 1);
        assert_eq!(file, DOCUMENTS.statement_file(&facts).unwrap());
        let long = DOCUMENTS.statement_file(&sample::open_items(language, 40)).unwrap();
        assert_eq!(pages(&long.bytes), 2);
        let none = sample::open_items(language, 0);
        assert_eq!(pages(&DOCUMENTS.statement_file(&none).unwrap().bytes), 1);
    }
}

#[test]
fn what_goes_with_a_notice_is_attached_to_its_mail_and_follows_in_its_letter() {
    for language in ["en", "vi", "de"] {
        let facts = sample::enclosed(language);
        let mail = DOCUMENTS.letter(&facts, None).unwrap();
        let names: Vec<_> = mail.attachments.iter().map(|file| file.file_name.as_str()).collect();
        let [_, invoice, _] = names[..] else { panic!("{names:?}") };
        assert!(invoice.ends_with(" HD-2026-00125.pdf"), "{names:?}");
        let alone: Vec<_> = mail.attachments.iter().map(|file| pages(&file.bytes)).collect();
        let letter = DOCUMENTS.paper(&facts).unwrap().pdf;
        assert_eq!(pages(&letter), alone.iter().sum::<usize>());
        assert_eq!(letter, DOCUMENTS.paper(&facts).unwrap().pdf, "always the same bytes");
        let none = InvoiceFacts { lines: Vec::new(), ..sample::invoice(language) };
        assert_eq!(pages(&DOCUMENTS.invoice_file(&none).unwrap().bytes), 1);
    }
}

#[test]
fn a_text_message_is_plain_if_it_is_to_be_and_never_too_long() {
    let facts = LetterFacts { subject: None, ..sample::paper("vi") };
    let message = DOCUMENTS.text_message(&facts).unwrap();
    assert!(
        message.text.contains("12.345.678 ₫") && !message.text.contains('\u{a0}'),
        "{message:?}"
    );
    assert_eq!(message.segments, message.text.chars().count().div_ceil(67));
    let plain = LetterFacts { plain: true, ..facts.clone() };
    let plain = DOCUMENTS.text_message(&plain).unwrap();
    assert!(plain.text.is_ascii() && plain.segments < message.segments, "{plain:?}");
    let long = LetterFacts { text: "ặ".repeat(671), ..facts };
    let refused = DOCUMENTS.text_message(&long).unwrap_err().to_string();
    assert!(
        refused.ends_with("it takes 11 segments as a text message; shorten it to 10"),
        "{refused}"
    );
}

proptest! {
    #[test]
    fn any_amount_has_words_and_they_are_well_formed(minor in any::<i64>(), currency in "VND|EUR|KWD|JPY") {
        for language in DOCUMENTS.languages() {
            let words = in_words(language, minor, &currency);
            prop_assert!(!words.contains("  ") && words.trim() == words, "{words}");
            prop_assert!(words.starts_with(char::is_uppercase), "{words}");
        }
    }

    #[test]
    fn different_amounts_have_different_words(a in 0..1_000_000_000_000_000_i64, b in 0..1_000_000_000_000_000_i64) {
        prop_assume!(a != b);
        for language in DOCUMENTS.languages() {
            prop_assert_ne!(in_words(language, a, "EUR"), in_words(language, b, "EUR"));
        }
    }

    #[test]
    fn the_digits_of_an_amount_are_all_written(minor in any::<i64>()) {
        for (language, currency) in [("en", Currency::USD), ("vi", Currency::VND)] {
            let text = money(language, minor, currency.code());
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let least = currency.exponent() as usize + 1;
            prop_assert_eq!(digits, format!("{:0least$}", minor.unsigned_abs()));
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))] // Each sets a PDF.

    #[test]
    fn no_name_breaks_a_mail(name in any::<String>()) {
        let mut facts = sample::ordinary("vi");
        facts.lines.clear();
        facts.customer.name = name;
        let rendered = DOCUMENTS.receipt(&facts).unwrap();
        prop_assert!(!rendered.subject.contains(char::is_control));
    }
}
