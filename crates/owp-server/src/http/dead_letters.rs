//! The operator's view of dead letters: comments that could not be delivered, and their retry.

use super::ApiState;
use super::auth::Operator;
use super::body::Json;
use super::once::{ReservedKey, kept};
use super::problem::Failure;
use super::query::{Query, fault};
use super::resources::next;
use crate::wire::dead_letters::{DeadComment, DeadComments, RetryBody};
use crate::wire::{DONE, Done, cursor};
use axum::extract::State;
use owp_engine::{DeadLetter, DeadPlace};
use owp_pool::Timestamp;

const LIST: &str = "comments dead";

/// Lists dead letters, newest first.
pub(super) async fn list(
    State(api): State<ApiState>,
    _: Operator,
    query: Query,
) -> Result<axum::Json<DeadComments>, Failure> {
    if query.given("state")?.is_some_and(|state| state != "dead") {
        return Err(fault("state", "must be dead; what still waits is counted in /metrics"));
    }
    let limit = query.limit()?;
    let after = match cursor::read(LIST, query.cursor())? {
        text if text.is_empty() => None,
        text => Some(place(&text).ok_or_else(|| fault("cursor", "must be the `next_cursor` of a page of this list"))?),
    };
    // One more than requested shows whether there is another page.
    let mut letters = api.engine.comments().dead_letters(after, limit + 1).await?;
    let next_cursor = next(&mut letters, limit, LIST, |last| words(&last.place()));
    Ok(axum::Json(DeadComments { comments: letters.into_iter().map(view).collect(), next_cursor }))
}

/// Retries a dead letter.
pub(super) async fn retry(
    State(api): State<ApiState>,
    _: Operator,
    repeat: ReservedKey,
    body: Json<RetryBody>,
) -> Result<axum::Json<Done>, Failure> {
    let Json(asked) = body;
    api.engine.comments().retry_comment(&asked.repo, asked.issue, asked.key, repeat.keep(|()| kept(&DONE))).await?;
    Ok(axum::Json(DONE))
}

fn view(letter: DeadLetter) -> DeadComment {
    DeadComment {
        repo: letter.repo_name,
        issue: letter.issue,
        key: letter.key,
        why: letter.why,
        died_at: letter.died_at.rfc3339(),
        body: letter.body,
    }
}

/// Encodes a position for a cursor; only the key, which is last, may contain a blank.
fn words(place: &DeadPlace) -> String {
    format!("{} {} {} {}", place.died_at.0, place.repo, place.issue, place.key)
}

fn place(words: &str) -> Option<DeadPlace> {
    let mut parts = words.splitn(4, ' ');
    let mut part = || parts.next();
    let (died_at, repo, issue, key) = (part()?.parse().ok()?, part()?, part()?.parse().ok()?, part()?);
    Some(DeadPlace { died_at: Timestamp(died_at), repo: repo.to_owned(), issue, key: key.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_from_its_words() {
        let there = DeadPlace { died_at: Timestamp(5), repo: "r_1".into(), issue: 7, key: "a key: x".into() };
        assert_eq!(place(&words(&there)), Some(there));
        for odd in ["", "5", "5 r_1 x key", "x r_1 7 key", "5 r_1 7"] {
            assert_eq!(place(odd), None, "{odd}");
        }
    }
}
