//! GitHub's JSON of an issue's timeline: events, comments and cross-references.

use super::{merge, time};
use crate::{
    error::ApiError,
    world::{World, access::Caller, closing::mentions},
};
use serde_json::{Value, json};

impl World {
    /// Renders `timeline-issue-events`, oldest first. Cross-references that the caller may not see are omitted.
    pub(crate) fn timeline_json(&self, caller: &Caller, repo: u64, number: u64) -> Result<Vec<Value>, ApiError> {
        let issue = self.issue(repo, number)?;
        let mut entries: Vec<(i64, Value)> =
            issue.events.iter().map(|event| (event.created_at, self.event_json(repo, event))).collect();
        for id in &issue.comments {
            let comment = self.comment(*id)?;
            let mut json = self.comment_json(*id)?;
            merge(&mut json, json!({ "event": "commented", "actor": self.user_json(comment.author) }));
            entries.push((comment.created_at, json));
        }
        entries.extend(self.cross_references(caller, repo, number)?);
        entries.sort_by_key(|(at, _)| *at);
        Ok(entries.into_iter().map(|(_, json)| json).collect())
    }

    /// Renders one entry for each issue or pull request whose text mentions this one.
    fn cross_references(&self, caller: &Caller, repo: u64, number: u64) -> Result<Vec<(i64, Value)>, ApiError> {
        let mut found = Vec::new();
        for place in self.repos.values().filter(|one| !one.deleted && self.see(caller, one.id).is_ok()) {
            let names = |(name, named): (Option<String>, u64)| {
                let target = name.map_or(Ok(place.id), |name| self.repo_of(&name));
                named == number && target.is_ok_and(|target| target == repo)
            };
            for source in place.issues.values().filter(|one| one.gone.is_none()) {
                let itself = place.id == repo && source.number == number;
                if itself || !mentions(source.body.as_deref().unwrap_or_default()).into_iter().any(names) {
                    continue;
                }
                let mut shown = self.issue_json(place.id, source.number)?;
                shown["repository"] = self.repo_json(place.id)?;
                let json = json!({
                    "event": "cross-referenced", "actor": self.user_json(source.author),
                    "created_at": time(source.created_at), "updated_at": time(source.created_at),
                    "source": { "type": "issue", "issue": shown },
                });
                found.push((source.created_at, json));
            }
        }
        Ok(found)
    }
}
