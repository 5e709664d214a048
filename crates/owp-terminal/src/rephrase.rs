//! Adapts the pool's messages to the terminal: flags instead of API fields, commands of this program instead of GitHub
//! comments. A server's sentence about another interface is replaced only if there is a better one.

use super::untrusted::visible_line;
use owp_client::{Problem, Reason};

/// Marks of a sentence about another interface: GitHub comments or the API.
const OTHER_INTERFACES: [&str; 5] = ["`/owp", "POST /v1", "GET /v1", "PATCH /v1", "heartbeat"];

/// API fields and the flags that set them.
const FLAGS: [(&str, &str); 21] = [
    ("artifact.pr_url", "--pr-url"),
    ("artifact.commit_sha", "--commit"),
    ("message", "--message"),
    ("reason", "--reason"),
    ("github_handle", "--github"),
    ("name", "--name"),
    ("skills", "--skills"),
    ("capacity_points", "--capacity"),
    ("max_concurrent_tasks", "--concurrent"),
    ("repo", "REPO"),
    ("title", "TITLE"),
    ("description", "--description"),
    ("estimate_points", "--estimate"),
    ("priority", "--priority"),
    ("required_skills", "--skills"),
    ("area", "--area"),
    ("tier", "--tier"),
    ("external_id", "--external-id"),
    ("max_open_prs", "--max-open-prs"),
    ("secs", "--for"),
    ("level", "LEVEL"),
];

/// Returns the detail without sentences about other interfaces.
pub fn detail(problem: &Problem) -> String {
    let fields = problem.fields();
    if !fields.is_empty() {
        let faults = fields.iter().map(|(field, message)| format!("`{}` {message}.", flag(field)));
        return faults.collect::<Vec<_>>().join(" ");
    }
    let reasons = problem.reasons();
    let messages: Vec<&str> = reasons.iter().map(|reason| reason.message.as_str()).collect();
    if !messages.is_empty() && messages.join(" ") == problem.detail {
        return reasons.iter().map(reason).collect::<Vec<_>>().join(" ");
    }
    if_empty(without_other_interfaces(&problem.detail), &problem.detail)
}

/// Returns the flag or argument that sets a field, such as `skills[3]`; the field itself if there is none.
fn flag(field: &str) -> &str {
    let name = field.split('[').next().unwrap_or(field);
    FLAGS.iter().find(|(known, _)| *known == name).map_or(field, |(_, flag)| flag)
}

/// Returns why a rule does not hold for the calling worker, with the remedy in the terminal.
pub fn reason(reason: &Reason) -> String {
    match remedy(reason) {
        Some(remedy) => format!("{} {remedy}", if_empty(without_other_interfaces(&reason.message), &reason.message)),
        None => reason.message.clone(),
    }
}

/// Returns the terminal's remedy for a rule that does not hold.
fn remedy(reason: &Reason) -> Option<String> {
    Some(match reason.rule.as_str() {
        "skills" => {
            let missing = missing(reason)?;
            let them = if missing.contains(',') { "them" } else { "it" };
            format!("If you have {them}, add {them}: `owp worker set --add-skill {missing}`.")
        }
        "capacity" => "`owp worker set --capacity POINTS` changes how many you take at once.".to_owned(),
        "concurrency" => "`owp worker set --concurrent TASKS` changes how many you take at once.".to_owned(),
        "linked" => "`owp worker link LOGIN` shows how to link it.".to_owned(),
        "worker_status" if reason.value.as_deref() == Some("paused") => {
            "`owp worker resume` ends the pause.".to_owned()
        }
        "worker_status" => "`owp worker register --again` registers a new one.".to_owned(),
        _ => return None,
    })
}

/// Returns the skills the task needs and the worker lacks.
fn missing(reason: &Reason) -> Option<String> {
    let list =
        |text: &Option<String>| text.as_deref().map(|text| text.split(", ").map(str::to_owned).collect::<Vec<_>>());
    let (has, needed) = (list(&reason.value)?, list(&reason.limit)?);
    let missing: Vec<String> = needed.into_iter().filter(|skill| !has.contains(skill)).collect();
    (!missing.is_empty()).then(|| missing.join(","))
}

/// Returns why a rule does not hold for a worker the operator asks about. The server's message addresses the worker's
/// owner; the facts after the sentence, such as ` (now 2, limit 2)`, stay.
pub fn of_worker(rule: &str, message: &str) -> String {
    let sentence = match rule {
        "skills" => "The worker lacks a skill the task needs.",
        "capacity" => "The task does not fit into the worker's free capacity.",
        "concurrency" => "The worker holds as many tasks as it takes at once.",
        rule if SECOND_PERSON_RULES.contains(&rule) => {
            return THIRD_PERSON.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to));
        }
        _ => return message.to_owned(),
    };
    let facts = [" (now ", " Held by ", " Try again after ", " ["].iter().filter_map(|mark| message.find(mark)).min();
    format!("{sentence}{}", facts.map_or("", |at| &message[at..]))
}

/// Rules whose messages address the worker's owner and contain what the operator needs.
const SECOND_PERSON_RULES: [&str; 7] =
    ["task_state", "tier", "lane", "visibility", "person_cap", "cooldown", "declined"];
