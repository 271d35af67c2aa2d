//! Which server the tests run on: one that is named, a container, or the private one.

use sqlx::{Connection, PgConnection};

use crate::postgres::{
    Binaries, Options, PostgresError, PrivateServer, Role, Storage,
    roles::{self, Address, Credentials, MAINTENANCE_DATABASE, SUPERUSER},
};

use super::container::Container;

/// The variable that asks for a container.
const BACKEND_VARIABLE: &str = "TEST_PG";
/// The variable that names a running server, as a superuser.
const URL_VARIABLE: &str = "DATABASE_URL";

/// A server for tests, and what keeps it alive.
#[derive(Debug)]
pub(super) enum Backend {
    /// Our own.
    Private(PrivateServer),
    /// Somebody else's, or in a container; neither ends with this value.
    Other {
        /// Where it is.
        address: Address,
        /// The superuser's name, as in a URL.
        superuser: String,
        /// The passwords, as in a URL.
        credentials: Credentials,
        /// The database to connect to first.
        maintenance: String,
    },
}

impl Backend {
    /// The server that the environment asks for.
    pub async fn from_env() -> Result<Self, PostgresError> {
        let asked = std::env::var(BACKEND_VARIABLE).unwrap_or_default();
        match asked.as_str() {
            "container" => Self::container().await,
            "" | "private" => match std::env::var(URL_VARIABLE) {
                Ok(url) if !url.is_empty() => Self::named(&url).await,
                Ok(_) | Err(_) => {
                    let options = Options { storage: Storage::Temporary, binaries: Binaries::from_env()? };
                    PrivateServer::start(options).await.map(Self::Private)
                }
            },
            _ => Err(PostgresError::Variable {
                name: BACKEND_VARIABLE,
                value: asked,
                allowed: "container, private or unset",
            }),
        }
    }

    async fn container() -> Result<Self, PostgresError> {
        let container = Container::shared().await?;
        let credentials = Credentials::derived(container.password());
        let backend = Self::Other {
            address: Address::private(container.port()),
            superuser: SUPERUSER.to_owned(),
            credentials: credentials.clone(),
            maintenance: MAINTENANCE_DATABASE.to_owned(),
        };
        roles::create(&backend.maintenance_url(), &credentials).await?;
        Ok(backend)
    }

    async fn named(url: &str) -> Result<Self, PostgresError> {
        let (superuser, credentials, address, maintenance) = parts(url).ok_or_else(|| PostgresError::Unexpected {
            what: format!("{URL_VARIABLE} is not of the form postgres://user:password@host:port/database"),
        })?;
        let backend = Self::Other { address, superuser, credentials: credentials.clone(), maintenance };
        roles::create(&backend.maintenance_url(), &credentials).await?;
        for role in Role::ALL {
            let name = role.name();
            match PgConnection::connect(&backend.url(role, backend.maintenance())).await {
                Ok(connection) => connection.close().await?,
                Err(error) => {
                    // Changing the password would lock out whoever uses the role, so it is left alone.
                    let what = format!(
                        "the server of {URL_VARIABLE} has a role {name} that is not of the tests ({error}); \
                         drop the role or use another server"
                    );
                    return Err(PostgresError::Unexpected { what });
                }
            }
        }
        Ok(backend)
    }

    fn maintenance(&self) -> &str {
        match self {
            Self::Private(_) => MAINTENANCE_DATABASE,
            Self::Other { maintenance, .. } => maintenance,
        }
    }

    /// The address to connect to before there is a database of ours.
    pub fn maintenance_url(&self) -> String {
        self.superuser_url(self.maintenance())
    }

    /// The address of a database as the superuser.
    pub fn superuser_url(&self, database: &str) -> String {
        match self {
            Self::Private(server) => server.superuser_url(database),
            Self::Other { address, superuser, credentials, .. } => {
                address.url(superuser, &credentials.superuser, database)
            }
        }
    }

    /// The address of a database as one of the three roles.
    pub fn url(&self, role: Role, database: &str) -> String {
        match self {
            Self::Private(server) => server.url(role, database),
            Self::Other { address, credentials, .. } => address.url(role.name(), credentials.password(role), database),
        }
    }
}

/// The superuser, the passwords, the address and the database of a URL.
fn parts(url: &str) -> Option<(String, Credentials, Address, String)> {
    let (_, rest) = url.split_once("://")?;
    let (rest, parameters) =
        rest.split_once('?').map_or((rest, String::new()), |(rest, after)| (rest, format!("?{after}")));
    let (before, database) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, authority) = before.rsplit_once('@').unwrap_or(("", before));
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let or = |text: &str, default: &str| if text.is_empty() { default.to_owned() } else { text.to_owned() };
    // A URL cannot have a user without a host; where a socket is given as a parameter, the host does not matter.
    let address = Address { authority: or(authority, "localhost"), parameters };
    Some((or(user, SUPERUSER), Credentials::derived(password), address, or(database, MAINTENANCE_DATABASE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together() {
        let (user, credentials, address, database) = parts("postgres://me:pw@h:1/db?sslmode=disable").expect("a URL");
        assert_eq!(address.url(&user, &credentials.superuser, &database), "postgres://me:pw@h:1/db?sslmode=disable");
        let again = Credentials::derived("pw");
        assert_eq!(credentials.password(Role::Owner), again.password(Role::Owner));
        assert_ne!(again.password(Role::Owner), again.password(Role::Reader));
        let (user, _, address, database) = parts("postgres:///?host=/run/pg").expect("a URL");
        assert_eq!(address.url(&user, "", &database), "postgres://postgres:@localhost/postgres?host=/run/pg");
    }
}
