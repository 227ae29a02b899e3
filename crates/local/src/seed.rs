//! People and appointments to try things with.

use serde::Serialize;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Why seeding failed.
#[derive(Debug, thiserror::Error)]
#[error("the fixtures could not be inserted")]
pub struct Error(#[from] tokio_postgres::Error);

/// A user who can sign in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `users.id`.
    pub id: Uuid,
    /// `sub` of their tokens.
    pub firebase_uid: String,
}

/// An appointment with everyone around it.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The appointment.
    pub appointment: Uuid,
    /// The appointment's provider.
    pub provider: User,
    /// The appointment's patient.
    pub patient: User,
    /// A user who is not part of the appointment.
    pub stranger: User,
    /// A user who may read the audit.
    pub auditor: User,
}

/// The seeded world, and the means to seed more.
pub struct Seed {
    api: String,
    database_url: String,
    audience: String,
    host: Host,
    database: Client,
    first: Fixture,
}

/// The host application's part of the database.
#[derive(Clone, Debug)]
pub struct Host {
    /// The SQL that runs before the migrations.
    pub before: String,
    /// How an appointment with its four people gets in: texts `$1` appointment, `$2 $3` provider's id and Firebase uid,
    /// `$4 $5` patient, `$6 $7` stranger, `$8 $9` auditor.
    pub seed: String,
}

impl Default for Host {
    /// A host with nothing of its own: it has the tables that the migrations make.
    fn default() -> Self {
        Self { before: String::new(), seed: SEED.to_owned() }
    }
}

const SEED: &str = "-- seed
WITH people AS (
  INSERT INTO public.users (id, firebase_uid, display_name)
  VALUES ($2::uuid, $3, 'Provider'), ($4::uuid, $5, 'Patient'), ($6::uuid, $7, 'Stranger'), ($8::uuid, $9, 'Auditor')
)
INSERT INTO public.appointments (id, provider_user_id, patient_user_id, scheduled_start, scheduled_end)
VALUES ($1::uuid, $2::uuid, $4::uuid, now(), now() + interval '30 minutes')";

impl Seed {
    /// Seeds the first appointment, with ids that are always the same: `events/` name them.
    pub(crate) async fn insert(
        database_url: &str,
        host: Host,
        api: String,
        audience: String,
    ) -> Result<Self, Error> {
        let (database, driver) = tokio_postgres::connect(database_url, NoTls).await?;
        tokio::spawn(driver);
        let fixed = |n: u128| Uuid::from_u128(0x0000_0000_0000_4000_8000_0000_0000_0000 + n);
        let user = |n, name: &str| User { id: fixed(n), firebase_uid: format!("{name}-uid") };
        let first = Fixture {
            appointment: fixed(0xa1),
            provider: user(0x1, "provider"),
            patient: user(0x2, "patient"),
            stranger: user(0x3, "stranger"),
            auditor: user(0x4, "auditor"),
        };
        insert(&database, &host, &first).await?;
        Ok(Self { api, database_url: database_url.to_owned(), audience, host, database, first })
    }

    /// Where the API is.
    #[must_use]
    pub fn api(&self) -> &str {
        &self.api
    }

    /// The database, directly.
    #[must_use]
    pub fn database_url(&self) -> &str {
        &self.database_url
    }

    /// The audience of valid tokens.
    #[must_use]
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// The first appointment.
    #[must_use]
    pub const fn first(&self) -> &Fixture {
        &self.first
    }

    /// The database as its owner, for what tests look at.
    #[must_use]
    pub const fn database(&self) -> &Client {
        &self.database
    }

    /// A new appointment with new users.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn appointment(&self) -> Result<Fixture, Error> {
        let user = |name: &str| {
            let id = Uuid::new_v4();
            User { id, firebase_uid: format!("{name}-{}", id.simple()) }
        };
        let cast = Fixture {
            appointment: Uuid::new_v4(),
            provider: user("provider"),
            patient: user("patient"),
            stranger: user("stranger"),
            auditor: user("auditor"),
        };
        insert(&self.database, &self.host, &cast).await?;
        Ok(cast)
    }
}

async fn insert(database: &Client, host: &Host, cast: &Fixture) -> Result<(), Error> {
    let ids = [&cast.provider, &cast.patient, &cast.stranger, &cast.auditor]
        .map(|user| (user.id.to_string(), &user.firebase_uid));
    let appointment = cast.appointment.to_string();
    let mut params: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> =
        vec![(&appointment, Type::TEXT)];
    for (id, uid) in &ids {
        params.push((id, Type::TEXT));
        params.push((*uid, Type::TEXT));
    }
    database.query_typed(&host.seed, &params).await?;
    Ok(())
}
