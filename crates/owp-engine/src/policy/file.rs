//! `.github/owp.yml`: read when it may have changed, validated, stored. Errors appear in the log, on the dashboard
//! and in one comment; the last valid policy stays in force. Until a policy was read, nothing is handed out.

use crate::Policies;
use crate::comments::placement;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::policy::reads::FRESH;
use crate::reconcile::grace;
use data_encoding::HEXLOWER;
use owp_github::client::{FileText, GitHubError, RepoReader};
use owp_github::render::policy_trouble;
use owp_pool::branch::BranchTemplate;
use owp_pool::document::{Document, Fault, FaultKind, POLICY_PATH, read_yaml};
use owp_pool::event::{Event, EventKind};
use owp_pool::policy::Policy;
use owp_pool::{RepoId, Span, Timestamp};
use owp_store::{Allowed, RepoRow, Scope, Tx, transaction};
use serde_json::json;
use sha2::{Digest, Sha256};

/// Interval between lookups of the names on allow-lists.
const NAMES_FRESH: Span = Span::hours(1);
/// Age of the last comment about errors from which a new one is posted; until then it is edited.
const SAID_ANEW_AFTER: Span = Span::days(7);

/// Number of former branch templates that are remembered.
const FORMER_BRANCHES_MOST: usize = 10;

/// Result of reading a file.
enum ReadResult {
    /// Valid, or absent.
    Good { document: Option<Box<Document>>, allowed: Allowed },
    /// Invalid.
    Bad(String),
}

