//! Reviews of pull requests, their comments, and the changed files that reviewers read.

use super::pulls::target;
use crate::{
    call::{Call, Reply, text},
    error::ApiError,
    world::{
        World,
        reviews::{NewReview, ReviewComment, Verdict},
    },
};
use serde_json::{Map, Value};

/// Returns the changed files.
pub(super) fn files(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let pull = world.pull(repo, number)?.1;
    let files = World::files_of(pull);
    let (shown, link) = call.page(world, Some(repo), &files);
    let rows = shown.iter().map(|file| world.changed_file_json(repo, &pull.head_sha, file));
    Ok(Reply::page(rows.collect(), link))
}

pub(super) fn list(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let (shown, link) = call.page(world, Some(repo), &world.pull(repo, number)?.1.reviews);
    let rows = shown.iter().map(|review| world.review_json(repo, number, review));
    Ok(Reply::page(rows.collect(), link))
}

/// Returns the comments of all reviews.
pub(super) fn comments(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let (shown, link) = call.page(world, Some(repo), &world.review_comments_json(repo, number)?);
    Ok(Reply::page(shown, link))
}

/// Submits a review; GitHub's pending reviews are not supported.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Reply, ApiError> {
    let (repo, number) = target(world, call)?;
    let body = call.object()?;
    let event = text(&body, "event")?.flatten().unwrap_or_default();
    let verdict = Verdict::parse(&event).ok_or_else(|| ApiError::new(422, "Variable $event of type is invalid"))?;
    let comments = match body.get("comments") {
        None | Some(Value::Null) => Vec::new(),
        Some(list) => list.as_array().into_iter().flatten().map(comment).collect::<Result<_, _>>()?,
    };
    let new = NewReview { verdict, body: text(&body, "body")?.flatten().unwrap_or_default(), comments };
    let id = world.review(&call.caller, repo, number, new)?;
    let review = world.pull(repo, number)?.1.reviews.iter().find(|one| one.id == id);
    Ok(Reply::ok(world.review_json(repo, number, review.ok_or_else(ApiError::not_found)?)))
}

fn comment(item: &Value) -> Result<ReviewComment, ApiError> {
    let missing = |name: &str| ApiError::invalid("PullRequestReviewComment", name, "missing_field");
    let nothing = Map::new();
    let fields = item.as_object().unwrap_or(&nothing);
    let needed = |name: &str| text(fields, name)?.flatten().ok_or_else(|| missing(name));
    let line = fields.get("line").and_then(Value::as_u64);
    Ok(ReviewComment { id: 0, path: needed("path")?, line, body: needed("body")? })
}
