//! Tests of data sources: texts in, what we connect with out.

use std::path::Path;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{Dsn, DsnError, SslMode};

/// One line for a data source; the password is uncovered here, and only here.
fn show(dsn: &Dsn) -> String {
    let mut text = format!(
        "{}@{} db={} ssl={:?} app={}",
        dsn.user,
        dsn.server(),
        dsn.database,
        dsn.ssl.mode,
        dsn.application_name
    );
    let more = [
        dsn.password.as_ref().map(|password| format!(" password={}", password.reveal())),
        dsn.connect_timeout.map(|timeout| format!(" connect_timeout={timeout:?}")),
        dsn.startup_options().map(|options| format!(" options=[{options}]")),
    ];
    text.extend(more.into_iter().flatten());
    text
}

fn check(texts: &[&str], expected: &Expect) {
    let lines = texts.iter().map(|text| match Dsn::parse(text, &|_| None) {
        Ok(dsn) => format!("{}\n", show(&dsn)),
        Err(error) => format!("{error}\n"),
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn urls_are_read() {
    check(
        &[
            "postgresql://monitor:secret@postgres:5432/lakehouse?sslmode=disable",
            "postgres://u@h",
            "postgresql://",
            "postgresql://:7430/postgres?sslmode=disable&host=/tmp",
            "postgresql:///?host=/run/postgresql&dbname=postgres&user=x",
            "postgresql://u:p%40ss%2Fw%3A%25rd%20@h/db",
            "postgresql://u:a:b@h/db",
            "postgresql://us%40er:p@h/d%2Fb",
            "postgresql://u:p@[::1]:5433/db?sslmode=verify-full",
            "postgres://u:p@h/db?statement_timeout=5000&search_path=a%20b&jit=off&connect_timeout=7",
            "postgres://u:p@h/db?options=-c%20geqo%3Doff&work_mem=1MB&application_name=x+y",
            "postgres://u:p@h:1/db?user=v&password=q&port=2",
            "  postgres://u:p@h/db\n",
        ],
        &expect![[r#"
            monitor@postgres:5432 db=lakehouse ssl=Disable app=postgres-exporter password=secret
            u@h:5432 db=u ssl=Require app=postgres-exporter
            postgres@localhost:5432 db=postgres ssl=Require app=postgres-exporter
            postgres@/tmp:7430 db=postgres ssl=Disable app=postgres-exporter
            x@/run/postgresql:5432 db=postgres ssl=Disable app=postgres-exporter
            u@h:5432 db=db ssl=Require app=postgres-exporter password=p@ss/w:%rd 
            u@h:5432 db=db ssl=Require app=postgres-exporter password=a:b
            us@er@h:5432 db=d/b ssl=Require app=postgres-exporter password=p
            u@::1:5433 db=db ssl=VerifyFull app=postgres-exporter password=p
            u@h:5432 db=db ssl=Require app=postgres-exporter password=p connect_timeout=7s options=[-c jit=off -c search_path=a\ b -c statement_timeout=5000]
            u@h:5432 db=db ssl=Require app=x y password=p options=[-c geqo=off -c work_mem=1MB]
            v@h:2 db=db ssl=Require app=postgres-exporter password=q
            u@h:5432 db=db ssl=Require app=postgres-exporter password=p
        "#]],
    );
}

#[test]
fn key_value_pairs_are_read() {
    check(
        &[
            "user=postgres host=/var/run/postgresql/ sslmode=disable",
            "host=h  user = u   password = 'two words'  dbname=''",
            r"host=h user=u password='it\'s a \\'",
            r"host=h user=u password=a\ b database=other",
            "host=h user=u password='' sslmode=prefer",
            "host=h hostaddr=10.0.0.1 port=6432 user=u connect_timeout=0 binary_parameters=yes",
        ],
        &expect![[r#"
            postgres@/var/run/postgresql/:5432 db=postgres ssl=Disable app=postgres-exporter
            u@h:5432 db=u ssl=Require app=postgres-exporter password=two words
            u@h:5432 db=u ssl=Require app=postgres-exporter password=it's a \
            u@h:5432 db=other ssl=Require app=postgres-exporter password=a b
            u@h:5432 db=u ssl=Prefer app=postgres-exporter
            u@10.0.0.1:6432 db=u ssl=Require app=postgres-exporter
        "#]],
    );
}

#[test]
fn what_is_wrong_is_told_without_a_word_of_the_text() {
    check(
        &[
            "",
            "secret",
            "=secret",
            "host=h secret",
            "host=h password='secret",
            r"host=h password=secret\",
            "postgres://u:sec/ret@h/db",
            "postgres://u:secret@h:port/db",
            "postgres://u:secret@h:0/db",
            "postgres://u:secret@h:65536/db",
            "postgres://u:secret%zz@h/db",
            "postgres://u:secret%ff@h/db",
            "postgres://u:secret%0@h/db",
            "postgres://u:secret@[::1/db",
            "postgres://u:secret@[::1]x/db",
            "postgres://u:secret@h/db?sslmode=secret",
            "postgres://u:secret@h/db?secret",
            "postgres://u:secret@h/db?se-cret=1",
            "postgres://u:secret@h/db?connect_timeout=secret",
            "postgres://u:secret%00@h/db",
        ],
        &expect![[r#"
            expected postgresql://user:password@host:port/database or key=value pairs
            a key has no value; quote values with spaces as 'a b'
            expected postgresql://user:password@host:port/database or key=value pairs
            a key has no value; quote values with spaces as 'a b'
            a quoted value does not end
            a quoted value does not end
            the port is not a number from 1 to 65535; write @, :, / and ? in a password as %40, %3A, %2F and %3F
            the port is not a number from 1 to 65535; write @, :, / and ? in a password as %40, %3A, %2F and %3F
            the port is not a number from 1 to 65535; write @, :, / and ? in a password as %40, %3A, %2F and %3F
            the port is not a number from 1 to 65535; write @, :, / and ? in a password as %40, %3A, %2F and %3F
            a percent sign does not begin a valid escape; write % as %25
            a percent sign does not begin a valid escape; write % as %25
            a percent sign does not begin a valid escape; write % as %25
            expected postgresql://user:password@host:port/database or key=value pairs
            the port is not a number from 1 to 65535; write @, :, / and ? in a password as %40, %3A, %2F and %3F
            sslmode must be disable, allow, prefer, require, verify-ca or verify-full
            a key has no value; quote values with spaces as 'a b'
            a key is not made of letters, digits, dots and underscores
            connect_timeout is not a whole number of seconds
            a value contains a zero byte
        "#]],
    );
}

#[test]
fn the_environment_fills_in_what_is_missing() {
    let environment = |name: &str| {
        let value = match name {
            "PGHOST" => "db",
            "PGPORT" => "6543",
            "PGUSER" => "me",
            "PGPASSWORD" => "secret",
            "PGSSLMODE" => "disable",
            "PGAPPNAME" => "app",
            "PGOPTIONS" => "-c geqo=off",
            "PGCONNECT_TIMEOUT" => "2",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let dsn = Dsn::parse("postgresql://u@/x?sslmode=prefer", &environment).unwrap();
    expect![
        "u@db:6543 db=x ssl=Prefer app=app password=secret connect_timeout=2s options=[-c geqo=off]"
    ]
    .assert_eq(&show(&dsn));
}

#[test]
fn files_that_nothing_names_are_in_the_users_folder() {
    let home = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
    let dsn = Dsn::parse("postgresql://u@h/x", &home).unwrap();
    assert_eq!(dsn.ssl.folder.as_deref(), Some(Path::new("/home/me/.postgresql")));
    assert_eq!(dsn.lookups.passfile.as_deref(), Some(Path::new("/home/me/.pgpass")));
    assert_eq!(Dsn::parse("postgresql://u@h/x", &|_| None).unwrap().ssl.folder, None);
}

#[test]
fn debug_output_covers_the_password() {
    for text in [
        "postgres://u:hunter2@h/db",
        "user=u password=hunter2 host=h",
        "user=u sslinline=true sslcert=x sslkey='-----BEGIN hunter2'",
    ] {
        let dsn = Dsn::parse(text, &|_| None).unwrap();
        assert!(!format!("{dsn:?} {dsn:#?}").contains("hunter2"));
        let secret = dsn.password.or(dsn.ssl.key).unwrap();
        assert!(secret.reveal().ends_with("hunter2"));
    }
}

#[test]
fn what_the_operator_sets_is_known() {
    let sets = |text: &str| Dsn::parse(text, &|_| None).unwrap().sets("statement_timeout");
    assert!(sets("postgres://h/db?statement_timeout=5000"));
    assert!(sets("postgres://h/db?options=-c%20statement_timeout%3D5s"));
    assert!(!sets("postgres://h/db?lock_timeout=5000"));
}

#[test]
fn the_default_mode_is_that_of_the_go_driver() {
    assert_eq!(SslMode::default(), SslMode::Require);
}

proptest! {
    #[test]
    fn property_no_text_panics(text in "(postgres://|postgresql://|host=)?[ -~\u{e9}\0\n]{0,60}|\\PC{0,40}") {
        let _outcome: Result<Dsn, DsnError> = Dsn::parse(&text, &|_| None);
    }

    #[test]
    fn property_an_error_tells_nothing_of_the_text(secret in "[a-z0-9]{24}", form in 0..3_usize) {
        let text = match form {
            0 => format!("postgres://u:{secret}/x@h:{secret}/db"),
            1 => format!("host=h user=u {secret} password='{secret}"),
            _ => format!("postgres://h/db?{secret}=%{secret}&sslmode={secret}"),
        };
        if let Err(error) = Dsn::parse(&text, &|_| None) {
            let told = format!("{error} {error:?}");
            prop_assert!(!told.contains(&secret));
        }
    }

    #[test]
    fn property_quoted_values_come_back(user in "[^\0]{1,20}", password in "[^\0]{1,20}") {
        let quote = |text: &str| text.replace('\\', r"\\").replace('\'', r"\'");
        let text = format!("host=h user='{}' password='{}'", quote(&user), quote(&password));
        let dsn = Dsn::parse(&text, &|_| None).unwrap();
        prop_assert_eq!(dsn.user, user);
        let read = dsn.password.unwrap();
        prop_assert_eq!(read.reveal(), &password);
    }

    #[test]
    fn property_escaped_passwords_come_back(password in "[^\0]{1,20}") {
        let escape = |byte| format!("%{byte:02x}");
        let escaped = password.bytes().map(escape).collect::<Vec<_>>().concat();
        let dsn = Dsn::parse(&format!("postgres://u:{escaped}@h/db"), &|_| None).unwrap();
        let read = dsn.password.unwrap();
        prop_assert_eq!(read.reveal(), &password);
    }
}
