//! GitHub's JSON of users, repositories, issues, pull requests, comments and installations, in responses and
//! deliveries.
//!
//! Only rendering; callers check visibility first. Tests compare the JSON with GitHub's own OpenAPI description.

mod app;
mod checks;
mod issue;
mod pull;
pub(super) mod repo;
mod review;
mod timeline;

use super::world::{World, model::UserKind};
use repo::encode;
use serde_json::{Value, json};

/// Formats a time as GitHub does: RFC 3339 with one-second resolution.
pub(super) fn time(ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms).unwrap_or_default();
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// Parses a time in GitHub's formats; fractions of a second are dropped.
pub(super) fn parse_time(text: &str) -> Option<i64> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?;
    Some(at.timestamp() * 1_000)
}

/// Builds a node id; GitHub's are opaque too.
pub(super) fn node(kind: &str, id: u64) -> String {
    format!("{kind}_{id}")
}

/// Adds every field of `more` to `into`.
pub(super) fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

impl World {
    /// Renders `simple-user`, or null for a deleted account.
    pub(super) fn user_json(&self, id: u64) -> Value {
        let Some(user) = self.users.get(&id).filter(|user| !user.vanished) else { return Value::Null };
        let url = format!("{}/users/{}", self.base, encode(&user.login));
        let mut json = json!({
            "login": user.login,
            "id": user.id,
            "node_id": node("U", user.id),
            "avatar_url": format!("{}/avatars/{}", self.base, user.id),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("{}/{}", self.base, encode(&user.login)),
            "type": user.kind.name(),
            "user_view_type": "public",
            "site_admin": false,
        });
        for (key, path) in [
            ("followers_url", "/followers"),
            ("following_url", "/following{/other_user}"),
            ("gists_url", "/gists{/gist_id}"),
            ("starred_url", "/starred{/owner}{/repo}"),
            ("subscriptions_url", "/subscriptions"),
            ("organizations_url", "/orgs"),
            ("repos_url", "/repos"),
            ("events_url", "/events{/privacy}"),
            ("received_events_url", "/received_events"),
        ] {
            json[key] = json!(format!("{url}{path}"));
        }
        json
    }

    /// Renders `public-user`; with `own`, `private-user`.
    pub(super) fn profile_json(&self, id: u64, own: bool) -> Value {
        let mut json = self.user_json(id);
        let Some(user) = self.users.get(&id) else { return json };
        merge(
            &mut json,
            json!({
                "name": user.login, "company": null, "blog": "", "location": null, "email": null, "hireable": null,
                "bio": null, "twitter_username": null, "public_repos": 0, "public_gists": 0, "followers": 0,
                "following": 0, "created_at": time(user.created_at), "updated_at": time(user.created_at),
            }),
        );
        if own {
            merge(
                &mut json,
                json!({
                    "user_view_type": "private", "private_gists": 0, "total_private_repos": 0,
                    "owned_private_repos": 0, "disk_usage": 0, "collaborators": 0,
                    "two_factor_authentication": true,
                }),
            );
        }
        json
    }

    /// Renders `organization` of a payload, if the account is one.
    pub(super) fn organization_json(&self, id: u64) -> Option<Value> {
        let user = self.users.get(&id).filter(|user| user.kind == UserKind::Organization)?;
        let url = format!("{}/orgs/{}", self.base, user.login);
        Some(json!({
            "login": user.login,
            "id": user.id,
            "node_id": node("O", user.id),
            "url": url,
            "repos_url": format!("{url}/repos"),
            "events_url": format!("{url}/events"),
            "hooks_url": format!("{url}/hooks"),
            "issues_url": format!("{url}/issues"),
            "members_url": format!("{url}/members{{/member}}"),
            "public_members_url": format!("{url}/public_members{{/member}}"),
            "avatar_url": format!("{}/avatars/{}", self.base, user.id),
            "description": "",
        }))
    }
}
