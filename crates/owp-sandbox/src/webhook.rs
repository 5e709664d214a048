//! The outbox of deliveries: the queue, the delivery log, and the wire format.
//!
//! `sender.rs` sends them. GitHub never retries by itself; a redelivery keeps its `guid` and gets a new id.

use super::{faults::DeliveryOutcome, world::model::App};
use aws_lc_rs::hmac as hmac_sha1;
use hmac::{Hmac, KeyInit, Mac};
use rand::{Rng, rngs::StdRng, seq::SliceRandom};
use sha2::Sha256;
use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};
use tokio::sync::Notify;

/// GitHub keeps deliveries for three days.
const RETENTION_MS: i64 = 3 * 24 * 60 * 60 * 1_000;

/// Target and signature of deliveries.
#[derive(Debug, Clone, Default)]
pub(super) struct Hook {
    pub(super) url: Option<String>,
    pub(super) secret: Option<String>,
    /// True to send a form with `payload=` instead of JSON.
    pub(super) form: bool,
}

/// A delivery before it is sent.
#[derive(Debug, Clone)]
pub struct WebhookEvent {
    /// The delivery's id.
    pub id: u64,
    /// `X-GitHub-Delivery`; the same for every attempt.
    pub guid: String,
    /// `X-GitHub-Event`.
    pub event: String,
    /// The payload's `action`.
    pub action: Option<String>,
    /// Id of the repository.
    pub repository: Option<u64>,
    /// Id of the receiving installation.
    pub installation: Option<u64>,
    /// The payload as JSON.
    pub body: String,
}

/// A delivery attempt, successful or not.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The content.
    pub webhook: WebhookEvent,
    /// Time of the attempt (Unix ms).
    pub at: i64,
    /// True for a redelivery.
    pub redelivery: bool,
    /// Response time of the receiver.
    pub duration_ms: i64,
    /// `OK`, or GitHub's description of the failure.
    pub status: String,
    /// Status code of the receiver; 0 without a response.
    pub code: u16,
    /// Response body of the receiver.
    pub answer: Option<String>,
}

/// A letter in the queue.
#[derive(Debug, Clone)]
pub(super) struct QueuedWebhook {
    pub(super) webhook: WebhookEvent,
    pub(super) redelivery: bool,
    pub(super) delay_ms: u64,
}

/// A delivery as sent: headers and raw body.
#[derive(Debug, Clone)]
pub struct WebhookRequest {
    /// The content.
    pub webhook: WebhookEvent,
    /// Header names and values, including the signature.
    pub headers: Vec<(String, String)>,
    /// The raw bytes covered by the signature.
    pub body: Vec<u8>,
}

/// The queue and log of deliveries.
#[derive(Debug)]
pub(super) struct Outbox {
    pub(super) hook: Hook,
    pub(super) held: bool,
    pub(super) queue: VecDeque<QueuedWebhook>,
    /// Number of deliveries in flight.
    pub(super) in_flight: usize,
    pub(super) done: BTreeMap<u64, Delivery>,
    pub(super) wake: Arc<Notify>,
}

impl Outbox {
    pub(super) fn new(hook: Hook) -> Self {
        Self {
            hook,
            held: false,
            queue: VecDeque::new(),
            in_flight: 0,
            done: BTreeMap::new(),
            wake: Arc::new(Notify::new()),
        }
    }

    /// Returns true if deliveries have a receiver: GitHub sends and records nothing for a hook without a URL.
    pub(super) fn listening(&self) -> bool {
        self.held || self.hook.url.is_some()
    }

    /// Queues a letter with the outcome that the faults chose for it.
    pub(super) fn put(&mut self, webhook: &WebhookEvent, at: i64, outcome: &DeliveryOutcome) {
        match *outcome {
            DeliveryOutcome::Lost => return,
            DeliveryOutcome::Failed => return self.record(webhook, false, at, 0, Err("timed out".to_owned())),
            DeliveryOutcome::Send { copies, delay_ms, place } => {
                for _ in 0..copies {
                    let queued = QueuedWebhook { webhook: webhook.clone(), redelivery: false, delay_ms };
                    let end = self.queue.len();
                    self.queue.insert(end - place.min(end), queued);
                }
            }
        }
        self.wake.notify_one();
    }

    /// Queues a letter again, under a new id.
    pub(super) fn put_again(&mut self, webhook: WebhookEvent) {
        self.queue.push_back(QueuedWebhook { webhook, redelivery: true, delay_ms: 0 });
        self.wake.notify_one();
    }

