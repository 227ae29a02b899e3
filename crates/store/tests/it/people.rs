//! Clients that reach the database directly, as Supabase's API lets them: its login has no privileges except to take
//! a client's role, for one transaction, with the claims of the client's token.

use std::sync::Arc;

use local::seed::{Host, User};
use local_testing::{TestCloud, TestResult};
use serde_json::json;
use tokio_postgres::Client;

use crate::database::{SUPERUSER, column, connect, supabase};

/// A local cloud whose database has Supabase's layout, with the login of its API.
pub(crate) struct Supabase {
    pub(crate) cloud: TestCloud,
    api: String,
}

/// Runs a test with such a database, whose login is dropped however the test ends.
pub(crate) async fn in_supabase<Test, Running>(test: Test) -> TestResult
where
    Test: FnOnce(Arc<Supabase>) -> Running,
    Running: Future<Output = TestResult> + Send + 'static,
{
    let cloud = TestCloud::on(Host { before: supabase(SUPERUSER), ..Host::default() }).await?;
    let database = &cloud.parts().database;
    let login = format!("{}_api", database.name());
    let admin = connect(&database.server().admin_url()).await?;
    let verifier = local_postgres::verifier("let me in");
    let create =
        format!("CREATE ROLE {login} LOGIN NOINHERIT PASSWORD '{verifier}' IN ROLE anon, authenticated");
    admin.batch_execute(&create).await?;
    let api = format!("postgres://{login}:let%20me%20in@{}/{}", database.server().addr(), database.name());
    let ended = tokio::spawn(test(Arc::new(Supabase { cloud, api }))).await;
    admin.batch_execute(&format!("DROP ROLE {login}")).await?;
    ended?
}

impl Supabase {
    /// A client with the public key only.
    pub(crate) async fn anonymous(&self) -> TestResult<Person> {
        self.person("anon", json!({ "role": "anon" }).to_string()).await
    }

    /// A client that has signed in.
    pub(crate) async fn signed_in(&self, user: &User) -> TestResult<Person> {
        let claims = json!({ "role": "authenticated", "sub": user.firebase_uid });
        self.person("authenticated", claims.to_string()).await
    }

    /// A client that has signed in, with these claims.
    pub(crate) async fn with_claims(&self, claims: &str) -> TestResult<Person> {
        self.person("authenticated", claims.to_owned()).await
    }

    async fn person(&self, role: &'static str, claims: String) -> TestResult<Person> {
        Ok(Person { client: connect(&self.api).await?, role, claims })
    }
}

/// A client with its claims.
pub(crate) struct Person {
    client: Client,
    role: &'static str,
    claims: String,
}

impl Person {
    /// The first column of a statement's rows, or the SQLSTATE of its rejection. The transaction is rolled back.
    pub(crate) async fn ask(&self, sql: &str) -> TestResult<Result<Vec<String>, String>> {
        let claims = self.claims.replace('\'', "''");
        let before = format!(
            "BEGIN; SET LOCAL ROLE {}; SELECT set_config('request.jwt.claims', '{claims}', true)",
            self.role
        );
        self.client.batch_execute(&before).await?;
        let answer = column(&self.client, sql).await;
        self.client.batch_execute("ROLLBACK").await?;
        Ok(answer)
    }
}
