//! The rows that clients can read and write: anonymous users, strangers, and members of a call. On Supabase's layout, whose
//! default privileges give clients everything.

use local::seed::Fixture;
use local_testing::{Scenario, TestCloud, TestResult};

use crate::people::{Person, Supabase, in_supabase};

/// `insufficient_privilege`
const REFUSED: &str = "42501";

/// Two calls with two participants in each.
struct Calls {
    one: Fixture,
    session: String,
    other: Fixture,
}

async fn calls(cloud: &TestCloud) -> TestResult<Calls> {
    let one = cloud.parts().seed.appointment().await?;
    let other = cloud.parts().seed.appointment().await?;
    let session = both_in(&cloud.scenario_of(&one)?).await?;
    both_in(&cloud.scenario_of(&other)?).await?;
    Ok(Calls { one, session, other })
}

async fn both_in(scenario: &Scenario) -> TestResult<String> {
    let started = scenario.provider.start().await?;
    assert_eq!(started.brief(), "201");
    assert_eq!(scenario.patient.join().await?.brief(), "200");
    Ok(started.text("sessionId"))
}

/// All tables and views of this project.
async fn ours(cloud: &TestCloud) -> TestResult<Vec<String>> {
    let all = "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text) FROM pg_class c
               WHERE c.relnamespace IN ('public'::regnamespace, 'medzen'::regnamespace) AND c.relkind IN ('r', 'p', 'v', 'm')";
    Ok(cloud.sql(all).await?.split(' ').map(str::to_owned).collect())
}

async fn can_see(person: &Person, sql: &str) -> TestResult<Vec<String>> {
    Ok(person.ask(sql).await?.map_err(|code| format!("{sql}: refused with {code}"))?)
}

