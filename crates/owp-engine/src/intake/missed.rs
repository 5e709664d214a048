//! Deliveries GitHub could not bring: found in its list at the start and on a schedule, and asked for again, each failed
//! attempt once. What GitHub has forgotten by then is found by the full compare that is asked for at the same time.

use crate::Engine;
use crate::error::EngineError;
use owp_github::client::GitHubError;
use owp_pool::Span;
use owp_store::{MissedWork, Scope};

/// GitHub keeps deliveries for three days, and repeats none that is older.
const KEPT: Span = Span::days(3);
/// GitHub's clock and ours differ, and an attempt is dated by its beginning but listed at its end.
const SLACK: Span = Span::minutes(5);
/// How long reading the list may take before another process takes it over.
const HOLD: Span = Span::minutes(10);
/// How soon a reading that failed is tried again.
const RETRY: Span = Span::minutes(1);
/// GitHub asks for a second between requests that are not reads.
/// <https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api>
const PACE: Span = Span::secs(1);

impl Engine {
    /// Reads GitHub's list of deliveries when that is due, or asks for one that failed. False when there is nothing to do
    /// at the moment.
    ///
    /// # Errors
    /// When the database refuses. What GitHub refuses is tried again later.
    pub async fn step_missed(&self) -> Result<bool, EngineError> {
        if self.github().is_none() {
            return Ok(false);
        }
        match self.read(|tx| Box::pin(async move { Ok(tx.missed_work().await?) })).await? {
            MissedWork::Look => self.look_for_missed().await,
            MissedWork::Ask => self.ask_again().await,
            MissedWork::Nothing => Ok(false),
        }
    }

    async fn look_for_missed(&self) -> Result<bool, EngineError> {
        let taken = self
            .store()
            .write(Scope::global(), |tx| {
                Box::pin(async move {
                    let (now, until) = (tx.now(), tx.now() + HOLD);
                    let looked = tx.take_look(until).await?;
                    Ok::<_, EngineError>(looked.map(|looked_until| (now, until, looked_until)))
                })
            })
            .await?;
        let Some((now, taken, looked_until)) = taken else { return Ok(true) };
        let oldest = now - KEPT;
        let since = (looked_until - SLACK).max(oldest);
        let scheduled = self.settings().redeliver_at.next_after(now).unwrap_or(now + Span::hours(1));
        let failed = match self.github_side()?.client.failed_deliveries(since).await {
            Ok(failed) => failed,
            Err(error) => {
                tracing::warn!(%error, "GitHub's list of deliveries could not be read");
                let soon = error.is_transient() || matches!(error, GitHubError::Unauthorized { .. });
                // What only people can mend is looked at again when the schedule comes by.
                let next = if soon { error.retry_at().unwrap_or_default().max(now + RETRY) } else { scheduled };
                self.store()
                    .write(Scope::global(), move |tx| {
                        Box::pin(async move { Ok::<_, EngineError>(tx.postpone_look(taken, next).await?) })
                    })
                    .await?;
                return Ok(true);
            }
        };
        let wanted = self
            .store()
            .write(Scope::all_repositories(), move |tx| {
                Box::pin(async move {
                    // Whoever took it over looks anew.
                    if !tx.record_look(taken, now, scheduled).await? {
                        return Ok(0);
                    }
                    let mut wanted = 0;
                    for one in &failed {
                        wanted += usize::from(tx.want_redelivery(&one.guid, one.id, one.at, oldest).await?);
                    }
                    // The rows outlive what GitHub remembers, so that no attempt is asked for twice.
                    tx.purge_redeliveries(oldest - KEPT).await?;
                    tx.recount_all().await?;
                    Ok::<_, EngineError>(wanted)
                })
            })
            .await?;
        if wanted > 0 {
            tracing::info!(wanted, "deliveries failed; GitHub is asked to repeat them");
        }
        self.ring();
        Ok(true)
    }

    async fn ask_again(&self) -> Result<bool, EngineError> {
        let taken = self
            .store()
            .write(Scope::global(), |tx| {
                Box::pin(async move {
                    let next = tx.now() + PACE;
                    Ok::<_, EngineError>(tx.take_redelivery(next).await?.map(|one| (one, tx.now())))
                })
            })
            .await?;
        let Some(((guid, delivery), now)) = taken else { return Ok(true) };
        let later = match self.github_side()?.client.redeliver(delivery).await {
            Ok(()) | Err(GitHubError::NotFound { .. }) => None,
            // Asking twice brings it twice, which changes nothing.
            Err(error) if error.is_transient() || matches!(error, GitHubError::Unauthorized { .. }) => {
                tracing::warn!(%error, %guid, "GitHub could not be asked for a delivery yet");
                Some(error.retry_at().unwrap_or_default().max(now + RETRY))
            }
            Err(error) => {
                tracing::error!(%error, %guid, "GitHub does not repeat a delivery");
                None
            }
        };
        self.store()
            .write(Scope::global(), move |tx| {
                Box::pin(async move {
                    match later {
                        Some(at) => tx.ask_later(at).await?,
                        None => tx.record_asked(&guid, delivery).await?,
                    }
                    Ok::<_, EngineError>(())
                })
            })
            .await?;
        Ok(true)
    }
}
