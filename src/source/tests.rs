//! The source seen from outside: lists in, rows out.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::recipient::{Addressing, Position, Row, Skip, Vars};
use crate::source::fault::SourceError;
use crate::source::options::{Dedupe, Format, Input, ReadOptions};
use crate::source::record::{HEADER, INDEX, ROWS};
use crate::source::spool::Spool;
use crate::source::stream::Stream;
use crate::source::{Spooled, spool, spool_in_chunks};

fn mail() -> Addressing {
    Addressing {
        columns: vec!["to".into(), "email".into()],
        fixed: None,
        phone: false,
        fold_case: true,
        secret: false,
        any: false,
    }
}

fn options() -> ReadOptions {
    let sms = Addressing { columns: vec!["phone".into()], phone: true, fold_case: false, ..mail() };
    let hook = Addressing {
        columns: vec!["webhook".into()],
        fixed: Some("https://hooks.example.com/s3cret".into()),
        secret: true,
        ..sms.clone()
    };
    let hook = Addressing { phone: false, ..hook };
    ReadOptions {
        default_account: Arc::from("mail"),
        addressing: BTreeMap::from([(Arc::from("mail"), mail()), (Arc::from("sms"), sms), (Arc::from("hook"), hook)]),
        ..ReadOptions::default()
    }
}

fn bytes(name: &str, bytes: &[u8]) -> Input {
    Input::Bytes { name: name.into(), bytes: bytes.to_vec() }
}

struct Read {
    told: Spooled,
    rows: Vec<Row>,
    _folder: TempDir,
}

fn read(input: &[u8], options: &ReadOptions) -> Result<Read, SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let told = spool(bytes("list", input), options, folder.path(), &mut |_, _| {})?;
    let mut spool = Spool::open(folder.path()).unwrap();
    assert_eq!(spool.rows(), told.rows);
    assert_eq!(spool.columns(), told.columns);
    let rows = spool.read_many(0, usize::MAX).unwrap();
    assert_eq!(rows.len() as u64, told.rows);
    assert_eq!(rows.iter().filter(|row| row.recipient.is_err()).count() as u64, told.bad);
    assert_eq!(rows.iter().filter(|row| row.skip.is_some()).count() as u64, told.duplicates);
    Ok(Read { told, rows, _folder: folder })
}

/// Each row as `line account address {vars}`, `line =of` for a duplicate, `line:column(name)! what` for a bad one.
fn tell(row: &Row) -> String {
    match (&row.recipient, &row.skip) {
        (Ok(_), Some(Skip::Duplicate { of })) => format!("{} ={of}", row.place.line),
        (Ok(_), Some(other)) => panic!("a spool knows nothing of {other}"),
        (Ok(recipient), None) => {
            format!("{} {} {} {}", row.place.line, recipient.via, recipient.to.as_str(), Value::Object(recipient.vars.clone()))
        }
        (Err(error), _) => {
            let place = &error.place;
            let column = place.column.map(|n| format!(":{n}({})", place.name.as_deref().unwrap_or(""))).unwrap_or_default();
            format!("{}{column}! {}", place.line, error.what)
        }
    }
}

fn told(input: &str, options: &ReadOptions) -> Vec<String> {
    read(input.as_bytes(), options).unwrap().rows.iter().map(tell).collect()
}

fn refused(input: &[u8], options: &ReadOptions) -> String {
    match read(input, options) {
        Err(error) => error.to_string(),
        Ok(read) => panic!("was read: {:?}", read.rows),
    }
}