/// Phrases of these messages, and their third-person forms.
const THIRD_PERSON: [(&str, &str); 8] = [
    ("You hold", "The worker holds"),
    ("Your worker", "The worker"),
    ("Your time", "The contributor's time"),
    ("your first pull request", "the contributor's first pull request"),
    ("your record", "the contributor's record"),
    ("you may", "the contributor may"),
    ("you can", "the contributor can"),
    ("you ask", "the contributor asks"),
];

/// Returns the pool's warning that a repository's tier has no requirements, with the command that sets them.
pub fn tier_warning(repo: &str, said: &str) -> String {
    let (repo, said) = (visible_line(repo), visible_line(&without_other_interfaces(said)));
    format!("warning: {said} `owp admin policy set {repo} FILE` sets the requirements of its `tiers`.")
}

/// Removes the sentences about other interfaces.
fn without_other_interfaces(text: &str) -> String {
    let kept =
        sentences(text).into_iter().filter(|sentence| !OTHER_INTERFACES.iter().any(|mark| sentence.contains(mark)));
    kept.collect::<Vec<_>>().join(" ")
}

fn if_empty(text: String, otherwise: &str) -> String {
    if text.is_empty() { otherwise.to_owned() } else { text }
}

/// Splits a text into sentences; each ends with a full stop before a space.
fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some(at) = rest.find(". ") {
        found.push(&rest[..=at]);
        rest = rest[at + 2..].trim_start();
    }
    found.push(rest);
    found.retain(|sentence| !sentence.is_empty());
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::Rule;
    use serde_json::{Value, json};

    fn problem(body: Value) -> Problem {
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        Problem { status: 409, kind: "refused".into(), detail, body }
    }

    fn why(rule: &str, message: &str, value: &str, limit: &str) -> Reason {
        let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        Reason { rule: rule.into(), message: message.into(), value: text(value), limit: text(limit) }
    }

    #[test]
    fn fields_are_told_as_flags_and_unknown_ones_as_they_are() {
        let errors = json!([
            { "field": "artifact.pr_url", "message": "must begin with https://" },
            { "field": "skills[3]", "message": "is not a skill" },
            { "field": "x_own", "message": "is too long" },
        ]);
        let words = detail(&problem(json!({ "detail": "wire words", "errors": errors })));
        assert_eq!(words, "`--pr-url` must begin with https://. `--skills` is not a skill. `x_own` is too long.");
    }

    #[test]
    fn a_command_of_github_gives_way_to_one_of_this_program() {
        let skills = why(
            "skills",
            "The task needs docs and sql. If you have them: `/owp join skills:docs,sql`.",
            "sql",
            "docs, sql",
        );
        assert_eq!(
            reason(&skills),
            "The task needs docs and sql. If you have it, add it: `owp worker set --add-skill docs`."
        );
        // An older pool puts both into one sentence, which is kept.
        let older = why("skills", "The task asks for docs; `/owp join skills:docs` says so.", "none", "docs");
        assert!(reason(&older).ends_with("says so. If you have it, add it: `owp worker set --add-skill docs`."));
        let blocked = why("task_state", "The task is blocked; a maintainer can say `/owp unblock`.", "", "");
        assert_eq!(reason(&blocked), blocked.message, "a maintainer's act belongs on GitHub");
    }

    #[test]
    fn paths_of_the_api_are_left_out_and_nothing_is_left_empty() {
        let detail_of = |text: &str| detail(&problem(json!({ "detail": text })));
        assert_eq!(
            detail_of("There is no repository a/b. Make it with `POST /v1/admin/repos`."),
            "There is no repository a/b."
        );
        assert_eq!(detail_of("Use `GET /v1/work`."), "Use `GET /v1/work`.");
    }

    #[test]
    fn the_operator_is_not_spoken_to_as_if_the_worker_asked() {
        let said = "You hold as many tasks as you take at once. `/owp join concurrent:N` changes that. (now 2, limit 2) [concurrency]";
        assert_eq!(
            of_worker("concurrency", said),
            "The worker holds as many tasks as it takes at once. (now 2, limit 2) [concurrency]"
        );
        let late =
            "Your time for a task here ran out without a pull request; you may claim again after noon. [cooldown]";
        assert_eq!(
            of_worker("cooldown", late),
            "The contributor's time for a task here ran out without a pull request; the contributor may claim again after noon. [cooldown]"
        );
        assert_eq!(of_worker("budget", "The review budget is full."), "The review budget is full.");
    }

    #[test]
    fn every_rule_that_is_named_here_exists() {
        let names: Vec<&str> = Rule::ALL.iter().map(|rule| rule.name()).collect();
        let known = |name: &str| names.contains(&name);
        for rule in ["skills", "capacity", "concurrency", "linked", "worker_status"] {
            assert!(known(rule) && remedy(&why(rule, "", "none", "x")).is_some(), "{rule}");
        }
        for rule in SECOND_PERSON_RULES.into_iter().chain(["skills", "capacity", "concurrency"]) {
            assert!(known(rule) && of_worker(rule, "You hold it.") != "You hold it.", "{rule}");
        }
    }
}
