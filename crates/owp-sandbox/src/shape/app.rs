//! GitHub's JSON of the app, its installations, its hook and its deliveries.

use super::{node, time};
use crate::{webhook::Delivery, world::World};
use serde_json::{Value, json};

impl World {
    /// Renders `integration`.
    pub(crate) fn app_json(&self) -> Value {
        let app = &self.app;
        json!({
            "id": app.id,
            "slug": app.slug,
            "node_id": node("A", app.id),
            "client_id": app.client_id(),
            "owner": self.user_json(app.owner),
            "name": app.name,
            "description": "",
            "external_url": format!("{}/apps/{}", self.base, app.slug),
            "html_url": format!("{}/apps/{}", self.base, app.slug),
            "created_at": time(app.created_at),
            "updated_at": time(app.created_at),
            "permissions": app.permissions,
            "events": app.events,
        })
    }

    /// Renders `installation`, or null when it never existed.
    pub(crate) fn installation_json(&self, id: u64) -> Value {
        let Some(one) = self.installations.get(&id) else { return Value::Null };
        let single = one.permissions.contains_key("single_file");
        let files: &[String] = if single { &self.app.single_files } else { &[] };
        let account = self.user_json(one.account);
        json!({
            "id": id,
            "client_id": self.app.client_id(),
            "target_type": account["type"],
            "account": account,
            "repository_selection": "selected",
            "access_tokens_url": format!("{}/app/installations/{id}/access_tokens", self.base),
            "repositories_url": format!("{}/installation/repositories", self.base),
            "html_url": format!("{}/settings/installations/{id}", self.base),
            "app_id": self.app.id,
            "app_slug": self.app.slug,
            "target_id": one.account,
            "permissions": one.permissions,
            "events": self.app.events,
            "created_at": time(one.created_at),
            "updated_at": time(one.updated_at),
            "single_file_name": files.first(),
            "has_multiple_single_files": files.len() > 1,
            "single_file_paths": files,
            "suspended_by": one.suspended.map(|(_, by)| self.user_json(by)),
            "suspended_at": one.suspended.map(|(at, _)| time(at)),
        })
    }

    /// Renders `webhook-config` with a masked secret.
    pub(crate) fn hook_config_json(&self) -> Value {
        let hook = &self.outbox.hook;
        let kind = if hook.form { "form" } else { "json" };
        let mut json = json!({ "content_type": kind, "insecure_ssl": "0" });
        if let Some(url) = &hook.url {
            json["url"] = json!(url);
        }
        if hook.secret.is_some() {
            json["secret"] = json!("********");
        }
        json
    }

    /// Renders `hook-delivery-item`; with `full`, `hook-delivery`.
    pub(crate) fn delivery_json(&self, delivery: &Delivery, full: bool) -> Value {
        let webhook = &delivery.webhook;
        let mut json = json!({
            "id": webhook.id,
            "guid": webhook.guid,
            "delivered_at": time(delivery.at),
            "redelivery": delivery.redelivery,
            "duration": delivery.duration_ms as f64 / 1_000.0,
            "status": delivery.status,
            "status_code": delivery.code,
            "event": webhook.event,
            "action": webhook.action,
            "installation_id": webhook.installation,
            "repository_id": webhook.repository,
            "throttled_at": null,
        });
        if full {
            let payload: Value = serde_json::from_str(&webhook.body).unwrap_or_default();
            let headers: Value =
                self.outbox.headers(webhook, &self.app).into_iter().map(|(name, value)| (name, json!(value))).collect();
            json["url"] = json!(self.outbox.hook.url.clone().unwrap_or_default());
            json["request"] = json!({ "headers": headers, "payload": payload });
            json["response"] = json!({ "headers": {}, "payload": delivery.answer });
        }
        json
    }
}
