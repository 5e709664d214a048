//! The page at `/start`, for the operator: the first steps of a new pool, each with what to do next. It asks nobody on
//! GitHub; `owp doctor` does.

mod steps;

use super::layout::{Section, dashboard};
use super::parts::Now;
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use steps::{Configured, github, pool, work};

/// State of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Done,
    /// Something is wrong.
    Wrong,
    /// Not done yet.
    Open,
    /// Not done, and not needed by a pool without GitHub.
    Optional,
}

/// A step, with what is so or what to do.
struct Step {
    mark: Mark,
    title: &'static str,
    words: Markup,
}

impl Step {
    fn new(mark: Mark, title: &'static str, words: Markup) -> Self {
        Self { mark, title, words }
    }
}

/// Serves the page; others than the operator are led to the sign-in.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader, ask: Ask) -> Result<Response, Failure> {
    if !reader.is_operator() {
        return Ok(Redirect::to("/signin").into_response());
    }
    ask.answer(&api, &reader, "/start", render(&api, &reader)).await
}

async fn render(api: &ApiState, reader: &Reader) -> Result<Rendered, Failure> {
    let found = api.engine.views().first_steps().await?;
    let (configured, now) = (Configured::of(api), Now(found.now));
    let (pool, github) = (pool(&configured), github(&configured, &found, now));
    let work = work(&configured, &found);
    let all: Vec<&Step> = pool.iter().chain(&github).chain(&work).collect();
    let body = html! {
        (summary(&all))
        section aria-labelledby="pool" { h2 id="pool" { "The pool" } (list(&pool)) }
        section aria-labelledby="github" {
            h2 id="github" { "GitHub" }
            @if configured.app_id.is_none() { p.note { "A pool of manual repositories does without: its tasks come from imports and from calls." } }
            (list(&github))
        }
        section aria-labelledby="work" { h2 id="work" { "The first task" } (list(&work)) }
        p.note {
            code { "owp doctor" } " checks the same from the pool's machine, and asks GitHub, too. "
            a href="/operations" { "Operations" } " shows what waits and what was given up."
        }
    };
    Ok(Rendered::new(&dashboard(Section::Operations, "First steps", now, reader, &body)))
}

/// Says how much is left, and names the next step.
fn summary(steps: &[&Step]) -> Markup {
    let count = |mark: Mark| steps.iter().filter(|step| step.mark == mark).count();
    let (done, left) = (count(Mark::Done), count(Mark::Wrong) + count(Mark::Open));
    let first = |mark: Mark| steps.iter().find(|step| step.mark == mark);
    let next = first(Mark::Wrong).or_else(|| first(Mark::Open));
    html! {
        p.lead {
            b { (done) " of " (done + left) " done." }
            @match next {
                Some(step) => { " Next: " (step.title) "." }
                None => { " The pool is ready." }
            }
        }
    }
}

fn list(steps: &[Step]) -> Markup {
    html! {
        ul.steps {
            @for step in steps {
                @let (sign, class, words) = match step.mark {
                    Mark::Done => ("✓", "good", "done"),
                    Mark::Wrong => ("▲", "bad", "needs you"),
                    Mark::Open => ("○", "quiet", "not yet"),
                    Mark::Optional => ("○", "quiet", "optional"),
                };
                li {
                    span class={ "status " (class) } { span aria-hidden="true" { (sign) " " } (step.title) }
                    " " span.rule { "(" (words) ")" }
                    p { (step.words) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_config::Obstacle;
    use owp_engine::FirstSteps;
    use owp_pool::Timestamp;

    fn bare() -> Configured<'static> {
        Configured {
            weak_token: None,
            app_id: None,
            can_register: true,
            public: None,
            obstacle: None,
            has_sign_in: false,
        }
    }

    /// The marks and titles of all steps, and what they say.
    fn shown(configured: &Configured<'_>, found: &FirstSteps) -> (Vec<(Mark, &'static str)>, String) {
        let now = Now(Timestamp(60_000));
        let steps: Vec<Step> =
            [pool(configured), github(configured, found, now), work(configured, found)].into_iter().flatten().collect();
        let said =
            format!("{}{}", summary(&steps.iter().collect::<Vec<_>>()).into_string(), list(&steps).into_string());
        (steps.iter().map(|step| (step.mark, step.title)).collect(), said)
    }

    fn marked(steps: &[(Mark, &'static str)], mark: Mark) -> Vec<&'static str> {
        steps.iter().filter(|(own, _)| *own == mark).map(|(_, title)| *title).collect()
    }

    #[test]
    fn without_an_app_the_steps_of_github_are_optional() {
        let (steps, said) = shown(&bare(), &FirstSteps::default());
        assert_eq!(marked(&steps, Mark::Done), ["Admin token"]);
        assert_eq!(marked(&steps, Mark::Open), ["A manual repository", "A task", "A contributor"]);
        assert!(marked(&steps, Mark::Wrong).is_empty() && said.contains("href=\"/setup\""), "{said}");
        assert!(said.contains("1 of 4 done.") && said.contains("Next: A manual repository."), "{said}");
        let manual = FirstSteps { manual_repos: vec!["acme/x".into()], tasks: 1, workers: 2, ..FirstSteps::default() };
        let (_, said) = shown(&bare(), &manual);
        assert!(said.contains("4 of 4 done.") && said.contains("The pool is ready."), "{said}");
        assert!(said.contains("2 workers are registered."), "{said}");
    }

    #[test]
    fn a_pool_with_its_app_names_what_is_left() {
        let configured =
            Configured { app_id: Some(7), has_sign_in: true, public: Some("https://owp.example.org"), ..bare() };
        let names = ["a/a", "a/b", "a/c", "a/d"].map(str::to_owned).to_vec();
        let found =
            FirstSteps { github_repos: names.clone(), uncounted: names, tasks: 2, workers: 1, ..FirstSteps::default() };
        let (steps, said) = shown(&configured, &found);
        let open = ["Webhook deliveries", "Open pull requests counted", "A contributor", "Comments on GitHub"];
        assert_eq!(marked(&steps, Mark::Open), open);
        assert!(said.contains("</a> and 1 more") && said.contains("none linked to a GitHub account"), "{said}");
        let all = FirstSteps {
            uncounted: Vec::new(),
            last_delivery: Some(Timestamp(0)),
            linked: 1,
            has_written: true,
            ..found
        };
        let (steps, said) = shown(&configured, &all);
        assert_eq!(marked(&steps, Mark::Done).len(), steps.len(), "{said}");
        assert!(said.contains("arrived <time") && said.contains("1 min ago"), "{said}");
    }

    #[test]
    fn what_is_wrong_comes_first_and_says_the_fix() {
        let obstacle = Some(("http://127.0.0.1:8787", Obstacle::ThisMachine));
        let configured =
            Configured { app_id: Some(7), weak_token: Some("it comes from an example"), obstacle, ..bare() };
        let found = FirstSteps {
            github_repos: vec!["a/<b>".into()],
            count_failed: vec!["a/<b>".into()],
            policy_errors: vec!["a/<b>".into()],
            dead_deliveries: 1,
            dead_comments: 2,
            ..FirstSteps::default()
        };
        let (steps, said) = shown(&configured, &found);
        assert_eq!(marked(&steps, Mark::Wrong).len(), 6, "{steps:?}");
        assert!(said.contains("Next: Admin token.") && said.contains("openssl rand -hex 32"), "{said}");
        assert!(said.contains("cloudflared") && said.contains("1 delivery was given up"), "{said}");
        assert!(said.contains("a/&lt;b&gt;") && !said.contains("a/<b>"), "{said}");
    }
}
