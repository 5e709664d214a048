//! The operator's policy for a repository: shown and changed.

use crate::Policies;
use crate::error::EngineError;
use crate::facts::{self, RepoContext};
use owp_pool::Span;
use owp_pool::document::{Document, Fault};
use owp_pool::event::{Event, EventKind};
use owp_pool::policy::Policy;
use owp_store::{PolicyFile, RepoRow, Scope, transaction};
use serde_json::json;

/// The policy in force in a repository.
#[derive(Debug, Clone)]
pub struct PolicyInForce {
    /// `owner/name`.
    pub repo: String,
    /// The operator's document; `None` for the defaults.
    pub set: Option<Document>,
    /// The policy file, as far as it is known.
    pub file: PolicyFile,
    /// The effective policy.
    pub policy: Policy,
}

impl Policies<'_> {
    /// Returns the policy in force in a repository.
    ///
    /// # Errors
    /// [`EngineError::NoSuchRepo`].
    pub async fn show_policy(&self, name: &str) -> Result<PolicyInForce, EngineError> {
        let asked = name.to_owned();
        let row = self.read(transaction!(|tx| Ok(tx.repos().by_name(&asked).await?))).await?;
        Ok(self.in_force(row.ok_or_else(|| EngineError::NoSuchRepo(name.to_owned()))?))
    }

    /// Sets a repository's policy, or restores the defaults. Leases keep the terms they were granted with.
    ///
    /// # Errors
    /// [`EngineError::UnknownRepo`]; [`EngineError::BadPolicy`] for an invalid document, which is rejected as a whole.
    pub async fn set_policy(&self, name: &str, document: Option<Document>) -> Result<PolicyInForce, EngineError> {
        let row = self.known_repo(name).await?;
        check(&row, document.as_ref()).map_err(EngineError::BadPolicy)?;
        if let Some(document) = &document {
            let mut faults = self.missing_permissions(&row, document).await?;
            faults.extend(self.unknown_names(&row, document).await?);
            if !faults.is_empty() {
                return Err(EngineError::BadPolicy(faults));
            }
        }
        let id = row.id.clone();
        let row = self
            .write(
                Scope::repo(&row.id),
                transaction!(|tx| {
                    tx.policies().set(&row.id, document.as_ref()).await?;
                    let event = Event::new(EventKind::PolicySet, json!({ "policy": document, "by": "operator" }));
                    tx.events().append(&[event])?;
                    Ok(RepoRow { policy: document, policy_unreadable: None, ..row })
                }),
            )
            .await?;
        // The names on its lists are looked up with the file.
        self.inner().policies.forget(&id);
        self.ring();
        Ok(self.in_force(self.with_policy(row, Span(0)).await?))
    }

    fn in_force(&self, row: RepoRow) -> PolicyInForce {
        let RepoContext { row, policy, .. } = self.context(row);
        PolicyInForce { repo: row.name, set: row.policy, file: row.file, policy }
    }
}

fn check(row: &RepoRow, document: Option<&Document>) -> Result<(), Vec<Fault>> {
    document.map_or(Ok(()), |document| document.apply(&facts::defaults(row)).map(drop))
}