    /// Takes the next letter for the background task; `None` while deliveries are held.
    pub(super) fn next(&mut self) -> Option<QueuedWebhook> {
        if self.held {
            return None;
        }
        self.take()
    }

    /// Takes the next letter, held or not.
    pub(super) fn take(&mut self) -> Option<QueuedWebhook> {
        let queued = self.queue.pop_front()?;
        self.in_flight += 1;
        Some(queued)
    }

    /// Resumes sending in the background.
    pub(super) fn release(&mut self) {
        self.held = false;
        self.wake.notify_one();
    }

    /// Returns true if no delivery is in flight and none is due.
    pub(super) fn idle(&self) -> bool {
        self.in_flight == 0 && (self.held || self.queue.is_empty())
    }

    /// Records the result of a delivery.
    pub(super) fn record(
        &mut self,
        webhook: &WebhookEvent,
        redelivery: bool,
        at: i64,
        duration_ms: i64,
        outcome: Result<(u16, String), String>,
    ) {
        let (status, code, answer) = match outcome {
            Ok((code, answer)) if (200..300).contains(&code) => ("OK".to_owned(), code, Some(answer)),
            Ok((code, answer)) => (format!("Invalid HTTP Response: {code}"), code, Some(answer)),
            Err(words) => (words, 0, None),
        };
        let delivery = Delivery { webhook: webhook.clone(), at, redelivery, duration_ms, status, code, answer };
        self.done.insert(webhook.id, delivery);
    }

    /// Returns the deliveries that GitHub still keeps, newest first.
    pub(super) fn remembered(&self, now: i64) -> impl Iterator<Item = &Delivery> {
        self.done.values().rev().filter(move |one| now - one.at <= RETENTION_MS)
    }

    /// Shuffles the queue.
    pub(super) fn shuffle(&mut self, rng: &mut StdRng) {
        self.queue.make_contiguous().shuffle(rng);
    }

    /// Duplicates a queued letter; the copy lands at a random later position.
    pub(super) fn duplicate(&mut self, index: usize, rng: &mut StdRng) -> bool {
        let Some(copy) = self.queue.get(index).cloned() else { return false };
        let place = rng.random_range(index + 1..=self.queue.len());
        self.queue.insert(place, copy);
        true
    }

    /// Returns the body as sent.
    pub(super) fn wire(&self, webhook: &WebhookEvent) -> Vec<u8> {
        if !self.hook.form {
            return webhook.body.clone().into_bytes();
        }
        let payload: String = form_urlencoded::byte_serialize(webhook.body.as_bytes()).collect();
        format!("payload={payload}").into_bytes()
    }

    /// Returns GitHub's headers of a delivery.
    pub(super) fn headers(&self, webhook: &WebhookEvent, app: &App) -> Vec<(String, String)> {
        let kind = if self.hook.form { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut headers: Vec<(String, String)> = [
            ("Accept", "*/*".to_owned()),
            ("Content-Type", kind.to_owned()),
            ("User-Agent", "GitHub-Hookshot/5a4d0b0".to_owned()),
            ("X-GitHub-Delivery", webhook.guid.clone()),
            ("X-GitHub-Event", webhook.event.clone()),
            ("X-GitHub-Hook-ID", app.hook.to_string()),
            ("X-GitHub-Hook-Installation-Target-ID", app.id.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type", "integration".to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        if let Some(secret) = &self.hook.secret {
            let body = self.wire(webhook);
            headers.push(("X-Hub-Signature".to_owned(), sign_sha1(secret.as_bytes(), &body)));
            headers.push(("X-Hub-Signature-256".to_owned(), sign(secret.as_bytes(), &body)));
        }
        headers
    }
}

/// Computes `X-Hub-Signature-256` of a body.
#[must_use]
pub fn sign(secret: &[u8], body: &[u8]) -> String {
    // HMAC accepts keys of any length, so this cannot fail; an empty signature would be rejected anyway.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(body);
    format!("sha256={}", data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes()))
}

/// Computes `X-Hub-Signature`, which GitHub adds for old receivers without SHA-256.
fn sign_sha1(secret: &[u8], body: &[u8]) -> String {
    let key = hmac_sha1::Key::new(hmac_sha1::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    format!("sha1={}", data_encoding::HEXLOWER.encode(hmac_sha1::sign(&key, body).as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_matches_githubs_published_vector() {
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(sign(b"It's a Secret to Everybody", b"Hello, World!"), expected);
        // RFC 2202, test case 2.
        let older = "sha1=effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        assert_eq!(sign_sha1(b"Jefe", b"what do ya want for nothing?"), older);
    }
}
