//! Opening the database: engine, lock file, migrations, durability, lanes.

use super::checkpoints::Checkpoints;
use super::connection::{Connection, PATIENCE, Pool};
use super::dialect::Dialect;
use super::error::StoreError;
use super::lane::{Gauge, Lane, LaneSettings, run_lane};
use super::notifications::CommitNotifier;
use super::postgres::PostgresPool;
use super::simulated::CommitFate;
use super::sqlite::SqlitePool;
use super::statement::query;
use super::tx::only;
use super::{Inner, Store, migrations};
use owp_base::clock::{Clock, Entropy};
use sqlx::migrate::MigrateError;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AnyConnection, Connection as _};
use std::fs::File;
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Jobs that can wait in a lane before callers have to wait too.
const LANE_DEPTH: usize = 1024;
/// Write connections per replica on PostgreSQL.
const POSTGRES_LANES: u32 = 8;
const READERS: u32 = 8;
/// Connections of a read-only process.
const LOOKERS: u32 = 2;

/// Options for opening a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `sqlite:FILE` or `postgres://…`.
    pub url: String,
    /// Source of the current time.
    pub clock: Clock,
    /// Source of randomness for ids and salts.
    pub entropy: Entropy,
}

impl Store {
    /// Opens the database, brings its schema up to date and starts the lanes.
    ///
    /// # Errors
    /// The URL is unusable, or the database is newer than this version, in use by another process, or not durable.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of_url(&options.url)?;
        let (url, lock) = match dialect {
            Dialect::Sqlite => {
                let path = sqlite_path(&options.url)?;
                (driver_url(&path, "rwc"), Some(lock_file(&path)?))
            }
            Dialect::Postgres => (options.url.clone(), None),
        };
        let mut first = reach(dialect, &url, dialect.migration_settings()).await?;
        migrate(dialect, &mut first).await?;
        first.close().await?;
        let alone = dialect == Dialect::Sqlite;
        let lanes = if alone { 1 } else { POSTGRES_LANES };
        let path = alone.then(|| sqlite_path(&options.url)).transpose()?;
        let store = assemble(dialect, Connections { alone, lanes, readers: READERS }, options, lock, None).await?;
        if let Some(path) = path {
            *store.0.checkpoints.lock().unwrap_or_else(PoisonError::into_inner) = Some(Checkpoints::start(&path)?);
        }
        let (mut conn, _) = store.0.readers.begin(dialect.begin_read()).await?;
        dialect.check_durability(&mut conn).await?;
        conn.rollback().await?;
        Ok(store)
    }

    /// Opens a database read-only, possibly beside a process that serves it. Nothing is created, locked or migrated,
    /// and every write is refused.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Older`] or [`StoreError::Newer`] if it cannot be read by this version.
    pub async fn open_read_only(options: StoreOptions) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of_url(&options.url)?;
        let url = match dialect {
            Dialect::Sqlite => {
                let path = sqlite_path(&options.url)?;
                if !Path::new(&path).exists() {
                    return Err(StoreError::Missing(path));
                }
                driver_url(&path, "ro")
            }
            Dialect::Postgres => options.url.clone(),
        };
        reach(dialect, &url, dialect.reading_settings()).await?.close().await?;
        let readers = connect(dialect, &options.url, LOOKERS, true).await?;
        let (mut conn, _) = readers.begin(dialect.begin_read()).await?;
        let have = schema_version(&mut conn).await?;
        conn.rollback().await?;
        let need = migrations::of(dialect).iter().map(|migration| migration.version).max().unwrap_or(0);
        match have.cmp(&need) {
            std::cmp::Ordering::Less => return Err(StoreError::Older { have, need }),
            std::cmp::Ordering::Greater => return Err(StoreError::Newer(have)),
            std::cmp::Ordering::Equal => {}
        }
        let settings = lane_settings(readers.clone(), dialect, options, None);
        Ok(Self::of(settings, readers, Vec::new(), false, None))
    }

    fn of(settings: LaneSettings, readers: Pool, lanes: Vec<Lane>, alone: bool, lock: Option<File>) -> Self {
        let (next, reading) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let checkpoints = Mutex::default();
        Self(Arc::new(Inner { settings, readers, lanes, next, alone, reading, checkpoints, _lock: lock }))
    }
}

