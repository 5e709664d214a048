//! Tests of precedence, files, and every kind of configuration error.

use super::*;
use std::fs;

fn load(variables: &[(&str, &str)]) -> Result<ServeConfig, ConfigError> {
    ServeConfig::load(&Environment::of(variables.iter().copied()), None, None)
}

fn refusal(variables: &[(&str, &str)]) -> String {
    load(variables).unwrap_err().to_string()
}

const APP: [(&str, &str); 3] =
    [("GITHUB_APP_ID", "17"), ("GITHUB_APP_PRIVATE_KEY", "-----BEGIN"), ("GITHUB_WEBHOOK_SECRET", "s3cr3t")];

/// In the form that `openssl rand -hex 12` prints.
const STRONG: &str = "5f1c9a03b7e24d68a0c1e5f2";

#[test]
fn nothing_told_is_loopback_sqlite_and_no_github() {
    let config = load(&[]).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8787");
    assert_eq!(config.database_url.expose_secret(), "sqlite:owp.db");
    assert!(config.admin_token.is_none() && config.github.is_none() && config.open_registration);
    assert_eq!((config.spans, config.events_replay), (Spans::default(), EVENTS_REPLAY));
}

#[test]
fn flags_win_over_variables_and_variables_over_files() {
    let folder = tempfile::tempdir().unwrap();
    let (local, dot) = (folder.path().join("env.local"), folder.path().join(".env"));
    fs::write(&local, "OWP_LISTEN=127.0.0.1:2\nOWP_LOG=json\nOWP_LOG_FILTER=\n# OWP_ADMIN_TOKEN=no\n").unwrap();
    fs::write(&dot, "OWP_LISTEN=127.0.0.1:3\nOWP_LOG=human\nOWP_LOG_FILTER='debug'\nPATH=/elsewhere\n").unwrap();
    let mut env = Environment::of([("OWP_DATABASE_URL", "sqlite:a.db")]);
    env.add_file(&local).unwrap();
    env.add_file(&dot).unwrap();
    env.add_file(&folder.path().join("absent")).unwrap();
    let config = ServeConfig::load(&env, None, Some("sqlite:b.db")).unwrap();
    assert_eq!(config.listen.port(), 2, "env.local is stronger than .env");
    assert_eq!(config.database_url.expose_secret(), "sqlite:b.db", "a flag is stronger than all");
    assert_eq!(LogConfig::load(&env, "info").unwrap(), LogConfig { json: true, filter: "debug".into() });
    assert_eq!(env.get("PATH"), None, "only the program's own variables are taken");
    let config = ServeConfig::load(&env, Some("localhost:1"), None).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:1");
}

#[test]
fn history_is_kept_unless_a_number_of_days_is_given() {
    let history = |variables: &[(&str, &str)], days: Option<&str>| {
        History::load(&Environment::of(variables.iter().copied()), days, None).map_err(|error| error.to_string())
    };
    assert_eq!(history(&[], None), Ok(None));
    let (days, folder) = (("OWP_HISTORY_DAYS", "365"), ("OWP_HISTORY_ARCHIVE", "old"));
    assert_eq!(history(&[days, folder], None), Ok(Some(History { days: 365, archive: Some("old".into()) })));
    assert_eq!(history(&[days], Some("30")), Ok(Some(History { days: 30, archive: None })), "the flag is stronger");
    assert!(history(&[folder], None).unwrap_err().contains("set OWP_HISTORY_DAYS too"));
    for wrong in ["29", "0", "-1", "a year", "36501"] {
        assert!(history(&[], Some(wrong)).unwrap_err().contains("--history-days"), "{wrong}");
    }
}

#[test]
fn a_line_that_cannot_be_read_is_told_without_its_words() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("env.local");
    fs::write(&file, "OWP_ADMIN_TOKEN=hush 'unfinished\n").unwrap();
    let error = Environment::default().add_file(&file).unwrap_err().to_string();
    assert!(error.contains("env.local") && error.contains("OWP_ADMIN_TOKEN") && !error.contains("hush"), "{error}");
}