#[test]
fn a_csv_list_is_read_as_text() {
    let input = "email , code,Note\r\nzoe@example.com,00123,\"a,\"\"b\"\"\nc\"\r\n Ann@Example.org ,1e5,12345678901234567890\r\n";
    let got = told(input, &options());
    assert_eq!(got[0], r#"2 mail zoe@example.com {"email":"zoe@example.com","code":"00123","Note":"a,\"b\"\nc"}"#);
    assert_eq!(got[1], r#"4 mail Ann@Example.org {"email":" Ann@Example.org ","code":"1e5","Note":"12345678901234567890"}"#);
}

#[test]
fn formats_are_found() {
    for (input, format, delimiter) in [
        ("email,n\na@b,1\n", Format::Csv, Some(b',')),
        ("email;n\na@b;1\n", Format::Csv, Some(b';')),
        ("email\tn\na@b\t1\n", Format::Csv, Some(b'\t')),
        ("email|n\na@b|1\n", Format::Csv, Some(b'|')),
        ("{\"email\":\"a@b\",\"n\":\"1\"}\n", Format::Jsonl, None),
        ("[{\"email\":\"a@b\",\"n\":\"1\"}]", Format::Json, None),
        ("{\n\"email\":\"a@b\",\n\"n\":\"1\"\n}", Format::Json, None),
        ("\u{feff}email,n\na@b,1\n", Format::Csv, Some(b',')),
    ] {
        let read = read(input.as_bytes(), &options()).unwrap();
        assert_eq!((read.told.format, read.told.delimiter), (format, delimiter), "{input:?}");
        assert_eq!(read.told.columns, ["email", "n"], "{input:?}");
        assert!(tell(&read.rows[0]).ends_with(r#"mail a@b {"email":"a@b","n":"1"}"#), "{input:?}");
        let announced = read.told.notices.iter().any(|notice| notice.contains("separated"));
        assert_eq!(announced, matches!(delimiter, Some(b';' | b'\t' | b'|')), "{input:?}");
    }
}

#[test]
fn a_list_that_is_damaged_is_refused() {
    for (input, expected) in [
        ("", "the list is empty"),
        ("  \n\n", "the list is empty"),
        ("email,a,A \nx@y,1,2\n", "the column `A` stands twice, as column 2 and column 3"),
        ("email,,b\nx@y,1,2\n", "column 2 has no name"),
        ("email,b\nx@y,\"1\nz@y,2\n", "list:2"),
        ("email,b\nx@y,\"1\nz@y,2\n", "never closed"),
        ("name,E-Mail\nx,y\n", "--map email=E-Mail"),
        ("zoe@example.com,Zoe\nx@y,1\n", "looks like data"),
        ("[{\"email\":\"a@b\"}", "never closed"),
        ("{\"name\":\"a\"}\n{\"name\":\"b\"}\n", "no column holds the address"),
        (&format!("email{}\n", ",x".repeat(5000)), "5001 columns; 4096 are the most"),
        ("PK\x03\x04rest", "a workbook or an archive"),
    ] {
        let error = refused(input.as_bytes(), &options());
        assert!(error.contains(expected), "{input:?}: {error}");
    }
    let none = read(b"email,name\n", &options()).unwrap();
    assert_eq!((none.told.rows, none.told.notices.as_slice()), (0, [].as_slice()));
}

#[test]
fn bad_rows_are_rows_with_a_place_and_what_could_be_read() {
    let input = "email,name\n,Ann\nzoe＠example.com,Zoe\na@b\na@b,c,d,e\nx@y,ok\n";
    let read = read(input.as_bytes(), &options()).unwrap();
    let got: Vec<String> = read.rows.iter().map(tell).collect();
    assert_eq!(got[0], "2:1(email)! the row has no address: `email` is empty");
    assert!(got[1].starts_with("3:1(email)! `zoe＠example.com` has the full-width character `＠`"), "{}", got[1]);
    assert!(got[2].starts_with("4! the row has 1 field where the header has 2"));
    assert!(got[3].starts_with("5! the row has 4 fields where the header has 2"));
    assert!(got[4].starts_with("6 mail x@y"));
    assert_eq!(Value::Object(read.rows[3].raw.clone()), json!({"email": "a@b", "name": "c", "_extra": ["d", "e"]}));
    assert_eq!(Value::Object(read.rows[0].raw.clone()), json!({"email": "", "name": "Ann"}));
}

#[test]
fn excel_damage_is_an_error_of_its_row() {
    let by_phone = ReadOptions { default_account: Arc::from("sms"), ..options() };
    let got = told("phone,name\n8.61381E+12,a\n+8613800000000,b\n00491234567,c\n", &by_phone);
    assert!(got[0].starts_with("2:1(phone)! a spreadsheet made `8.61381E+12`"), "{}", got[0]);
    assert!(got[1].starts_with("3 sms +8613800000000"));
    assert!(got[2].starts_with("4 sms 00491234567"));
    // Also where the column is not the address.
    assert!(told("email,手机\na@b,1.38E+10\n", &options())[0].starts_with("2:2(手机)! a spreadsheet"));
    assert!(told("email,code\na@b,1.38E+10\n", &options())[0].starts_with("2 mail a@b"));
    assert!(told("{\"phone\":1.38e10}\n{\"phone\":13800000000}\n", &by_phone)[1].starts_with("2 sms 13800000000"));
}

#[test]
fn columns_are_found_mapped_and_told() {
    let read_one = |input: &str, options: &ReadOptions| read(input.as_bytes(), options).unwrap();
    let chinese = read_one("姓名,邮箱\n李雷,li@example.com\n", &options());
    assert!(tell(&chinese.rows[0]).starts_with("2 mail li@example.com"));
    assert!(chinese.told.notices[0].contains("`邮箱` is taken for the address"));
    let upper = read_one("Name,EMAIL\nx,a@b\n", &options());
    assert!(tell(&upper.rows[0]).starts_with("2 mail a@b"));
    let prefer = read_one("email,to\na@b,c@d\na@b,\n", &options());
    assert!(tell(&prefer.rows[0]).starts_with("2 mail c@d") && tell(&prefer.rows[1]).starts_with("3 mail a@b"));
    let mapping = ReadOptions { map: vec![("email".into(), "E-Mail".into())], ..options() };
    assert_eq!(told("n,E-Mail\nx,a@b\n", &mapping), [r#"2 mail a@b {"n":"x","email":"a@b"}"#]);
    assert_eq!(told("{\"n\":1,\"E-Mail\":\"a@b\"}", &mapping), [r#"1 mail a@b {"n":1,"email":"a@b"}"#]);
    assert!(
        refused(b"n,Email2\nx,a@b\n", &ReadOptions { map: vec![("email".into(), "Emial2".into())], ..options() })
            .contains("did you mean `Email2`?")
    );
    assert!(refused(b"{\"email\":\"a@b\"}", &mapping).contains("--map email=E-Mail: there is no column"));
    assert!(told("{\"email\":\"a@b\",\"E-Mail\":\"c@d\"}", &mapping)[0].contains("which --map calls `email` too"));
    let keyed = ReadOptions { key: Some("idd".into()), ..options() };
    assert!(refused(b"email,id\na@b,1\n", &keyed).contains("did you mean `id`?"));
    assert!(refused(b"{\"email\":\"a@b\",\"id\":1}", &keyed).contains("did you mean `id`?"));
    let odd = read_one("email,_vai\na@b,x\n", &options());
    assert!(odd.told.notices[0].contains("did you mean `_via`?"), "{:?}", odd.told.notices);
}

#[test]
fn constants_fill_in_and_never_replace() {
    let with =
        ReadOptions { constants: Vars::from_iter([("a".to_owned(), json!(1)), ("z".to_owned(), json!("c"))]), ..options() };
    assert_eq!(told("email,a\nx@y,2\n", &with), [r#"2 mail x@y {"email":"x@y","a":"2","z":"c"}"#]);
}

#[test]
fn accounts_and_fans() {
    let got = told("email,_via,phone\na@b,,1\na@b,smss,1234567\nc@d,\"mail;sms\",1234567\nq@r,hook,\n", &options());
    assert!(got[0].starts_with("2 mail a@b"));
    assert!(got[1].starts_with("3:2(_via)! there is no account `smss`: did you mean `sms`?"), "{}", got[1]);
    assert!(got[2].starts_with("4 mail c@d {\"email\":\"c@d\",\"phone\""), "{}", got[2]);
    assert!(got[3].starts_with("4 sms 1234567"));
    assert!(got[4].starts_with("5 hook https://hooks.example.com/s3cret"));
    let input = r#"{"to":["a@b","c＠d","e@f"],"_key":"k","n":1}
{"to":["a@b","g@h"],"_via":["mail","hook"]}
{"to":[]}
{"to":{"x":1}}"#;
    let read = read(input.as_bytes(), &options()).unwrap();
    let got: Vec<String> = read.rows.iter().map(tell).collect();
    assert_eq!(got[0], r#"1 mail a@b {"to":"a@b","n":1}"#);
    assert!(got[1].starts_with("1:1(to)! `c＠d` has the full-width"));
    assert_eq!(read.rows[1].raw["to"], json!("c＠d"));
    assert_eq!(got[2], r#"1 mail e@f {"to":"e@f","n":1}"#);
    assert_eq!(got[3], "2 =0");
    assert_eq!(got[4], r#"2 mail g@h {"to":"g@h"}"#);
    assert!(got[5].starts_with("2 hook https://"), "{}", got[5]);
    assert!(got[6].contains("`to` is empty"));
    assert!(got[7].contains("this is an object"));
    let many = |address: &str, count: usize| format!("{{\"to\":[{}]}}", vec![format!("\"{address}\""); count].join(","));
    assert!(told(&many("a@b", 1001), &options())[0].contains("more than 1000 recipients"));
    assert_eq!(told(&many("a＠b", 11), &options()).len(), 1);
    let key = |n: usize| read.rows[n].recipient.as_ref().unwrap().key.clone();
    assert_eq!((key(0), key(2)), ("k a@b".to_owned(), "k e@f".to_owned()));
}

fn keys(input: &str, options: &ReadOptions) -> Vec<String> {
    let read = read(input.as_bytes(), options).unwrap();
    read.rows
        .iter()
        .map(|row| match &row.skip {
            Some(Skip::Duplicate { of }) => format!("={of}"),
            Some(other) => panic!("a spool knows nothing of {other}"),
            None => row.recipient.as_ref().map_or_else(|error| format!("! {error}"), |recipient| recipient.key.clone()),
        })
        .collect()
}

#[test]
fn keys_and_duplicates() {
    let list = "email,id\n,9\nA@b,1\na@B,2\nc@d,1\n";
    let by = |dedupe, key: Option<&str>| ReadOptions { dedupe, key: key.map(str::to_owned), ..options() };
    let bad = "! the row has no address: `email` is empty";
    assert_eq!(keys(list, &by(Dedupe::Address, None)), [bad, "mail a@b #1", "=1", "mail c@d #1"]);
    assert_eq!(keys(list, &by(Dedupe::Off, None)), [bad, "mail a@b #1", "mail a@b #2", "mail c@d #1"]);
    assert_eq!(keys(list, &by(Dedupe::Address, Some("id"))), [bad, "1", "=1", "1 #2"]);
    assert_eq!(keys(list, &by(Dedupe::Key, Some("id"))), [bad, "1", "2", "=1"]);
    assert_eq!(keys(list, &by(Dedupe::Off, Some("id"))), [bad, "1", "2", "1 #2"]);
    assert_eq!(keys("email,_key\na@b,x\nc@d,\n", &options()), ["x", "mail c@d #1"]);
    assert_eq!(keys("email,id\na@b,\n", &by(Dedupe::Address, Some("id"))), ["! the row has no key: `id` is empty"]);
    // The fixed address of an account is shared on purpose, and a credential stays out of keys.
    let hook = ReadOptions { default_account: Arc::from("hook"), ..options() };
    assert_eq!(keys("n\n1\n2\n", &hook), ["hook #1", "hook #2"]);
    let own = keys("webhook\nhttps://hooks.example.com/t0ken\n", &hook);
    assert!(own[0].starts_with("hook sha256:") && !own[0].contains("t0ken"), "{own:?}");
}

#[test]
fn a_retry_file_keeps_its_identity() {
    let id = "abcdefghijklmnopqrstuvwx23";
    let line = |id: &str, account: &str| {
        format!(
            r#"{{"email":"a@b","n":1,"_notify":{{"run":"r","key":"mail a@b #7","id":"{id}","account":"{account}","template":"welcome","kind":"unavailable"}}}}"#
        )
    };
    let input = [
        line(id, "mail"),
        line(id, "mail"),
        line("abcdefghijklmnopqrstuvwx24", "mail"),
        line("nonsense", "mail"),
        line(id, "mial"),
    ]
    .join("\n");
    let read = read(input.as_bytes(), &options()).unwrap();
    let first = read.rows[0].recipient.as_ref().unwrap();
    assert_eq!(
        (first.key.as_str(), first.delivery_id.as_deref(), first.template.as_deref()),
        ("mail a@b #7", Some(id), Some("welcome"))
    );
    assert_eq!(Value::Object(first.vars.clone()), json!({"email": "a@b", "n": 1}));
    assert_eq!(read.rows[1].skip, Some(Skip::Duplicate { of: 0 }));
    assert_eq!(read.rows[2].skip, None, "another delivery to the same address");
    assert!(tell(&read.rows[3]).contains("not a delivery id"));
    assert!(tell(&read.rows[4]).contains("did you mean `mail`?"));
    let other = ReadOptions { only_default: true, default_account: Arc::from("hook"), ..options() };
    let moved = super::tests::read(line(id, "mail").as_bytes(), &other).unwrap();
    let moved = moved.rows[0].recipient.as_ref().unwrap();
    assert_eq!((&*moved.via, &moved.delivery_id), ("hook", &None));
    // A bad row that nobody mended is bad again; a mended one is a row.
    let got = told(
        "{\"email\":\"a@b\",\"_extra\":[\"x\"],\"_notify\":{\"id\":null}}\n{\"email\":\"a@b\",\"_notify\":{\"id\":null,\"key\":\"\"}}",
        &options(),
    );
    assert!(got[0].contains("`_extra` holds fields") && got[1].starts_with("2 mail a@b"), "{got:?}");
}

#[test]
fn skip_and_limit_count_rows_of_the_input() {
    let some = ReadOptions { skip: 1, limit: Some(2), ..options() };
    let list = read(b"email\na@b\nc@d\ne@f\ng@h\n", &some).unwrap();
    assert_eq!(list.rows.iter().map(tell).map(|row| row[..1].to_owned()).collect::<Vec<_>>(), ["3", "4"]);
    let whole = read(b"email\na@b\nc@d\ne@f\ng@h\n", &options()).unwrap();
    assert_eq!(list.told.digest, whole.told.digest);
    assert_eq!(whole.told.digest.len(), 64);
    // Beyond the limit it is still text.
    assert!(matches!(
        read(b"email\na@b\nc@d\ne@f\n\xff\xfe\n", &ReadOptions { limit: Some(1), ..options() }),
        Err(SourceError::Encoding(_))
    ));
}

#[test]
fn encodings_are_obeyed_told_or_refused() {
    let text = "name,email\n李雷,li@example.com\n韩梅梅,han@example.com\n";
    let (gbk, _, _) = encoding_rs::GB18030.encode(text);
    let Err(SourceError::Encoding(ambiguity)) = read(&gbk, &ReadOptions { region: Some("zh_CN.UTF-8".into()), ..options() })
    else {
        panic!()
    };
    assert_eq!((ambiguity.line, ambiguity.readings[0].label.as_str()), (2, "gb18030"));
    let shown = ambiguity.to_string();
    assert!(shown.contains("李雷") && shown.contains("--encoding gb18030"), "{shown}");
    let named = |label: &str| ReadOptions { encoding: Some(label.into()), ..options() };
    for label in ["gb18030", "GBK"] {
        let read = read(&gbk, &named(label)).unwrap();
        assert!(tell(&read.rows[0]).contains("李雷"));
        assert!(read.told.notices.iter().any(|notice| notice.starts_with("read as")), "{:?}", read.told.notices);
    }
    let mut wide = vec![0xff, 0xfe];
    wide.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    assert!(tell(&read(&wide, &options()).unwrap().rows[1]).contains("韩梅梅"));
    assert!(tell(&read(&wide[2..], &named("utf-16le")).unwrap().rows[1]).contains("韩梅梅"));
    assert!(refused(&wide[2..], &options()).contains("--encoding utf-16le"));
    // 100 KB of ASCII, then one row of GBK.
    let mut late = b"name,email\n".to_vec();
    late.extend("x,x@example.com\n".repeat(8000).into_bytes());
    late.extend(encoding_rs::GBK.encode("李雷,li@example.com\n").0.iter());
    let Err(SourceError::Encoding(ambiguity)) = read(&late, &options()) else { panic!() };
    assert_eq!(ambiguity.line, 8002);
    let error = refused(&gbk, &named("utf-8"));
    assert!(error.contains("not UTF-8 throughout") && error.contains("list:2"), "{error}");
    assert!(refused(b"email\na@b\n", &named("gb1803")).contains("did you mean"));
}

#[cfg(feature = "compress")]
#[test]
fn packed_lists_are_unpacked() {
    let list = b"email,n\na@b,1\nc@d,2\n";
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let two = [gzip(&list[..10]), gzip(&list[10..])].concat();
    assert_eq!(read(&two, &options()).unwrap().rows.len(), 2);
    assert!(refused(&two[..two.len() - 6], &options()).contains("cannot be unpacked"));
    let zstd = |bytes: &[u8]| ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
    let two = [zstd(&list[..10]), skippable.to_vec(), zstd(&list[10..])].concat();
    assert_eq!(read(&two, &options()).unwrap().rows.len(), 2);
    let cut = zstd(&list[..]);
    assert!(refused(&cut[..cut.len() - 6], &options()).contains("cannot be unpacked"));
}

#[test]
fn a_file_is_left_alone_and_a_pipe_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.tsv");
    std::fs::write(&path, "email\tn\na@b\t1,2\n").unwrap();
    let run = tempfile::tempdir().unwrap();
    let mut last = (0, None);
    let told = spool(Input::File(path.clone()), &options(), run.path(), &mut |bytes, of| last = (bytes, of)).unwrap();
    assert_eq!((told.format, told.rows, last), (Format::Tsv, 1, (16, Some(16))));
    let mut names: Vec<String> =
        std::fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["spool.index", "spool.json", "spool.rows"]);
    #[cfg(unix)]
    for name in names {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(run.path().join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let missing = spool(Input::File(folder.path().join("nobody.csv")), &options(), run.path(), &mut |_, _| {});
    assert!(matches!(missing, Err(SourceError::Input { .. })));
    let nowhere = spool(bytes("x", b"email\na@b\n"), &options(), &folder.path().join("no/such"), &mut |_, _| {});
    assert!(matches!(nowhere, Err(SourceError::Spool(_))));
    assert!(matches!(spool(Input::File(path), &options(), Path::new("/dev/full"), &mut |_, _| {}), Err(SourceError::Spool(_))));
}

#[test]
fn damage_of_the_spool_is_told_with_its_row() {
    let folder = tempfile::tempdir().unwrap();
    spool(bytes("x", b"email\na@b\nc@d\ne@f\n"), &options(), folder.path(), &mut |_, _| {}).unwrap();
    let (rows, index) = (folder.path().join(ROWS), folder.path().join(INDEX));
    let (good_rows, good_index) = (std::fs::read(&rows).unwrap(), std::fs::read(&index).unwrap());
    for at in 0..good_rows.len() {
        let mut bytes = good_rows.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&rows, &bytes).unwrap();
        let error = Spool::open(folder.path()).unwrap().read_many(0, 3).unwrap_err().to_string();
        assert!(error.starts_with("row ") && error.contains("of the spool"), "{at}: {error}");
    }
    std::fs::write(&rows, &good_rows).unwrap();
    for at in 0..good_index.len() {
        let mut bytes = good_index.clone();
        bytes[at] ^= 0x10;
        std::fs::write(&index, &bytes).unwrap();
        let mut spool = Spool::open(folder.path()).unwrap();
        let row = at as u64 / 24;
        let error = spool.read(Position::row(row)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("row {row} of the spool is damaged")), "{error}");
        assert!(spool.read(Position::row((row + 1) % 3)).is_ok());
    }
    std::fs::write(&index, &good_index).unwrap();
    std::fs::write(&rows, &good_rows[..good_rows.len() - 1]).unwrap();
    assert!(Spool::open(folder.path()).unwrap_err().what.contains("cut off"));
    assert!(Spool::open(Path::new("/nonexistent")).unwrap_err().what.contains("no readable spool"));
}

#[test]
fn any_row_is_one_seek_away() {
    let list: String = "email,n\n".to_owned() + &(0..5000).map(|n| format!("u{n}@example.com,{n}\n")).collect::<String>();
    let folder = tempfile::tempdir().unwrap();
    spool(bytes("x", list.as_bytes()), &options(), folder.path(), &mut |_, _| {}).unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut chance = fastrand::Rng::with_seed(1);
    for _ in 0..500 {
        let n = chance.u64(..5000);
        assert_eq!(spool.read(Position::row(n)).unwrap().recipient.unwrap().vars["n"], n.to_string());
    }
    assert_eq!(spool.read_many(4990, 100).unwrap().len(), 10);
    assert_eq!(spool.read_many(6000, 100).unwrap().len(), 0);
    assert!(spool.read(Position::row(5000)).is_err());
}

#[test]
fn two_hundred_thousand_rows_are_deduplicated_in_little_memory() {
    let mut chance = fastrand::Rng::with_seed(11);
    let users: Vec<u32> = (0..200_000).map(|_| chance.u32(..120_000)).collect();
    let mut list = String::from("email,n\n");
    for (n, user) in users.iter().enumerate() {
        // Every hundredth row is bad, and letter case differs.
        let (u, at) = (if n % 2 == 0 { 'u' } else { 'U' }, if n % 100 == 99 { '＠' } else { '@' });
        list.push_str(&format!("{u}{user}{at}example.com,{n}\n"));
    }
    let folder = tempfile::tempdir().unwrap();
    let told = spool_in_chunks(&bytes("x", list.as_bytes()), &options(), folder.path(), &mut |_, _| {}, 1000).unwrap();
    let mut first: HashMap<u32, u64> = HashMap::new();
    let mut spool = Spool::open(folder.path()).unwrap();
    let mut duplicates = 0;
    for (n, user) in users.iter().enumerate() {
        let row = spool.read(Position::row(n as u64)).unwrap();
        if n % 100 == 99 {
            assert!(row.recipient.is_err() && row.skip.is_none());
            continue;
        }
        let of = *first.entry(*user).or_insert(n as u64);
        assert_eq!(row.skip, (of != n as u64).then_some(Skip::Duplicate { of }), "row {n}");
        duplicates += u64::from(of != n as u64);
    }
    assert_eq!((told.rows, told.bad, told.duplicates), (200_000, 2000, duplicates));
}

#[test]
fn a_stream_gives_each_row_as_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let input = b"email,n\na@b,1\n,2\nA@B,3\nc@d,4\n";
    let mut stream = Stream::open(bytes("pipe", input), options(), folder.path()).unwrap();
    let mut reader = Spool::open(folder.path()).unwrap();
    let mut n = 0;
    while let Some(row) = stream.read().unwrap() {
        let again = reader.read(row.position).unwrap();
        assert_eq!((tell(&again), again.skip, again.position), (tell(&row), row.skip, Position::row(n)));
        n += 1;
        assert_eq!(stream.rows(), n);
    }
    stream.sync().unwrap();
    stream.finish().unwrap();
    let mut spool = Spool::open(folder.path()).unwrap();
    let streamed: Vec<String> = spool.read_many(0, 10).unwrap().iter().map(tell).collect();
    assert_eq!(streamed, told(std::str::from_utf8(input).unwrap(), &options()));
    assert!(!folder.path().join("spool.seen").exists());
}

#[cfg(unix)]
#[test]
fn a_stream_does_not_wait_for_more_than_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let path = format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&reader));
    writer.write_all(b"{\"email\":\"a@b\"}\n").unwrap();
    let mut stream = Stream::open(Input::File(path.into()), options(), folder.path()).unwrap();
    assert_eq!(stream.read().unwrap().unwrap().position, Position::row(0));
    writer.write_all("{\"email\":\"c@d\",\"name\":\"李\"}\nnot json\n".as_bytes()).unwrap();
    assert!(stream.read().unwrap().unwrap().recipient.is_ok());
    assert!(stream.read().unwrap().unwrap().recipient.is_err());
    assert_eq!(stream.columns(), ["email", "name"]);
    writer.write_all(b"\xc4\xe3\n").unwrap();
    drop(writer);
    assert!(stream.read().unwrap_err().to_string().contains("not UTF-8"));
    assert!(stream.read().unwrap().is_none());
}

fn sample(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("samples").join(name)
}

fn read_sample(name: &str, options: &ReadOptions) -> Result<(Spooled, Vec<Row>), SourceError> {
    let folder = tempfile::tempdir().unwrap();
    let told = spool(Input::File(sample(name)), options, folder.path(), &mut |_, _| {})?;
    let rows = Spool::open(folder.path()).unwrap().read_many(0, usize::MAX).unwrap();
    Ok((told, rows))
}

#[test]
fn the_samples_are_what_the_guide_says() {
    let (csv, rows) = read_sample("users.csv", &options()).unwrap();
    assert_eq!((csv.rows, csv.bad, csv.duplicates, csv.notices.len()), (16, 0, 0, 0));
    let (jsonl, typed) = read_sample("users.jsonl", &options()).unwrap();
    assert_eq!((jsonl.rows, jsonl.bad, jsonl.duplicates), (17, 0, 0));
    assert_eq!(rows[3].recipient.as_ref().unwrap().vars["name"], typed[3].recipient.as_ref().unwrap().vars["name"]);
    assert_eq!(typed[16].recipient.as_ref().unwrap().to.as_str(), "accounts@example.com");

    let Err(SourceError::Encoding(ambiguity)) = read_sample("users-gbk.csv", &options()) else { panic!() };
    assert!(ambiguity.readings[0].label == "gb18030" && ambiguity.line == 1, "{ambiguity}");
    let (gbk, rows) = read_sample("users-gbk.csv", &ReadOptions { encoding: Some("gb18030".into()), ..options() }).unwrap();
    assert_eq!((gbk.rows, gbk.bad, gbk.columns[1].as_str()), (6, 0, "姓名"));
    assert_eq!(rows[5].recipient.as_ref().unwrap().vars["姓名"], "赵龘");

    let (broken, rows) = read_sample("broken.csv", &options()).unwrap();
    assert_eq!((broken.rows, broken.bad, broken.duplicates), (13, 8, 1));
    let expected = [
        "2 mail ann.lee@example.com",
        "3:1(email)! the row has no address",
        "4:1(email)! `zoe.martin.example.com` is not an email address",
        "5:1(email)! `li.lei＠example.com` has the full-width character",
        "6! the row has 2 fields where the header has 4",
        "7! the row has 6 fields where the header has 4",
        "8:3(phone)! a spreadsheet made `1.2025550106E+10`",
        "9:2(name)! text follows a closing quote",
        "10:1(email)! `two@example.com; second@example.com` is more than one address",
        "11 =0",
        "12 mail multi@example.com",
        "14 mail noamount@example.com",
        "15 mail last@example.org",
    ];
    for (row, expected) in rows.iter().zip(expected) {
        assert!(tell(row).starts_with(expected), "{} is not {expected}", tell(row));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_cells_read_back_exactly(cells in proptest::collection::vec(proptest::collection::vec("[^\0]{0,12}", 3..=3), 1..20)) {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(["email", "a", "b", "c"]).unwrap();
        for (n, row) in cells.iter().enumerate() {
            writer.write_record([&format!("u{n}@example.com"), &row[0], &row[1], &row[2]]).unwrap();
        }
        let read = read(&writer.into_inner().unwrap(), &options()).unwrap();
        prop_assert_eq!(read.rows.len(), cells.len());
        for (row, cells) in read.rows.iter().zip(&cells) {
            let vars = &row.recipient.as_ref().unwrap().vars;
            prop_assert_eq!([&vars["a"], &vars["b"], &vars["c"]], [cells[0].as_str(), &cells[1], &cells[2]]);
        }
    }

    #[test]
    fn any_objects_read_back_exactly(values in proptest::collection::vec(("[a-z]{1,6}", any::<i64>(), "[^\0]{0,12}", any::<bool>()), 1..20)) {
        let objects: Vec<Value> = values
            .iter()
            .enumerate()
            .map(|(n, (name, number, text, flag))| json!({"email": format!("u{n}@example.com"), format!("v_{name}"): number, "t": text, "f": [flag, null, {"x": 1.5}]}))
            .collect();
        let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let array = serde_json::to_string_pretty(&objects).unwrap();
        for input in [lines, array] {
            let read = read(input.as_bytes(), &options()).unwrap();
            let vars: Vec<Value> = read.rows.iter().map(|row| Value::Object(row.recipient.as_ref().unwrap().vars.clone())).collect();
            prop_assert_eq!(&vars, &objects);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        head in prop_oneof![Just("email,a\n"), Just("[{\"email\":1},"), Just("{\"email\":\"a@b\"}\n"), Just("")],
        tail in proptest::collection::vec(prop_oneof![Just(b','), Just(b'"'), Just(b'\n'), Just(b'{'), Just(b'}'), Just(b'@'), Just(b'\\'), any::<u8>()], 0..150),
    ) {
        let input = [head.as_bytes(), &tail].concat();
        let _ = read(&input, &options());
    }
}

#[test]
fn rows_of_each_priority_are_counted_and_found_by_the_index() {
    use crate::priority::Priority::{Critical, High, Low, Normal};
    let words = ["low", "", "critical", "0", "urgent", "High", "3"];
    let list: String = words.iter().enumerate().map(|(n, word)| format!("u{n}@example.com,{word}\n")).collect();
    let read = read(format!("email,_priority\n{list}").as_bytes(), &options()).unwrap();
    let said: Vec<_> = read.rows.iter().map(|row| row.priority).collect();
    assert_eq!(said, [Some(Low), None, Some(Critical), Some(Low), None, Some(High), Some(Critical)]);
    assert!(tell(&read.rows[4]).contains("6:2(_priority)! `_priority`: \"urgent\""), "{}", tell(&read.rows[4]));
    assert_eq!(read.rows[0].recipient.as_ref().unwrap().vars["_priority"], "low", "a retry file carries it");

    let folder = read._folder.path();
    let rows = |stretches: [crate::source::spool::Stretch; 4]| stretches.map(|stretch| (stretch.rows, stretch.first));
    let mut spool = Spool::open(folder).unwrap();
    assert_eq!(rows(spool.ranks(Normal).unwrap()), [(2, 0), (2, 1), (1, 5), (2, 2)]);
    assert_eq!(rows(spool.ranks(Low).unwrap()), [(4, 0), (0, 0), (1, 5), (2, 2)]);
    assert_eq!(spool.priority(Position::row(6)).unwrap(), Some(Critical));
    let (critical, next) = spool.read_some(2, 10, |_, said| said == Some(Critical)).unwrap();
    assert_eq!((critical.iter().map(|row| row.position.row).collect::<Vec<_>>(), next), (vec![2, 6], 7));
    assert_eq!(spool.read_some(0, 1, |_, said| said == Some(Critical)).unwrap().1, 3);

    // A head of an older version says nothing of them: the index is read instead.
    let path = folder.join(HEADER);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut head: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    head.as_object_mut().unwrap().remove("ranks");
    let json = head.to_string();
    std::fs::write(&path, format!("{json}\n{:08x}\n", crc32fast::hash(json.as_bytes()))).unwrap();
    assert_eq!(rows(Spool::open(folder).unwrap().ranks(Normal).unwrap()), [(2, 0), (2, 1), (1, 5), (2, 2)]);
}