/// Number of connections of each kind, and who else may have some.
pub(super) struct Connections {
    /// True when no other process can have the database open.
    pub(super) alone: bool,
    pub(super) lanes: u32,
    pub(super) readers: u32,
}

/// Connects to a database that has its schema, and starts the lanes.
pub(super) async fn assemble(
    dialect: Dialect,
    connections: Connections,
    options: StoreOptions,
    lock: Option<File>,
    fate: Option<Arc<dyn CommitFate>>,
) -> Result<Store, StoreError> {
    let writers = connect(dialect, &options.url, connections.lanes, false).await?;
    let readers = connect(dialect, &options.url, connections.readers, false).await?;
    let settings = lane_settings(writers, dialect, options, fate);
    let lanes = (0..connections.lanes).map(|_| start_lane(&settings)).collect::<Result<_, _>>()?;
    Ok(Store::of(settings, readers, lanes, connections.alone, lock))
}

fn lane_settings(
    pool: Pool,
    dialect: Dialect,
    options: StoreOptions,
    fate: Option<Arc<dyn CommitFate>>,
) -> LaneSettings {
    let StoreOptions { clock, entropy, .. } = options;
    let (minted, latest, notifier) = (Arc::default(), Arc::default(), CommitNotifier::new());
    let turn = fate.as_ref().map(|_| Arc::default());
    let (tokens, changed_repos, changes) = (Arc::default(), Arc::default(), Arc::default());
    LaneSettings { pool, dialect, clock, entropy, minted, latest, notifier, tokens, changed_repos, changes, fate, turn }
}

/// Returns the newest applied migration; 0 if none was applied, as in an empty database.
pub(super) async fn schema_version(conn: &mut Connection) -> Result<i64, StoreError> {
    // The driver's own table; it does not exist before the first migration.
    let version = "SELECT CAST(COALESCE(MAX(version), 0) AS BIGINT) FROM _sqlx_migrations";
    match conn.one(query(version)).await {
        Ok(row) => only(row),
        Err(StoreError::Database(sqlx::Error::Database(_)) | StoreError::Sqlite(_)) => Ok(0),
        Err(error) => Err(error),
    }
}

/// Builds a URL for the driver. Characters with a meaning in URLs are percent-encoded.
fn driver_url(path: &str, mode: &str) -> String {
    let escaped = path.replace('%', "%25").replace('#', "%23").replace('?', "%3f");
    format!("sqlite://{escaped}?mode={mode}")
}

fn start_lane(settings: &LaneSettings) -> Result<Lane, StoreError> {
    let (jobs, receiver) = mpsc::channel(LANE_DEPTH);
    let gauge = Arc::new(Gauge::default());
    let lane = run_lane(settings.clone(), receiver, Arc::clone(&gauge));
    match settings.dialect {
        // It waits for the disk, which a task must not. A simulation has one thread for all.
        Dialect::Sqlite if settings.fate.is_none() => {
            let runtime = tokio::runtime::Handle::current();
            let thread = std::thread::Builder::new().name("owp-lane".to_owned());
            thread.spawn(move || runtime.block_on(lane)).map_err(StoreError::Thread)?;
        }
        _ => drop(tokio::spawn(lane)),
    }
    Ok(Lane { jobs, gauge })
}

/// Connects once outside the pool, which retries until it times out and then reports only the timeout.
async fn reach(dialect: Dialect, url: &str, settings: &'static [&'static str]) -> Result<AnyConnection, StoreError> {
    let place = place(dialect, url)?;
    let unreachable = |cause, remedy: String, passing| StoreError::Unreachable { place, cause, remedy, passing };
    let first = async {
        let mut conn = AnyConnection::connect(url).await?;
        for setting in settings {
            sqlx::raw_sql(*setting).execute(&mut conn).await?;
        }
        Ok(conn)
    };
    match tokio::time::timeout(PATIENCE, first).await {
        Ok(Ok(conn)) => Ok(conn),
        Ok(Err(error)) => Err(unreachable(cause(&error), remedy(dialect, Some(&error)), may_pass(&error))),
        Err(_) => Err(unreachable(format!("no answer within {} s", PATIENCE.as_secs()), remedy(dialect, None), true)),
    }
}

