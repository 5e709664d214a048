//! The command line of the suite: `owp-conformance`, and `owp conformance` in the pool's own program. Both take the same
//! arguments and print the same lines.

use crate::report::{html, json, junit, summary};
use crate::{Check, Options, Outcome, Profile, Report, SetupError, Status, all, run as check};
use anstyle::{AnsiColor, Style};
use clap::{Args, CommandFactory, FromArgMatches, Parser, ValueEnum};
use owp_base::clock::Clock;
use owp_client::{Auth, Client};
use owp_config::{ConfigError, Environment, admin_token};
use owp_terminal::colour;
use owp_terminal::failure::{Failure, finish, print_line};
use owp_terminal::print::{as_json, count, warn_if_unencrypted};
use owp_terminal::untrusted::visible_line;
use owp_terminal::values::duration;
use secrecy::ExposeSecret;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Name of the program that contains the suite alone.
const PROGRAM: &str = "owp-conformance";
/// Length limit of a reason in the terminal; reports hold the full text.
const WHY_MAX_CHARS: usize = 300;

/// Checks a server against the Open Work Protocol, requirement by requirement.
///
/// The checks create repositories, workers and tasks on the server. Repositories and tasks remain, but are no longer handed
/// out; tasks are closed if the server supports that. Use a test server, not one in production.
#[derive(Debug, Clone, Args)]
pub struct ConformanceArgs {
    /// Address of the server, such as http://127.0.0.1:8787 [env: OWP_SERVER]
    #[arg(long, value_name = "URL", alias = "url")]
    server: Option<String>,
    /// The server's admin token; checks also send it where it must be rejected, so change it afterwards [default: OWP_ADMIN_TOKEN, which other users of this machine cannot see]
    #[arg(long, value_name = "TOKEN")]
    admin_token: Option<String>,
    /// Runs only the checks of this profile
    #[arg(long, value_enum)]
    profile: Option<ProfileName>,
    /// Runs only checks with these name prefixes, such as WORK or WORK-3; separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Duration of leases in the server's manual repositories, such as 5s, if the checks cannot set a short one
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    lease_ttl: Option<Duration>,
    /// Prints the report as JSON
    #[arg(long)]
    json: bool,
    /// Writes the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Writes the report as an HTML page, with the requests and responses of failed checks
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Lists the checks without running them
    #[arg(long)]
    list: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProfileName {
    /// OWP 0.1, which every server supports
    Core,
    /// Features that servers announce
    Extended,
}

impl From<ProfileName> for Profile {
    fn from(name: ProfileName) -> Self {
        match name {
            ProfileName::Core => Self::Core,
            ProfileName::Extended => Self::Extended,
        }
    }
}

// Without a doc comment, so that the help shows the one of `ConformanceArgs`.
#[derive(Debug, Parser)]
#[command(name = PROGRAM, version, after_help = "Example:\n  owp-conformance --server http://127.0.0.1:8787 --html report.html")]
struct Cli {
    /// Prints no colours; NO_COLOR does the same
    #[arg(long, display_order = 950)]
    no_color: bool,
    #[command(flatten)]
    args: ConformanceArgs,
}

/// Runs the program that contains the suite alone: reads flags and environment, then runs the checks.
#[must_use]
pub fn main() -> ExitCode {
    let color = if colour::is_off() { clap::ColorChoice::Never } else { clap::ColorChoice::Auto };
    let read = Cli::from_arg_matches(&Cli::command().color(color).get_matches());
    let args = read.unwrap_or_else(|error| error.exit()).args;
    match prepare() {
        Ok((env, runtime)) => {
            let code = runtime.block_on(run(PROGRAM, &args, &env));
            // Remaining tasks are abandoned: a hanging DNS lookup must not keep the process alive.
            runtime.shutdown_background();
            code
        }
        Err(error) => finish(PROGRAM, Err(error.into()), args.json),
    }
}

fn prepare() -> Result<(Environment, tokio::runtime::Runtime), ConfigError> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| ConfigError::new(format!("cannot start threads: {error}")))?;
    Ok((Environment::load()?, runtime))
}

/// Runs the command called `program`, the name that its messages show.
///
/// It exits with 0 if the server conforms, 1 if it does not or could not be checked, 2 after a usage error, 4 if the
/// server rejects the admin token.
pub async fn run(program: &str, args: &ConformanceArgs, env: &Environment) -> ExitCode {
    if args.list {
        list(args.json);
        return ExitCode::SUCCESS;
    }
    match checked(program, args, env).await {
        Ok(false) => ExitCode::FAILURE,
        Ok(true) => ExitCode::SUCCESS,
        Err(failure) => finish(program, Err(failure), args.json),
    }
}

fn list(json: bool) {
    if json {
        let checks = all().into_iter().map(|check| {
            serde_json::json!({
                "id": check.id, "profile": check.profile, "feature": check.feature, "title": check.title,
            })
        });
        as_json(&serde_json::json!({ "checks": checks.collect::<Vec<_>>() }));
        return;
    }
    for check in all() {
        print_line(&format!("{:<11} {}", check.id, check.title));
    }
}

