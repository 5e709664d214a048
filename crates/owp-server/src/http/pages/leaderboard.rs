//! The page at `/leaderboard`: merged work of contributors who asked to be on it.

use super::forms::Target;
use super::layout::{Section, dashboard_with};
use super::parts::{self, Now, ago, counted};
use super::reply::{Ask, Rendered};
use super::session::Reader;
use crate::http::ApiState;
use crate::http::problem::Failure;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use owp_engine::{LeaderView, SignedIn};
use std::time::Duration;

/// Lifetime of the cached page: it weighs the work of many contributors.
const LASTS: Duration = Duration::from_secs(20);

/// Serves the page.
pub(super) async fn show(State(api): State<ApiState>, reader: Reader, ask: Ask) -> Result<Response, Failure> {
    ask.lasting(LASTS).answer(&api, &reader, "/leaderboard", render(&api, &reader)).await
}

async fn render(api: &ApiState, reader: &Reader) -> Result<Rendered, Failure> {
    let board = api.engine.views().leaderboard().await?;
    let now = Now(board.now);
    let on_it = match &reader.who {
        Some(SignedIn::User { github_id, .. }) => Some(api.engine.views().is_on_leaderboard(*github_id).await?),
        _ => None,
    };
    let body = html! {
        p.lead {
            "Merged tasks of contributors who asked to be here, in public repositories. A merge counts half after 90 days, and \
             fades further from there."
        }
        (list(&board.leaders, now))
        @match on_it {
            Some(on_it) => { (choice(on_it, reader, "/leaderboard", now)) }
            None => p.note { "Sign in with GitHub to join." }
        }
    };
    Ok(Rendered::new(&dashboard_with(Section::Leaderboard, "Leaderboard", now, reader, &html! {}, &body)))
}

/// Renders the form with which somebody joins or leaves.
pub(super) fn choice(on_it: bool, reader: &Reader, back: &str, now: Now) -> Markup {
    let target = Target { reader, repo: "", task: None, back, now };
    html! {
        @if on_it {
            p.note { "You are on the leaderboard: everybody sees your login, and how much of your work was merged where." }
            (target.act("leave-leaderboard", "Take me off the leaderboard", &html! {}))
        } @else {
            p.note { "You are not on the leaderboard. If you join, everybody sees your login, and how much of your work was merged where." }
            (target.act("join-leaderboard", "Put me on the leaderboard", &html! {}))
        }
    }
}

fn list(leaders: &[LeaderView], now: Now) -> Markup {
    if leaders.is_empty() {
        return html! { p.empty { "Nobody who asked to be here has merged work yet." } };
    }
    html! {
        ol.mine.leaders {
            @for leader in leaders {
                li {
                    b { (leader.login) } " " span.score title="merged tasks after decay" { (leader.score) }
                    span.note {
                        (counted(leader.merged.values().sum::<usize>(), "task merged", "tasks merged"))
                        " lately, the last " (ago(leader.last, now)) ": "
                        @for (at, (repo, merged)) in leader.merged.iter().enumerate() {
                            @if at > 0 { ", " } (merged) " in " (parts::repo_link(repo))
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::reputation::Score;
    use owp_pool::{Span, Timestamp};
    use std::collections::BTreeMap;

    #[test]
    fn a_place_is_shown_with_its_reasons() {
        let now = Timestamp(1_795_230_540_000);
        let merged = BTreeMap::from([("acme/docs".to_owned(), 1), ("acme/rocket".to_owned(), 2)]);
        let leader = LeaderView { login: "<ada>".into(), score: Score(2_410), merged, last: now - Span::days(3) };
        let shown = list(&[leader], Now(now)).into_string();
        assert!(shown.contains("&lt;ada&gt;") && shown.contains(">2.41<"), "{shown}");
        assert!(shown.contains("3 tasks merged lately, the last ") && shown.contains("3 days ago"), "{shown}");
        assert!(shown.contains("1 in <a") && shown.contains("2 in <a"), "{shown}");
    }
}
