//! GitHub's current state, fetched before a transaction: deliveries and timers only hint at what to fetch.

use crate::Intake;
use crate::error::EngineError;
use crate::facts::RepoContext;
use crate::intake::comment::MIN_MISSES;
use crate::intake::installations::is_unreadable;
use crate::reconcile::uptime;
use crate::tracking::approval::Facts;
use crate::tracking::commits::PullDetails;
use crate::tracking::issues::{self, IssueDetails, IssueView, LabelEvidence, Loss};
use owp_github::client::{GitHubError, IssueHistory, IssueInfo, Permission, RepoHandle, RepoReader};
use owp_github::payload::{Edit, IssueSnapshot, RepoRef, UserRef};
use owp_pool::Timestamp;
use owp_pool::approval::opt_in;
use owp_pool::approval::record::Known;
use owp_pool::approval::text::{self, TextTrust};
use owp_store::{Delivery, GitHubRepo, RepoRow, Scope, transaction};

/// A delivery's claims about an issue, and what was fetched about it in advance.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hint<'d> {
    /// It was offered to the pool again.
    pub offered_anew: bool,
    /// This person edited its text.
    pub edit: Option<(&'d UserRef, &'d Edit)>,
    /// Its text at the time it was offered.
    pub said: Option<&'d IssueSnapshot>,
    /// Somebody removed the label that offers it.
    pub taken_out: bool,
    /// Its history, fetched together with those of other issues after the issue itself.
    pub history: Option<&'d IssueHistory>,
    /// It was deleted or transferred; believed once GitHub no longer shows it.
    pub lost: Option<Loss>,
}

