use super::*;

const CA: &str = include_str!("../../../runtime/src/aws/roots.pem");

fn parse(text: &str) -> Result<Database, String> {
    Database::parse(text, None, None).map_err(|error| error.to_string())
}

fn refused(text: &str) -> String {
    parse(text).err().unwrap_or_else(|| "accepted".to_owned())
}

#[test]
fn without_an_authority_only_a_database_on_this_machine_is_migrated() {
    let stays = |text: &str| parse(text).is_ok_and(|database| database.stays_here());
    assert!(stays("postgresql://u:p@127.0.0.1:5432/d"));
    assert!(stays("user=u host=/run/postgresql dbname=d"));
    assert!(!stays("postgresql://u:p@db.example.com/d?sslmode=disable"));
    assert!(!stays("postgresql://u:p@localhost,db.example.com/d"));
    assert!(!stays("user=u host=localhost hostaddr=192.0.2.1 dbname=d"));
}

#[test]
fn the_modes_of_libpq_are_accepted_and_the_certificate_is_always_checked() {
    for mode in ["verify-full", "verify-ca", "require", "prefer", "disable"] {
        assert!(parse(&format!("postgresql://u@db.example.com/d?sslmode={mode}")).is_ok(), "{mode}");
        assert!(parse(&format!("host=db.example.com user=u sslmode={mode}")).is_ok(), "{mode}");
    }
    let full = Database::parse("postgresql://u@db.example.com/d?sslmode=verify-full", None, Some(CA));
    assert!(full.is_ok_and(|database| database.ca.is_some()));
    let contradiction = Database::parse("postgresql://u@db.example.com/d?sslmode=disable", None, Some(CA));
    assert!(contradiction.is_err_and(|error| error.to_string().contains("sslmode=disable contradicts")));
    assert!(refused("postgresql://u@h/d?sslmode=verify_full").contains("sslmode must be verify-full"));
    assert!(refused("postgresql://u@h/d?sslrootcert=/nowhere/ca.pem").contains("sslrootcert must be a file"));
}

#[test]
fn options_of_other_libraries_are_ignored_by_name() {
    let url = "postgresql://u:p@db.example.com:5433/d?pgbouncer=true&connection_limit=1&connect_timeout=3&sslmode=require";
    let database = parse(url).expect("it is accepted");
    assert_eq!(database.ignored, ["pgbouncer", "connection_limit"]);
    assert_eq!(database.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
    assert_eq!(database.address().port, 5433);
    let words =
        parse(r"host=db.example.com user=u password='a \'b\\c' dbname = d channel_binding=require supa=x")
            .expect("it is accepted");
    assert_eq!(words.config.get_password(), Some(br"a 'b\c".as_slice()));
    assert_eq!((words.address().database.as_str(), words.ignored), ("d", vec!["supa".to_owned()]));
}

#[test]
fn the_password_is_taken_from_its_own_variable_where_the_string_has_none() {
    let password = |text: &str| {
        let database = Database::parse(text, Some("from the variable"), None).expect("it is accepted");
        database.config.get_password().map(<[u8]>::to_vec)
    };
    assert_eq!(password("postgresql://u@localhost/d"), Some(b"from the variable".to_vec()));
    assert_eq!(password("postgresql://u:p%40ss@localhost/d"), Some(b"p@ss".to_vec()));
}

#[test]
fn an_error_names_the_option_and_what_to_write() {
    for (text, words) in [
        (
            "postgresql://postgres:x@aws-0-eu-central-1.pooler.supabase.com:5432/postgres",
            "<role>.<project reference>",
        ),
        (
            "postgresql://postgres.ref:x@aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
            "write port 5432",
        ),
        ("postgresql://postgres:x@db.ref.supabase.co:6543/postgres", "write port 5432"),
        ("postgresql://postgres:[YOUR-PASSWORD]@db.ref.supabase.co:5432/postgres", "placeholder in brackets"),
        ("postgresql://u:p@host:port/d", "invalid value for option `port`"),
        ("https://ref.supabase.co", "must begin with postgresql://"),
        ("jdbc:postgresql://host/d", "must begin with postgresql://"),
        ("db.example.com", "it must be a URL"),
        ("postgresql:///d", "it has no host"),
        ("postgresql://host/d", "it has no user"),
        ("host=h user=u connect_timeout=soon", "invalid value for option `connect_timeout`"),
    ] {
        let text = refused(text);
        assert!(text.starts_with("DATABASE_URL: ") && text.contains(words), "{text}");
    }
}

#[test]
fn no_part_of_a_password_is_printed() {
    for password in [
        "hun@ter2",
        "hun/ter2",
        "hun?ter2=x",
        "hun#ter2",
        "hun%ter2",
        "hun:ter2",
        "hun ter2",
        "hun[ter]2",
        "@@hunter",
    ] {
        let text = refused(&format!("postgresql://owner:{password}@db.example.com/d"));
        assert!(text.contains("percent-encoded") || text.contains("placeholder"), "{text}");
        assert!(!text.contains("hun") && !text.contains("ter2"), "{text}");
    }
    for text in [
        "host=h user=u password=hunter2 'x",
        "password='hunter2",
        "postgresql://u:hunter2@h:5432/d?sslmode=hunter2",
    ] {
        assert!(!refused(text).contains("hunter2"), "{}", refused(text));
    }
    let database = parse("postgresql://u:hunter2@localhost/d").expect("it is accepted");
    assert!(!format!("{database:?}").contains("hunter2"));
}
