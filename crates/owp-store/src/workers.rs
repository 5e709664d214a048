//! Workers, their contributors, tokens and link codes.

use super::bound::bound;
use super::columns::columns;
use super::error::StoreError;
use super::nouns::{LinkCodes, People, Tokens, Workers};
use super::statement::{Row, Sql, query};
use super::tx::{json, json_text, statements, words};
use owp_pool::worker::{Capabilities, Load, Worker, WorkerStatus};
use owp_pool::{Person, Span, Timestamp, WorkerId};

/// A sign of life is not written while the last one is younger than this. Far below every time for which a worker may
/// be silent.
const PRESENCE_PRECISION: Span = Span::secs(5);

/// Reads workers, each with the points and the number of its live leases.
macro_rules! with_load {
    () => {
        concat!("SELECT ", columns!(workers, "w."), ", p.login, p.is_bot,
        (SELECT CAST(COALESCE(SUM(l.estimate), 0) AS BIGINT) FROM leases l WHERE l.worker_id = w.id AND l.ended_at IS NULL) AS points,
        (SELECT CAST(COUNT(*) AS BIGINT) FROM leases l WHERE l.worker_id = w.id AND l.ended_at IS NULL) AS leases
        FROM workers w LEFT JOIN people p ON p.person = w.person")
    };
}

/// True for a worker's row if a sign of life has to be written; the parameters are those of [`sign_of_life`].
macro_rules! says_more {
    () => {
        "last_seen NOT BETWEEN $5 AND $2 OR status <> COALESCE($3, status) OR note IS DISTINCT FROM COALESCE($4, note)"
    };
}

statements! {
    WORKER_INSERT = "INSERT INTO workers
        (id, name, person, by_comment, skills, capacity, max_concurrent, last_seen, created_at, joined)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    WORKER_BY_ID = concat!("SELECT ", columns!(workers, "w."), ", p.login, p.is_bot FROM workers w LEFT JOIN people p ON p.person = w.person WHERE w.id = $1");
    WORKER_BY_TOKEN = concat!("SELECT ", columns!(workers, "w."), ", p.login, p.is_bot, k.fresh FROM worker_tokens k JOIN workers w ON w.id = k.worker_id
        LEFT JOIN people p ON p.person = w.person WHERE k.token_hash = $1 AND k.revoked = 0");
    WORKER_BY_COMMENT = concat!("SELECT ", columns!(workers, "w."), ", p.login, p.is_bot FROM workers w LEFT JOIN people p ON p.person = w.person
        WHERE w.person = $1 AND w.by_comment = 1");
    WORKER_PROFILE = "UPDATE workers SET skills = $2, capacity = $3, max_concurrent = $4 WHERE id = $1";
    WORKER_JOINED = "UPDATE workers SET joined = 1 WHERE id = $1";
    WORKER_SAYS = "UPDATE workers SET capabilities = $2, extra = $3 WHERE id = $1";
    // Writes nothing when a sign of life was recorded shortly before, after $5, and says the same.
    WORKER_SEEN = concat!("UPDATE workers SET last_seen = $2, status = COALESCE($3, status), note = COALESCE($4, note)
        WHERE id = $1 AND (", says_more!(), ")");
    // True if [`WORKER_SEEN`] would write, or leases have ended that the worker was not told of; index leases_untold.
    WORKER_HAS_NEWS = concat!("SELECT CAST(COUNT(*) AS BIGINT) FROM workers WHERE id = $1 AND (", says_more!(), "
        OR EXISTS (SELECT 1 FROM leases WHERE worker_id = workers.id AND ended_at IS NOT NULL AND told = 0 AND via = 'rest'))");
    // Also ends a pause that the last heartbeat asked for.
    WORKER_RESUME = "UPDATE workers SET paused = 0,
        status = CASE WHEN status = 'paused' THEN 'idle' ELSE status END WHERE id = $1";
    WORKER_PAUSE = "UPDATE workers SET paused = 1 WHERE id = $1";
    SKILLS_ONLINE = "SELECT DISTINCT skills FROM workers WHERE last_seen >= $1 AND revoked = 0";
    WORKER_LINK = "UPDATE workers SET person = $2 WHERE id = $1";
    WORKER_LEASES_PERSON = "UPDATE leases SET person = $2 WHERE worker_id = $1 AND ended_at IS NULL";
    WORKERS_OF = concat!("SELECT ", columns!(workers, "w."), ", p.login, p.is_bot FROM workers w LEFT JOIN people p ON p.person = w.person
        WHERE w.person = $1 AND w.by_comment = 0 AND w.revoked = 0 ORDER BY w.id");
    WORKER_IDS_OF = "SELECT id FROM workers WHERE person = $1 ORDER BY id";
    // Index workers_seen, and not the key in its order, which leads past all who ever registered.
    WORKERS_HEARD_OF = concat!("SELECT ", columns!(workers, "w."), ", p.login, p.is_bot FROM workers w LEFT JOIN people p ON p.person = w.person
        WHERE w.last_seen >= $1 AND w.by_comment = 0 AND w.revoked = 0 ORDER BY w.id || '' LIMIT $2");
    // Index workers_seen, in its order.
    WORKERS_IN_ORDER_OF_SIGHT = concat!(with_load!(), " WHERE w.last_seen >= $1 AND w.by_comment = 0 AND w.revoked = 0 AND w.paused = 0 ORDER BY w.last_seen, w.id LIMIT $2");
    // Index workers_seen, in its order.
    WORKERS_ONLINE_NOW = concat!(with_load!(), " WHERE w.last_seen >= $1 AND w.by_comment = 0 AND w.revoked = 0 ORDER BY w.last_seen DESC, w.id LIMIT $2");
    // Newest first; ids sort by time. Uses the primary key.
    WORKERS_PAGE = concat!(with_load!(), " WHERE w.id < $1 AND w.revoked = 0 ORDER BY w.id DESC LIMIT $2");
    WORKERS_ONLINE = "SELECT CAST(COUNT(*) AS BIGINT) FROM workers WHERE last_seen >= $1 AND by_comment = 0 AND revoked = 0";
    TOKEN_INSERT = "INSERT INTO worker_tokens (token_hash, worker_id, created_at) VALUES ($1, $2, $3)";
    CODE_INSERT = "INSERT INTO link_codes (code_hash, worker_id, handle_key, expires_at) VALUES ($1, $2, $3, $4)";
    CODE_FIND = "SELECT worker_id, handle_key, expires_at FROM link_codes WHERE code_hash = $1";
    CODE_USE = "DELETE FROM link_codes WHERE code_hash = $1";
    // Index link_codes_worker.
    CODES_FORGET = "DELETE FROM link_codes WHERE worker_id = $1";
    PERSON_SEEN = "INSERT INTO people (person, github_id, login, is_bot) VALUES ($1, $2, $3, $4)
        ON CONFLICT (person) DO UPDATE SET login = excluded.login, is_bot = excluded.is_bot, is_current = 1
        WHERE people.login <> excluded.login OR people.is_bot <> excluded.is_bot OR people.is_current = 0";
    PERSON_RENAMED = "UPDATE people SET login = $2, is_current = 1 WHERE person = $1 AND (login <> $2 OR is_current = 0)";
    // A login belongs to one account at a time. Index people_login.
    LOGIN_TAKEN_OVER = "UPDATE people SET is_current = 0 WHERE LOWER(login) = $2 AND person <> $1 AND is_current = 1";
    PERSON_LOGIN = "SELECT login FROM people WHERE person = $1";
    LOAD = "SELECT CAST(COALESCE(SUM(estimate), 0) AS BIGINT) AS points, CAST(COUNT(*) AS BIGINT) AS leases
        FROM leases WHERE worker_id = $1 AND ended_at IS NULL";
}

/// Extra fields, with names that begin with `x_`. They are stored and passed through, never read.
pub type Extra = serde_json::Map<String, serde_json::Value>;

/// A worker to insert.
#[derive(Debug, Clone)]
pub struct NewWorker {
    /// Its name.
    pub name: String,
    /// The contributor behind it; `None` until it is linked.
    pub person: Option<Person>,
    /// True for the worker behind a contributor's comments.
    pub by_comment: bool,
    /// Its skills, lower-case and sorted.
    pub skills: Vec<String>,
    /// Most points it can hold.
    pub capacity: i64,
    /// Most leases it can hold.
    pub max_concurrent: i64,
}

/// Sorts after the ids of all workers, which begin with `w_`.
const AFTER_EVERY_ID: &str = "x";

impl Workers<'_> {
    /// Inserts a worker and returns its id.
    pub async fn insert(&mut self, new: &NewWorker) -> Result<WorkerId, StoreError> {
        let id = WorkerId::from_uuid_bytes(&self.new_id());
        let person = new.person.clone().unwrap_or_else(|| Person::Unlinked(id.clone()));
        let insert = bound!(WORKER_INSERT {
            id: id.as_str(),
            name: new.name.as_str(),
            person: person.key(),
            by_comment: i64::from(new.by_comment),
            skills: json_text(&new.skills)?,
            capacity: new.capacity,
            max_concurrent: new.max_concurrent,
            last_seen: self.now().0,
            created_at: self.now().0,
            joined: i64::from(!new.by_comment),
        });
        self.run(insert).await?;
        self.people().is_no_agent(&person).await?;
        Ok(id)
    }

    /// Returns a worker by id.
    pub async fn get(&mut self, id: &WorkerId) -> Result<Option<Worker>, StoreError> {
        self.one(query(WORKER_BY_ID).bind(id.as_str())).await?.as_ref().map(worker_row).transpose()
    }

    /// Returns the worker of a token that was not revoked, and whether the token waits for its first use.
    pub async fn by_token(&mut self, hash: &str) -> Result<Option<(Worker, bool)>, StoreError> {
        let row = self.one(query(WORKER_BY_TOKEN).bind(hash)).await?;
        row.map(|row| Ok((worker_row(&row)?, row.try_get::<i64, _>("fresh")? != 0))).transpose()
    }

    /// Returns the worker behind a contributor's comments.
    pub async fn of_comments(&mut self, person: &Person) -> Result<Option<Worker>, StoreError> {
        self.one(query(WORKER_BY_COMMENT).bind(person.key())).await?.as_ref().map(worker_row).transpose()
    }

    /// Returns a contributor's workers, without revoked ones and the one behind their comments.
    pub async fn clients_of(&mut self, person: &Person) -> Result<Vec<Worker>, StoreError> {
        self.all(query(WORKERS_OF).bind(person.key())).await?.iter().map(worker_row).collect()
    }

    /// Returns the ids of all workers of a contributor, including revoked ones and the one behind their comments. A job
    /// that changes all of them locks these rows.
    pub async fn all_of(&mut self, person: &Person) -> Result<Vec<WorkerId>, StoreError> {
        let rows = self.all(query(WORKER_IDS_OF).bind(person.key())).await?;
        rows.iter().map(|row| Ok(WorkerId::new(row.try_get::<String, _>("id")?))).collect()
    }

    /// Sets a worker's skills and limits.
    pub async fn set_profile(
        &mut self,
        id: &WorkerId,
        skills: &[String],
        capacity: i64,
        max_concurrent: i64,
    ) -> Result<(), StoreError> {
        let update =
            query(WORKER_PROFILE).bind(id.as_str()).bind(json_text(&skills)?).bind(capacity).bind(max_concurrent);
        self.run(update).await.map(drop)
    }

    /// Records that a worker's contributor has joined.
    pub async fn record_joined(&mut self, id: &WorkerId) -> Result<(), StoreError> {
        self.run(query(WORKER_JOINED).bind(id.as_str())).await.map(drop)
    }

    /// Replaces a worker's capabilities and extra fields.
    pub async fn set_capabilities(
        &mut self,
        id: &WorkerId,
        capabilities: &Capabilities,
        extra: &Extra,
    ) -> Result<(), StoreError> {
        let says = query(WORKER_SAYS).bind(id.as_str()).bind(json_text(capabilities)?).bind(json_text(extra)?);
        self.run(says).await.map(drop)
    }

    /// Records a sign of life, with a precision of five seconds. A field that is `None` keeps its value.
    pub async fn record_seen(
        &mut self,
        id: &WorkerId,
        status: Option<WorkerStatus>,
        note: Option<&str>,
    ) -> Result<(), StoreError> {
        let seen = sign_of_life(WORKER_SEEN, id, self.now(), status, note);
        if self.defer(seen, None).await? != Some(0) {
            self.changed.workers.push(id.clone());
        }
        Ok(())
    }

    /// Returns true if [`Workers::record_seen`] would write something, or [`super::nouns::Leases::take_ended`] would
    /// return something.
    pub async fn has_news(
        &mut self,
        id: &WorkerId,
        status: Option<WorkerStatus>,
        note: Option<&str>,
    ) -> Result<bool, StoreError> {
        let ask = sign_of_life(WORKER_HAS_NEWS, id, self.now(), status, note);
        Ok(self.number(ask).await? > 0)
    }

    /// Pauses a worker regardless of its heartbeats, or ends every pause of it.
    pub async fn pause(&mut self, id: &WorkerId, paused: bool) -> Result<(), StoreError> {
        let sql = if paused { WORKER_PAUSE } else { WORKER_RESUME };
        self.run(query(sql).bind(id.as_str())).await.map(drop)
    }

    /// Returns all skills of workers seen since `since`.
    pub async fn skills_online(&mut self, since: Timestamp) -> Result<Vec<String>, StoreError> {
        let rows = self.all(query(SKILLS_ONLINE).bind(since.0)).await?;
        let lists: Vec<Vec<String>> = rows.iter().map(|row| words(row, "skills")).collect::<Result<_, _>>()?;
        let mut skills = lists.concat();
        skills.sort();
        skills.dedup();
        Ok(skills)
    }

    /// Links a worker and its live leases to a contributor.
    pub async fn set_person(&mut self, id: &WorkerId, person: &Person) -> Result<(), StoreError> {
        for sql in [WORKER_LINK, WORKER_LEASES_PERSON] {
            self.run(query(sql).bind(id.as_str()).bind(person.key())).await?;
        }
        self.people().is_no_agent(person).await
    }

    /// Unlinks a worker from its contributor. Its leases stay with the contributor they were granted to.
    pub async fn detach(&mut self, id: &WorkerId) -> Result<(), StoreError> {
        let person = Person::Unlinked(id.clone());
        self.run(query(WORKER_LINK).bind(id.as_str()).bind(person.key())).await.map(drop)
    }

    /// Returns workers seen since `since` that are not paused, the oldest sign of life first, each with its load.
    pub async fn in_order_of_sight(&mut self, since: Timestamp, most: i64) -> Result<Vec<(Worker, Load)>, StoreError> {
        let rows = self.all(query(WORKERS_IN_ORDER_OF_SIGHT).bind(since.0).bind(most)).await?;
        rows.iter().map(|row| Ok((worker_row(row)?, load_row(row)?))).collect()
    }

    /// Returns workers seen since `since`, the latest sign of life first, each with its load.
    pub async fn online(&mut self, since: Timestamp, most: i64) -> Result<Vec<(Worker, Load)>, StoreError> {
        let rows = self.all(query(WORKERS_ONLINE_NOW).bind(since.0).bind(most)).await?;
        rows.iter().map(|row| Ok((worker_row(row)?, load_row(row)?))).collect()
    }

    /// Returns workers seen since `since`, at most `most`. Index workers_seen.
    pub async fn heard_of(&mut self, since: Timestamp, most: i64) -> Result<Vec<Worker>, StoreError> {
        let find = query(WORKERS_HEARD_OF).bind(since.0).bind(most);
        self.all(find).await?.iter().map(worker_row).collect()
    }

    /// Returns workers that are not revoked, newest first, after the id `after`, each with its registration time and
    /// its load.
    pub async fn page(&mut self, after: &str, most: i64) -> Result<Vec<(Worker, Timestamp, Load)>, StoreError> {
        let after = if after.is_empty() { AFTER_EVERY_ID } else { after };
        let rows = self.all(query(WORKERS_PAGE).bind(after.to_owned()).bind(most)).await?;
        rows.iter().map(|row| Ok((worker_row(row)?, Timestamp(row.try_get("created_at")?), load_row(row)?))).collect()
    }

    /// Counts workers seen since `since`.
    pub async fn count_online(&mut self, since: Timestamp) -> Result<i64, StoreError> {
        self.number(query(WORKERS_ONLINE).bind(since.0)).await
    }

    /// Returns the points and the number of a worker's live leases.
    pub async fn load(&mut self, id: &WorkerId) -> Result<Load, StoreError> {
        let row = self.one(query(LOAD).bind(id.as_str())).await?;
        let row = row.ok_or_else(|| StoreError::Corrupt("the load query returned no row".to_owned()))?;
        load_row(&row)
    }
}

impl Tokens<'_> {
    /// Stores a token's hash.
    pub async fn insert(&mut self, hash: &str, worker: &WorkerId) -> Result<(), StoreError> {
        let now = self.now().0;
        self.run(query(TOKEN_INSERT).bind(hash).bind(worker.as_str()).bind(now)).await.map(drop)
    }
}

impl LinkCodes<'_> {
    /// Stores the hash of a link code with the handle it is valid for.
    pub async fn insert(
        &mut self,
        hash: &str,
        worker: &WorkerId,
        handle: &str,
        expires_at: Timestamp,
    ) -> Result<(), StoreError> {
        let insert = query(CODE_INSERT).bind(hash).bind(worker.as_str()).bind(handle.to_lowercase()).bind(expires_at.0);
        self.run(insert).await.map(drop)
    }

    /// Returns the worker, the lower-case handle and the expiry of a link code.
    pub async fn get(&mut self, hash: &str) -> Result<Option<(WorkerId, String, Timestamp)>, StoreError> {
        let Some(row) = self.one(query(CODE_FIND).bind(hash)).await? else { return Ok(None) };
        let worker = WorkerId::new(row.try_get::<String, _>("worker_id")?);
        Ok(Some((worker, row.try_get("handle_key")?, Timestamp(row.try_get("expires_at")?))))
    }

    /// Deletes a used link code.
    pub async fn use_once(&mut self, hash: &str) -> Result<(), StoreError> {
        self.run(query(CODE_USE).bind(hash)).await.map(drop)
    }

    /// Deletes expired link codes, at most `most`.
    pub async fn forget_ended(&mut self, most: i64) -> Result<(), StoreError> {
        let forget = query(self.dialect.forget_ended_codes()).bind(self.now().0).bind(most);
        self.run(forget).await.map(drop)
    }

    /// Deletes all link codes of a worker.
    pub async fn forget(&mut self, worker: &WorkerId) -> Result<(), StoreError> {
        self.run(query(CODES_FORGET).bind(worker.as_str())).await.map(drop)
    }
}

impl People<'_> {
    /// Records a GitHub account as last seen. Another account that had its login loses it.
    pub async fn record(&mut self, github_id: i64, login: &str, is_bot: bool) -> Result<Person, StoreError> {
        let person = Person::GitHub(github_id);
        let seen = query(PERSON_SEEN).bind(person.key()).bind(github_id).bind(login).bind(i64::from(is_bot));
        self.run(seen).await?;
        self.run(query(LOGIN_TAKEN_OVER).bind(person.key()).bind(login.to_lowercase())).await?;
        Ok(person)
    }

    /// Records the new login of an account, if the pool knows the account.
    pub async fn rename(&mut self, github_id: i64, login: &str) -> Result<(), StoreError> {
        let person = Person::GitHub(github_id);
        if self.run(query(PERSON_RENAMED).bind(person.key()).bind(login)).await? == 1 {
            self.run(query(LOGIN_TAKEN_OVER).bind(person.key()).bind(login.to_lowercase())).await?;
        }
        Ok(())
    }

    /// Returns a contributor's login as last seen.
    pub async fn login(&mut self, person: &Person) -> Result<Option<String>, StoreError> {
        let row = self.one(query(PERSON_LOGIN).bind(person.key())).await?;
        row.map(|row| row.try_get("login")).transpose()
    }
}

/// Returns true if a sign of life at `seen` is so young that another is not written.
#[must_use]
pub fn is_recent(seen: Timestamp, now: Timestamp) -> bool {
    (now - PRESENCE_PRECISION..=now).contains(&seen)
}

fn sign_of_life(
    sql: &'static str,
    id: &WorkerId,
    now: Timestamp,
    status: Option<WorkerStatus>,
    note: Option<&str>,
) -> Sql {
    let recent = (now - PRESENCE_PRECISION).0;
    query(sql).bind(id.as_str()).bind(now.0).bind(status.map(WorkerStatus::name)).bind(note).bind(recent)
}

fn load_row(row: &Row) -> Result<Load, StoreError> {
    Ok(Load { points: row.try_get("points")?, leases: row.try_get("leases")? })
}

fn worker_row(row: &Row) -> Result<Worker, StoreError> {
    let (person, status): (String, String) = (row.try_get("person")?, row.try_get("status")?);
    let flag = |column: &str| row.try_get::<Option<i64>, _>(column).map(|n| n.unwrap_or(0) != 0);
    let said = WorkerStatus::from_name(&status).ok_or_else(|| StoreError::Corrupt(format!("status {status}")))?;
    Ok(Worker {
        id: WorkerId::new(row.try_get::<String, _>("id")?),
        name: row.try_get("name")?,
        person: Person::from_key(&person).ok_or_else(|| StoreError::Corrupt(format!("person {person}")))?,
        login: row.try_get("login")?,
        by_comment: flag("by_comment")?,
        is_bot: flag("is_bot")?,
        skills: words(row, "skills")?,
        capacity: row.try_get("capacity")?,
        max_concurrent: row.try_get("max_concurrent")?,
        status: if flag("paused")? { WorkerStatus::Paused } else { said },
        ack: capabilities(row)?.ack,
        revoked: flag("revoked")?,
        joined: flag("joined")?,
        last_seen: Timestamp(row.try_get("last_seen")?),
    })
}

pub(super) fn capabilities(row: &Row) -> Result<Capabilities, StoreError> {
    json("capabilities", &row.try_get::<String, _>("capabilities")?)
}