async fn refused(person: &Person, who: &str, sql: &str) -> TestResult {
    assert_eq!(person.ask(sql).await?, Err(REFUSED.to_owned()), "{who}: {sql}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_only_the_public_key_reads_nothing() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        calls(&supabase.cloud).await?;
        let anonymous = supabase.anonymous().await?;
        let tables = ours(&supabase.cloud).await?;
        assert!(tables.len() > 8, "{tables:?}");
        for table in tables {
            refused(&anonymous, "anonymous", &format!("SELECT count(*) FROM {table}")).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn patient_and_provider_see_their_own_call_and_a_stranger_sees_none() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let sessions = "SELECT id FROM video_call_sessions";
        let participants =
            "SELECT concat_ws(' ', video_call_id, role, status) FROM video_call_participants ORDER BY role";
        let view =
            "SELECT concat_ws(' ', video_call_id, call_status, role, status, coalesce(display_name, 'null'))
                    FROM video_call_participants_view ORDER BY role";
        let session = &calls.session;
        for member in [&calls.one.provider, &calls.one.patient] {
            let member = supabase.signed_in(member).await?;
            assert_eq!(can_see(&member, sessions).await?, [session.as_str()]);
            assert_eq!(
                can_see(&member, participants).await?,
                [format!("{session} patient joined"), format!("{session} provider joined")]
            );
            assert_eq!(
                can_see(&member, view).await?,
                [
                    format!("{session} active patient joined Patient"),
                    format!("{session} active provider joined Provider")
                ]
            );
        }
        let strangers = [
            supabase.signed_in(&calls.one.stranger).await?,
            supabase.signed_in(&calls.one.auditor).await?,
            supabase.with_claims("").await?,
            supabase.with_claims("{}").await?,
            supabase.with_claims(r#"{"sub": null}"#).await?,
            supabase.with_claims(r#"{"sub": "", "role": "service_role"}"#).await?,
        ];
        for stranger in strangers {
            for question in [sessions, participants, view] {
                assert_eq!(can_see(&stranger, question).await?, Vec::<String>::new(), "{question}");
            }
        }
        // Members of another call see that one.
        let other = supabase.signed_in(&calls.other.patient).await?;
        assert_eq!(can_see(&other, sessions).await?.len(), 1);
        assert_ne!(can_see(&other, sessions).await?, [session.as_str()]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_sees_the_call_until_they_are_removed() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let (session, user) = (&calls.session, &calls.one.stranger);
        let observer = supabase.signed_in(user).await?;
        let database = supabase.cloud.parts().seed.database();
        let invite = format!(
            "INSERT INTO video_call_participants (video_call_id, user_id, role, status, admitted_at)
             VALUES ('{session}', '{}', 'observer', 'invited', now())",
            user.id
        );
        database.batch_execute(&invite).await?;
        let names = "SELECT display_name FROM video_call_participants_view ORDER BY 1";
        assert_eq!(can_see(&observer, "SELECT id FROM video_call_sessions").await?, [session.as_str()]);
        assert_eq!(can_see(&observer, names).await?, ["Patient", "Provider", "Stranger"]);

        let set = |what: &str| format!("UPDATE {what} '{}'", user.id);
        for shut_out in
            ["status = 'removed'", "status = 'turned_away'", "status = 'joined', admitted_at = NULL"]
        {
            database
                .batch_execute(&set(&format!("video_call_participants SET {shut_out} WHERE user_id =")))
                .await?;
            assert_eq!(can_see(&observer, "SELECT id FROM video_call_sessions").await?, Vec::<String>::new());
            assert_eq!(can_see(&observer, names).await?, Vec::<String>::new(), "{shut_out}");
        }
        let back = "video_call_participants SET status = 'joined', admitted_at = now() WHERE user_id =";
        database.batch_execute(&set(back)).await?;
        assert_eq!(can_see(&observer, names).await?.len(), 3);
        let over = format!(
            "UPDATE video_call_sessions SET status = 'ended', ended_at = now() WHERE id = '{session}'"
        );
        database.batch_execute(&over).await?;
        assert_eq!(can_see(&observer, names).await?, Vec::<String>::new(), "nor when the call is over");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_waiting_participant_is_seen_by_the_provider_and_by_themselves() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let (session, waiting) = (&calls.session, &calls.one.stranger);
        let database = supabase.cloud.parts().seed.database();
        let provider = supabase.signed_in(&calls.one.provider).await?;
        let patient = supabase.signed_in(&calls.one.patient).await?;
        let own = supabase.signed_in(waiting).await?;
        let other = supabase.signed_in(&calls.other.provider).await?;
        let roles = "SELECT role FROM video_call_participants ORDER BY role";
        for status in ["waiting", "turned_away"] {
            let come = format!(
                "INSERT INTO video_call_participants (video_call_id, user_id, role, status, waiting_since)
                 VALUES ('{session}', '{}', 'observer', '{status}', now())
                 ON CONFLICT (video_call_id, user_id) DO UPDATE SET status = '{status}'",
                waiting.id
            );
            database.batch_execute(&come).await?;
            assert_eq!(can_see(&provider, roles).await?, ["observer", "patient", "provider"], "{status}");
            assert_eq!(can_see(&own, roles).await?, ["observer"], "themselves and nobody else: {status}");
            for (who, person) in [("patient", &patient), ("another provider", &other)] {
                assert_eq!(can_see(person, roles).await?, ["patient", "provider"], "{who}: {status}");
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_is_read_by_its_own_user() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let scenario = supabase.cloud.scenario_of(&calls.one)?;
        let yes = serde_json::json!({ "recording": true });
        for caller in [&scenario.patient, &scenario.provider] {
            assert_eq!(caller.ask("PUT", "/appointments/{a}/call/consent", &yes).await?.brief(), "200");
        }
        let consents = "SELECT concat_ws(' ', user_id, kind, granted) FROM video_call_consents";
        for user in [&calls.one.patient, &calls.one.provider] {
            let person = supabase.signed_in(user).await?;
            assert_eq!(can_see(&person, consents).await?, [format!("{} recording t", user.id)]);
        }
        for user in [&calls.one.stranger, &calls.other.patient] {
            assert_eq!(can_see(&supabase.signed_in(user).await?, consents).await?, Vec::<String>::new());
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_cannot_read_join_tokens_names_and_audit() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let people = [
            ("anonymous", supabase.anonymous().await?),
            ("stranger", supabase.signed_in(&calls.one.stranger).await?),
            ("patient", supabase.signed_in(&calls.one.patient).await?),
            ("provider", supabase.signed_in(&calls.one.provider).await?),
        ];
        let tables = ours(&supabase.cloud).await?;
        let private = tables.iter().filter(|table| table.starts_with("medzen."));
        let mut questions: Vec<String> =
            private.map(|table| format!("SELECT count(*) FROM {table}")).collect();
        assert!(questions.len() >= 8, "{questions:?}");
        // These are no way around it either: the functions that policies use, appending to the audit, other
        // privileges.
        questions.push("SELECT medzen.own_sessions()".to_owned());
        questions.push("SELECT medzen.own_participant_names()".to_owned());
        questions.push("SELECT medzen.audit_append('APPT#x', '{}', now())".to_owned());
        questions.push("CALL medzen.make_private('public.users')".to_owned());
        questions.push(format!("SET LOCAL ROLE {}", supabase.cloud.parts().database.functions_role()));
        questions.push("CREATE TABLE medzen.mine (id uuid)".to_owned());
        for (who, person) in &people {
            for question in &questions {
                refused(person, who, question).await?;
            }
        }
        Ok(())
    })
    .await
}

/// App builders, dashboards and support tools read whole rows. What clients may not read is in a schema of its own, so a column
/// grant never stands in the way.
#[tokio::test(flavor = "multi_thread")]
async fn select_star_works_on_every_public_table_and_returns_own_rows_alone() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let scenario = supabase.cloud.scenario_of(&calls.one)?;
        let yes = serde_json::json!({ "recording": true });
        for caller in [&scenario.patient, &scenario.provider] {
            assert_eq!(caller.ask("PUT", "/appointments/{a}/call/consent", &yes).await?.brief(), "200");
        }
        let tables = ours(&supabase.cloud).await?;
        let public: Vec<_> = tables.iter().filter(|table| !table.starts_with("medzen.")).collect();
        let expected = [
            ("appointments", 1, 0),
            ("users", 1, 1),
            ("video_call_consents", 1, 0),
            ("video_call_participants", 2, 0),
            ("video_call_participants_view", 2, 0),
            ("video_call_sessions", 1, 0),
        ];
        assert_eq!(public, expected.map(|(table, ..)| table).to_vec(), "each is on the list");
        for (table, of_members, of_strangers) in expected {
            let all = format!("SELECT * FROM {table}");
            for member in [&calls.one.provider, &calls.one.patient] {
                let rows = can_see(&supabase.signed_in(member).await?, &all).await?;
                assert_eq!(rows.len(), of_members, "{all}: {rows:?}");
            }
            let rows = can_see(&supabase.signed_in(&calls.one.stranger).await?, &all).await?;
            assert_eq!(rows.len(), of_strangers, "a stranger: {all}: {rows:?}");
            refused(&supabase.anonymous().await?, "anonymous", &all).await?;
        }
        let own =
            can_see(&supabase.signed_in(&calls.one.patient).await?, "SELECT firebase_uid FROM users").await?;
        assert_eq!(own, [calls.one.patient.firebase_uid.as_str()]);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_with_two_accounts_reads_the_calls_of_both() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let database = supabase.cloud.parts().seed.database();
        database.batch_execute("ALTER TABLE users DROP CONSTRAINT users_firebase_uid_key").await?;
        let (one, other) = (&calls.one.patient, &calls.other.patient);
        let merge =
            format!("UPDATE users SET firebase_uid = '{}' WHERE id = '{}'", one.firebase_uid, other.id);
        database.batch_execute(&merge).await?;
        let person = supabase.signed_in(one).await?;
        assert_eq!(can_see(&person, "SELECT id FROM video_call_sessions").await?.len(), 2);
        assert_eq!(can_see(&person, "SELECT user_id FROM video_call_participants").await?.len(), 4);
        // Each appointment is entered as the account that it names.
        for (scenario, user) in [
            (supabase.cloud.scenario_of(&calls.one)?, one),
            (supabase.cloud.scenario_of(&calls.other)?, other),
        ] {
            let mut scenario = scenario;
            scenario.patient.token = supabase.cloud.scenario_of(&calls.one)?.patient.token;
            let joined = scenario.patient.join().await?;
            assert_eq!(joined.brief(), "200", "{:?}", joined.body);
            assert_eq!(joined.body["attendee"]["ExternalUserId"], user.id.to_string());
        }
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_client_writes_anything() -> TestResult {
    in_supabase(async |supabase: std::sync::Arc<Supabase>| {
        let calls = calls(&supabase.cloud).await?;
        let people = [
            ("anonymous", supabase.anonymous().await?),
            ("stranger", supabase.signed_in(&calls.one.stranger).await?),
            ("patient", supabase.signed_in(&calls.one.patient).await?),
            ("provider", supabase.signed_in(&calls.one.provider).await?),
        ];
        // A writable view would reject this with another code: 55000 says that this view cannot be written to.
        let refused_for = |answer: &Result<Vec<String>, String>, view: bool| match answer {
            Err(code) => code == REFUSED || (view && code == "55000"),
            Ok(_) => false,
        };
        for table in ours(&supabase.cloud).await? {
            let relation = format!("'{table}'::regclass");
            let view =
                supabase.cloud.sql(&format!("SELECT relkind FROM pg_class WHERE oid = {relation}")).await?
                    == "v";
            let column = supabase
                .cloud
                .sql(&format!("SELECT attname FROM pg_attribute WHERE attrelid = {relation} AND attnum = 1"))
                .await?;
            let mut writes = vec![
                format!("INSERT INTO {table} DEFAULT VALUES"),
                format!("UPDATE {table} SET {column} = NULL"),
                format!("DELETE FROM {table}"),
            ];
            if !view {
                writes.push(format!("TRUNCATE {table} CASCADE"));
                writes.push(format!("SELECT {column} FROM {table} FOR UPDATE"));
            }
            for (who, person) in &people {
                for write in &writes {
                    let answer = person.ask(write).await?;
                    assert!(refused_for(&answer, view), "{who}: {write}: {answer:?}");
                }
            }
        }
        Ok(())
    })
    .await
}
