//! The first steps, from the configuration of the process and the facts of the database.

use super::{Mark, Step};
use crate::http::ApiState;
use crate::http::pages::parts::{self, Now, ago, counted, prose};
use maud::{Markup, html};
use owp_config::{Obstacle, weakness};
use owp_engine::FirstSteps;

/// Repositories that a sentence names.
const NAMED: usize = 3;
/// GitHub's REST API, from which more addresses cannot be reached than from any other.
const GITHUB: &str = "https://api.github.com";

/// What the process itself knows of its configuration.
pub(super) struct Configured<'c> {
    /// Why the admin token can be guessed.
    pub(super) weak_token: Option<&'static str>,
    pub(super) app_id: Option<i64>,
    pub(super) can_register: bool,
    /// The address that people on GitHub can use.
    pub(super) public: Option<&'c str>,
    /// The address that the operator named, and what is in GitHub's way.
    pub(super) obstacle: Option<(&'c str, Obstacle)>,
    pub(super) has_sign_in: bool,
}

impl<'c> Configured<'c> {
    pub(super) fn of(api: &'c ApiState) -> Self {
        let settings = api.engine.settings();
        let shown = settings.public_url.get();
        // An address that is shown is not blocked, whichever GitHub the pool works with.
        let obstacle = settings.public_url.all().find_map(|address| {
            let obstacle = Obstacle::between(GITHUB, address)?;
            (shown != Some(address) || !obstacle.blocks()).then_some((address, obstacle))
        });
        Self {
            weak_token: api.admin_token.as_deref().and_then(weakness),
            app_id: api.engine.github().map(|github| github.app_id),
            can_register: api.engine.operator().setup_knows(None).is_ok(),
            public: shown,
            obstacle,
            has_sign_in: api.engine.sessions().has_github(),
        }
    }
}

/// Returns the steps of the pool itself.
pub(super) fn pool(configured: &Configured<'_>) -> Vec<Step> {
    let token = match configured.weak_token {
        None => Step::new(Mark::Done, "Admin token", prose("`OWP_ADMIN_TOKEN` is set, and is hard to guess.")),
        Some(why) => Step::new(
            Mark::Wrong,
            "Admin token",
            prose(&format!(
                "It is weak: {why}. Make one with `openssl rand -hex 32`, set `OWP_ADMIN_TOKEN` to it, and start the pool \
                 again."
            )),
        ),
    };
    let address = match (configured.obstacle, configured.public) {
        (Some((address, obstacle)), _) => {
            let words =
                html! { code { (address) } ": " (obstacle.advice()) " Set it as " code { "OWP_PUBLIC_URL" } "." };
            // Without an App, nobody on GitHub has to reach the pool.
            let mark = if configured.app_id.is_some() { Mark::Wrong } else { Mark::Open };
            Step::new(mark, "Public address", words)
        }
        (None, Some(address)) => {
            Step::new(Mark::Done, "Public address", html! { code { (address) } ". Comments on GitHub link to it." })
        }
        (None, None) => {
            let mark = if configured.app_id.is_some() { Mark::Open } else { Mark::Optional };
            let words = "Set `OWP_PUBLIC_URL` to the address at which others reach the pool; comments on GitHub then link to it.";
            Step::new(mark, "Public address", prose(words))
        }
    };
    vec![token, address]
}

/// Returns the steps that need GitHub.
pub(super) fn github(configured: &Configured<'_>, found: &FirstSteps, now: Now) -> Vec<Step> {
    let has_app = configured.app_id.is_some();
    let open = if has_app { Mark::Open } else { Mark::Optional };
    let has_repo = !found.github_repos.is_empty();
    let app = match configured.app_id {
        Some(id) => Step::new(Mark::Done, "GitHub App", html! { "The pool works as App " (id) "." }),
        None if configured.can_register => Step::new(
            open,
            "GitHub App",
            html! { a href="/setup" { "Register one" } " with the setup token, which is in the pool's log." },
        ),
        None => Step::new(
            open,
            "GitHub App",
            prose(
                "Set `GITHUB_APP_ID`, `GITHUB_APP_PRIVATE_KEY_FILE` and `GITHUB_WEBHOOK_SECRET`, and start the pool again.",
            ),
        ),
    };
    let sign_in = match configured.has_sign_in {
        true => {
            Step::new(Mark::Done, "Sign-in with GitHub", html! { "Maintainers and contributors can sign in here." })
        }
        false => Step::new(
            open,
            "Sign-in with GitHub",
            prose(
                "Generate a client secret on the App's page, set `GITHUB_CLIENT_ID` and `GITHUB_CLIENT_SECRET`, and start the \
                   pool again.",
            ),
        ),
    };
    let installed = match has_repo {
        true => Step::new(Mark::Done, "App on a repository", html! { "On " (repos(&found.github_repos)) "." }),
        false => Step::new(
            open,
            "App on a repository",
            html! { "Install the App on a repository, from its page on GitHub." },
        ),
    };
    vec![app, sign_in, installed, deliveries(found, open, now), counts(found, open), policy(found, open)]
}

