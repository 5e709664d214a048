//! Sessions of people who signed in on the pages, by the hash of the secret in their cookie.

use super::error::StoreError;
use super::nouns::Sessions;
use super::statement::query;
use super::tx::statements;
use owp_pool::Timestamp;

statements! {
    SESSION_INSERT = "INSERT INTO sessions (token_hash, github_id, login, admin_mark, created_at, expires_at)
        VALUES ($1, $2, $3, $4, $5, $6)";
    SESSION_FIND = "SELECT github_id, login, admin_mark, expires_at FROM sessions WHERE token_hash = $1 AND expires_at > $2";
    SESSION_END = "DELETE FROM sessions WHERE token_hash = $1";
    // Index sessions_account.
    SESSIONS_END_OF = "DELETE FROM sessions WHERE github_id = $1";
    SESSIONS_END_OPERATOR = "DELETE FROM sessions WHERE github_id IS NULL";
    // Index sessions_end.
    SESSIONS_FORGET = "DELETE FROM sessions WHERE token_hash IN
        (SELECT token_hash FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";
}

/// Whose session it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionOwner {
    /// The operator, with a digest of the admin token: another admin token ends the session.
    Operator {
        /// The digest.
        mark: String,
    },
    /// A GitHub user.
    User {
        /// GitHub's user id.
        github_id: i64,
        /// The login at sign-in.
        login: String,
    },
}

/// A session that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    /// Whose it is.
    pub owner: SessionOwner,
    /// Time at which it ends by itself.
    pub expires_at: Timestamp,
}

impl Sessions<'_> {
    /// Stores a session.
    pub async fn insert(&mut self, hash: &str, session: &SessionRow) -> Result<(), StoreError> {
        let now = self.now().0;
        let (github_id, login, mark) = match &session.owner {
            SessionOwner::Operator { mark } => (None, None, Some(mark.as_str())),
            SessionOwner::User { github_id, login } => (Some(*github_id), Some(login.as_str()), None),
        };
        let insert = query(SESSION_INSERT).bind(hash).bind(github_id).bind(login).bind(mark);
        self.run(insert.bind(now).bind(session.expires_at.0)).await.map(drop)
    }

    /// Returns a session that has not ended.
    pub async fn get(&mut self, hash: &str) -> Result<Option<SessionRow>, StoreError> {
        let now = self.now().0;
        let Some(row) = self.one(query(SESSION_FIND).bind(hash).bind(now)).await? else { return Ok(None) };
        let owner = match row.try_get::<Option<i64>, _>("github_id")? {
            Some(github_id) => SessionOwner::User { github_id, login: row.try_get("login")? },
            None => SessionOwner::Operator { mark: row.try_get("admin_mark")? },
        };
        Ok(Some(SessionRow { owner, expires_at: Timestamp(row.try_get("expires_at")?) }))
    }

    /// Ends a session.
    pub async fn end(&mut self, hash: &str) -> Result<(), StoreError> {
        self.run(query(SESSION_END).bind(hash)).await.map(drop)
    }

    /// Ends every session of the same owner.
    pub async fn end_all_of(&mut self, owner: &SessionOwner) -> Result<(), StoreError> {
        let end = match owner {
            SessionOwner::Operator { .. } => query(SESSIONS_END_OPERATOR),
            SessionOwner::User { github_id, .. } => query(SESSIONS_END_OF).bind(*github_id),
        };
        self.run(end).await.map(drop)
    }

    /// Removes sessions that have ended, at most `most`.
    pub async fn forget_ended(&mut self, most: i64) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(SESSIONS_FORGET).bind(now).bind(most)).await.map(drop)
    }
}
