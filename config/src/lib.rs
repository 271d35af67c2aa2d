//! What every program of this workspace needs before it can start: its settings, its logs and traces, and, for
//! development and tests, a PostgreSQL of its own.
//!
//! This crate must not know the tables, the sources or the routes: it hands out typed values and connection URLs,
//! and what they are used for is decided elsewhere.

pub mod postgres;
pub mod settings;
pub mod telemetry;

pub use postgres::{Binaries, Options, PostgresError, PrivateServer, Role, Storage};
pub use settings::{Settings, SettingsError};
pub use telemetry::{TelemetryError, TelemetryGuard};