#[test]
fn off_loopback_an_admin_token_is_asked_for_and_strangers_are_not_served_unless_told() {
    for listen in ["0.0.0.0:8787", "[::]:8787", "192.0.2.1:80"] {
        let error = refusal(&[("OWP_LISTEN", listen)]);
        assert!(error.contains("OWP_ADMIN_TOKEN") && error.contains(listen), "{error}");
        let config = load(&[("OWP_LISTEN", listen), ("OWP_ADMIN_TOKEN", STRONG)]).unwrap();
        assert!(!config.open_registration);
        let open = [("OWP_LISTEN", listen), ("OWP_ADMIN_TOKEN", STRONG), ("OWP_OPEN_REGISTRATION", "1")];
        assert!(load(&open).unwrap().open_registration);
    }
    assert!(load(&[("OWP_LISTEN", "[::1]:0")]).is_ok());
}

#[test]
fn a_weak_admin_token_is_refused_where_other_machines_can_reach_the_pool() {
    for weak in ["short", "dev-admin-token", "only-for-trying-it-out", "change-me-change-me-change-me"] {
        let token = ("OWP_ADMIN_TOKEN", weak);
        for (exposed, why) in [
            (("OWP_LISTEN", "0.0.0.0:8787"), "it listens to them"),
            (("OWP_PUBLIC_URL", "https://owp.example.org"), "public address"),
            (("OWP_TRUSTED_PROXIES", "127.0.0.1"), "OWP_TRUSTED_PROXIES"),
        ] {
            let error = refusal(&[exposed, token]);
            assert!(error.contains("openssl rand -hex 32") && error.contains(why) && !error.contains(weak), "{error}");
        }
        let app = [APP[0], APP[1], APP[2], token];
        assert!(refusal(&app).contains("GitHub delivers webhooks to it"), "they come from outside, by whatever way");
        let sandbox = [&app[..], &[("GITHUB_API_URL", "http://127.0.0.1:9797")]].concat();
        assert!(
            load(&sandbox).is_ok_and(|config| !config.exposed && config.open_registration),
            "it delivers from here"
        );
        assert!(load(&[token]).is_ok(), "on this machine {weak} starts, with a warning");
    }
    assert!(load(&[("OWP_LISTEN", "0.0.0.0:8787"), ("OWP_ADMIN_TOKEN", STRONG)]).is_ok());
}

#[test]
fn a_public_address_is_an_origin_and_closes_the_pool_to_strangers() {
    let config = load(&[("OWP_PUBLIC_URL", "https://Owp.example.org/")]).unwrap();
    assert_eq!(config.public_url.as_deref(), Some("https://owp.example.org"));
    assert!(!config.open_registration, "a proxy or a tunnel leads here");
    let local = load(&[("OWP_PUBLIC_URL", "http://127.0.0.1:8787")]).unwrap();
    assert!(local.open_registration && !local.exposed);
    let app = load(&APP).unwrap();
    assert!(app.exposed && !app.open_registration, "GitHub's deliveries come from outside");
    for odd in ["owp.example.org", "https://owp.example.org/pool", "ftp://owp.example.org"] {
        let error = refusal(&[("OWP_PUBLIC_URL", odd)]);
        assert!(error.contains("OWP_PUBLIC_URL") && error.contains(odd), "{error}");
    }
}

#[test]
fn half_a_github_app_is_refused_and_says_which_half() {
    let error = refusal(&APP[..1]);
    assert!(
        error.contains("GITHUB_APP_ID is set, GITHUB_APP_PRIVATE_KEY and GITHUB_WEBHOOK_SECRET are missing"),
        "{error}"
    );
    assert!(refusal(&APP[..2]).contains("GITHUB_WEBHOOK_SECRET is missing"));
    let app = load(&APP).unwrap().github.unwrap();
    assert_eq!((app.app_id, app.api_url.as_str()), (17, "https://api.github.com"));
    assert!(refusal(&[("GITHUB_APP_ID", "Iv1.abc"), APP[1], APP[2]]).contains("App ID"));
}

