//! GitHub's JSON of issues, comments and issue events.

use super::{merge, node, time};
use crate::{
    error::ApiError,
    world::{
        World,
        model::{Issue, IssueEvent, Pull},
    },
};
use serde_json::{Value, json};

impl World {
    fn issue_url(&self, repo: u64, number: u64) -> String {
        format!("{}/issues/{number}", self.repo_url(repo))
    }

    fn html(&self, repo: u64, issue: &Issue) -> String {
        let kind = if issue.pull.is_some() { "pull" } else { "issues" };
        format!("{}/{}/{kind}/{}", self.base, self.full_name(repo), issue.number)
    }

    fn reactions_json(url: &str) -> Value {
        json!({
            "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
            "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
        })
    }

    pub(crate) fn labels_json(&self, repo: u64, issue: &Issue) -> Vec<Value> {
        issue.labels.iter().map(|name| self.label_json(repo, name)).collect()
    }

    /// Renders `issue`; for a pull request it has the `pull_request` member.
    pub(crate) fn issue_json(&self, repo: u64, number: u64) -> Result<Value, ApiError> {
        let issue = self.issue(repo, number)?;
        let (url, html) = (self.issue_url(repo, number), self.html(repo, issue));
        let assignees: Vec<Value> = issue.assignees.iter().map(|id| self.user_json(*id)).collect();
        let mut json = json!({
            "id": issue.id, "node_id": node("I", issue.id), "url": url, "repository_url": self.repo_url(repo),
            "labels_url": format!("{url}/labels{{/name}}"), "comments_url": format!("{url}/comments"),
            "events_url": format!("{url}/events"), "timeline_url": format!("{url}/timeline"), "html_url": html,
            "number": number, "title": issue.title, "body": issue.body, "user": self.user_json(issue.author),
            "labels": self.labels_json(repo, issue), "state": if issue.open { "open" } else { "closed" },
            "state_reason": issue.state_reason, "locked": issue.locked, "active_lock_reason": null,
            "assignee": assignees.first(), "assignees": assignees, "milestone": null,
        });
        let app = if issue.via_app { self.app_json() } else { Value::Null };
        merge(
            &mut json,
            json!({
                "comments": issue.comments.len(), "created_at": time(issue.created_at),
                "updated_at": time(issue.updated_at), "closed_at": issue.closed_at.map(time),
                "closed_by": issue.closed_by.map(|id| self.user_json(id)), "reactions": Self::reactions_json(&url),
                "author_association": self.association(repo, issue.author), "performed_via_github_app": app,
            }),
        );
        if let Some(pull) = &issue.pull {
            json["draft"] = json!(pull.draft);
            json["pull_request"] = self.pull_marker(repo, number, &html, pull);
        }
        Ok(json)
    }

    fn pull_marker(&self, repo: u64, number: u64, html: &str, pull: &Pull) -> Value {
        json!({
            "url": format!("{}/pulls/{number}", self.repo_url(repo)),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "merged_at": pull.merged_at.map(time),
        })
    }

    /// Renders `issue-comment`.
    pub(crate) fn comment_json(&self, id: u64) -> Result<Value, ApiError> {
        let comment = self.comment(id)?;
        let issue = self.issue(comment.repo, comment.issue)?;
        let url = format!("{}/issues/comments/{id}", self.repo_url(comment.repo));
        let app = if comment.via_app { self.app_json() } else { Value::Null };
        Ok(json!({
            "id": id,
            "node_id": node("IC", id),
            "url": url,
            "html_url": format!("{}#issuecomment-{id}", self.html(comment.repo, issue)),
            "issue_url": self.issue_url(comment.repo, comment.issue),
            "user": self.user_json(comment.author),
            "body": comment.body,
            "created_at": time(comment.created_at),
            "updated_at": time(comment.updated_at),
            "author_association": self.association(comment.repo, comment.author),
            "performed_via_github_app": app,
            "reactions": Self::reactions_json(&url),
        }))
    }

    /// Renders `issue-event`, with the extra fields of its kind.
    pub(crate) fn event_json(&self, repo: u64, event: &IssueEvent) -> Value {
        let url = self.repo_url(repo);
        let app = if event.via_app { self.app_json() } else { Value::Null };
        let mut json = json!({
            "id": event.id,
            "node_id": node("EV", event.id),
            "url": format!("{url}/issues/events/{}", event.id),
            "actor": self.user_json(event.actor),
            "event": event.event,
            "commit_id": event.commit,
            "commit_url": event.commit.as_ref().map(|sha| format!("{url}/commits/{sha}")),
            "created_at": time(event.created_at),
            "performed_via_github_app": app,
        });
        if let Some((name, color)) = &event.label {
            json["label"] = json!({ "name": name, "color": color });
        }
        if let Some(user) = event.assignee {
            json["assignee"] = self.user_json(user);
            json["assigner"] = self.user_json(event.actor);
        }
        if let Some((from, to)) = &event.rename {
            json["rename"] = json!({ "from": from, "to": to });
        }
        if event.event == "locked" {
            json["lock_reason"] = Value::Null;
        }
        if event.event == "closed" {
            json["state_reason"] = Value::Null;
        }
        json
    }
}
