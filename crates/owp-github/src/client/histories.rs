//! The histories of many issues in one GraphQL request: acts that offer an issue, and the last edit of its body.
//!
//! One request replaces one or two REST requests for each issue. It costs one point of the installation's GraphQL quota,
//! which is apart from the quota of REST: an issue has one connection, and a hundred connections make a point.
//! <https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api>
//!
//! A history is complete and certain, or it is left out; the caller asks the REST API then. It is left out when GitHub
//! reports an error for its issue, when it has more acts than fit, when an act has no numeric id that can be relied on
//! (see `node_id`), and when somebody other than a user acted: GraphQL names bots differently.

use super::{
    GitHubError, IssueEvent, IssueHistory, LastEdit, RepoReader, UserRef, graphql, graphql::GraphQlResponse,
    http::Write, node_id,
};
use owp_pool::Timestamp;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Most issues in one request.
pub const HISTORIES_PER_REQUEST: usize = 50;
/// Acts of one issue; the largest page that GitHub accepts.
const MOST_ACTS: usize = 100;

/// <https://docs.github.com/en/graphql/reference/objects#issue>
const FRAGMENT: &str = "fragment history on Issue { number databaseId updatedAt lastEditedAt \
    editor { login ... on User { databaseId } } \
    timelineItems(last: 100, itemTypes: [LABELED_EVENT, REOPENED_EVENT, RENAMED_TITLE_EVENT]) { \
    pageInfo { hasPreviousPage } nodes { __typename \
    ... on LabeledEvent { id createdAt actor { ...account } label { name } } \
    ... on ReopenedEvent { id createdAt actor { ...account } } \
    ... on RenamedTitleEvent { id createdAt actor { ...account } } } } } \
    fragment account on Actor { __typename login ... on User { databaseId } }";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawHistory {
    number: i64,
    database_id: i64,
    updated_at: String,
    // A missing field must not count as "never edited".
    #[serde(deserialize_with = "Option::deserialize")]
    last_edited_at: Option<String>,
    #[serde(deserialize_with = "Option::deserialize")]
    editor: Option<graphql::Editor>,
    timeline_items: RawTimeline,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawTimeline {
    page_info: RawPageInfo,
    nodes: Vec<RawAct>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawPageInfo {
    has_previous_page: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawAct {
    #[serde(rename = "__typename")]
    kind: String,
    id: String,
    created_at: String,
    #[serde(deserialize_with = "Option::deserialize")]
    actor: Option<RawActor>,
    label: Option<RawLabel>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RawActor {
    #[serde(rename = "__typename")]
    kind: String,
    login: String,
    database_id: Option<i64>,
}

#[derive(Deserialize)]
struct RawLabel {
    name: String,
}

impl RepoReader {
    /// Returns the histories of up to [`HISTORIES_PER_REQUEST`] issues, by number. Those that GitHub does not report
    /// completely are left out.
    ///
    /// # Errors
    /// Fails when GitHub reports nothing at all.
    pub async fn issue_histories(&self, numbers: &[i64]) -> Result<BTreeMap<i64, IssueHistory>, GitHubError> {
        let numbers = &numbers[..numbers.len().min(HISTORIES_PER_REQUEST)];
        if numbers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut issues = String::new();
        for number in numbers {
            let _ = write!(issues, " i{number}: issue(number: {number}) {{ ...history }}");
        }
        let query = format!(
            "query($owner: String!, $name: String!) {{ repository(owner: $owner, name: $name) {{ databaseId{issues} }} }} {FRAGMENT}"
        );
        let (owner, name) = self.repo.full_name.split_once('/').unwrap_or_default();
        let body = json!({ "query": query, "variables": { "owner": owner, "name": name } });
        self.ask_graphql(&Write::IssueHistories, &body, |reply, now| self.histories_in(reply, numbers, now)).await
    }

    fn histories_in(
        &self,
        reply: GraphQlResponse,
        numbers: &[i64],
        now: Timestamp,
    ) -> Result<BTreeMap<i64, IssueHistory>, GitHubError> {
        // A null field may be an error: a hidden time of an edit must not count as "never edited".
        let mut wrong = BTreeSet::new();
        for error in reply.errors {
            match error.field().map(str::to_owned) {
                Some(field) => drop(wrong.insert(field)),
                None => return Err(graphql::error_from(error, now)),
            }
        }
        let repository = reply.data.map(|mut data| data["repository"].take()).unwrap_or_default();
        match repository["databaseId"].as_i64() {
            Some(id) if id == self.repo.github_id => {}
            Some(_) => return Err(GitHubError::OtherRepository { full_name: self.repo.full_name.clone() }),
            None => return Err(graphql::malformed("GraphQL without a repository")),
        }
        let history = |number: &i64| {
            let field = format!("i{number}");
            let raw = repository.get(&field).filter(|_| !wrong.contains(&field))?;
            let raw = RawHistory::deserialize(raw).ok().filter(|raw| raw.number == *number)?;
            history(raw, self.repo.github_id)
        };
        Ok(numbers.iter().filter_map(|number| Some((*number, history(number)?))).collect())
    }
}

fn history(raw: RawHistory, repository: i64) -> Option<IssueHistory> {
    let RawTimeline { page_info, nodes } = raw.timeline_items;
    if page_info.has_previous_page || nodes.len() > MOST_ACTS {
        return None;
    }
    let at = match &raw.last_edited_at {
        Some(text) => Some(Timestamp::parse_rfc3339(text)?),
        None => None,
    };
    Some(IssueHistory {
        updated_at: Timestamp::parse_rfc3339(&raw.updated_at)?,
        events: nodes.into_iter().map(|act| event(act, repository, raw.database_id)).collect::<Option<_>>()?,
        last_edit: LastEdit { at, editor: raw.editor.and_then(graphql::Editor::into_user) },
    })
}

fn event(act: RawAct, repository: i64, issue: i64) -> Option<IssueEvent> {
    let (event, label) = match act.kind.as_str() {
        "LabeledEvent" => ("labeled", Some(act.label?.name)),
        "ReopenedEvent" => ("reopened", None),
        "RenamedTitleEvent" => ("renamed", None),
        _ => return None,
    };
    let actor = match act.actor {
        Some(actor) if actor.kind == "User" => {
            Some(UserRef { id: actor.database_id?, login: actor.login, is_bot: false })
        }
        Some(_) => return None,
        None => None,
    };
    Some(IssueEvent {
        id: node_id::event_id(&act.id, repository, issue)?,
        event: event.to_owned(),
        actor,
        label,
        via_app_id: None,
        created_at: Timestamp::parse_rfc3339(&act.created_at)?,
    })
}
