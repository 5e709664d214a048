//! Checks of the App on GitHub: the clock its tokens depend on, its key, its permissions and its installations.

use super::report::Report;
use owp_base::clock::Clock;
use owp_config::GitHubApp;
use owp_engine::{GITHUB_PATIENCE, GitHubSide};
use owp_github::client::{Address, AppRegistration, GitHub, GitHubError, Installation, server_time};
use owp_github::manifest::{self, Extras};
use owp_pool::Span;
use std::collections::BTreeMap;

/// A token is dated a minute back and lasts nine more; with a larger skew GitHub eventually rejects it.
const SKEW_PROBLEM: Span = Span::minutes(5);
const SKEW_WARN: Span = Span::secs(30);

type Permissions = BTreeMap<String, String>;

/// Checks the App; returns a client for further checks if GitHub accepts it.
pub(super) async fn examine(app: &GitHubApp, clock: &Clock, report: &mut Report) -> Option<GitHub> {
    let side = match GitHubSide::of(app, clock.clone()) {
        Ok(side) => side,
        Err(error) => {
            report.problem(
                "credentials",
                error,
                "generate a new private key on the App's page and configure the pool with it",
            );
            return None;
        }
    };
    let address = Address { api_url: app.api_url.clone(), timeout: GITHUB_PATIENCE, clock: clock.clone() };
    if !skew(&address, report).await {
        return None;
    }
    let registration = match side.client.app_registration().await {
        Ok(registration) => registration,
        Err(error) => {
            not_accepted(&error, app, report);
            return None;
        }
    };
    let from = app.file.as_ref().map_or_else(String::new, |file| format!(", from {}", file.display()));
    report.ok(
        "credentials",
        format!(
            "GitHub accepts the credentials of the App {} (id {}) at {}{from}",
            registration.name, app.app_id, app.api_url
        ),
    );
    let settings = settings_page(&app.api_url, &registration);
    match (manifest::permissions(Extras::default()), manifest::events(Extras::default())) {
        (Ok(needed), Ok(events)) => {
            asked_for(&registration, &needed, &events, &settings, report);
            installations(&side.client, &registration, &needed, report).await;
        }
        (Err(error), _) | (_, Err(error)) => report.problem("permissions", error, "this is a bug in owp; report it"),
    }
    Some(side.client)
}

/// Compares the clocks; returns false if GitHub cannot be reached.
async fn skew(address: &Address, report: &mut Report) -> bool {
    let theirs = match server_time(address).await {
        Ok(theirs) => theirs,
        Err(error) => {
            let remedy = "check that this machine can reach that address (network, proxy, GITHUB_API_URL)";
            report.problem("github", format!("{}: {error}", address.api_url), remedy);
            return false;
        }
    };
    let Some(theirs) = theirs else { return true };
    let ahead = address.clock.now_ms() - theirs.0;
    let span = Span(ahead.abs());
    let way = if ahead > 0 { "ahead of" } else { "behind" };
    let much = if span < Span::minutes(2) {
        format!("{} s", span.0 / 1_000)
    } else {
        format!("{} min", (span.0 + 30_000) / 60_000)
    };
    let words = format!("this machine's clock is {much} {way} GitHub's");
    let remedy = "synchronise the clock by NTP (`timedatectl set-ntp true`); GitHub rejects tokens with a wrong time";
    if span > SKEW_PROBLEM {
        report.problem("clock", words, remedy);
    } else if span > SKEW_WARN {
        report.warn("clock", words, remedy);
    } else {
        report.ok("clock", "within half a minute of GitHub's");
    }
    true
}

fn not_accepted(error: &GitHubError, app: &GitHubApp, report: &mut Report) {
    match error {
        GitHubError::Unauthorized { message } => report.problem(
            "credentials",
            format!("GitHub does not accept the key for App {} ({message})", app.app_id),
            "set the App's own id and a key that its page still lists; if the clock is wrong too, correct it first",
        ),
        GitHubError::NotFound { .. } => report.problem(
            "credentials",
            format!("GitHub knows no App with the id {}", app.app_id),
            "copy the \"App ID\" from the App's page; register a deleted App again at /setup",
        ),
        error => report.problem(
            "github",
            error,
            "run `owp doctor` again; if the error persists, see https://www.githubstatus.com",
        ),
    }
}

/// Returns the URL of the App's settings page.
fn settings_page(api_url: &str, registration: &AppRegistration) -> String {
    let origin = manifest::web_origin(api_url).unwrap_or_default();
    let owner = registration.owner.as_ref().filter(|owner| owner.kind.as_deref() == Some("Organization"));
    match owner.and_then(|owner| owner.login.as_ref()) {
        Some(login) => format!("{origin}/organizations/{login}/settings/apps/{}", registration.slug),
        None => format!("{origin}/settings/apps/{}", registration.slug),
    }
}