/// Names the database's place, without a password.
fn place(dialect: Dialect, url: &str) -> Result<String, StoreError> {
    match dialect {
        Dialect::Sqlite => sqlite_path(url),
        Dialect::Postgres => {
            let options: PgConnectOptions = url.parse().map_err(|error| StoreError::Url(cause(&error)))?;
            let name = options.get_database().unwrap_or_else(|| options.get_username());
            let server = match options.get_socket() {
                Some(socket) => socket.display().to_string(),
                None => format!("{}:{}", options.get_host(), options.get_port()),
            };
            Ok(format!("{name} of the PostgreSQL server at {server}"))
        }
    }
}

/// Names the next step after a database could not be opened.
fn remedy(dialect: Dialect, error: Option<&sqlx::Error>) -> String {
    let code = error.and_then(sqlx::Error::as_database_error).and_then(sqlx::error::DatabaseError::code);
    let step = match (dialect, code.as_deref()) {
        // SQLITE_CORRUPT, from SQLite's list of result codes.
        (Dialect::Sqlite, Some("11")) => {
            "restore a backup, and delete the files that end in -wal and -shm beside it before you start"
        }
        (Dialect::Sqlite, _) => "check OWP_DATABASE_URL (or --database), and that it is an owp database",
        // invalid_catalog_name, from PostgreSQL's appendix A.
        (Dialect::Postgres, Some("3D000")) => {
            "create it with `createdb`, or check the name in OWP_DATABASE_URL (or --database)"
        }
        (Dialect::Postgres, _) => "check OWP_DATABASE_URL (or --database), and that the server runs there",
    };
    step.to_owned()
}

fn cause(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Io(cause) => cause.to_string(),
        // Without the line of the server's own source.
        sqlx::Error::Database(said) => said.message().to_owned(),
        other => other.to_string(),
    }
}

/// Returns true if a server that is starting or restarting can cause this error.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        // cannot_connect_now and too_many_connections, from PostgreSQL's appendix A.
        sqlx::Error::Database(said) => matches!(said.code().as_deref(), Some("57P03" | "53300")),
        _ => false,
    }
}

async fn connect(dialect: Dialect, url: &str, connections: u32, read_only: bool) -> Result<Pool, StoreError> {
    let settings = if read_only { dialect.reading_settings() } else { dialect.connection_settings() };
    if dialect == Dialect::Sqlite {
        return Ok(Pool::Sqlite(SqlitePool::open(sqlite_path(url)?, read_only, connections, settings)?));
    }
    Ok(Pool::Postgres(PostgresPool::open(url, connections, settings).await?))
}

async fn migrate(dialect: Dialect, conn: &mut AnyConnection) -> Result<(), StoreError> {
    migrations::of(dialect).run(conn).await.map_err(|error| match error {
        MigrateError::VersionMissing(version) => StoreError::Newer(version),
        other => StoreError::Migration(other.to_string()),
    })
}

fn sqlite_path(url: &str) -> Result<String, StoreError> {
    let rest = url.trim_start_matches("sqlite:");
    let path = rest.strip_prefix("//").unwrap_or(rest);
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    if path.is_empty() || path == ":memory:" {
        return Err(StoreError::Url("a SQLite database needs a file, so that nothing is lost".to_owned()));
    }
    if Path::new(path).is_dir() {
        return Err(StoreError::Folder(path.trim_end_matches('/').to_owned()));
    }
    // Two names of one file must share one lock. A file that does not exist yet has only one name.
    let real = std::fs::canonicalize(path).ok().and_then(|real| real.into_os_string().into_string().ok());
    Ok(real.unwrap_or_else(|| path.to_owned()))
}

fn lock_file(path: &str) -> Result<File, StoreError> {
    let lock = format!("{path}.lock");
    let io = |e: std::io::Error| match e.kind() {
        std::io::ErrorKind::NotFound => StoreError::Url(format!("the folder of {path} does not exist")),
        _ => StoreError::NotWritable { path: lock.clone(), cause: e.to_string() },
    };
    let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&lock).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse(path.to_owned())),
        Err(std::fs::TryLockError::Error(e)) => Err(io(e)),
    }
}