fn deliveries(found: &FirstSteps, open: Mark, now: Now) -> Step {
    let title = "Webhook deliveries";
    if found.dead_deliveries > 0 {
        let were = counted(found.dead_deliveries, "delivery was", "deliveries were");
        let words = html! { (were) " given up; " a href="/operations#deliveries" { "Operations" } " says why." };
        return Step::new(Mark::Wrong, title, words);
    }
    match found.last_delivery {
        Some(at) => Step::new(Mark::Done, title, html! { "The last one arrived " (ago(at, now)) "." }),
        None => Step::new(
            open,
            title,
            prose(
                "None arrived within a week. Label an issue; if none arrives then, `owp doctor` says what GitHub tried.",
            ),
        ),
    }
}

fn counts(found: &FirstSteps, open: Mark) -> Step {
    let title = "Open pull requests counted";
    if !found.count_failed.is_empty() {
        let words = html! { "The count failed in " (repos(&found.count_failed)) ", so nothing is handed out there. It is retried; the log says why." };
        return Step::new(Mark::Wrong, title, words);
    }
    if found.github_repos.is_empty() {
        return Step::new(open, title, html! { "This happens by itself once the App is on a repository." });
    }
    match found.uncounted.is_empty() {
        true => Step::new(Mark::Done, title, html! { "In all GitHub repositories." }),
        false => Step::new(open, title, html! { "Not yet in " (repos(&found.uncounted)) ". This takes a minute." }),
    }
}

fn policy(found: &FirstSteps, open: Mark) -> Step {
    let title = "Policy file";
    if !found.policy_errors.is_empty() {
        let words = html! { "It has errors in " (repos(&found.policy_errors)) ", whose pages list them; " code { "owp policy check" } " checks a local file." };
        return Step::new(Mark::Wrong, title, words);
    }
    match (found.github_repos.is_empty(), found.policies) {
        (true, _) => Step::new(
            open,
            title,
            prose("`.github/owp.yml` in a repository sets its rules. Without it the defaults apply."),
        ),
        (false, 0) => Step::new(Mark::Done, title, prose("No repository has `.github/owp.yml`; the defaults apply.")),
        (false, n) => Step::new(
            Mark::Done,
            title,
            html! { "Read without errors in " (parts::some(n, "repository", "repositories")) "." },
        ),
    }
}

/// Returns the steps to the first task.
pub(super) fn work(configured: &Configured<'_>, found: &FirstSteps) -> Vec<Step> {
    let has_app = configured.app_id.is_some();
    let mut steps = Vec::new();
    if !has_app || !found.manual_repos.is_empty() {
        steps.push(match found.manual_repos.is_empty() {
            false => Step::new(Mark::Done, "A manual repository", html! { (repos(&found.manual_repos)) "." }),
            true => Step::new(
                Mark::Open,
                "A manual repository",
                prose("Make one with `owp admin init-repo acme/rocket`, or use the GitHub App."),
            ),
        });
    }
    steps.push(match found.tasks {
        0 => {
            let words = html! {
                @if has_app { "Label an issue " code { "pool:ready" } ", or " } @else { "In a manual repository, " }
                a href="/import" { "import tasks" } "."
            };
            Step::new(Mark::Open, "A task", words)
        }
        n => Step::new(Mark::Done, "A task", html! { a href="/tasks" { (counted(n, "task", "tasks")) } "." }),
    });
    steps.push(contributors(found, has_app));
    steps.push(comments(found, if has_app { Mark::Open } else { Mark::Optional }));
    steps
}

fn contributors(found: &FirstSteps, has_app: bool) -> Step {
    let title = "A contributor";
    if found.linked > 0 {
        let known = parts::some(found.linked, "contributor has", "contributors or workers have");
        return Step::new(Mark::Done, title, html! { (known) " a GitHub account here." });
    }
    match found.workers {
        0 if has_app => Step::new(
            Mark::Open,
            title,
            prose("Comment `/owp join skills:rust` on an issue, or run `owp worker register`."),
        ),
        0 => Step::new(Mark::Open, title, prose("Run `owp worker register` on the machine that is to work.")),
        n if has_app => {
            let words = format!(
                "{} registered, none linked to a GitHub account: `owp worker link` does it, and tasks of GitHub repositories \
                 need it.",
                parts::some(n, "worker is", "workers are")
            );
            Step::new(Mark::Open, title, prose(&words))
        }
        n => Step::new(Mark::Done, title, html! { (parts::some(n, "worker is", "workers are")) " registered." }),
    }
}

fn comments(found: &FirstSteps, open: Mark) -> Step {
    let title = "Comments on GitHub";
    if found.dead_comments > 0 {
        let were = counted(found.dead_comments, "comment was", "comments were");
        let words = html! { (were) " given up; " a href="/operations#letters" { "Operations" } " says why." };
        return Step::new(Mark::Wrong, title, words);
    }
    match found.has_written {
        true => Step::new(Mark::Done, title, html! { "The pool writes them, and none was given up." }),
        false => Step::new(
            open,
            title,
            prose("The first one is written when somebody claims a task, or comments `/owp status`."),
        ),
    }
}

/// Renders links to the first of some repositories, and counts the rest.
fn repos(names: &[String]) -> Markup {
    html! {
        @for (at, name) in names.iter().take(NAMED).enumerate() { @if at > 0 { ", " } (parts::repo_link(name)) }
        @if names.len() > NAMED { " and " (names.len() - NAMED) " more" }
    }
}
