//! Checks of the webhook address and of the latest deliveries.

use super::report::Report;
use owp_base::clock::Clock;
use owp_config::{Obstacle, ServeConfig};
use owp_github::client::{Attempt, GitHub};
use owp_github::manifest::webhook_url;
use reqwest::Url;

const TUNNELS: &str =
    "set an address GitHub can reach at the App's page; docs/install.md, \"From a laptop\", shows tunnels";

pub(super) async fn examine(github: &GitHub, config: &ServeConfig, clock: &Clock, report: &mut Report) {
    let hook = match github.hook().await {
        Ok(hook) => hook,
        Err(error) => {
            report.problem("webhook", error, "turn the webhook on at the App's page, with the pool's address");
            return;
        }
    };
    match hook.url.as_deref() {
        None => report.problem(
            "webhook",
            "the App has no webhook address",
            "set it at the App's page: the pool's public address and /github/webhooks",
        ),
        Some(url) => address(url, &config.api_url, config.public_url.as_deref(), report),
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

/// Checks the webhook address; `public` is the pool's configured public address.
fn address(told: &str, api_url: &str, public: Option<&str>, report: &mut Report) {
    let url = Url::parse(told).ok();
    let obstacle = Obstacle::between(api_url, told);
    let origin = url.as_ref().map(|url| url.origin().ascii_serialization());
    if url.as_ref().map_or("", Url::path) != webhook_url("") {
        let remedy = "set it at the App's page: the pool's public address and /github/webhooks";
        report.problem("webhook", format!("deliveries go to {told}, which is not the pool's endpoint"), remedy);
    } else if let Some(obstacle) = obstacle.filter(|obstacle| obstacle.blocks()) {
        report.problem("webhook", format!("deliveries go to {told}. {}", obstacle.advice()), TUNNELS);
    } else if let Some(public) = public.filter(|public| origin.as_deref() != Some(public)) {
        let remedy = "set the same address at the App's page and as OWP_PUBLIC_URL";
        report.warn("webhook", format!("deliveries go to {told}, but the pool's public address is {public}"), remedy);
    } else if let Some(obstacle) = obstacle {
        let remedy = "change the address at the App's page afterwards";
        report.warn("webhook", format!("deliveries go to {told}. {}", obstacle.advice()), remedy);
    } else {
        report.ok("webhook", format!("deliveries go to {told}"));
    }
}

/// Checks the delivery attempts, which are listed newest first.
fn deliveries(attempts: &[Attempt], clock: &Clock, report: &mut Report) {
    let last_ok = attempts.iter().find(|one| one.arrived);
    let since = last_ok.map_or_else(
        || "none arrived in the three days that GitHub keeps".to_owned(),
        |one| format!("the last one that arrived was at {}", one.delivered_at.human()),
    );
    let failing = attempts.iter().take_while(|one| !one.arrived).count();
    match attempts.first() {
        None => report.warn(
            "deliveries",
            "GitHub has sent nothing for three days",
            "label an issue in a repository the App is installed on, and run `owp doctor` again",
        ),
        Some(newest) if !newest.arrived => {
            let several =
                if failing == 1 { "the last delivery".to_owned() } else { format!("the last {failing} deliveries") };
            let words = format!("{several} ({}) failed: {}; {since}", newest.event, how(newest));
            report.problem("deliveries", words, remedy(newest));
        }
        Some(newest) => {
            let minutes = (clock.now_ms() - newest.delivered_at.0) / 60_000;
            let failed = attempts.iter().filter(|one| !one.arrived).count();
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

/// Returns the likely fix for a failed delivery.
fn remedy(attempt: &Attempt) -> String {
    let words = match attempt.status_code {
        401 => {
            "the webhook secret at the App's page is not the pool's: set the same in both places (GITHUB_WEBHOOK_SECRET)"
        }
        404 | 405 => "another program answers there: set the address of the pool's /github/webhooks at the App's page",
        503 => "the pool that answers has no GitHub App: start it with the credentials",
        300..=399 => "the address redirects, which GitHub does not follow: set the one it leads to at the App's page",
        0 => {
            "GitHub does not reach the pool: check that it runs, and that its address, its proxy and its certificate let GitHub in"
        }
        _ => "see the pool's log of that moment",
    };
    format!("{words}; failed deliveries are requested again automatically for three days")
}

#[cfg(test)]
mod tests {
    use super::*;
    use owp_pool::Timestamp;

    fn words(attempts: &[(&str, usize)]) -> String {
        let attempts: Vec<Attempt> = attempts
            .iter()
            .map(|(status, code)| Attempt {
                delivered_at: Timestamp(0),
                arrived: *status == "OK",
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
    fn an_address_that_github_cannot_reach_is_a_problem_and_names_a_tunnel() {
        let judged = |told: &str, api_url: &str, public: Option<&str>| {
            let mut report = Report::default();
            address(told, api_url, public, &mut report);
            report.words()
        };
        let github = "https://api.github.com";
        for blocked in ["http://127.0.0.1:8787", "https://192.168.1.7", "https://pool.local"] {
            let words = judged(&format!("{blocked}/github/webhooks"), github, None);
            assert!(words.contains("PROBLEM") && words.contains("cloudflared") && words.contains(blocked), "{words}");
        }
        let clear = judged("http://owp.example.org/github/webhooks", github, None);
        assert!(clear.starts_with("warn") && clear.contains("TLS"), "{clear}");
        let hook = "https://owp.example.org/github/webhooks";
        assert!(judged(hook, github, None).starts_with("ok"));
        assert!(judged(hook, github, Some("https://owp.example.org")).starts_with("ok"));
        let other = judged(hook, github, Some("https://pool.example.org"));
        assert!(other.starts_with("warn") && other.contains("OWP_PUBLIC_URL"), "{other}");
        let here = "http://127.0.0.1:8787/github/webhooks";
        assert!(judged(here, "http://127.0.0.1:4000", None).starts_with("ok"), "a sandbox on the same machine");
    }

    #[test]
    fn the_last_deliveries_tell_what_is_wrong() {
        let wrong_secret =
            words(&[("Invalid HTTP Response: 401", 401), ("Invalid HTTP Response: 401", 401), ("OK", 202)]);
        assert!(wrong_secret.contains("PROBLEM") && wrong_secret.contains("the last 2 deliveries"), "{wrong_secret}");
        assert!(wrong_secret.contains("webhook secret") && wrong_secret.contains("arrived was at 1 Jan 1970"));
        let away = words(&[("failed to connect to host", 0)]);
        assert!(away.contains("failed to connect") && away.contains("none arrived in the three days"), "{away}");
        let healed = words(&[("OK", 202), ("timed out", 0)]);
        assert!(healed.starts_with("ok") && healed.contains("1 of the last 2 failed before"), "{healed}");
        assert!(words(&[]).starts_with("warn"));
    }
}
