//! Writes what customers would read, so that templates can be looked at while they are edited.
//!
//! `cargo run -p worker --example preview -- DIR [LANGUAGE …]` renders every sample in every language (or in the
//! ones that are named) into `DIR/<language>/<sample>.{html,txt,pdf,eml}`, and says what each took.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use lettre::message::Mailbox;
use worker::document::{Documents, Page, sample};
use worker::mail::compose::{Envelope, compose};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let target = PathBuf::from(arguments.next().ok_or("usage: preview DIR [LANGUAGE …]")?);
    let wanted: Vec<String> = arguments.collect();

    let documents = Documents::embedded()?;
    for language in documents.languages() {
        if !wanted.is_empty() && !wanted.iter().any(|tag| tag == language) {
            continue;
        }
        let folder = target.join(language);
        fs::create_dir_all(&folder)?;
        let link = "https://crm.example/reset-password#token=rpr_0123456789abcdef";
        let reset = documents.password_reset(&sample::password_reset(language), link)?;
        let link = "https://crm.example/accept-invitation#token=riv_0123456789abcdef";
        let invitation = documents.invitation(&sample::password_reset(language), link)?;
        let link = "https://crm.example/notifications";
        let told = documents.notification(&sample::notification(language), link)?;
        let digest = documents.notification(&sample::digest(language), link)?;
        let mails = [
            ("password-reset", reset),
            ("invitation", invitation),
            ("notification", told),
            ("digest", digest),
        ];
        for (name, mail) in mails {
            let file = folder.join(name);
            fs::write(file.with_extension("html"), &mail.html)?;
            fs::write(file.with_extension("txt"), format!("{}\n\n{}", mail.subject, mail.text))?;
        }
        let letters = [
            ("letter", sample::paper(language)),
            ("long-letter", sample::long_paper(language)),
            ("notice", sample::notice(language)),
            ("enclosed", sample::enclosed(language)),
        ];
        let asked = documents.letter(&sample::notice(language), None)?;
        fs::write(folder.join("notice.html"), &asked.html)?;
        fs::write(folder.join("notice.txt"), format!("{}\n\n{}", asked.subject, asked.text))?;
        for (name, facts) in &letters {
            let start = Instant::now();
            let paper = documents.paper(facts)?;
            let (took, file) = (start.elapsed(), folder.join(name).with_extension("pdf"));
            println!("{}: {took:.0?}, {} bytes", file.display(), paper.pdf.len());
            fs::write(file, paper.pdf)?;
        }
        statements(&documents, &folder, language)?;
        let printed =
            letters.iter().map(|(_, facts)| documents.paper(facts).map(|paper| paper.pdf));
        let (batch, _) = documents.batch(printed.collect::<Result<_, _>>()?, true)?;
        fs::write(folder.join("batch.pdf"), batch)?;
        for (name, facts) in sample::all(language) {
            let start = Instant::now();
            let message = documents.receipt(&facts)?;
            let took = start.elapsed();
            let envelope = Envelope {
                from: Mailbox::new(Some(facts.organisation.name), "from@rapport.example".parse()?),
                reply_to: None,
                to: Mailbox::new(Some(facts.customer.name), "to@rapport.example".parse()?),
                cc: Vec::new(),
                unsubscribe: None,
                message_id: format!("{name}@rapport.example"),
                date: facts.issued_on.and_hms_opt(8, 0, 0).ok_or("no such time")?.and_utc(),
            };
            let file = folder.join(name);
            fs::write(file.with_extension("html"), &message.html)?;
            fs::write(
                file.with_extension("txt"),
                format!("{}\n\n{}", message.subject, message.text),
            )?;
            fs::write(file.with_extension("eml"), compose(&envelope, &message, None)?)?;
            for attachment in &message.attachments {
                fs::write(file.with_extension("pdf"), &attachment.bytes)?;
                println!(
                    "{}: {took:.0?}, HTML {} bytes, “{}” {} bytes",
                    file.display(),
                    message.html.len(),
                    attachment.file_name,
                    attachment.bytes.len(),
                );
            }
        }
    }
    Ok(())
}

/// Statements of account, with the mails and the letters that they are sent with.
fn statements(documents: &Documents, folder: &Path, language: &str) -> Result<(), Box<dyn Error>> {
    let statements = [
        ("statement", sample::statement(language)),
        ("open-items", sample::open_items(language, 40)),
    ];
    for (name, facts) in statements {
        let start = Instant::now();
        let pdf = documents.statement_file(&facts)?;
        let (took, file) = (start.elapsed(), folder.join(name).with_extension("pdf"));
        println!("{}: {took:.0?}, {} bytes", file.display(), pdf.bytes.len());
        fs::write(&file, &pdf.bytes)?;
        let start = Instant::now();
        let (to, pages) = (sample::addressed(&facts), pdf.bytes.clone());
        let paper = documents.statement_paper(&facts, to, Some(pages))?;
        let (took, file) = (start.elapsed(), folder.join(format!("{name}-letter.pdf")));
        println!("{}: {took:.0?}, {} bytes", file.display(), paper.pdf.len());
        fs::write(&file, &paper.pdf)?;
        for (name, attached) in [(name.to_owned(), Some(pdf)), (format!("{name}-link"), None)] {
            let mail = documents.statement(&facts, Some(&sample::opened()), attached)?;
            let text = format!("{}\n\n{}", mail.subject, mail.text);
            fs::write(folder.join(&name).with_extension("html"), &mail.html)?;
            fs::write(folder.join(&name).with_extension("txt"), text)?;
        }
    }
    let organisation = sample::statement(language).organisation;
    for (name, page) in [("unknown", Page::Unknown), ("expired", Page::Expired)] {
        let html = documents.page(page, &[language], Some(&organisation))?;
        fs::write(folder.join(format!("page-{name}.html")), html)?;
    }
    for (name, ended) in [("ask", (false, false)), ("topic", (true, false)), ("all", (true, true))]
    {
        let html = documents.unsubscribe(&sample::subscription(language, ended), &organisation)?;
        fs::write(folder.join(format!("unsubscribe-{name}.html")), html)?;
    }
    let link = format!("https://crm.example/unsubscribe/{}", "0aB-".repeat(18));
    let offer = documents.letter(&sample::paper(language), Some(&link))?;
    fs::write(folder.join("offer.html"), &offer.html)?;
    fs::write(folder.join("offer.txt"), format!("{}\n\n{}", offer.subject, offer.text))?;
    Ok(())
}
