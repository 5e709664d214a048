//! Failed webhook deliveries, and requests to deliver them again.
//!
//! GitHub keeps deliveries for three days and retries none by itself.
//! <https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries>

use super::http::Write;
use super::pages::MAX_PAGES;
use super::{GitHub, GitHubError, Identity, path};
use octocrab::models::hooks::Delivery;
use owp_pool::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

const LIST: &str = "app/hook/deliveries";
const PER_PAGE: &str = "100";
/// Status codes with which a receiver rejects an unreadable delivery; a retry would get the same response.
const UNREADABLE: [usize; 4] = [400, 413, 415, 422];

/// A delivery with no successful attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedDelivery {
    /// Id of the latest attempt; redelivering it creates a new attempt.
    pub id: i64,
    /// `X-GitHub-Delivery`, identical for all attempts.
    pub guid: String,
    /// Time of the latest attempt.
    pub at: Timestamp,
}

/// Returns true when the delivery was already retried and the receiver rejected it as unreadable.
fn is_hopeless(attempt: &Delivery) -> bool {
    attempt.redelivery && UNREADABLE.contains(&attempt.status_code)
}

/// Returns true when the delivery arrived; GitHub describes a failure in the same field.
pub(super) fn arrived(attempt: &Delivery) -> bool {
    attempt.status == "OK"
}

/// Returns the time of the attempt.
pub(super) fn delivered_at(attempt: &Delivery) -> Timestamp {
    Timestamp(attempt.delivered_at.timestamp_millis())
}

fn id(attempt: &Delivery) -> i64 {
    // GitHub's ids are signed 64-bit numbers; octocrab's type is unsigned.
    attempt.id.0.cast_signed()
}

impl GitHub {
    /// Returns the failed deliveries since `since`, oldest first, each once. Of a longer list it reads the newest
    /// 30,000 attempts: a later success is always newer than the failure.
    /// <https://docs.github.com/en/rest/apps/webhooks#list-deliveries-for-an-app-webhook>
    ///
    /// # Errors
    /// Fails when any page fails; an incomplete list is never returned.
    pub async fn failed_deliveries(&self, since: Timestamp) -> Result<Vec<FailedDelivery>, GitHubError> {
        let (mut delivered, mut failed) = (BTreeSet::new(), BTreeMap::<String, Delivery>::new());
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut query = vec![("per_page", PER_PAGE)];
            query.extend(cursor.as_deref().map(|at| ("cursor", at)));
            let response = self.get(Identity::App, &path::with_query(LIST, &query), None).await?;
            let page: Vec<Delivery> = response.json()?;
            // The list is newest first.
            let ends_here = page.last().is_none_or(|oldest| delivered_at(oldest) < since);
            for attempt in page.into_iter().filter(|attempt| delivered_at(attempt) >= since) {
                if arrived(&attempt) {
                    delivered.insert(attempt.guid);
                } else if failed.get(&attempt.guid).is_none_or(|known| id(known) < id(&attempt)) {
                    failed.insert(attempt.guid.clone(), attempt);
                }
            }
            cursor = response.next_cursor.filter(|next| !ends_here && cursor.as_ref() != Some(next));
            if cursor.is_none() {
                break;
            }
        }
        failed.retain(|guid, latest| !delivered.contains(guid) && !is_hopeless(latest));
        Ok(oldest_first(failed))
    }

    /// Asks GitHub to repeat an attempt: it delivers the same payload under the same id.
    /// <https://docs.github.com/en/rest/apps/webhooks#redeliver-a-delivery-for-an-app-webhook>
    ///
    /// # Errors
    /// [`GitHubError::NotFound`] when GitHub no longer keeps it.
    pub async fn redeliver(&self, delivery: i64) -> Result<(), GitHubError> {
        let jwt = self.app_jwt()?;
        let request = Write::Redeliver { delivery };
        self.send(Identity::App, self.0.http.write(&request, &jwt, None)).await.map(drop)
    }
}

fn oldest_first(failed: BTreeMap<String, Delivery>) -> Vec<FailedDelivery> {
    let found = |attempt: Delivery| FailedDelivery { id: id(&attempt), at: delivered_at(&attempt), guid: attempt.guid };
    let mut failed: Vec<_> = failed.into_values().map(found).collect();
    failed.sort_by_key(|one| (one.at, one.id));
    failed
}
