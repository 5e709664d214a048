//! Errors of the store, with a variant only where a caller branches.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A query failed, or the database could not be reached.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// SQLite refused a statement.
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The database could not be opened at startup.
    #[error("cannot open the database {place}: {cause}; {remedy}")]
    Unreachable {
        /// Its location: a file, or host, port and name. Never the password.
        place: String,
        /// The error of the database or its driver.
        cause: String,
        /// The next step, as an imperative clause.
        remedy: String,
        /// True if a server may only be starting, so that a retry can succeed.
        passing: bool,
    },
    /// The folder of a SQLite file is not writable.
    #[error(
        "cannot write {path}: {cause}; make its folder writable for this user, or choose another file with \
         OWP_DATABASE_URL (or --database)"
    )]
    NotWritable {
        /// The file that cannot be written.
        path: String,
        /// The error of the operating system.
        cause: String,
    },
    /// The path of the SQLite file is a folder.
    #[error("cannot open the database {0}: it is a folder; name a file in it, such as sqlite:{0}/owp.db")]
    Folder(String),
    /// The schema was made by a newer version of the program.
    #[error(
        "the database was made by a newer version of owp (it has migration {0}); run that version, or restore a backup"
    )]
    Newer(i64),
    /// The schema was made by an older version, or is missing; this version cannot read it.
    #[error(
        "the database has migration {have}, and this version of owp needs {need}; `owp serve` migrates it when it starts"
    )]
    Older {
        /// The newest applied migration; 0 for none.
        have: i64,
        /// The newest migration of this version.
        need: i64,
    },
    /// The SQLite file does not exist yet.
    #[error("there is no database at {0} yet; `owp serve` makes it when it starts")]
    Missing(String),
    /// A migration could not be applied.
    #[error("the database could not be migrated: {0}")]
    Migration(String),
    /// The database could lose acknowledged writes in a crash.
    #[error("{0}; owp promises that acknowledged work is durable, so it does not start on such a database")]
    NotDurable(String),
    /// Another process serves this SQLite file.
    #[error(
        "another owp serves {0} already (it holds the lock {0}.lock); stop it, or use PostgreSQL for several replicas"
    )]
    InUse(String),
    /// The database URL is unusable.
    #[error("cannot use the database URL: {0}; use sqlite:FILE or postgres://USER:PASSWORD@HOST/DATABASE")]
    Url(String),
    /// A row holds a value that no version of the program writes.
    #[error("the database holds a value that makes no sense: {0}")]
    Corrupt(String),
    /// Another process took over what the job had taken. The job was rolled back.
    #[error("{0} was taken over by another process")]
    TakenOver(String),
    /// A job panicked and was rolled back.
    #[error("an internal error stopped the change; nothing was kept")]
    Panicked,
    /// The batch of the job could not be committed.
    #[error("the change could not be committed: {0}")]
    Commit(String),
    /// The change timed out. It may still be committed if it had begun.
    #[error("the change was not committed within {} s; it may still be, if it had begun", .0.as_secs())]
    TooLate(std::time::Duration),
    /// The thread that writes could not be started.
    #[error("cannot start the thread that writes: {0}")]
    Thread(#[source] std::io::Error),
    /// The store is shutting down, or was opened to be read only.
    #[error("the store takes no changes: it is closed, or open for reading only")]
    Closed,
}

impl StoreError {
    /// Returns true if a unique index rejected the row.
    #[must_use]
    pub fn is_unique_violation(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(error)) => error.is_unique_violation(),
            Self::Sqlite(rusqlite::Error::SqliteFailure(error, _)) => UNIQUE.contains(&error.extended_code),
            _ => false,
        }
    }
}

/// SQLite's codes for a row that a unique index or a primary key refuses.
const UNIQUE: [i32; 2] = [rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE, rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY];