impl Policies<'_> {
    /// Returns a repository's row with its current policy file, read again unless that was done within `age`. If GitHub
    /// cannot be asked, the last known policy stays. The next request then waits some seconds, unless `age` is 0.
    pub(crate) async fn with_policy(&self, row: RepoRow, age: Span) -> Result<RepoRow, EngineError> {
        let now = Timestamp(self.store().clock().now_ms());
        let looked = &self.inner().policies;
        if !row.managed || row.inactive.is_some() || self.github().is_none() || looked.is_fresh(&row.id, now, age) {
            return Ok(row);
        }
        if age > Span(0) && looked.is_failing(&row.id, now) {
            return Ok(row);
        }
        // Nothing is granted in a repository whose file was not read lately, so this is part of a count.
        let reader = self.reader(&row)?.urgent();
        let text = match reader.file(POLICY_PATH).await {
            Ok(text) => text,
            Err(error) if error.is_denied() => {
                looked.mark(&row.id, now);
                let why = format!(
                    "the App may not read it ({error}); its owner accepts the permission `contents: read`, or `single_file: {POLICY_PATH}`, in the App's installation settings"
                );
                return self.keep_policy(row, None, ReadResult::Bad(why)).await;
            }
            Err(error) => {
                looked.mark_failed(&row.id, now);
                tracing::warn!(repo = %row.name, %error, "failed to read the policy file; the last known policy stays in force");
                return Ok(row);
            }
        };
        let digest = match &text {
            FileText::Absent => None,
            FileText::Text(text) => Some(HEXLOWER.encode(&Sha256::digest(text.as_bytes()))),
            FileText::Other(what) => Some((*what).to_owned()),
        };
        if is_settled(&row, digest.as_deref(), now) {
            looked.mark(&row.id, now);
            return Ok(row);
        }
        let validated = match self.validate(&reader, &row, text).await {
            Ok(validated) => validated,
            Err(EngineError::GitHub(error)) => {
                looked.mark_failed(&row.id, now);
                tracing::warn!(repo = %row.name, %error, "failed to look up names in the policy file; the last known policy stays in force");
                return Ok(row);
            }
            Err(error) => return Err(error),
        };
        looked.mark(&row.id, now);
        self.keep_policy(row, digest, validated).await
    }

    /// Same as [`Policies::with_policy`], for a repository id.
    pub(crate) async fn policy_is_fresh(&self, id: &RepoId) -> Result<(), EngineError> {
        let id = id.clone();
        let row = self.read(transaction!(|tx| Ok(tx.repos().get(&id).await?))).await?;
        match row {
            Some(row) => self.with_policy(row, FRESH).await.map(drop),
            None => Ok(()),
        }
    }

    async fn validate(&self, reader: &RepoReader, row: &RepoRow, text: FileText) -> Result<ReadResult, EngineError> {
        let document = match text {
            FileText::Absent => None,
            FileText::Other(what) => return Ok(ReadResult::Bad(format!("{POLICY_PATH} is {what}."))),
            FileText::Text(text) => match read_yaml(&text, &Policy::managed()) {
                Ok(document) => Some(Box::new(document)),
                Err(faults) => return Ok(ReadResult::Bad(lines(&faults))),
            },
        };
        let (mut allowed, mut faults) = (Allowed::new(), vec![]);
        if let Some(document) = &document {
            faults = self.missing_permissions(row, document).await?;
            let (named, wrong) = resolve(reader, document.allowed_names(), &row.file.allowed).await?;
            faults.extend(wrong);
            allowed = named;
        }
        // The names in the operator's document are resolved too. An unknown name grants nothing.
        let operators = row.policy.as_ref().map(Document::allowed_names).unwrap_or_default();
        allowed.extend(resolve(reader, operators, &row.file.allowed).await?.0);
        Ok(if faults.is_empty() { ReadResult::Good { document, allowed } } else { ReadResult::Bad(lines(&faults)) })
    }

    /// Returns faults for names in a document that are unknown or cannot be looked up.
    ///
    /// # Errors
    /// [`EngineError::GitHub`] when GitHub cannot be asked.
    pub(crate) async fn unknown_names(&self, row: &RepoRow, document: &Document) -> Result<Vec<Fault>, EngineError> {
        let names = document.allowed_names();
        if names.is_empty() || !row.managed || self.github().is_none() {
            return Ok(vec![]);
        }
        Ok(resolve(&self.reader(row)?, names, &row.file.allowed).await?.1)
    }

    /// Returns faults for permissions that a document needs and the installation has not granted.
    pub(crate) async fn missing_permissions(
        &self,
        row: &RepoRow,
        document: &Document,
    ) -> Result<Vec<Fault>, EngineError> {
        let Some(installation) = row.installation_id.filter(|_| document.names_checks()) else { return Ok(vec![]) };
        let granted = self.read(transaction!(|tx| Ok(tx.installations().permissions(installation).await?))).await?;
        let missing: Vec<String> = ["checks", "statuses"]
            .into_iter()
            .filter(|name| !granted.contains_key(*name))
            .map(|name| format!("`{name}: read`"))
            .collect();
        if missing.is_empty() {
            return Ok(vec![]);
        }
        let message = format!(
            "needs permissions that the App's installation has not granted: {}; ask for them in the App's settings and accept them in the installation's, or take the checks out",
            missing.join(" and ")
        );
        Ok(vec![Fault { key: "gates.checks".to_owned(), message, place: None, kind: FaultKind::Plain }])
    }

    async fn keep_policy(
        &self,
        row: RepoRow,
        digest: Option<String>,
        validated: ReadResult,
    ) -> Result<RepoRow, EngineError> {
        if let ReadResult::Bad(why) = &validated
            && row.file.error.as_ref() == Some(why)
            && row.file.digest == digest
            && row.file.said.is_some()
        {
            return Ok(row);
        }
        if let ReadResult::Bad(why) = &validated {
            tracing::warn!(repo = %row.name, why, "the policy file is invalid");
        }
        let settings = self.settings().clone();
        let kept = self
            .write(
                Scope::repo(&row.id),
                transaction!(|tx| {
                    let before = RepoContext::new(row.clone(), &settings).policy.labels.ready;
                    store(tx, &row, digest, validated).await?;
                    let fresh = RepoContext::load(tx, &row.id, &settings).await?;
                    if !before.eq_ignore_ascii_case(&fresh.policy.labels.ready) {
                        // It may be a typo: the tasks get a grace period before they leave the pool.
                        grace::begin(tx, &fresh.row.id).await?;
                    }
                    report_faults(tx, &fresh).await?;
                    Ok(fresh.row)
                }),
            )
            .await?;
        self.ring();
        Ok(kept)
    }
}

/// Returns true when the file is unchanged and valid, and its names were looked up lately.
fn is_settled(row: &RepoRow, digest: Option<&str>, now: Timestamp) -> bool {
    let (file, documents) = (&row.file, [&row.file.document, &row.policy]);
    let names = documents.into_iter().flatten().any(|document| !document.allowed_names().is_empty());
    file.was_read
        && file.error.is_none()
        && file.digest.as_deref() == digest
        && (!names || file.allowed_at + NAMES_FRESH > now)
}