fn has(held: &Permissions, name: &str, level: &str) -> bool {
    held.get(name).is_some_and(|found| found == level || found == "write" || found == "admin")
}

/// Returns the missing permissions. Read access to all contents includes the single policy file.
fn missing(held: &Permissions, needed: &Permissions) -> Vec<String> {
    let instead = |name: &str| name == "contents" && has(held, "single_file", "read");
    let lacks = needed.iter().filter(|(name, level)| !has(held, name, level) && !instead(name));
    lacks.map(|(name, level)| format!("{name}: {level}")).collect()
}

fn asked_for(
    registration: &AppRegistration,
    needed: &Permissions,
    events: &[String],
    settings: &str,
    report: &mut Report,
) {
    let lacks = missing(&registration.permissions, needed);
    if !lacks.is_empty() {
        let remedy = format!(
            "add them at {settings}/permissions; GitHub then asks every account that installed the App to accept"
        );
        report.problem("permissions", format!("the App does not ask for {}", lacks.join(", ")), remedy);
    }
    let deaf: Vec<&str> = events.iter().filter(|one| !registration.events.contains(one)).map(String::as_str).collect();
    if !deaf.is_empty() {
        let remedy = format!("subscribe to them at {settings}/permissions");
        report.problem("permissions", format!("the App is not subscribed to {}", deaf.join(", ")), remedy);
    }
    let more = registration.permissions.iter().filter(|(name, level)| *level != "read" && name.as_str() != "issues");
    let more: Vec<String> = more.map(|(name, level)| format!("{name}: {level}")).collect();
    if !more.is_empty() {
        let remedy = format!("reduce them at {settings}/permissions; the pool writes issue comments and nothing else");
        report.warn(
            "permissions",
            format!("the App has permissions that the pool never uses: {}", more.join(", ")),
            remedy,
        );
    }
    if lacks.is_empty() && deaf.is_empty() {
        let yes = |names: &[&str]| {
            if names.iter().all(|name| has(&registration.permissions, name, "read")) { "yes" } else { "no" }
        };
        let (checks, teams) = (yes(&["checks", "statuses"]), yes(&["members"]));
        let words =
            format!("the App asks for everything the pool needs; policies can name checks: {checks}, teams: {teams}");
        report.ok("permissions", words);
    }
}

async fn installations(github: &GitHub, registration: &AppRegistration, needed: &Permissions, report: &mut Report) {
    let found = match github.installations().await {
        Ok(found) => found,
        Err(error) => {
            report.problem("installations", error, "run `owp doctor` again");
            return;
        }
    };
    if found.is_empty() {
        let remedy = format!("install it at {}/installations/new", registration.html_url);
        report.warn("installations", "the App is installed nowhere", remedy);
    }
    for one in &found {
        installation(one, registration, needed, report);
    }
}

fn installation(one: &Installation, registration: &AppRegistration, needed: &Permissions, report: &mut Report) {
    let about = format!("installation on {}", one.account_login);
    if let Some(since) = one.suspended_at {
        let remedy = format!("its owner can end that at {}", one.html_url);
        report.warn(&about, format!("suspended since {}: nothing is handed out there", since.human()), remedy);
        return;
    }
    let remedy = format!("ask its owner to accept them at {}/permissions/update", one.html_url);
    let lacks = missing(&one.permissions, needed);
    if !lacks.is_empty() {
        report.problem(&about, format!("not granted: {}", lacks.join(", ")), remedy);
        return;
    }
    let waiting = missing(&one.permissions, &registration.permissions);
    if waiting.is_empty() {
        report.ok(&about, "everything the App asks for is granted");
    } else {
        report.warn(&about, format!("asked for and not granted yet: {}", waiting.join(", ")), remedy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(pairs: &[(&str, &str)]) -> Permissions {
        pairs.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect()
    }

    #[test]
    fn more_than_is_needed_is_enough_and_the_one_file_stands_for_all_contents() {
        let needed = held(&[("issues", "write"), ("contents", "read"), ("metadata", "read")]);
        let one_file = held(&[("issues", "write"), ("single_file", "read"), ("metadata", "read")]);
        assert_eq!(missing(&one_file, &needed), Vec::<String>::new());
        let less = held(&[("issues", "read"), ("metadata", "write")]);
        assert_eq!(missing(&less, &needed), ["contents: read", "issues: write"]);
    }
}
