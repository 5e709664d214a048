//! GitHub's JSON of pull requests: short in lists, full by number and in deliveries.

use super::{merge, node, time};
use crate::{
    error::ApiError,
    world::{
        World,
        model::{Issue, Pull},
    },
};
use serde_json::{Value, json};

impl World {
    /// Renders `pull-request`, the full form.
    pub(crate) fn pull_json(&self, repo: u64, number: u64) -> Result<Value, ApiError> {
        let mut json = self.pull_row_json(repo, number)?;
        let (issue, pull) = self.pull(repo, number)?;
        let state = match (issue.open, pull.draft) {
            (true, false) => "clean",
            (true, true) => "draft",
            (false, _) => "unknown",
        };
        merge(
            &mut json,
            json!({
                "merged": pull.merged_at.is_some(), "mergeable": issue.open.then_some(true), "rebaseable": null,
                "mergeable_state": state, "merged_by": pull.merged_by.map(|id| self.user_json(id)),
                "comments": issue.comments.len(), "review_comments": 0, "maintainer_can_modify": false,
                "commits": pull.commits.len(), "additions": 1, "deletions": 0, "changed_files": 1,
            }),
        );
        Ok(json)
    }

    /// Renders `pull-request-simple`, the form in lists: it has `merged_at` but not `merged`.
    pub(crate) fn pull_row_json(&self, repo: u64, number: u64) -> Result<Value, ApiError> {
        let (issue, pull) = self.pull(repo, number)?;
        let api = self.repo_url(repo);
        let (url, html) =
            (format!("{api}/pulls/{number}"), format!("{}/{}/pull/{number}", self.base, self.full_name(repo)));
        let assignees: Vec<Value> = issue.assignees.iter().map(|id| self.user_json(*id)).collect();
        let mut json = json!({
            "url": url, "id": pull.id, "node_id": node("PR", pull.id), "html_url": html,
            "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"), "number": number,
            "state": if issue.open { "open" } else { "closed" }, "locked": issue.locked, "title": issue.title,
            "user": self.user_json(issue.author), "body": issue.body, "labels": self.labels_json(repo, issue),
            "milestone": null, "active_lock_reason": null, "created_at": time(issue.created_at),
            "updated_at": time(issue.updated_at), "closed_at": issue.closed_at.map(time),
            "merged_at": pull.merged_at.map(time), "merge_commit_sha": pull.merge_sha,
            "assignee": assignees.first(), "assignees": assignees, "requested_reviewers": [],
            "requested_teams": [], "draft": pull.draft, "auto_merge": null,
            "author_association": self.association(repo, issue.author),
        });
        let links = self.pull_links(&api, &url, issue, pull);
        for key in ["issue", "comments", "commits", "review_comments", "review_comment", "statuses"] {
            json[format!("{key}_url")] = links[key].clone();
        }
        let mut under = json!({ "self": { "href": url }, "html": { "href": html } });
        for (key, href) in links.as_object().into_iter().flatten() {
            under[key] = json!({ "href": href });
        }
        json["_links"] = under;
        json["head"] = self.end_json(pull.head_repo, pull.head_owner, &pull.head_ref, &pull.head_sha);
        json["base"] = self.end_json(Some(repo), self.repo(repo)?.owner, &pull.base_ref, &pull.base_sha);
        Ok(json)
    }

    fn pull_links(&self, api: &str, url: &str, issue: &Issue, pull: &Pull) -> Value {
        json!({
            "issue": format!("{api}/issues/{}", issue.number),
            "comments": format!("{api}/issues/{}/comments", issue.number),
            "commits": format!("{url}/commits"),
            "review_comments": format!("{url}/comments"),
            "review_comment": format!("{api}/pulls/comments{{/number}}"),
            "statuses": format!("{api}/statuses/{}", pull.head_sha),
        })
    }

    fn end_json(&self, repo: Option<u64>, owner: u64, branch: &str, sha: &str) -> Value {
        json!({
            "label": format!("{}:{branch}", self.login(owner)),
            "ref": branch,
            "sha": sha,
            "user": self.user_json(owner),
            "repo": repo.and_then(|id| self.repo_json(id).ok()),
        })
    }
}
