//! Registering an app from a manifest: the form and the exchange of the code.
//!
//! On GitHub a user names the app and confirms; the sandbox confirms at once. The new app replaces the sandbox's only
//! app, whose installations are removed. (GitHub docs: "Registering a GitHub App from a manifest".)

use super::{World, model::UserKind};
use crate::{
    error::{ApiError, StartError},
    keys::AppKey,
    webhook::Hook,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Lifetime of a code: one hour.
const CODE_MS: i64 = 60 * 60 * 1_000;
/// Maximum length of a name on GitHub.
const NAME_MAX: usize = 34;

/// Permissions of which an event requires at least one, for the events the sandbox knows.
const EVENT_NEEDS: [(&str, &[&str]); 9] = [
    ("issues", &["issues"]),
    ("issue_comment", &["issues", "pull_requests"]),
    ("pull_request", &["pull_requests"]),
    ("repository", &["metadata"]),
    ("check_run", &["checks"]),
    ("check_suite", &["checks"]),
    ("status", &["statuses"]),
    ("membership", &["members"]),
    ("organization", &["members"]),
];

const PERMISSIONS: [&str; 9] = [
    "issues",
    "pull_requests",
    "metadata",
    "contents",
    "single_file",
    "checks",
    "statuses",
    "members",
    "administration",
];

/// A parsed manifest and its owner.
#[derive(Debug, Clone)]
pub(crate) struct Registration {
    owner: u64,
    name: String,
    permissions: BTreeMap<String, String>,
    events: Vec<String>,
    hook_url: Option<String>,
    callbacks: Vec<String>,
    at: i64,
}

impl World {
    /// Accepts a posted manifest and returns the redirect target. The owner is the organization, or the first user.
    pub(crate) fn register(
        &mut self,
        organization: Option<&str>,
        manifest: &str,
        state: Option<&str>,
    ) -> Result<String, ApiError> {
        let owner = match organization {
            Some(login) => {
                let id = self.user_by_login(login)?;
                let found = self.users.get(&id).filter(|user| user.kind == UserKind::Organization);
                found.ok_or_else(ApiError::not_found)?.id
            }
            None => {
                let person = self.users.values().find(|user| user.kind == UserKind::User && !user.vanished);
                person.map(|user| user.id).ok_or_else(ApiError::needs_login)?
            }
        };
        let wrong = || ApiError::new(422, "The manifest is not a JSON object");
        let manifest: Map<String, Value> = serde_json::from_str(manifest).map_err(|_| wrong())?;
        let redirect = manifest.get("redirect_url").and_then(Value::as_str);
        let redirect =
            redirect.filter(|url| url.starts_with("http")).ok_or_else(|| missing("redirect_url"))?.to_owned();
        let registration = self.read_manifest(owner, &manifest)?;
        let code = self.hex(20);
        self.registrations.insert(code.clone(), registration);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("code", &code);
        if let Some(state) = state {
            query.append_pair("state", state);
        }
        let joint = if redirect.contains('?') { '&' } else { '?' };
        Ok(format!("{redirect}{joint}{}", query.finish()))
    }

    fn read_manifest(&self, owner: u64, manifest: &Map<String, Value>) -> Result<Registration, ApiError> {
        let text = |name: &str| manifest.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text("name").ok_or_else(|| missing("name"))?;
        if name.chars().count() > NAME_MAX {
            return Err(ApiError::custom("Integration", "name", "Name is too long (maximum is 34 characters)"));
        }
        text("url").ok_or_else(|| missing("url"))?;
        let hook = manifest.get("hook_attributes");
        let hook_url = hook.map(|hook| hook["url"].as_str().map(str::to_owned).ok_or_else(|| missing("hook_url")));
        let hook_url = hook_url.transpose()?;
        let mut permissions: BTreeMap<String, String> = BTreeMap::new();
        for (name, level) in manifest.get("default_permissions").and_then(Value::as_object).into_iter().flatten() {
            let level = level.as_str().filter(|level| ["read", "write", "admin"].contains(level));
            match level {
                Some(level) if PERMISSIONS.contains(&name.as_str()) => {
                    permissions.insert(name.clone(), level.to_owned())
                }
                _ => return Err(ApiError::invalid("Integration", "default_permissions", "invalid")),
            };
        }
        if !permissions.is_empty() {
            permissions.entry("metadata".to_owned()).or_insert_with(|| "read".to_owned());
        }
        let events = manifest.get("default_events").and_then(Value::as_array).cloned().unwrap_or_default();
        let events: Option<Vec<String>> = events.iter().map(|event| event.as_str().map(str::to_owned)).collect();
        let events = events.ok_or_else(|| missing("default_events"))?;
        for event in &events {
            let needs = EVENT_NEEDS.iter().find(|(name, _)| name == event).map_or(&[][..], |(_, needs)| needs);
            if !needs.iter().any(|need| permissions.contains_key(*need)) {
                let words = format!("Default events unsupported: {event}");
                return Err(ApiError::custom("Integration", "default_events", &words));
            }
        }
        let callbacks = manifest.get("callback_urls").and_then(Value::as_array).into_iter().flatten();
        let callbacks = callbacks.filter_map(|url| url.as_str().map(str::to_owned)).collect();
        Ok(Registration { owner, name: name.to_owned(), permissions, events, hook_url, callbacks, at: self.now() })
    }

    /// Exchanges a code, once and within one hour, for the registered app; returns its client secret.
    pub(crate) fn convert(&mut self, code: &str) -> Result<String, ApiError> {
        let now = self.now();
        let found = self.registrations.remove(code).filter(|one| now - one.at < CODE_MS);
        let registration = found.ok_or_else(ApiError::not_found)?;
        let broken = |_: StartError| ApiError::new(500, "The key could not be made");
        self.key = AppKey::generate().map_err(broken)?;
        self.expire_tokens(None);
        self.installations.clear();
        let slug = slug(&registration.name);
        let bot = self.user_named(&format!("{slug}[bot]"), UserKind::Bot);
        let secret = self.hex(20);
        self.app.id = self.new_id();
        self.app.hook = self.new_id();
        self.app.slug = slug;
        self.app.name = registration.name;
        self.app.bot = bot;
        self.app.owner = registration.owner;
        self.app.permissions = registration.permissions;
        self.app.events = registration.events;
        self.app.single_files = Vec::new();
        self.app.created_at = now;
        self.outbox.hook = Hook { url: registration.hook_url, secret: Some(secret), form: false };
        self.app.callbacks = registration.callbacks;
        self.app.client_secret = self.hex(20);
        Ok(self.app.client_secret.clone())
    }
}

fn missing(field: &str) -> ApiError {
    ApiError::invalid("Integration", field, "missing_field")
}

/// Derives the app's name in URLs from its name, as GitHub does.
fn slug(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    plain.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}
