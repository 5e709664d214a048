//! GitHub's JSON of repositories, labels and files.

use super::{merge, node, time};
use crate::{
    error::ApiError,
    world::{
        World,
        model::{Repo, Role},
    },
};
use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// URL templates of every repository.
const URLS: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

impl World {
    /// Returns the API URL of a repository.
    pub(crate) fn repo_url(&self, repo: u64) -> String {
        format!("{}/repos/{}", self.base, self.full_name(repo))
    }

    /// Renders `repository`, the form in lists, payloads and pull requests.
    pub(crate) fn repo_json(&self, id: u64) -> Result<Value, ApiError> {
        let repo = self.repo(id)?;
        let (url, full) = (self.repo_url(id), self.full_name(id));
        let open = repo.issues.values().filter(|issue| issue.open && issue.gone.is_none()).count();
        let html = format!("{}/{full}", self.base);
        let mut json = self.tiny_repo_json(repo);
        for (key, path) in URLS {
            json[key] = json!(format!("{url}{path}"));
        }
        merge(
            &mut json,
            json!({
                "owner": self.user_json(repo.owner), "html_url": html, "description": null,
                "fork": repo.fork_of.is_some(), "git_url": format!("git://sandbox.invalid/{full}.git"),
                "ssh_url": format!("git@sandbox.invalid:{full}.git"), "clone_url": format!("{html}.git"),
                "svn_url": html, "mirror_url": null, "homepage": null, "language": null, "license": null,
                "visibility": if repo.private { "private" } else { "public" },
                "default_branch": repo.default_branch, "archived": repo.archived, "disabled": false,
            }),
        );
        merge(
            &mut json,
            json!({
                "forks_count": 0, "forks": 0, "stargazers_count": 0, "watchers_count": 0, "watchers": 0, "size": 0,
                "open_issues_count": open, "open_issues": open, "topics": [], "is_template": false,
                "has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false,
                "has_downloads": false, "has_discussions": false, "allow_forking": true,
                "web_commit_signoff_required": false, "pushed_at": time(repo.updated_at),
                "created_at": time(repo.created_at), "updated_at": time(repo.updated_at),
            }),
        );
        Ok(json)
    }

    /// Renders `full-repository`, the form of `GET /repos/{owner}/{repo}`.
    pub(crate) fn full_repo_json(&self, id: u64, viewer: Option<u64>) -> Result<Value, ApiError> {
        let mut json = self.repo_json(id)?;
        merge(&mut json, json!({ "subscribers_count": 0, "network_count": 0 }));
        if let Some(organization) = self.organization_json(self.repo(id)?.owner) {
            let mut owner = json["owner"].clone();
            merge(&mut owner, organization);
            owner["url"] = json["owner"]["url"].clone();
            json["organization"] = owner;
        }
        if let Some(source) = self.repo(id)?.fork_of.and_then(|id| self.repo_json(id).ok()) {
            json["parent"] = source.clone();
            json["source"] = source;
        }
        if let Some(role) = viewer.and_then(|user| self.role(id, user)) {
            json["permissions"] = role_json(Some(role));
        }
        Ok(json)
    }

    /// Renders the few fields that installation deliveries contain.
    pub(crate) fn tiny_repo_json(&self, repo: &Repo) -> Value {
        json!({
            "id": repo.id,
            "node_id": node("R", repo.id),
            "name": repo.name,
            "full_name": format!("{}/{}", self.login(repo.owner), repo.name),
            "private": repo.private,
        })
    }

    /// Renders `label`.
    pub(crate) fn label_json(&self, repo: u64, name: &str) -> Value {
        let Ok(found) = self.repo(repo) else { return Value::Null };
        let Some(label) = found.labels.get(&name.to_lowercase()) else { return Value::Null };
        let url = format!("{}/labels/{}", self.repo_url(repo), encode(&label.name));
        json!({
            "id": label.id,
            "node_id": node("LA", label.id),
            "url": url,
            "name": label.name,
            "color": label.color,
            "default": false,
            "description": label.description,
        })
    }

    /// Renders `content-file`.
    pub(crate) fn file_json(&self, repo: u64, path: &str, text: &str) -> Value {
        let url = format!("{}/contents/{path}?ref={}", self.repo_url(repo), self.default_branch(repo));
        let sha = self.blob_sha(text);
        let git = format!("{}/git/blobs/{sha}", self.repo_url(repo));
        let html = format!("{}/{}/blob/{}/{path}", self.base, self.full_name(repo), self.default_branch(repo));
        json!({
            "type": "file",
            "encoding": "base64",
            "size": text.len(),
            "name": path.rsplit('/').next().unwrap_or(path),
            "path": path,
            "content": wrapped_base64(text),
            "sha": sha,
            "url": url,
            "git_url": git,
            "html_url": html,
            "download_url": format!("{html}?raw=true"),
            "_links": { "self": url, "git": git, "html": html },
        })
    }

    /// Computes the hash of a file: git's own in a sandbox that serves git, otherwise a stand-in.
    pub(crate) fn blob_sha(&self, text: &str) -> String {
        if self.git.is_none() {
            let digest = Sha256::digest(text.as_bytes());
            return data_encoding::HEXLOWER.encode(&digest[..20]);
        }
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        context.update(format!("blob {}\0", text.len()).as_bytes());
        context.update(text.as_bytes());
        data_encoding::HEXLOWER.encode(context.finish().as_ref())
    }

    fn default_branch(&self, repo: u64) -> &str {
        self.repo(repo).map_or("main", |found| found.default_branch.as_str())
    }
}

/// Renders `permissions` of a collaborator.
pub(crate) fn role_json(role: Option<Role>) -> Value {
    json!({
        "admin": role >= Some(Role::Admin),
        "maintain": role >= Some(Role::Maintain),
        "push": role >= Some(Role::Write),
        "triage": role >= Some(Role::Triage),
        "pull": role >= Some(Role::Read),
    })
}

/// Encodes a name as a path segment.
pub(crate) fn encode(name: &str) -> String {
    form_urlencoded::byte_serialize(name.as_bytes()).collect::<String>().replace('+', "%20")
}

/// Wraps base64 at 60 characters and ends with a newline, as GitHub does, so that clients must handle it.
fn wrapped_base64(text: &str) -> String {
    let flat = data_encoding::BASE64.encode(text.as_bytes());
    let mut out = String::new();
    let mut rest = flat.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(60));
        out.push_str(line);
        out.push('\n');
        rest = after;
    }
    out
}
