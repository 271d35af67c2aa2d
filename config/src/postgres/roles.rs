//! The three roles of a server, their passwords, and databases that are open to them only.

use std::{fs::File, io::Read, io::Write, os::unix::fs::OpenOptionsExt, path::Path};

use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::PostgresError;

/// The superuser of a private server.
pub(super) const SUPERUSER: &str = "postgres";
/// The database that every server has, to connect to before there is another.
pub(super) const MAINTENANCE_DATABASE: &str = "postgres";
/// The key of the advisory lock under which roles and databases are made: two at once trip over each other.
const SETUP_LOCK: i64 = 0x6368_6572_7401;

/// Who connects, and so what they may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Owns the database and the log; may act as the other two.
    Owner,
    /// Appends to the log and owns the views.
    Indexer,
    /// Reads.
    Reader,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Indexer, Self::Reader];

    /// The role's name in PostgreSQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owner => "chert_owner",
            Self::Indexer => "chert_indexer",
            Self::Reader => "chert_reader",
        }
    }
}

/// The passwords of one server. Each is of letters and digits only, so that it needs no quoting anywhere.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Credentials {
    /// The superuser's.
    pub superuser: String,
    owner: String,
    indexer: String,
    reader: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(***)")
    }
}

impl Credentials {
    /// New random ones.
    pub fn random() -> Result<Self, PostgresError> {
        Ok(Self { superuser: random_hex()?, owner: random_hex()?, indexer: random_hex()?, reader: random_hex()? })
    }

    /// The same ones for everybody who knows the superuser's: for a server where nothing can be stored beside the data.
    #[cfg(feature = "testing")]
    pub fn derived(superuser: &str) -> Self {
        use sha2::{Digest, Sha256};
        let of = |role: Role| hex::encode(&Sha256::digest(format!("{}/{superuser}", role.name()))[..16]);
        Self {
            superuser: superuser.to_owned(),
            owner: of(Role::Owner),
            indexer: of(Role::Indexer),
            reader: of(Role::Reader),
        }
    }

    /// The password of a role.
    pub fn password(&self, role: Role) -> &str {
        match role {
            Role::Owner => &self.owner,
            Role::Indexer => &self.indexer,
            Role::Reader => &self.reader,
        }
    }

    /// Reads them back.
    pub fn read(path: &Path) -> Result<Self, PostgresError> {
        let bytes = std::fs::read(path).map_err(PostgresError::file("cannot read", path))?;
        serde_json::from_slice(&bytes).map_err(|error| PostgresError::Unexpected {
            what: format!("{} does not hold the passwords of the server: {error}", path.display()),
        })
    }

    /// Stores them for this user only.
    pub fn write(&self, path: &Path) -> Result<(), PostgresError> {
        write_secret(path, &serde_json::to_string(self).expect("texts are JSON"))
    }
}

/// Writes a file that nobody else can read, not even for a moment.
pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), PostgresError> {
    let _ = std::fs::remove_file(path);
    File::options()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(PostgresError::file("cannot write", path))
}

/// 128 random bits from the system, as 32 hexadecimal digits. Passwords are the one thing here that no seed may repeat.
pub(super) fn random_hex() -> Result<String, PostgresError> {
    let path = "/dev/urandom";
    let mut bytes = [0; 16];
    File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(PostgresError::file("cannot read", path))?;
    Ok(hex::encode(bytes))
}

/// A server's address without user, password and database.
#[derive(Clone, Debug)]
pub(super) struct Address {
    /// The host and the port, as in a URL.
    pub authority: String,
    /// The parameters with their question mark, or nothing.
    pub parameters: String,
}

impl Address {
    /// A server on this machine. It has no certificate, and asking for one would cost a round trip.
    pub fn private(port: u16) -> Self {
        Self { authority: format!("127.0.0.1:{port}"), parameters: "?sslmode=disable".to_owned() }
    }

    /// The address of a database as somebody; the password is put in as it is.
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@{}/{database}{}", self.authority, self.parameters)
    }
}

/// Runs statements that are put together here; every name and password in them is of letters, digits and `_`.
pub(super) async fn execute(connection: &mut PgConnection, sql: String) -> Result<(), PostgresError> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await?;
    Ok(())
}

/// Whether a query has any row.
pub(super) async fn has_rows(connection: &mut PgConnection, sql: String) -> Result<bool, PostgresError> {
    Ok(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(connection).await?.is_some())
}

/// A connection that alone may make roles and databases until it is closed.
pub(super) async fn connect_for_setup(superuser_url: &str) -> Result<PgConnection, PostgresError> {
    let mut connection = PgConnection::connect(superuser_url).await?;
    execute(&mut connection, format!("select pg_advisory_lock({SETUP_LOCK})")).await?;
    Ok(connection)
}

/// Makes the three roles where they are missing. Passwords of existing roles stay as they are.
pub(super) async fn create(superuser_url: &str, credentials: &Credentials) -> Result<(), PostgresError> {
    let mut connection = connect_for_setup(superuser_url).await?;
    for role in Role::ALL {
        let name = role.name();
        if !has_rows(&mut connection, format!("select from pg_roles where rolname = '{name}'")).await? {
            let password = credentials.password(role);
            execute(&mut connection, format!("create role {name} login password '{password}'")).await?;
        }
    }
    // The owner makes schemas for the indexer and grants in its name.
    execute(&mut connection, "grant chert_indexer, chert_reader to chert_owner".to_owned()).await?;
    Ok(connection.close().await?)
}

/// Makes sure that a database exists, belongs to the owner, and is open to the three roles only.
pub(super) async fn ensure_database(superuser_url: &str, name: &str) -> Result<(), PostgresError> {
    check_name(name)?;
    let mut connection = connect_for_setup(superuser_url).await?;
    if !has_rows(&mut connection, format!("select from pg_database where datname = '{name}'")).await? {
        execute(&mut connection, format!("create database {name} owner chert_owner")).await?;
    }
    restrict(&mut connection, name).await?;
    Ok(connection.close().await?)
}

/// Opens a database to the three roles only.
pub(super) async fn restrict(connection: &mut PgConnection, name: &str) -> Result<(), PostgresError> {
    execute(connection, format!("revoke all on database {name} from public")).await?;
    let roles = "chert_owner, chert_indexer, chert_reader";
    execute(connection, format!("grant connect, temporary on database {name} to {roles}")).await
}

fn check_name(name: &str) -> Result<(), PostgresError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let is_good = (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with(|first: char| first.is_ascii_digit());
    if is_good { Ok(()) } else { Err(PostgresError::Name { name: name.to_owned() }) }
}
