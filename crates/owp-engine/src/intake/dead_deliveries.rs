//! Deliveries that were given up: the operator's list, and processing one again.

use crate::Intake;
use crate::error::{EngineError, Refused};
use crate::intake::inbox::repo_of_key;
use owp_pool::event::{Event, EventKind};
use owp_store::{DeadDelivery, Scope, transaction};
use serde_json::json;

/// A delivery that was given up, with its repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// The delivery.
    pub delivery: DeadDelivery,
    /// The name of its repository, if the pool knows it.
    pub repo: Option<String>,
}

impl Intake<'_> {
    /// Returns deliveries that were given up, the last to arrive first.
    pub async fn dead_deliveries(&self, limit: i64) -> Result<Vec<GivenUp>, EngineError> {
        self.read(transaction!(|tx| {
            let mut list = Vec::new();
            for delivery in tx.deliveries().dead(limit).await? {
                let repo = repo_of_key(tx, &delivery.order_key).await?;
                list.push(GivenUp { delivery, repo });
            }
            Ok(list)
        }))
        .await
    }

    /// Puts a delivery that was given up back into the inbox, as if it had just arrived.
    ///
    /// # Errors
    /// A refusal if it was not given up, or is not stored any more.
    pub async fn process_again(&self, id: &str) -> Result<String, EngineError> {
        let id = id.to_owned();
        let event = self
            .write(
                Scope::global(),
                transaction!(|tx| {
                    let dead = tx.deliveries().find_dead(&id).await?;
                    let Some(dead) = dead else {
                        return Err(Refused::because(
                            "This delivery is not among those that were given up any more: it was processed again, came \
                             again, or is older than a week. Nothing was changed.",
                        )
                        .into());
                    };
                    if !tx.deliveries().process_again(&id).await? {
                        return Err(Refused::because(
                            "The content of this delivery is not stored any more. Nothing was changed. Reconciliation with \
                             GitHub finds what it reported.",
                        )
                        .into());
                    }
                    let repo = repo_of_key(tx, &dead.order_key).await?;
                    let retried = json!({ "delivery": id, "event": dead.event, "repo": repo, "by": "operator" });
                    tx.events().append(&[Event::new(EventKind::DeliveryRetried, retried)])?;
                    Ok(dead.event)
                }),
            )
            .await?;
        self.inner().inbox_notify.notify_one();
        Ok(event)
    }
}
