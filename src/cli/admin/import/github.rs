//! `owp admin import-github-issues`: imports issues of repositories without the App. It reads them with the user's own
//! token, or with none.

use super::super::AdminContext;
use super::labelled::IssueFilter;
use super::{ImportBatch, known, send};
use crate::cli::failure::{Failure, print_error};
use crate::cli::print::words;
use clap::Args;
use indicatif::ProgressBar;
use owp_base::clock::Clock;
use owp_config::{Environment, api_url};
use owp_github::client::{Address, GitHubError, IssueReader};
use owp_pool::labels::LabelRules;
use owp_pool::{Span, Timestamp};
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
const TOKEN: &str = "GITHUB_TOKEN";
const ADDRESS: &str = "GITHUB_API_URL";

/// Help text after the flags.
const READING: &str = "Labels have the same meaning as in a GitHub repository of the pool: estimate:3, priority:high, \
                       skills:rust, area:parser, tier:1. GITHUB_TOKEN is read from the environment; public issues need \
                       no token. An issue that was imported before does not change in the pool.";

#[derive(Debug, Clone, Args)]
#[command(after_help = READING)]
pub(in super::super) struct IssuesArgs {
    /// The repository on GitHub
    #[arg(value_name = "OWNER/NAME")]
    from: String,
    /// The repository in the pool; by default the same name
    #[arg(long, value_name = "REPO")]
    into: Option<String>,
    /// Imports only issues with this label
    #[arg(long, value_name = "LABEL", default_value = "pool:ready", conflicts_with = "all")]
    label: String,
    /// Imports every open issue, whatever its labels
    #[arg(long)]
    all: bool,
    /// Also imports the issues of a private repository; everybody who can reach the pool can read them there
    #[arg(long)]
    publish_private: bool,
    /// Shows what would be added, without adding it
    #[arg(long)]
    dry_run: bool,
}

/// Imports issues.
pub(in super::super) async fn issues(
    context: &AdminContext,
    args: IssuesArgs,
    env: &Environment,
) -> Result<(), Failure> {
    let mut reader = reader(&args.from, env)?;
    let into = args.into.as_deref().unwrap_or(&args.from);
    known(context, into).await?;
    let wanted =
        IssueFilter { rules: LabelRules { ready: args.label.clone(), ..LabelRules::default() }, all: args.all };
    let reading = async {
        let source = reader.repository().await.map_err(|error| from_github(&error, &args.from, env))?;
        if source.private && !args.publish_private {
            return Err(secret(&source.full_name));
        }
        read(&reader, source.full_name, &wanted).await.map_err(|error| from_github(&error, &args.from, env))
    };
    let found = tokio::select! {
        found = reading => found?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::failed("Interrupted while issues were read; nothing was added.").next("Run it again."));
        }
    };
    for warning in &found.warnings {
        print_error(&words(warning));
    }
    if found.tasks.is_empty() {
        let what =
            if args.all { "open issues".to_owned() } else { format!("open issues with the label `{}`", args.label) };
        print_error(&format!("{} has no {}.", words(&found.repo), words(&what)));
    }
    let load = ImportBatch { repo: into.to_owned(), tasks: found.tasks, warnings: found.warnings };
    send::carry_out(context, &load, args.dry_run).await
}

fn reader(from: &str, env: &Environment) -> Result<IssueReader, Failure> {
    let token = env.secret(TOKEN)?;
    if token.is_some() && env.is_from_file(ADDRESS) {
        // Otherwise the author of that file would receive the token.
        return Err(Failure::usage_error(format!(
            "A file of this folder sets {ADDRESS}, the address to send {TOKEN} to."
        ))
        .next(format!("Set {ADDRESS} in the environment, or unset {TOKEN}.")));
    }
    if token.as_ref().is_some_and(|token| !token.expose_secret().bytes().all(|b| b.is_ascii_graphic())) {
        return Err(Failure::usage_error(format!(
            "{TOKEN} must hold letters, digits and punctuation only, without spaces."
        ))
        .next("Make a token at https://github.com/settings/tokens, or unset it for public repositories."));
    }
    let address = Address { api_url: api_url(env), timeout: REQUEST_TIMEOUT, clock: Clock::System };
    IssueReader::new(&address, from, token).map_err(|error| from_github(&error, from, env))
}

