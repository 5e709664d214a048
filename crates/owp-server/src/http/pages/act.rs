//! `POST /act`: what maintainers and the operator do on the pages. Each act is an engine call; the result is shown on the
//! page that it came from.

use super::forms::Form;
use super::parts::counted;
use super::session::{self, Reader};
use crate::http::ApiState;
use crate::http::browser::from_elsewhere;
use crate::http::problem::Failure;
use crate::wire::ProblemKind;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use owp_engine::{EngineError, Seen, SignedIn, Told};
use owp_pool::command::{BudgetChange, Command};
use owp_pool::{TaskId, Timestamp, WorkerId};

const FORM_MAX_BYTES: usize = 16 * 1024;
/// Largest budget, and longest pause in hours.
const BUDGET_MAX: i64 = 1_000;
const PAUSE_MAX_HOURS: i64 = 24 * 365;

/// What a form asks for.
enum Act {
    /// A command that maintainers can give in a comment, too.
    Command(Command),
    /// The operator sets the budget of a manual repository, or the ceiling of one on GitHub.
    Ceiling(i64),
    /// The operator closes a task of a manual repository.
    Close(Option<String>),
    /// The operator reopens one.
    Reopen,
    /// The operator removes a manual repository.
    Remove,
    /// The operator revokes a worker.
    RevokeWorker { id: String, reason: Option<String> },
    /// A GitHub user joins the leaderboard, or leaves it.
    Leaderboard { on: bool },
    /// The operator has a comment that was given up sent again.
    Retry { issue: i64, key: String },
    /// The operator has a delivery that was given up processed again.
    ProcessAgain { delivery: String },
}

/// Does what a form asks for, and returns to its page.
pub(super) async fn act(State(api): State<ApiState>, reader: Reader, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let form = Form::read(&api, &parts, body, FORM_MAX_BYTES).await?;
    let who = permitted(&reader, &parts, &form)?;
    let told = match read(&form) {
        Err(why) => Told { done: false, words: why },
        Ok(act) => carry_out(&api, who, &Place::of(&form), act).await?,
    };
    let mut response = Redirect::to(back(form.text("back"))).into_response();
    session::tell(&mut response, &told);
    Ok(response)
}

/// Returns who sends a form, if it comes from a page of their session.
pub(super) fn permitted<'r>(reader: &'r Reader, parts: &Parts, form: &Form) -> Result<&'r SignedIn, Failure> {
    let Some(who) = &reader.who else {
        let why = "You are not signed in, or your session has ended. Nothing was changed. Sign in at `/signin`.";
        return Err(Failure::unauthorized("Cookie realm=\"owp\"", why));
    };
    if from_elsewhere(&parts.headers) || !reader.has_sent(form.text("form")) {
        let why = "The form did not come from a page of this session. Nothing was changed. Load the page again.";
        return Err(Failure::new(ProblemKind::ForeignForm, why));
    }
    Ok(who)
}

/// Returns the page to return to; only a path of this server.
pub(super) fn back(path: &str) -> &str {
    let is_own = path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && path.is_ascii();
    if is_own && !path.chars().any(char::is_control) { path } else { "/" }
}

/// What a form acts on.
struct Place<'f> {
    repo: &'f str,
    task: Option<TaskId>,
    /// What the page showed; without a time, a page of long ago.
    seen: Seen,
}

impl<'f> Place<'f> {
    fn of(form: &'f Form) -> Self {
        let task = Some(form.text("task")).filter(|id| !id.is_empty()).map(TaskId::new);
        let seen = Seen { at: Timestamp(form.number("seen").unwrap_or(0)), text: form.text("text").to_owned() };
        Self { repo: form.text("repo"), task, seen }
    }
}

