//! Link codes, which prove that a worker belongs to a contributor: by the contributor's comment, or confirmed by one of
//! their linked workers. Only hashes are stored.

use crate::Settings;
use crate::Workers;
use crate::error::{EngineError, Refused};
use crate::facts::{self, RepoContext};
use crate::workers::contributors::secret_hash;
use crate::workers::once::{Keep, settle};
use data_encoding::BASE32_NOPAD;
use owp_base::clock::Entropy;
use owp_pool::event::{Event, EventKind};
use owp_pool::worker::Worker;
use owp_pool::{Person, Span, Timestamp, WorkerId};
use owp_store::{RepoRow, Scope, StoreError, Tx, transaction};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

/// Lifetime of a link code.
const LINK_CODE_LIFE: Span = Span::minutes(15);
/// Number of ended codes deleted whenever one is made.
const ENDED_AT_ONCE: i64 = 20;

/// A link code, shown to its worker once.
#[derive(Debug)]
pub struct LinkCode {
    /// The code for the comment `/owp link CODE`.
    pub code: SecretString,
    /// Expiry time.
    pub expires_at: Timestamp,
    /// Issue that a policy names for link comments, as `owner/name#12`. Without one, the contributor uses an issue they
    /// take part in, so that nobody else is notified; the pool reads all its issues.
    pub issue: Option<String>,
}

/// Returns the issue that a policy names for link comments, if any.
pub(crate) async fn meeting_place(tx: &mut Tx, settings: &Settings) -> Result<Option<String>, StoreError> {
    let repos = tx.policies().repos_naming_a_link_issue().await?;
    let named = |row: RepoRow| {
        let repo = RepoContext::new(row, settings);
        repo.policy.link_issue.map(|issue| format!("{}#{issue}", repo.row.name))
    };
    Ok(repos.into_iter().find_map(named))
}

/// Draws a new code: twelve letters of five bits each, sixty bits.
pub(crate) fn draw(entropy: &Entropy) -> SecretString {
    SecretString::from(BASE32_NOPAD.encode(&entropy.bytes::<8>())[..12].to_owned())
}

/// Makes a code valid for a worker and a GitHub login, and returns its expiry. Also deletes ended codes, faster than
/// new ones come.
pub(crate) async fn offer(
    tx: &mut Tx,
    worker: &WorkerId,
    handle: &str,
    code: &SecretString,
) -> Result<Timestamp, StoreError> {
    let until = tx.now() + LINK_CODE_LIFE;
    tx.link_codes().forget_ended(ENDED_AT_ONCE).await?;
    tx.link_codes().insert(&secret_hash(code.expose_secret()), worker, handle.trim_start_matches('@'), until).await?;
    Ok(until)
}

/// Reason a code links nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadCode {
    /// Never issued, already used, or expired.
    Unknown,
    /// Made for another account, for which it stays valid.
    OtherAccount,
}

/// Links the code's worker to a contributor and uses the code up. The caller holds the worker's row.
pub(crate) async fn redeem(
    tx: &mut Tx,
    hash: &str,
    person: &Person,
    login: &str,
) -> Result<Result<Worker, BadCode>, EngineError> {
    let known = tx.link_codes().get(hash).await?.filter(|(_, _, expires_at)| *expires_at > tx.now());
    let Some((worker, handle, _)) = known else { return Ok(Err(BadCode::Unknown)) };
    if handle != login.to_lowercase() {
        return Ok(Err(BadCode::OtherAccount));
    }
    let worker = facts::known_worker(tx, &worker).await?;
    tx.link_codes().use_once(hash).await?;
    tx.workers().set_person(&worker.id, person).await?;
    let linked = Event::new(EventKind::WorkerLinked, json!({ "login": login })).about_worker(&worker.id);
    tx.events().append(&[linked])?;
    Ok(Ok(worker))
}

impl Workers<'_> {
    /// Links another worker to the contributor behind this one, by the other's code. Returns the other worker.
    ///
    /// # Errors
    /// A refusal when this worker is not linked, or the code is not valid for its contributor.
    pub async fn confirm_link(
        &self,
        by: &WorkerId,
        code: &str,
        keep: Option<Keep<Worker>>,
    ) -> Result<Worker, EngineError> {
        let hash = secret_hash(&code.to_uppercase());
        let asked = hash.clone();
        let other = self.read(transaction!(|tx| Ok(tx.link_codes().get(&asked).await?))).await?;
        // Both rows, so that neither worker is linked, unlinked or revoked meanwhile.
        let workers: Vec<WorkerId> = other.into_iter().map(|(worker, ..)| worker).chain([by.clone()]).collect();
        let by = by.clone();
        self.write(
            Scope::global().with_workers(workers),
            transaction!(|tx| {
                let own = facts::known_worker(tx, &by).await?;
                let Some(login) = own.login.filter(|_| own.person.is_linked() && !own.revoked) else {
                    return Err(Refused::because(NOT_LINKED).into());
                };
                let other = match redeem(tx, &hash, &own.person, &login).await? {
                    Ok(other) => other,
                    Err(BadCode::Unknown) => return Err(Refused::because(UNKNOWN_CODE).into()),
                    Err(BadCode::OtherAccount) => return Err(other_account(&login).into()),
                };
                settle(keep, tx, &other).await?;
                Ok(other)
            }),
        )
        .await
    }

    /// Creates a code for an existing worker; its older codes stop working.
    ///
    /// # Errors
    /// A refusal when the worker is linked already.
    pub async fn link_code(&self, id: &WorkerId, handle: String) -> Result<LinkCode, EngineError> {
        let code = draw(self.store().entropy());
        let (id, settings) = (id.clone(), self.settings().clone());
        // `/owp link` locks the same row: two concurrent calls leave one code, and a linked worker gets none.
        self.write(
            Scope::global().with_workers([id.clone()]),
            transaction!(|tx| {
                let worker = facts::known_worker(tx, &id).await?;
                if worker.person.is_linked() {
                    return Err(already(worker.login.as_deref()).into());
                }
                tx.link_codes().forget(&id).await?;
                let expires_at = offer(tx, &id, &handle, &code).await?;
                Ok(LinkCode { code, expires_at, issue: meeting_place(tx, &settings).await? })
            }),
        )
        .await
    }
}

const NOT_LINKED: &str = "This worker is not linked to a GitHub account, so it cannot link another. Link it first: ask for a \
                          code of its own, and comment `/owp link CODE` on an issue you take part in.";
const UNKNOWN_CODE: &str =
    "The code is not known here. Codes work once and for 15 minutes; ask for a new one on the other machine.";

fn other_account(login: &str) -> Refused {
    Refused::because(format!(
        "The code was made for another account than @{login}. Ask for one for @{login} on the other machine."
    ))
}

fn already(login: Option<&str>) -> Refused {
    let whom = login.map_or("somebody on GitHub".to_owned(), |login| format!("@{login}"));
    let how = "whoever that is comments `/owp unlink` on an issue of the pool first";
    Refused::because(format!("This worker is linked to {whom} already. To link it to another account, {how}."))
}
