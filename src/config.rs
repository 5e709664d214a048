//! What the program was told at start: flags, environment, `env.local` or `.env`.

/// Every environment variable the program reads, in the order people meet them, with a sentence about each.
///
/// `env.local.example`, the README's table and the deployment files are compared with this list by tests, so a
/// variable that is not told to people does not exist, and neither does one that is only told.
pub const VARIABLES: &[(&str, &str)] = &[
    ("OWP_LISTEN", "Address and port to listen on. Default `127.0.0.1:8787`."),
    (
        "OWP_DATABASE_URL",
        "Where everything is kept: `sqlite:<file>` or `postgres://user:password@host/database`. Default `sqlite:owp.db`.",
    ),
    (
        "OWP_ADMIN_TOKEN",
        "Opens the admin calls (`X-Admin-Token`). Without one they answer 401, and `owp serve` refuses to listen off loopback.",
    ),
    ("OWP_ADMIN_TOKEN_FILE", "A file to read `OWP_ADMIN_TOKEN` from."),
    ("GITHUB_APP_ID", "The GitHub App's numeric id, from its settings page."),
    ("GITHUB_APP_ID_FILE", "A file to read `GITHUB_APP_ID` from."),
    ("GITHUB_APP_PRIVATE_KEY", "The GitHub App's private key (PEM)."),
    (
        "GITHUB_APP_PRIVATE_KEY_FILE",
        "A file to read `GITHUB_APP_PRIVATE_KEY` from: the `.pem` GitHub let you download.",
    ),
    (
        "GITHUB_WEBHOOK_SECRET",
        "The GitHub App's webhook secret; two, separated by a comma, while one replaces the other. Without it webhooks answer 503.",
    ),
    ("GITHUB_WEBHOOK_SECRET_FILE", "A file to read `GITHUB_WEBHOOK_SECRET` from."),
    (
        "GITHUB_API_URL",
        "GitHub's REST API. Default `https://api.github.com`; for GitHub Enterprise Server `https://<host>/api/v3`.",
    ),
    ("OWP_LOG", "`human` or `json`. Default `human` on a terminal."),
    ("OWP_LOG_FILTER", "What to log, as a tracing filter such as `info,owp::engine=debug`. Default `info`."),
    (
        "OWP_OPEN_REGISTRATION",
        "`1` lets unlinked workers of strangers take tasks of manual repositories when listening off loopback. Default off.",
    ),
];