fn read(form: &Form) -> Result<Act, String> {
    let optional = |name: &str| form.optional(name);
    let login = || {
        let login = optional("login")?.map(|login| login.trim_start_matches('@').to_owned());
        login.filter(|login| !login.is_empty()).ok_or_else(|| "Name a GitHub login.".to_owned())
    };
    let whole = |name: &str, least: i64, most: i64| {
        let wanted = format!("`{name}` must be a whole number from {least} to {most}.");
        form.number(name).filter(|n| (least..=most).contains(n)).ok_or(wanted)
    };
    let command = match form.text("verb") {
        "budget" => Command::Budget(BudgetChange::To(whole("budget", 0, BUDGET_MAX)?)),
        "budget-of-file" => Command::Budget(BudgetChange::File),
        "pause" => {
            let hours = if form.text("hours").is_empty() { None } else { Some(whole("hours", 1, PAUSE_MAX_HOURS)?) };
            Command::Pause { secs: hours.map(|hours| hours * 3_600), reason: optional("reason")? }
        }
        "resume" => Command::Resume,
        "trust" => Command::Trust { login: login()?, level: whole("level", 0, 3)? },
        "ban" => Command::Ban { login: login()? },
        "approve" => Command::Approve,
        "assign" => Command::Assign { login: login()? },
        "unblock" => Command::Unblock,
        "revoke" => Command::Revoke { login: None, reason: optional("reason")? },
        "ignore" => Command::Ignore { pull: whole("pull", 1, i64::MAX)?, off: form.text("off") == "yes" },
        "ceiling" => return Ok(Act::Ceiling(whole("budget", 0, BUDGET_MAX)?)),
        "join-leaderboard" => return Ok(Act::Leaderboard { on: true }),
        "leave-leaderboard" => return Ok(Act::Leaderboard { on: false }),
        "close" => return Ok(Act::Close(optional("reason")?)),
        "reopen" => return Ok(Act::Reopen),
        "remove" => return Ok(Act::Remove),
        "revoke-worker" => {
            let id = optional("worker")?.ok_or("The form names no worker.")?;
            return Ok(Act::RevokeWorker { id, reason: optional("reason")? });
        }
        "retry" => {
            let key = optional("key")?.ok_or("The comment has no key.")?;
            return Ok(Act::Retry { issue: whole("issue", 1, i64::MAX)?, key });
        }
        "process-again" => {
            let delivery = optional("delivery")?.ok_or("The form names no delivery.")?;
            return Ok(Act::ProcessAgain { delivery });
        }
        _ => return Err("The page asked for something that this version does not know. Load it again.".to_owned()),
    };
    Ok(Act::Command(command))
}

async fn carry_out(
    api: &ApiState,
    who: &SignedIn,
    Place { repo, task, seen }: &Place<'_>,
    act: Act,
) -> Result<Told, Failure> {
    let operator = api.engine.operator();
    if let (Act::Leaderboard { on }, SignedIn::User { github_id, .. }) = (&act, who) {
        api.engine.workers().set_on_leaderboard(*github_id, *on).await?;
        let words = if *on { "You are on the leaderboard." } else { "You are not on the leaderboard any more." };
        return Ok(Told { done: true, words: words.to_owned() });
    }
    if !matches!(act, Act::Command(_)) && *who != SignedIn::Operator {
        return Ok(Told { done: false, words: "Only the operator can do that.".to_owned() });
    }
    let id = || task.clone().ok_or(EngineError::UnknownTask);
    let done = match act {
        Act::Command(command) => return told(operator.command(who, repo, task.clone(), command, seen).await),
        // Only people have a place there.
        Act::Leaderboard { .. } => Err(EngineError::UnknownPerson("operator".to_owned())),
        Act::Ceiling(budget) => {
            let set = operator.set_ceiling(repo, budget).await;
            set.map(|name| format!("The operator's limit for {name} is now {budget}."))
        }
        Act::Close(reason) => operator.close_task(id()?, reason, None).await.map(|()| "The task is closed.".to_owned()),
        Act::Reopen => operator.reopen_task(id()?, None).await.map(|()| "The task is ready again.".to_owned()),
        Act::Remove => operator
            .remove_repo(repo)
            .await
            .map(|closed| format!("{repo} is removed, with {}.", counted(closed, "waiting task", "waiting tasks"))),
        Act::RevokeWorker { id, reason } => {
            let ended = api.engine.workers().revoke_worker(&WorkerId::new(id), reason).await;
            ended.map(|ended| format!("The worker is revoked; {} ended.", counted(ended, "lease", "leases")))
        }
        Act::Retry { issue, key } => {
            let retried = api.engine.comments().retry_comment(repo, issue, key, None).await;
            retried.map(|()| format!("The comment on #{issue} is sent again."))
        }
        Act::ProcessAgain { delivery } => {
            let again = api.engine.intake().process_again(&delivery).await;
            again.map(|event| format!("The delivery `{event}` is processed again; a new error would put it back here."))
        }
    };
    told(done.map(|words| Told { done: true, words }))
}

/// Shows a refusal where the act was asked for; other errors are a page of their own.
pub(super) fn told(result: Result<Told, EngineError>) -> Result<Told, Failure> {
    match result {
        Err(EngineError::Refused(refused)) => {
            let reasons = refused.reasons.iter().map(owp_pool::Refusal::sentences);
            let words = std::iter::once(refused.summary.clone()).chain(reasons).collect::<Vec<_>>().join(" ");
            Ok(Told { done: false, words })
        }
        Err(EngineError::Managed(why)) => Ok(Told { done: false, words: why }),
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::back;

    #[test]
    fn an_act_returns_to_a_page_of_this_server() {
        assert_eq!(back("/repos/acme/x?a=b"), "/repos/acme/x?a=b");
        for elsewhere in
            ["", "//evil.example", "/\\evil.example", "https://evil.example", "/a\r\nSet-Cookie: x", "javascript:1"]
        {
            assert_eq!(back(elsewhere), "/", "{elsewhere:?}");
        }
    }
}
