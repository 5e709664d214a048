//! Databases of histories: copies of an empty one that has its schema.

use crate::rows::counters;
use owp_base::clock::{Clock, Entropy};
use owp_store::{Store, StoreOptions};
use sqlx::{AnyConnection, AssertSqlSafe, Connection};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Where the databases of histories live.
#[derive(Debug)]
pub enum Place {
    /// Files of SQLite in a folder in memory, where the machine has one.
    Sqlite(TempDir),
    /// Databases on a PostgreSQL server, made from a template.
    Postgres {
        /// The server's URL without a database.
        server: String,
        /// The name of the template.
        template: String,
    },
}

impl Place {
    /// Makes a folder with an empty SQLite database.
    ///
    /// # Errors
    /// The reason why the database could not be made.
    pub fn sqlite() -> Result<Self, String> {
        let memory = Path::new("/dev/shm");
        let folder = TempDir::with_prefix_in("owp-simulation.", memory).or_else(|_| TempDir::new());
        let folder = folder.map_err(|error| error.to_string())?;
        let file = template(folder.path());
        make_schema(&format!("sqlite:{}", file.display()))?;
        let counted = rusqlite::Connection::open(&file).and_then(|opened| opened.execute_batch(&counters()));
        counted.map_err(|error| error.to_string())?;
        Ok(Self::Sqlite(folder))
    }

    /// Makes a template database on a PostgreSQL server.
    ///
    /// # Errors
    /// The reason why the database could not be made.
    pub fn postgres(url: &str) -> Result<Self, String> {
        let server = url.rsplit_once('/').map_or(url, |(server, _)| server).to_owned();
        let suffix = data_suffix();
        let template = format!("owp_simulation_{suffix}");
        run_on(&format!("{server}/postgres"), &format!("CREATE DATABASE {template}"))?;
        make_schema(&format!("{server}/{template}"))?;
        Ok(Self::Postgres { server, template })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Self::Postgres { server, template } = self {
            let _best_effort =
                run_on(&format!("{server}/postgres"), &format!("DROP DATABASE IF EXISTS {template} WITH (FORCE)"));
        }
    }
}

fn template(folder: &Path) -> PathBuf {
    folder.join("template.db")
}

fn data_suffix() -> String {
    Entropy::system().bytes::<6>().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn make_schema(url: &str) -> Result<(), String> {
    runtime().block_on(async {
        let options = StoreOptions { url: url.to_owned(), clock: Clock::System, entropy: Entropy::system() };
        let store = Store::open(options).await.map_err(|error| error.to_string())?;
        store.close().await;
        Ok(())
    })
}

fn run_on(url: &str, sql: &str) -> Result<(), String> {
    sqlx::any::install_default_drivers();
    runtime()
        .block_on(async {
            let mut admin = AnyConnection::connect(url).await?;
            sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut admin).await?;
            admin.close().await
        })
        .map_err(|error| error.to_string())
}

/// A runtime for connections of the simulator itself.
pub(crate) fn runtime() -> Runtime {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.unwrap_or_else(|error| panic!("no runtime: {error}"))
}

/// The database of one history; gone with this value.
pub(crate) struct Database {
    pub(crate) url: String,
    file: Option<PathBuf>,
    drop_on: Option<(String, String)>,
}

impl Database {
    pub(crate) fn make(place: &Place, seed: u64) -> Self {
        match place {
            Place::Sqlite(folder) => {
                let unique = data_suffix();
                let file = folder.path().join(format!("{seed}-{unique}.db"));
                std::fs::copy(template(folder.path()), &file).expect("the folder of databases has room");
                Self { url: format!("sqlite:{}", file.display()), file: Some(file), drop_on: None }
            }
            Place::Postgres { server, template } => {
                let name = format!("owp_seed_{}", data_suffix());
                let admin = format!("{server}/postgres");
                run_on(&admin, &format!("CREATE DATABASE {name} TEMPLATE {template}")).expect("a database is made");
                let drop_on = Some((admin, name.clone()));
                Self { url: format!("{server}/{name}"), file: None, drop_on }
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            for ending in ["", "-wal", "-shm"] {
                let mut name = file.clone().into_os_string();
                name.push(ending);
                let _may_not_exist = std::fs::remove_file(name);
            }
        }
        if let Some((admin, name)) = &self.drop_on {
            let _best_effort = run_on(admin, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