impl Intake<'_> {
    /// Returns the repository of a delivery. An unknown one is added only when GitHub confirms, with the App's own
    /// token, that the App is installed there; otherwise the delivery has no effect.
    pub(crate) async fn repo_of(
        &self,
        repo: &RepoRef,
        installation: Option<i64>,
    ) -> Result<Option<RepoRow>, EngineError> {
        let id = repo.id;
        let known = self.read(transaction!(|tx| Ok(tx.repos().by_github_id(id).await?))).await?;
        if let Some(row) = known.clone().filter(|row| row.ask_again) {
            // The delivery proves that the repository is visible: sync it now, then process the delivery.
            self.write(Scope::repo(&row.id), transaction!(|tx| Ok(tx.sync().sync_now(&row.id).await?))).await?;
            self.ring();
            return Err(EngineError::InDoubt(format!("the repository {}", repo.full_name)));
        }
        if let Some(row) = known {
            return Ok(Some(row).filter(|row| row.managed && row.inactive.is_none()));
        }
        let Some(installation) = installation else { return Ok(None) };
        let handle = RepoHandle { github_id: repo.id, full_name: repo.full_name.clone() };
        let seen = match self.github_side()?.client.reader(installation, handle).repository().await {
            Ok(seen) => seen,
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(_) => return Ok(None),
        };
        let sighting = GitHubRepo {
            github_id: seen.id,
            installation_id: installation,
            name: seen.full_name,
            private: seen.private,
            archived: seen.archived,
        };
        self.take_in(sighting).await.map(Some)
    }

    /// Returns the repository of a command that was not served until now, once GitHub lists it: its return may have been
    /// missed. Returns `None` when it is unknown, or after several lists without it.
    pub(crate) async fn repo_of_command(
        &self,
        repo: &RepoRef,
        installation: Option<i64>,
        delivery: &Delivery,
        comment: i64,
    ) -> Result<Option<RepoRow>, EngineError> {
        let github_id = repo.id;
        let known = self.read(transaction!(|tx| Ok(tx.repos().by_github_id(github_id).await?))).await?;
        let Some(row) = known.filter(|row| row.managed) else { return Ok(None) };
        let Some(installation) = installation.or(row.installation_id) else { return Ok(None) };
        if delivery.misses >= MIN_MISSES {
            tracing::warn!(repo = %row.name, comment, "dropped a command, because its repository is not served");
            return Ok(None);
        }
        let listed = match self.github_side()?.client.installation_repositories(installation).await {
            Ok(listed) => listed,
            Err(error) if is_unreadable(&error) => return Err(EngineError::CommentInDoubt(comment)),
            Err(error) => return Err(error.into()),
        };
        let Some(seen) = listed.into_iter().find(|seen| seen.id == github_id && !seen.archived) else {
            return Err(EngineError::CommentInDoubt(comment));
        };
        self.learn_repository(installation, seen).await?;
        self.repo_of(repo, Some(installation)).await
    }

    /// Records a repository the App is installed on, and requests its first count.
    pub(crate) async fn take_in(&self, seen: GitHubRepo) -> Result<RepoRow, EngineError> {
        let (settings, github_id) = (self.settings().clone(), seen.github_id);
        let known = self.read(transaction!(|tx| Ok(tx.repos().by_github_id(github_id).await?))).await?;
        let scope = known.map_or_else(Scope::global, |row| Scope::repo(&row.id));
        let row = self
            .write(
                scope,
                transaction!(|tx| {
                    tx.installations().ensure(seen.installation_id).await?;
                    let before = tx.repos().by_github_id(seen.github_id).await?;
                    let id = tx.repos().record_github(&seen, true).await?;
                    let repo = RepoContext::load(tx, &id, &settings).await?;
                    let away_since = before.and_then(|row| row.inactive_since);
                    if let Some(since) = away_since.filter(|_| repo.row.inactive.is_none()) {
                        uptime::give_back(tx, &repo, since).await?;
                    }
                    Ok(repo.row)
                }),
            )
            .await?;
        self.ring();
        Ok(row)
    }

    /// Fetches an issue and, if it matters, the act that offered it to the pool.
    pub(crate) async fn view_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
        hint: Hint<'_>,
    ) -> Result<IssueView, EngineError> {
        match reader.issue(number).await {
            Ok(info) => Box::pin(self.judge_issue(reader, repo, info, hint)).await,
            Err(error) => match hint.lost {
                // The signed delivery and GitHub's response agree.
                Some(loss) if is_lost(&error, reader) => Ok(IssueView::Gone(loss)),
                _ => self.not_shown(reader, repo, number, error).await,
            },
        }
    }

    async fn not_shown(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
        error: GitHubError,
    ) -> Result<IssueView, EngineError> {
        match error {
            GitHubError::NotFound { .. } | GitHubError::Gone { .. } => {
                // An inaccessible repository also answers "not found": fetch it, and fail with that error.
                reader.repository().await?;
                self.doubt_issue(reader, repo, number).await
            }
            error => Err(error.into()),
        }
    }

    /// Handles an issue that GitHub does not show: fails until repeated responses and the list agree.
    async fn doubt_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
    ) -> Result<IssueView, EngineError> {
        let doubt = self.in_repo(&repo.row.id, transaction!(|tx, repo| issues::doubt(tx, &repo, number).await)).await?;
        let gone = match doubt {
            None => true,
            Some(doubt) if doubt.is_confirmed() => {
                let listed = reader.labelled_issues(&repo.policy.labels.ready).await?;
                listed.iter().all(|issue| issue.number != number)
            }
            Some(_) => false,
        };
        if gone { Ok(IssueView::Gone(Loss::NotShown)) } else { Err(EngineError::InDoubt(format!("issue #{number}"))) }
    }

    pub(crate) async fn judge_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        info: IssueInfo,
        hint: Hint<'_>,
    ) -> Result<IssueView, EngineError> {
        let (id, number) = (repo.row.id.clone(), info.number);
        let (known, now) =
            self.read(transaction!(|tx| Ok((tx.tasks().by_issue_with_extras(&id, number).await?, tx.now())))).await?;
        let known = known.as_ref().map(|(task, extras)| (task, extras));
        let judges_act = hint.offered_anew || issues::needs_opt_in(known, &info, repo, now);
        let known = known.map(|(task, extras)| Known { task, record: &extras.approval });
        let labels = &repo.policy.labels;
        let mut facts = Facts::new(reader, &info, hint);
        let opt_in = if judges_act { facts.decide(|issue| opt_in::judge(issue, known, labels)).await? } else { None };
        let trust = match known {
            Some(known) => facts.decide(|issue| text::judge(issue, known, labels)).await?,
            None => TextTrust::Trusted,
        };
        let basis = known.map(Known::basis);
        let proof = if hint.taken_out { LabelEvidence::Signed } else { LabelEvidence::Look };
        Ok(IssueView::Present(Box::new(IssueDetails { info, opt_in, trust, basis, proof })))
    }

    /// Fetches the open pull requests that name an issue's task. GitHub may report an issue as closed before it reports
    /// the merge that closed it.
    pub(crate) async fn pulls_of_issue(
        &self,
        reader: &RepoReader,
        repo: &RepoContext,
        number: i64,
    ) -> Result<Vec<PullDetails>, EngineError> {
        let id = repo.row.id.clone();
        let open = self
            .read(transaction!(|tx| {
                let Some(task) = tx.tasks().by_issue(&id, number).await? else { return Ok(Vec::new()) };
                let pulls = tx.pulls().of_task(&task.id).await?;
                Ok(pulls.into_iter().filter(|p| p.facts.open).map(|p| p.facts.number).collect::<Vec<_>>())
            }))
            .await?;
        let mut views = Vec::new();
        for number in open {
            match reader.pull(number).await {
                Ok(pull) => views.push(self.tracking().fetch_checks(reader, repo, pull, false).await?),
                Err(GitHubError::NotFound { .. } | GitHubError::Gone { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(views)
    }
}

/// Returns the permission of an account, by login but only if it still has this id, for judging acts up to `act`. Without
/// that time GitHub is always asked.
pub(crate) async fn permission_of(
    reader: &RepoReader,
    login: &str,
    id: i64,
    act: Option<Timestamp>,
) -> Result<Permission, EngineError> {
    let known = match act {
        Some(act) => reader.permission_for_act(login, act).await,
        None => reader.permission(login).await,
    };
    match known {
        Ok(info) if info.user.as_ref().is_none_or(|user| user.id == id) => Ok(info.permission),
        Ok(_) | Err(GitHubError::NotFound { .. }) => Ok(Permission::None),
        Err(error) => Err(error.into()),
    }
}

/// Returns true when an error says that an issue is not in this repository.
fn is_lost(error: &GitHubError, reader: &RepoReader) -> bool {
    matches!(error, GitHubError::NotFound { .. } | GitHubError::Gone { .. })
        || error.left_repository(reader.handle().github_id)
}