async fn store(tx: &mut Tx, row: &RepoRow, digest: Option<String>, validated: ReadResult) -> Result<(), EngineError> {
    match validated {
        ReadResult::Good { document, allowed } => {
            let document = document.map(|document| *document);
            if allowed != row.file.allowed || !allowed.is_empty() {
                tx.policies().set_allowed(&row.id, &allowed).await?;
            }
            let branch = |document: Option<&Document>| document.and_then(|d| d.contract.as_ref()?.branch.clone());
            let usual = || BranchTemplate::default().to_string();
            let before = branch(row.file.document.as_ref()).unwrap_or_else(usual);
            if before != branch(document.as_ref()).unwrap_or_else(usual) {
                let mut former = row.file.former_branches.clone();
                former.retain(|text| *text != before);
                former.insert(0, before);
                former.truncate(FORMER_BRANCHES_MOST);
                tx.policies().set_former_branches(&row.id, &former).await?;
            }
            let changed = row.file.document != document || row.file.error.is_some();
            tx.policies().set_file(&row.id, document.as_ref(), digest.as_deref()).await?;
            if !changed {
                return Ok(());
            }
            let labels = |document: Option<&Document>| document.and_then(|document| document.labels.clone());
            if labels(row.file.document.as_ref()) != labels(document.as_ref()) {
                // Every labelled issue may have another meaning now.
                let now = tx.now();
                tx.sync().compare_by(&row.id, now).await?;
            }
            let set = json!({ "policy": document, "by": "file", "digest": digest });
            Ok(tx.events().append(&[Event::new(EventKind::PolicySet, set)])?)
        }
        ReadResult::Bad(why) => {
            if row.file.error.as_ref() != Some(&why) || row.file.digest != digest {
                let refused = json!({ "why": why, "digest": digest });
                tx.events().append(&[Event::new(EventKind::PolicyRefused, refused)])?;
            }
            Ok(tx.policies().set_error(&row.id, digest.as_deref(), &why).await?)
        }
    }
}

/// Reports errors in the file, or their end, where a maintainer sees it: on the newest task's issue.
async fn report_faults(tx: &mut Tx, repo: &RepoContext) -> Result<(), EngineError> {
    let (file, now) = (&repo.row.file, tx.now());
    match (&file.error, file.said) {
        (None, None) => Ok(()),
        // Errors that nobody saw need no all-clear.
        (None, Some((issue, _))) if placement::withdraw(tx, repo, issue, "policy").await? => Ok(()),
        (None, Some((issue, _))) => Ok(placement::show(tx, repo, issue, "policy", &policy_trouble(None)).await?),
        (Some(why), said) => {
            let body = policy_trouble(Some((why, file.was_read)));
            if let Some((issue, _)) = said.filter(|(_, at)| *at + SAID_ANEW_AFTER > now) {
                return Ok(placement::show(tx, repo, issue, "policy", &body).await?);
            }
            let Some(issue) = tx.policies().newest_issue(&repo.row.id).await? else { return Ok(()) };
            tx.policies().set_reported(&repo.row.id, issue).await?;
            Ok(placement::show(tx, repo, issue, "policy", &body).await?)
        }
    }
}

/// Resolves names to account ids, with a fault for each unknown name. A login keeps the id it had when it was written,
/// because logins change hands; a team is looked up again.
async fn resolve(
    reader: &RepoReader,
    names: Vec<String>,
    known: &Allowed,
) -> Result<(Allowed, Vec<Fault>), EngineError> {
    let (mut allowed, mut faults) = (Allowed::new(), Vec::new());
    for name in names {
        match resolve_name(reader, &name, known).await? {
            Ok(ids) => drop(allowed.insert(name.to_lowercase().trim_start_matches('@').to_owned(), ids)),
            Err(message) => {
                faults.push(Fault { key: "tiers".to_owned(), message, place: None, kind: FaultKind::Plain });
            }
        }
    }
    Ok((allowed, faults))
}

/// Resolves one name on a list, or returns its fault.
async fn resolve_name(
    reader: &RepoReader,
    name: &str,
    known: &Allowed,
) -> Result<Result<std::collections::BTreeSet<i64>, String>, EngineError> {
    let bare = name.trim_start_matches('@');
    let Some((organisation, team)) = bare.split_once('/') else {
        if let Some(ids) = known.get(&bare.to_lowercase()) {
            return Ok(Ok(ids.clone()));
        }
        return match reader.user(bare).await {
            Ok(account) => Ok(Ok([account.id].into())),
            Err(GitHubError::NotFound { .. }) => Ok(Err(format!("name `{bare}`, and GitHub knows no such account"))),
            Err(error) => Err(error.into()),
        };
    };
    match reader.team_members(organisation, team).await {
        Ok(members) => Ok(Ok(members.into_iter().map(|member| member.id).collect())),
        Err(GitHubError::NotFound { .. }) => Ok(Err(format!("name the team `{bare}`, which GitHub does not show"))),
        Err(error) if error.is_denied() => Ok(Err(format!(
            "name the team `{bare}`, and the App may not read teams: grant it the organisation permission `members: read`, or name people by their logins"
        ))),
        Err(error) => Err(error.into()),
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