async fn checked(program: &str, args: &ConformanceArgs, env: &Environment) -> Result<bool, Failure> {
    let options = options(program, args, env)?;
    // Created before the checks, so that an unwritable path fails at once and not after the run.
    let (mut junit_file, mut html_file) = (create(args.junit.as_deref())?, create(args.html.as_deref())?);
    let tell = |outcome: &Outcome| {
        if !args.json {
            line(outcome);
        }
    };
    let checking = check(&options, &Clock::System, tell);
    let report = tokio::select! {
        report = checking => report.map_err(|error| setup_failed(&error))?,
        _ = tokio::signal::ctrl_c() => {
            return Err(Failure::failed("Interrupted: the server was not checked to the end.")
                .next("The repositories and tasks of the checks remain there; no other worker has the skills to get them."));
        }
    };
    write(&mut junit_file, || junit(&report))?;
    write(&mut html_file, || html(&report))?;
    if args.json {
        as_json(&json(&report));
    } else {
        tell_end(&report);
    }
    Ok(report.conforms())
}

fn options(program: &str, args: &ConformanceArgs, env: &Environment) -> Result<Options, Failure> {
    let server = args.server.clone().or_else(|| env.get("OWP_SERVER")).ok_or_else(|| {
        Failure::usage_error("No server is named, and the checks create repositories and tasks on it.")
            .next("Name it with --server or OWP_SERVER.")
    })?;
    let token = match &args.admin_token {
        Some(token) => token.clone(),
        None => admin_token(env)?.map(|token| token.expose_secret().to_owned()).ok_or_else(|| {
            Failure::no_access("The checks create repositories and tasks, which needs the server's admin token.")
                .next("Set OWP_ADMIN_TOKEN, or use --admin-token.")
        })?,
    };
    let only: Vec<String> = args.only.iter().map(|name| name.trim().to_uppercase()).collect();
    if let Some(unknown) = only.iter().find(|name| !all().iter().any(|check| check.is_named(name))) {
        return Err(Failure::usage_error(format!("No check has a name that begins with {unknown}."))
            .next(format!("`{program} --list` shows all of them.")));
    }
    let profile = args.profile.map(Profile::from);
    let none = || Failure::usage_error("No check of this profile has a name given with --only.");
    let chosen = |check: &&&Check| profile.is_none_or(|profile| check.profile == profile);
    let named = |check: &&&Check| only.is_empty() || only.iter().any(|name| check.is_named(name));
    all().iter().filter(chosen).find(named).ok_or_else(none)?;
    let client = Client::new(&server, Auth::None)?;
    warn_if_unencrypted(&client);
    let server = client.base().to_owned();
    Ok(Options { server, admin_token: token, lease_ttl: args.lease_ttl, profile, only })
}

fn setup_failed(error: &SetupError) -> Failure {
    let what = format!("Nothing can be checked: {error}.");
    match error {
        SetupError::NoAccess(_) => {
            Failure::no_access(what).next("Use --admin-token with the token the server was started with.")
        }
        SetupError::Unreachable(_) => Failure::failed(what).next("Check that the server runs there."),
        SetupError::NotAPool(_) => Failure::failed(what).next("Check the address: --server names another."),
        SetupError::Closed => Failure::failed(what)
            .next("For `owp serve`, set OWP_OPEN_REGISTRATION=1, or let only this machine reach it."),
    }
}

/// A report file and its path.
type ReportFile<'a> = Option<(File, &'a Path)>;

fn create(path: Option<&Path>) -> Result<ReportFile<'_>, Failure> {
    let Some(path) = path else { return Ok(None) };
    Ok(Some((File::create(path).map_err(|error| unwritable(path, &error))?, path)))
}

fn write(file: &mut ReportFile<'_>, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let Some((file, path)) = file else { return Ok(()) };
    file.write_all(text().as_bytes()).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage_error(format!("{} cannot be written: {error}.", path.display()))
}

fn style(status: Status) -> Style {
    match status {
        Status::Pass => AnsiColor::Green.on_default(),
        Status::Skip => AnsiColor::BrightBlack.on_default(),
        Status::Fail | Status::Error => AnsiColor::Red.on_default().bold(),
    }
}

/// Prints one outcome.
fn line(outcome: &Outcome) {
    let style = style(outcome.status);
    let mut out = anstream::stdout();
    let word = outcome.status.word();
    let mut text = format!("{style}{word:<5}{style:#} {:<11} {}", outcome.id, outcome.title);
    if let Some(why) = &outcome.why {
        let why: String = why.chars().take(WHY_MAX_CHARS).collect();
        text.push_str(&format!("\n      {}", visible_line(&why)));
    }
    drop(writeln!(out, "{text}"));
}

fn tell_end(report: &Report) {
    print_line("");
    print_line(&format!("{}, in {:.1} s", summary(report), report.seconds));
    if !report.conforms() && report.ready_before > 0 {
        let ready = count(report.ready_before, "task");
        print_line(&format!(
            "{ready} waited there before the checks began and may have interfered; use a test server without tasks."
        ));
    }
}