#[test]
fn two_webhook_secrets_may_be_in_force_and_no_more() {
    let with = |secrets| load(&[APP[0], APP[1], ("GITHUB_WEBHOOK_SECRET", secrets)]);
    let two = with("old, new").unwrap().github.unwrap().webhook_secrets;
    assert_eq!(two.iter().map(|s| s.expose_secret()).collect::<Vec<_>>(), ["old", "new"]);
    assert!(with("a,b,c").is_err() && with("a,").is_err());
}

#[test]
fn secrets_may_come_from_files_whose_last_newline_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "hush\r\n").unwrap();
    let path = file.to_str().unwrap();
    let config = load(&[("OWP_ADMIN_TOKEN_FILE", path)]).unwrap();
    assert_eq!(config.admin_token.unwrap().expose_secret(), "hush");
    let both = refusal(&[("OWP_ADMIN_TOKEN_FILE", path), ("OWP_ADMIN_TOKEN", "other")]);
    assert!(both.contains("both set") && !both.contains("other"), "{both}");
    assert!(refusal(&[("OWP_ADMIN_TOKEN_FILE", "/no/such/file")]).contains("/no/such/file"));
    fs::write(&file, "\n").unwrap();
    assert!(refusal(&[("OWP_ADMIN_TOKEN_FILE", path)]).contains("empty"));
}

#[test]
fn values_that_make_no_sense_are_named() {
    for (name, value) in [
        ("OWP_LISTEN", "8787"),
        ("OWP_OPEN_REGISTRATION", "yes please"),
        ("OWP_SIGN_IN_REQUIRED", "sometimes"),
        ("OWP_COUNT_EVERY", "soon"),
        ("OWP_WATCH_EVERY", "often"),
        ("OWP_DOWNTIME_AFTER", "a nap"),
        ("OWP_DOWNTIME_AFTER", "1s"),
        ("OWP_EVENTS_REPLAY", "0"),
        ("OWP_EVENTS_REPLAY", "many"),
        ("OWP_ADMIN_TOKEN", "two words"),
    ] {
        let error = refusal(&[(name, value)]);
        assert!(error.contains(name), "{error}");
    }
    assert_eq!(load(&[("OWP_EVENTS_REPLAY", "7")]).unwrap().events_replay, 7);
    assert!(LogConfig::load(&Environment::of([("OWP_LOG", "xml")]), "info").is_err());
    let spans = load(&[("OWP_COMMENT_SPACING", "10ms"), ("OWP_COUNT_EVERY", "2min 30s")]).unwrap().spans;
    assert_eq!(spans.comment_spacing, Some(Duration::from_millis(10)));
    assert_eq!(spans.count_every, Some(Duration::from_secs(150)));
}

#[test]
fn a_configuration_never_shows_its_secrets() {
    let url = ("OWP_DATABASE_URL", "postgres://owp:hush@host/db");
    let variables = [APP[0], ("GITHUB_APP_PRIVATE_KEY", "hush"), ("GITHUB_WEBHOOK_SECRET", "hush"), url];
    let env = Environment::of(variables.into_iter().chain([("OWP_ADMIN_TOKEN", "hush-5f1c9a03b7e24d68a0c1e5f2")]));
    let shown = format!("{env:?} {:?}", ServeConfig::load(&env, None, None).unwrap());
    assert!(!shown.contains("hush"), "{shown}");
}

#[test]
fn what_listens_everywhere_is_reached_on_this_machine() {
    for (listen, reached) in [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("192.0.2.1:80", "192.0.2.1:80")]
    {
        assert_eq!(reachable(listen.parse().unwrap()).to_string(), reached);
    }
}
