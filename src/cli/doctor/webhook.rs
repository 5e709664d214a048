//! Where deliveries go, and how the last ones went.

use super::report::Report;
use crate::clock::Clock;
use crate::github::client::{Attempt, GitHub};
use crate::github::manifest::webhook_url;
use crate::net::is_loopback;
use reqwest::Url;

pub(super) async fn examine(github: &GitHub, clock: &Clock, report: &mut Report) {
    let hook = match github.hook().await {
        Ok(hook) => hook,
        Err(error) => {
            report.problem("webhook", error, "switch the webhook on at the App's page, and tell it the pool's address");
            return;
        }
    };
    match hook.url.as_deref() {
        None => report.problem(
            "webhook",
            "the App has no webhook address",
            "set it at the App's page: the pool's public address and /github/webhooks",
        ),
        Some(url) => address(url, report),
    }
    if !hook.has_secret {
        report.problem(
            "webhook",
            "the App's deliveries are not signed, so none is accepted",
            "set a webhook secret at the App's page, and the same as GITHUB_WEBHOOK_SECRET",
        );
    }
    match github.latest_attempts().await {
        Ok(attempts) => deliveries(&attempts, clock, report),
        Err(error) => report.problem("webhook", error, "run `owp doctor` again"),
    }
}

fn address(told: &str, report: &mut Report) {
    let url = Url::parse(told).ok();
    let (path, here) = url.as_ref().map_or(("", false), |url| (url.path(), is_loopback(url)));
    if path != webhook_url("") {
        let remedy = "set it at the App's page: the pool's public address and /github/webhooks";
        report.problem("webhook", format!("deliveries go to {told}, which is not the pool's endpoint"), remedy);
    } else if url.is_some_and(|url| url.scheme() == "http") && !here {
        let remedy = "put a proxy that speaks TLS in front of the pool, and change the address at the App's page";
        report.warn("webhook", format!("deliveries go to {told}, where everybody on the way can read them"), remedy);
    } else {
        report.ok("webhook", format!("deliveries go to {told}"));
    }
}

/// The attempts are newest first.
fn deliveries(attempts: &[Attempt], clock: &Clock, report: &mut Report) {
    let last_ok = attempts.iter().find(|one| one.arrived());
    let since = last_ok.map_or_else(
        || "none that GitHub remembers (three days) arrived".to_owned(),
        |one| format!("the last one that arrived was at {}", one.delivered_at.human()),
    );
    let failing = attempts.iter().take_while(|one| !one.arrived()).count();
    match attempts.first() {
        None => report.warn(
            "deliveries",
            "GitHub has sent nothing for three days",
            "label an issue in a repository the App is installed on, and look again",
        ),
        Some(newest) if !newest.arrived() => {
            let several =
                if failing == 1 { "the last delivery".to_owned() } else { format!("the last {failing} deliveries") };
            let words = format!("{several} ({}) failed: {}; {since}", newest.event, how(newest));
            report.problem("deliveries", words, remedy(newest));
        }
        Some(newest) => {
            let minutes = (clock.now_ms() - newest.delivered_at.0) / 60_000;
            let failed = attempts.iter().filter(|one| !one.arrived()).count();
            let before = if failed == 0 {
                String::new()
            } else {
                format!("; {failed} of the last {} failed before", attempts.len())
            };
            report.ok("deliveries", format!("the last one arrived {minutes} min ago{before}"));
        }
    }
}

fn how(attempt: &Attempt) -> String {
    match attempt.status_code {
        0 => attempt.status.clone(),
        code => format!("status {code}"),
    }
}

/// What the failure says about its cause.
fn remedy(attempt: &Attempt) -> String {
    let words = match attempt.status_code {
        401 => {
            "the webhook secret at the App's page is not the pool's: set the same in both places (GITHUB_WEBHOOK_SECRET)"
        }
        404 | 405 => "something else answers there: let the address lead to the pool's /github/webhooks",
        503 => "the pool that answers has no GitHub App: is it started with the credentials?",
        300..=399 => "the address redirects, which GitHub does not follow: set the one it leads to at the App's page",
        0 => {
            "GitHub does not reach the pool: see whether it runs, and whether its address, its proxy and its certificate let GitHub in"
        }
        _ => "see the pool's log of that moment",
    };
    format!("{words}; what failed is asked for again by itself for three days")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pool::Timestamp;

    fn words(attempts: &[(&str, i64)]) -> String {
        let attempts: Vec<Attempt> = attempts
            .iter()
            .map(|(status, code)| Attempt {
                delivered_at: Timestamp(0),
                status: (*status).to_owned(),
                status_code: *code,
                event: "issues".into(),
            })
            .collect();
        let mut report = Report::default();
        deliveries(&attempts, &Clock::manual(120_000), &mut report);
        report.words()
    }

    #[test]
    fn the_last_deliveries_tell_what_is_wrong() {
        let wrong_secret =
            words(&[("Invalid HTTP Response: 401", 401), ("Invalid HTTP Response: 401", 401), ("OK", 202)]);
        assert!(wrong_secret.contains("PROBLEM") && wrong_secret.contains("the last 2 deliveries"), "{wrong_secret}");
        assert!(wrong_secret.contains("webhook secret") && wrong_secret.contains("arrived was at 1 Jan 1970"));
        let away = words(&[("failed to connect to host", 0)]);
        assert!(away.contains("failed to connect") && away.contains("none that GitHub remembers"), "{away}");
        let healed = words(&[("OK", 202), ("timed out", 0)]);
        assert!(healed.starts_with("ok") && healed.contains("1 of the last 2 failed before"), "{healed}");
        assert!(words(&[]).starts_with("warn"));
    }
}
