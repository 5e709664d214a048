//! The pages of setup. Every text that came from a browser or from GitHub is escaped by the template.

use crate::engine::{SetupDone, SetupForm, SetupRefused};
use crate::http::page::document;
use maud::{Markup, html};

/// What the form holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled {
    pub(super) token: String,
    pub(super) public: String,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) checks: bool,
    pub(super) teams: bool,
}

impl Filled {
    /// Reads what the browser sent; what is missing is empty.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut filled = Self::default();
        for (name, value) in form_urlencoded::parse(body) {
            match &*name {
                "token" => filled.token = value.trim().to_owned(),
                "address" => filled.public = value.trim().to_owned(),
                "owner" => filled.owner = value.into_owned(),
                "organization" => filled.name = value.trim().to_owned(),
                "checks" => filled.checks = value == "on",
                "teams" => filled.teams = value == "on",
                _ => {}
            }
        }
        filled
    }

    /// The organisation that was named, when the App is to be one's.
    pub(super) fn organization(&self) -> Option<&str> {
        (self.owner == "organization").then_some(self.name.as_str())
    }
}

fn frame(title: &str, body: &Markup) -> Markup {
    document(title, &html! {}, &html! { main.setup { (body) } })
}

/// What setup asks; with `wrong`, once more and why.
pub(super) fn form(filled: &Filled, known: bool, wrong: Option<&str>) -> Markup {
    let organization = filled.organization().is_some();
    frame(
        "Set up OWP Pool",
        &html! {
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            p {
                "This makes a GitHub App for this pool and begins to use it. GitHub shows what the App asks for before \
                 anything is made: it reads issues and pull requests, and writes issue comments."
            }
            form method="post" action="/setup" {
                @if !known {
                    label for="token" { "Setup token" }
                    p.note #token-note { "In the log, in the line that names this page; " code { "owp serve" } " makes a new one at every start." }
                    input #token name="token" type="password" autocomplete="off" required aria-describedby="token-note";
                }
                label for="address" { "The pool's public address" }
                p.note #address-note { "Where GitHub reaches it; deliveries go to " code { "/github/webhooks" } " there." }
                input #address name="address" type="url" required value=(filled.public) aria-describedby="address-note";
                fieldset {
                    legend { "Who owns the App" }
                    label.choice { input type="radio" name="owner" value="personal" checked[!organization]; " My own account" }
                    label.choice { input type="radio" name="owner" value="organization" checked[organization]; " An organization, by its name:" }
                    input name="organization" type="text" autocomplete="off" value=(filled.name) aria-label="The organization's name";
                }
                fieldset {
                    legend { "What policies may ask about" }
                    label.choice {
                        input type="checkbox" name="checks" checked[filled.checks];
                        " Checks: a pull request counts as delivered once the checks a policy names have passed. The App may read checks and commit statuses."
                    }
                    label.choice {
                        input type="checkbox" name="teams" checked[filled.teams];
                        " Teams: risky tasks may be kept for an organization's team. The App may read who is in a team."
                    }
                }
                button type="submit" { "Go on" }
            }
        },
    )
}

/// The manifest, ready to be posted to GitHub.
pub(super) fn register(form: &SetupForm) -> Markup {
    frame(
        "One more click",
        &html! {
            p { "GitHub asks for the App's name, which must be free in all of GitHub, and sends you back here." }
            form method="post" action=(form.action) {
                input type="hidden" name="manifest" value=(form.manifest);
                button type="submit" { "Create the App on " (form.origin) }
            }
            details {
                summary { "What is sent" }
                pre { (form.manifest) }
            }
        },
    )
}

/// The App is in use.
pub(super) fn done(done: &SetupDone) -> Markup {
    frame(
        "The App is in use",
        &html! {
            p { (done.name) " is registered, and this pool uses it from now on." }
            @match &done.not_kept {
                None => { p { "Its credentials are in " code { (done.file.display()) } ", which only the pool's own account can read. Keep a copy where you keep secrets." } }
                Some(why) => {
                    p.wrong role="alert" {
                        "Its credentials could not be written to " code { (done.file.display()) } " (" (why) "), and are \
                         lost when the pool stops. Before that, make a new private key and a new webhook secret on the \
                         App's page, and set GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY_FILE and GITHUB_WEBHOOK_SECRET."
                    }
                }
            }
            p { "What is left: " a href=(done.install_url) { "install it on a repository" } ", and label an issue " code { "pool:ready" } "." }
            p { a href="/" { "The status page" } " shows the repository once it is installed." }
        },
    )
}

/// Why it goes no further, and what to do.
pub(super) fn refusal(error: &SetupRefused) -> Markup {
    let again = html! { p { a href="/setup" { "Begin again" } } };
    match error {
        SetupRefused::Closed => {
            frame("Nothing to set up", &html! { p { "This pool has its GitHub App, or was started without setup." } })
        }
        SetupRefused::Token => frame(
            "That is not the setup token",
            &html! {
                p {
                    "It stands in the log of this " code { "owp serve" } ", in the line that names " code { "/setup" }
                    " (level info; with a container: " code { "docker logs" } "). A restart makes a new one."
                }
                (again)
            },
        ),
        SetupRefused::TokenUsed => frame(
            "The setup token has been used",
            &html! {
                p {
                    "It opens this form once, in one browser, for an hour. If that was you, go on in that browser; if not, \
                     or if it is too late, restart the pool: it makes a new token."
                }
                (again)
            },
        ),
        SetupRefused::Place { file, cause } => frame(
            "There is no place for the credentials",
            &html! {
                p { "They are to be kept in " code { (file) } ", which cannot be written: " (cause) "." }
                p { "Set OWP_CREDENTIALS_FILE to a file in a folder that the pool may write to, and restart it. Nothing was registered." }
            },
        ),
        SetupRefused::State => frame(
            "That does not belong to a registration begun here",
            &html! {
                p {
                    "GitHub's answer is taken once, within the hour, and in the browser that was sent there. If you have just \
                     made an App on GitHub, delete it there before you begin again."
                }
                (again)
            },
        ),
        SetupRefused::GitHub(_) | SetupRefused::Unusable(_) => frame(
            "GitHub did not hand the App over",
            &html! {
                p { "What went wrong: " (error) "." }
                p { "GitHub hands an App over once, within an hour. If it is in your list of Apps, delete it there before you begin again." }
                (again)
            },
        ),
    }
}