/// The issues read from GitHub.
struct Found {
    /// The name in GitHub's current spelling.
    repo: String,
    tasks: Vec<serde_json::Value>,
    warnings: Vec<String>,
}

/// Refuses a private repository: the pool shows manual repositories to everyone.
fn secret(repo: &str) -> Failure {
    Failure::failed(format!(
        "{} is private, and everybody who can reach the pool can read imported issues.",
        words(repo)
    ))
    .next("To import it nevertheless, use --publish-private. In repositories with the GitHub App, private issues stay private.")
}

async fn read(reader: &IssueReader, repo: String, wanted: &IssueFilter) -> Result<Found, GitHubError> {
    let label = Some(wanted.rules.ready.as_str());
    // In the query a comma separates labels, so a label with a comma is filtered here.
    let label = label.filter(|label| !wanted.all && !label.contains(','));
    let bar = bar();
    // Lists shift while they are read; keyed by number, so that each issue appears once.
    let (mut tasks, mut warnings) = (BTreeMap::new(), Vec::new());
    for page in 1.. {
        let read = reader.open_issues(label, page).await?;
        for issue in &read.issues {
            let Some((task, odd)) = wanted.task(&repo, issue) else { continue };
            if tasks.insert(issue.number, task).is_none() {
                warnings.extend(odd);
            }
        }
        bar.set_message(format!("{} issues of {repo}", tasks.len()));
        if !read.more {
            break;
        }
    }
    bar.finish_and_clear();
    Ok(Found { repo, tasks: tasks.into_values().collect(), warnings })
}

fn bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// Turns a GitHub error into a failure with the next step.
fn from_github(error: &GitHubError, repo: &str, env: &Environment) -> Failure {
    let repo = words(repo);
    let nobody = !matches!(env.secret(TOKEN), Ok(Some(_)));
    match error {
        GitHubError::Config { message } => Failure::usage_error(format!("{}.", words(message))).next(
            "Write a repository as OWNER/NAME, such as acme/rocket, and GITHUB_API_URL as https://api.github.com.",
        ),
        GitHubError::Unauthorized { message } => {
            Failure::no_access(format!("GitHub does not accept the token in {TOKEN} ({}).", words(message)))
                .next("Make a new one at https://github.com/settings/tokens, or unset it for public repositories.")
        }
        GitHubError::NotFound { .. } if nobody => Failure::failed(format!("GitHub shows no public repository {repo}."))
            .next(format!("Check the name. A private repository needs {TOKEN}, with read access to its issues.")),
        GitHubError::NotFound { .. } => {
            Failure::failed(format!("GitHub shows no repository {repo} to the token in {TOKEN}."))
                .next("Check the name, and that the token has read access to its issues.")
        }
        GitHubError::Gone { .. } => Failure::failed(format!("{repo} has its issues switched off."))
            .next("Its owners can switch them on in the repository's settings."),
        GitHubError::RateLimited { retry_at, .. } => limited(*retry_at, nobody),
        GitHubError::Forbidden { message } => Failure::failed(format!("GitHub forbids it: {}.", words(message)))
            .next(format!("Check that the token in {TOKEN} has read access to the issues of {repo}.")),
        other => Failure::failed(format!("{}.", words(&other.to_string())))
            .next("Nothing was added. Run it again in a while; https://www.githubstatus.com shows GitHub's status."),
    }
}

fn limited(retry_at: Timestamp, nobody: bool) -> Failure {
    let wait = Span((retry_at - Timestamp(Clock::System.now_ms())).0.max(0));
    let more = if nobody { format!(" With {TOKEN} set, the limit is far higher.") } else { String::new() };
    Failure::failed("GitHub's rate limit is reached; nothing was added.")
        .next(format!("Run it again after {} (in {wait}).{more}", retry_at.human()))
}
