//! Files: reading and writing the policy file, and pushing to a pull request's branch.

use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    shape::time,
    world::{World, access::Need},
};
use serde_json::json;

/// Returns a file; the raw media type is not supported.
pub(super) fn show(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let path = call.param("path");
    world.need(&call.caller, repo, Need::ContentsRead(path))?;
    let text = world.read_file(repo, call.query("ref"), path)?.ok_or_else(ApiError::not_found)?;
    Ok(Reply::ok(world.file_json(repo, path, &text)))
}

pub(super) fn put(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let repo = call.repo(world)?;
    let path = call.param("path").to_owned();
    let body = call.object()?;
    let message = text(&body, "message")?.flatten();
    let message = message.ok_or_else(|| ApiError::invalid("Content", "message", "missing_field"))?;
    let packed: String = text(&body, "content")?.flatten().unwrap_or_default().split_whitespace().collect();
    let bytes = data_encoding::BASE64.decode(packed.as_bytes());
    let content = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let content = content.ok_or_else(|| ApiError::new(422, "content is not valid Base64"))?;
    let branch = text(&body, "branch")?.flatten();
    let known = world.read_file(repo, None, &path)?.map(|old| world.blob_sha(&old));
    let default = branch.as_ref().is_none_or(|branch| world.repo(repo).is_ok_and(|r| r.default_branch == *branch));
    let given = text(&body, "sha")?.flatten();
    if let (true, Some(known)) = (default, &known)
        && given.as_ref() != Some(known)
    {
        return Err(ApiError::new(409, format!("{path} does not match {known}")));
    }
    let commit = world.put_file(&call.caller, repo, &path, &content, (branch.as_deref(), &message))?;
    let file = world.file_json(repo, &path, &content);
    let when = json!({ "date": time(world.now()), "name": "sandbox", "email": "sandbox@sandbox.invalid" });
    let url = format!("{}/git/commits/{commit}", world.repo_url(repo));
    let commit = json!({
        "sha": commit, "node_id": format!("C_{commit}"), "url": url, "html_url": url, "author": when,
        "committer": when, "message": message, "parents": [],
        "tree": { "url": url, "sha": commit },
    });
    let answer = json!({ "content": file, "commit": commit });
    Ok(if known.is_some() { Reply::ok(answer) } else { Reply::created(answer) })
}
