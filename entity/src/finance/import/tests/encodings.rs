//! The same rows, whatever a file is written in.

use encoding_rs::{UTF_16LE, WINDOWS_1258};
use unicode_normalization::UnicodeNormalization;

use super::*;

const FILE: &str = "Mã khách hàng;Tên khách hàng;Số hóa đơn;Ngày hóa đơn;Hạn thanh toán;Tổng tiền;Tranh chấp\r\n\
    KH1;Công ty TNHH Thương mại Nguyễn Thị Ánh Tuyết;HĐ-1;20/01/2026;19/02/2026;1.200.000;Không\r\n\
    KH2;Hợp tác xã Đồng Tháp Mười;HĐ-2;21/01/2026;19/02/2026;350.000;Có\r\n\
    KH3;Xưởng gỗ Quảng Ngãi – Phước Hữu;HĐ-3;02/02/2026;04/03/2026;99.000;Không\r\n";

/// The bytes that Vietnamese Windows writes: vowels in one byte, most tone marks in one of their own.
fn windows_1258(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for c in text.chars() {
        let mut alone = [0; 4];
        let (whole, _, unknown) = WINDOWS_1258.encode(c.encode_utf8(&mut alone));
        if !unknown {
            bytes.extend(whole.iter());
            continue;
        }
        let tones = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
        let (tone, vowel): (Vec<char>, Vec<char>) =
            [c].into_iter().nfd().partition(|c| tones.contains(c));
        let apart: String = vowel.into_iter().nfc().chain(tone).collect();
        bytes.extend(WINDOWS_1258.encode(&apart).0.into_owned());
    }
    bytes
}

fn utf_16(text: &str) -> Vec<u8> {
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

async fn imported(file: &[u8], encoding: Option<&str>) -> (String, Vec<String>) {
    let office = Office::new().await;
    let options = Options {
        currency: Some(Currency::VND),
        encoding: encoding.map(str::to_owned),
        ..Options::default()
    };
    let report = office.import_with(file, options).await;
    assert_eq!(reasons(&report), [""; 0]);
    let formats = report.formats.unwrap();
    assert_eq!(
        (formats.delimiter, formats.date_order, formats.decimal),
        (';', DateOrder::Dmy, DecimalMark::Comma)
    );
    (formats.encoding, office.contents().await)
}

#[tokio::test]
async fn equal_rows_come_out_of_every_encoding() {
    let (encoding, expected) = imported(FILE.as_bytes(), None).await;
    assert_eq!(encoding, "UTF-8");
    assert!(expected.iter().any(|line| line.contains("Nguyễn Thị Ánh Tuyết")), "{expected:#?}");
    let with_mark = [b"\xef\xbb\xbf", FILE.as_bytes()].concat();
    assert_eq!(imported(&with_mark, None).await, ("UTF-8".into(), expected.clone()));
    let decomposed: String = FILE.nfd().collect();
    assert_eq!(imported(decomposed.as_bytes(), None).await.1, expected);
    assert_eq!(imported(&utf_16(FILE), None).await, (UTF_16LE.name().into(), expected.clone()));
    let windows = windows_1258(FILE);
    assert!(std::str::from_utf8(&windows).is_err());
    assert_eq!(imported(&windows, None).await, ("windows-1258".into(), expected.clone()));
    assert_eq!(imported(&windows, Some("cp1258")).await, ("windows-1258".into(), expected));
}

#[tokio::test]
async fn a_damaged_name_costs_its_row_and_garbles_no_other() {
    let office = Office::new().await;
    let mut file = FILE.as_bytes().to_vec();
    let place =
        file.windows(4).position(|four| four == "Hợp".as_bytes().get(..4).unwrap()).unwrap();
    file[place + 1] = 0xff;
    let options = Options { currency: Some(Currency::VND), ..Options::default() };
    let report = office.import_with(&file, options).await;
    let reasons = reasons(&report);
    assert_eq!(reasons.len(), 1);
    assert!(
        reasons[0].ends_with("has bytes that are no text in the file's encoding"),
        "{reasons:?}"
    );
    assert_eq!(report.counts.invoices_created, 2);
}

#[tokio::test]
async fn a_file_that_cannot_be_read_fails_its_job_and_says_why() {
    let office = Office::new().await;
    for (file, why) in [
        (&b""[..], "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"PK\x03\x04...", "this is a spreadsheet; save it as CSV and import that"),
    ] {
        let under = office.job().await;
        let error = office.import_as(under, file, Options::default()).await.unwrap_err();
        assert_eq!(error.to_string(), why);
        let job =
            job::Entity::find_by_id(under.job.id).one(office.db.reader()).await.unwrap().unwrap();
        assert_eq!(job.state, job::State::Failed);
        let report: Report = serde_json::from_value(job.report.unwrap()).unwrap();
        assert_eq!(report.to_string(), format!("The file was not imported: {why}\n"));
    }
    let options = Options { encoding: Some("klingon".into()), ..Options::default() };
    let error = office.import_as(office.job().await, b"a,b\n", options).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no encoding “klingon”; write one such as utf-8 or windows-1258"
    );
}
