//! Missed deliveries: found in GitHub's list at startup and on a schedule, and requested again, each failed attempt
//! once. A full comparison, requested at the same time, finds what GitHub has forgotten by then.

use crate::Intake;
use crate::error::EngineError;
use owp_github::client::GitHubError;
use owp_pool::Span;
use owp_store::{MissedWork, Scope, transaction};

/// GitHub keeps deliveries for three days, and redelivers none that is older.
const KEPT: Span = Span::days(3);
/// GitHub's clock differs from ours, and an attempt is dated by its start but listed at its end.
const SLACK: Span = Span::minutes(5);
/// Pause after a failed read.
const RETRY: Span = Span::minutes(1);
/// GitHub asks for one second between requests that are not reads.
/// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api>
const PACE: Span = Span::secs(1);

impl Intake<'_> {
    /// Reads GitHub's list of deliveries when that is due, or requests a failed one again. Returns false when there is
    /// nothing to do. Failed requests to GitHub are retried later.
    pub async fn step_missed(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        match self.read(transaction!(|tx| Ok(tx.redeliveries().next_work().await?))).await? {
            MissedWork::Look => self.read_missed().await,
            MissedWork::Ask => self.ask_again().await,
            MissedWork::Nothing => Ok(false),
        }
    }

    async fn read_missed(&self) -> Result<bool, EngineError> {
        // Three days of deliveries are many pages.
        let hold = self.settings().takeover_after * 5;
        let taken = self
            .write(
                Scope::global(),
                transaction!(|tx| {
                    let (now, until) = (tx.now(), tx.now() + hold);
                    let looked = tx.redeliveries().take_look(until).await?;
                    Ok(looked.map(|looked_until| (now, until, looked_until)))
                }),
            )
            .await?;
        let Some((now, taken, looked_until)) = taken else { return Ok(true) };
        let oldest = now - KEPT;
        let since = (looked_until - SLACK).max(oldest);
        let scheduled = self.settings().redeliver_at.next_after(now).unwrap_or(now + Span::hours(1));
        let failed = match self.github_side()?.client.failed_deliveries(since).await {
            Ok(failed) => failed,
            Err(error) => {
                tracing::warn!(%error, "failed to read GitHub's list of deliveries");
                let soon = error.is_transient() || matches!(error, GitHubError::Unauthorized { .. });
                // A problem that needs a human is checked again on schedule.
                let next = if soon { error.retry_at().unwrap_or_default().max(now + RETRY) } else { scheduled };
                self.write(Scope::global(), transaction!(|tx| Ok(tx.redeliveries().postpone_look(taken, next).await?)))
                    .await?;
                return Ok(true);
            }
        };
        let wanted = self
            .write(
                Scope::all_repositories(),
                transaction!(|tx| {
                    // If another process took over, it reads the list anew.
                    if !tx.redeliveries().record_look(taken, now, scheduled).await? {
                        return Ok(0);
                    }
                    let mut wanted = 0;
                    for one in &failed {
                        wanted += usize::from(tx.redeliveries().want(&one.guid, one.id, one.at, oldest).await?);
                    }
                    // The rows outlive GitHub's memory, so that no attempt is requested twice.
                    tx.redeliveries().purge(oldest - KEPT).await?;
                    tx.sync().recount_all().await?;
                    Ok(wanted)
                }),
            )
            .await?;
        if wanted > 0 {
            tracing::info!(wanted, "deliveries failed; asking GitHub to redeliver them");
        }
        self.ring();
        Ok(true)
    }

    async fn ask_again(&self) -> Result<bool, EngineError> {
        let taken = self
            .write(
                Scope::global(),
                transaction!(|tx| {
                    let next = tx.now() + PACE;
                    Ok(tx.redeliveries().take(next).await?.map(|one| (one, tx.now())))
                }),
            )
            .await?;
        let Some(((guid, delivery), now)) = taken else { return Ok(true) };
        let later = match self.github_side()?.client.redeliver(delivery).await {
            Ok(()) | Err(GitHubError::NotFound { .. }) => None,
            // A second request delivers twice, which changes nothing.
            Err(error) if error.is_transient() || matches!(error, GitHubError::Unauthorized { .. }) => {
                tracing::warn!(%error, %guid, "failed to request a redelivery; retrying later");
                Some(error.retry_at().unwrap_or_default().max(now + RETRY))
            }
            Err(error) => {
                tracing::error!(%error, %guid, "GitHub refused to redeliver a delivery");
                None
            }
        };
        self.write(
            Scope::global(),
            transaction!(|tx| {
                match later {
                    Some(at) => tx.redeliveries().ask_later(at).await?,
                    None => tx.redeliveries().record_asked(&guid, delivery).await?,
                }
                Ok(())
            }),
        )
        .await?;
        Ok(true)
    }
}
