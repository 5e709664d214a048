//! Sends the deliveries of the outbox: in order, one at a time, without retries.

use super::{Inner, webhook::QueuedWebhook};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Timeout of a delivery, as on GitHub.
const DELIVERY_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends in the background until `stop` is cancelled.
pub(super) async fn run(inner: Arc<Inner>, stop: CancellationToken) {
    let wake = inner.world().outbox.wake.clone();
    loop {
        let next = inner.world().outbox.next();
        let Some(queued) = next else {
            tokio::select! {
                () = wake.notified() => continue,
                () = stop.cancelled() => return,
            }
        };
        if queued.delay_ms > 0 {
            // A delayed delivery runs in its own task, so that later ones overtake it.
            let (inner, stop) = (inner.clone(), stop.clone());
            tokio::spawn(async move {
                let pause = tokio::time::sleep(Duration::from_millis(queued.delay_ms));
                tokio::select! {
                    () = pause => send(&inner, &queued).await,
                    () = stop.cancelled() => {}
                }
            });
            continue;
        }
        tokio::select! {
            () = send(&inner, &queued) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Sends one letter taken from the outbox and records the result.
pub(super) async fn send(inner: &Inner, queued: &QueuedWebhook) {
    let webhook = &queued.webhook;
    let (url, headers, body) = {
        let world = inner.world();
        let outbox = &world.outbox;
        (outbox.hook.url.clone(), outbox.headers(webhook, &world.app), outbox.wire(webhook))
    };
    let started = tokio::time::Instant::now();
    let outcome = match url.zip(inner.client.get()) {
        None => Err("no webhook url is set".to_owned()),
        Some((url, client)) => {
            let mut request = client.post(url).timeout(DELIVERY_TIMEOUT).body(body);
            for (name, value) in headers {
                request = request.header(name, value);
            }
            match request.send().await {
                Ok(answer) => {
                    let code = answer.status().as_u16();
                    Ok((code, answer.text().await.unwrap_or_default()))
                }
                Err(error) if error.is_timeout() => Err("timed out".to_owned()),
                Err(error) if error.is_connect() => Err("failed to connect to host".to_owned()),
                Err(_) => Err("connection reset".to_owned()),
            }
        }
    };
    let took = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
    let mut world = inner.world();
    let at = world.now();
    tracing::debug!(event = %webhook.event, action = webhook.action.as_deref(), ok = outcome.is_ok(), "delivery sent");
    world.outbox.record(webhook, queued.redelivery, at, took, outcome);
    world.outbox.in_flight = world.outbox.in_flight.saturating_sub(1);
}

/// Sends all held letters in order, then waits until no delivery is in flight. Returns how many it sent.
pub(super) async fn flush(inner: &Inner) -> usize {
    let mut sent = 0;
    loop {
        let (next, idle) = {
            let mut world = inner.world();
            let next = if world.outbox.held { world.outbox.take() } else { None };
            (next, world.outbox.idle())
        };
        match next {
            Some(queued) => {
                send(inner, &queued).await;
                sent += 1;
            }
            None if idle => return sent,
            // The background task is sending and gives no completion signal.
            None => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
