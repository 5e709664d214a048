//! GitHub's JSON of pull requests: short in lists, full by number and in deliveries.

use super::{merge, node, time};
use crate::{
    error::ApiError,
    git::diff::ChangedFile,
    world::{
        World,
        model::{Issue, Pull},
    },
};
use serde_json::{Value, json};
use std::borrow::Cow;

impl World {
    /// Renders `pull-request`, the full form.
    pub(crate) fn pull_json(&self, repo: u64, number: u64) -> Result<Value, ApiError> {
        let mut json = self.pull_row_json(repo, number)?;
        let (issue, pull) = self.pull(repo, number)?;
        let mergeable = pull.comparison.as_ref().is_none_or(|one| one.mergeable);
        let state = match (issue.open, pull.draft) {
            (true, _) if !mergeable => "dirty",
            (true, false) => "clean",
            (true, true) => "draft",
            (false, _) => "unknown",
        };
        let files = Self::files_of(pull);
        let (additions, deletions): (u64, u64) =
            files.iter().fold((0, 0), |(more, fewer), one| (more + one.additions, fewer + one.deletions));
        let review_comments = pull.reviews.iter().map(|one| one.comments.len()).sum::<usize>();
        merge(
            &mut json,
            json!({
                "merged": pull.merged_at.is_some(), "mergeable": issue.open.then_some(mergeable), "rebaseable": null,
                "mergeable_state": state, "merged_by": pull.merged_by.map(|id| self.user_json(id)),
                "comments": issue.comments.len(), "review_comments": review_comments, "maintainer_can_modify": false,
                "commits": pull.commits.len(), "additions": additions, "deletions": deletions,
                "changed_files": files.len(),
            }),
        );
        Ok(json)
    }

    /// Returns the changed files; without git, a pull request changes one line of one file.
    pub(crate) fn files_of(pull: &Pull) -> Cow<'_, [ChangedFile]> {
        match &pull.comparison {
            Some(comparison) => Cow::Borrowed(&comparison.files),
            None => Cow::Owned(vec![ChangedFile {
                path: "sandbox.txt".to_owned(),
                status: "added",
                blob: pull.head_sha.clone(),
                additions: 1,
                deletions: 0,
                patch: Some("@@ -0,0 +1 @@\n+sandbox".to_owned()),
            }]),
        }
    }

    /// Renders `diff-entry`.
    pub(crate) fn changed_file_json(&self, repo: u64, head: &str, file: &ChangedFile) -> Value {
        let (page, api) = (format!("{}/{}", self.base, self.full_name(repo)), self.repo_url(repo));
        let path = &file.path;
        let mut json = json!({
            "sha": file.blob, "filename": path, "status": file.status, "additions": file.additions,
            "deletions": file.deletions, "changes": file.additions + file.deletions,
            "blob_url": format!("{page}/blob/{head}/{path}"), "raw_url": format!("{page}/raw/{head}/{path}"),
            "contents_url": format!("{api}/contents/{path}?ref={head}"),
        });
        if let Some(patch) = &file.patch {
            json["patch"] = json!(patch);
        }
        json
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
