//! Turns changes of the world into deliveries in the outbox, in GitHub's payload form.
//!
//! The receiver is decided here: only installations that cover the repository and are not suspended, and only events
//! the app subscribed to. Installation events and `ping` need no subscription.

use super::World;
use crate::{error::ApiError, faults::DeliveryOutcome, shape::time, webhook::WebhookEvent};
use serde_json::{Value, json};

impl World {
    /// Queues a repository event for the installation that covers it.
    pub(super) fn announce(
        &mut self,
        event: &str,
        action: Option<&str>,
        repo: Option<u64>,
        sender: u64,
        payload: Value,
    ) {
        let Some(repo) = repo else { return };
        let installation = self
            .installations
            .values()
            .find(|one| Self::covers(one, repo) && one.suspended.is_none())
            .map(|one| (one.id, one.account));
        let Some((installation, account)) = installation else { return };
        if !self.app.events.iter().any(|one| one == event) {
            return;
        }
        let Ok(repository) = self.repo_json(repo) else { return };
        let mut body = json!({});
        if let Some(action) = action {
            body["action"] = json!(action);
        }
        if let (Some(into), Value::Object(more)) = (body.as_object_mut(), payload) {
            into.extend(more);
        }
        body["repository"] = repository;
        if let Some(organization) = self.organization_json(account) {
            body["organization"] = organization;
        }
        body["sender"] = self.user_json(sender);
        body["installation"] = json!({ "id": installation, "node_id": format!("MDIz_{installation}") });
        self.post(event, action, Some(repo), Some(installation), &body);
    }

    /// Queues an installation event; every app receives these.
    pub(super) fn announce_installation(
        &mut self,
        event: &str,
        action: &str,
        installation: u64,
        sender: u64,
        payload: Value,
    ) {
        let mut body = json!({ "action": action, "installation": self.installation_json(installation) });
        if let (Some(into), Value::Object(more)) = (body.as_object_mut(), payload) {
            into.extend(more);
        }
        body["sender"] = self.user_json(sender);
        self.post(event, Some(action), None, Some(installation), &body);
    }

    /// Queues a comment event.
    pub(super) fn announce_comment(&mut self, id: u64, action: &str, actor: u64, extra: Value) -> Result<(), ApiError> {
        let comment = self.comment(id)?;
        let (repo, number) = (comment.repo, comment.issue);
        let mut payload = json!({ "issue": self.issue_json(repo, number)?, "comment": self.comment_json(id)? });
        if let (Some(into), Value::Object(more)) = (payload.as_object_mut(), extra) {
            into.extend(more);
        }
        self.announce("issue_comment", Some(action), Some(repo), actor, payload);
        Ok(())
    }

    /// Queues the ping of a new webhook.
    pub(crate) fn ping(&mut self) {
        let hook = self.app.hook;
        let mut config = self.hook_config_json();
        config["secret"] = json!("********");
        let body = json!({
            "zen": "Keep it logically awesome.",
            "hook_id": hook,
            "hook": {
                "type": "App",
                "id": hook,
                "name": "web",
                "active": true,
                "events": self.app.events,
                "config": config,
                "app_id": self.app.id,
                "created_at": time(self.app.created_at),
                "updated_at": time(self.app.created_at),
                "deliveries_url": format!("{}/app/hook/deliveries", self.base),
            },
        });
        self.post("ping", None, None, None, &body);
    }

    /// Shuffles the queued deliveries.
    pub(crate) fn shuffle_deliveries(&mut self) {
        self.outbox.shuffle(&mut self.rng);
    }

    /// Duplicates a queued delivery.
    pub(crate) fn duplicate_delivery(&mut self, index: usize) -> bool {
        self.outbox.duplicate(index, &mut self.rng)
    }

    /// Queues any payload, bypassing all faults; returns its `guid`.
    pub(crate) fn deliver(&mut self, event: &str, payload: &Value) -> String {
        let guid = self.new_guid();
        let webhook = WebhookEvent {
            id: self.new_id(),
            guid: guid.clone(),
            event: event.to_owned(),
            action: payload["action"].as_str().map(str::to_owned),
            repository: payload["repository"]["id"].as_u64(),
            installation: payload["installation"]["id"].as_u64(),
            body: payload.to_string(),
        };
        let at = self.now();
        self.outbox.put(&webhook, at, &DeliveryOutcome::plain());
        guid
    }

    fn post(
        &mut self,
        event: &str,
        action: Option<&str>,
        repository: Option<u64>,
        installation: Option<u64>,
        body: &Value,
    ) {
        if !self.outbox.listening() {
            return;
        }
        let webhook = WebhookEvent {
            id: self.new_id(),
            guid: self.new_guid(),
            event: event.to_owned(),
            action: action.map(str::to_owned),
            repository,
            installation,
            body: body.to_string(),
        };
        let at = self.now();
        let outcome = self.faults.outcome(&mut self.rng, event);
        self.outbox.put(&webhook, at, &outcome);
    }
}
