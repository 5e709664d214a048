//! The setup pages. The template escapes all text from browsers and from GitHub.

use crate::http::pages::document;
use maud::{Markup, html};
use owp_engine::{SetupDone, SetupForm, SetupRefused};

/// The submitted form.
#[derive(Debug, Clone, Default)]
pub(super) struct SubmittedForm {
    pub(super) token: String,
    pub(super) public: String,
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) checks: bool,
    pub(super) teams: bool,
}

impl SubmittedForm {
    /// Parses the form; a missing field is empty.
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

    /// Returns the organisation's name if an organisation is to own the App.
    pub(super) fn organization(&self) -> Option<&str> {
        (self.owner == "organization").then_some(self.name.as_str())
    }
}

fn frame(title: &str, body: &Markup) -> Markup {
    document(title, &html! {}, &html! { main.setup { (body) } })
}

/// Shown above the form after a wrong token.
pub(super) const WRONG_TOKEN: &str = "That is not the setup token. It is in the log of this `owp serve`, in the line that \
    names /setup (in a container: `docker compose logs owp`). A restart makes a new token.";

/// Renders the form. `advice` concerns the prefilled address; `wrong` says why the form is shown again.
pub(super) fn form(filled: &SubmittedForm, known: bool, advice: Option<&str>, wrong: Option<&str>) -> Markup {
    let organization = filled.organization().is_some();
    frame(
        "Set up OWP Pool",
        &html! {
            @if let Some(wrong) = wrong { p.wrong role="alert" { (wrong) } }
            p {
                "This form registers a GitHub App for this pool. GitHub shows which permissions the App asks for before it \
                 is created: reading issues and pull requests, and writing issue comments."
            }
            form method="post" action="/setup" {
                @if !known {
                    label for="token" { "Setup token" }
                    p.note #token-note { "It is in the log, in the line that names this page. " code { "owp serve" } " makes a new one at every start." }
                    input #token name="token" type="password" autocomplete="off" required aria-describedby="token-note";
                }
                label for="address" { "The pool's public address" }
                p.note #address-note { "The address at which GitHub reaches the pool. Deliveries go to " code { "/github/webhooks" } " there." }
                @if let Some(advice) = advice { p.wrong #address-advice { (advice) } }
                input #address name="address" type="url" required value=(filled.public) aria-describedby="address-note";
                fieldset {
                    legend { "Who owns the App" }
                    label.choice { input type="radio" name="owner" value="personal" checked[!organization]; " My own account" }
                    label.choice { input type="radio" name="owner" value="organization" checked[organization]; " An organization, by its name:" }
                    input name="organization" type="text" autocomplete="off" value=(filled.name) aria-label="The organization's name";
                }
                fieldset {
                    legend { "Optional permissions" }
                    label.choice {
                        input type="checkbox" name="checks" checked[filled.checks];
                        " Checks: policies can wait for named checks before a pull request counts as delivered. The App can then read checks and commit statuses."
                    }
                    label.choice {
                        input type="checkbox" name="teams" checked[filled.teams];
                        " Teams: policies can reserve risky tasks for a team. The App can then read the members of the organization's teams."
                    }
                }
                button type="submit" { "Continue" }
            }
        },
    )
}

/// Renders the page that posts the manifest to GitHub.
pub(super) fn register(form: &SetupForm) -> Markup {
    frame(
        "One more click",
        &html! {
            @if let Some(obstacle) = form.obstacle {
                p.wrong role="alert" { (obstacle.advice()) " " a href="/setup" { "Change the address" } }
            }
            p { "Pick a name for the App on GitHub; it must be unique across GitHub. Afterwards GitHub sends you back here." }
            form method="post" action=(form.action) {
                input type="hidden" name="manifest" value=(form.manifest);
                button type="submit" { "Create the App on " (form.origin) }
            }
            details {
                summary { "Show the manifest" }
                pre { (form.manifest) }
            }
        },
    )
}

/// Renders the page shown once the App is in use.
pub(super) fn done(done: &SetupDone) -> Markup {
    frame(
        "The App is in use",
        &html! {
            p { (done.name) " is registered, and this pool now uses it." }
            @match &done.not_kept {
                None => { p { "Its credentials are in " code { (done.file.display()) } ", which only the pool's account can read. Keep a copy with your other secrets." } }
                Some(why) => {
                    p.wrong role="alert" {
                        "Its credentials could not be written to " code { (done.file.display()) } " (" (why) "). They \
                         are lost when the pool stops. Before that, create a new private key and a new webhook secret on \
                         the App's page, and set GITHUB_APP_ID, GITHUB_APP_PRIVATE_KEY_FILE and GITHUB_WEBHOOK_SECRET."
                    }
                }
            }
            p { "Next: " a href=(done.install_url) { "install it on a repository" } ", and label an issue " code { "pool:ready" } "." }
            p { a href="/" { "The dashboard" } " shows the repository once it is installed; for the operator, " a href="/start" { "first steps" } " says what is left." }
        },
    )
}

/// Renders an error page with the next step.
pub(super) fn refusal(error: &SetupRefused) -> Markup {
    let again = html! { p { a href="/setup" { "Start again" } } };
    match error {
        SetupRefused::Closed => {
            frame("Nothing to set up", &html! { p { "This pool has its GitHub App, or was started without setup." } })
        }
        SetupRefused::Token => frame("That is not the setup token", &html! { p { (WRONG_TOKEN) } (again) }),
        SetupRefused::TokenUsed => frame(
            "The setup token has been used",
            &html! {
                p {
                    "The token opens this form once, in one browser, for an hour. If it was you, continue in that browser. \
                     If not, or if the hour is over, restart the pool to get a new token."
                }
                (again)
            },
        ),
        SetupRefused::Place { file, cause } => frame(
            "The credentials cannot be stored",
            &html! {
                p { "The file " code { (file) } " cannot be written: " (cause) ". Nothing was registered." }
                p { "Set OWP_CREDENTIALS_FILE to a file in a folder that the pool can write to, and restart the pool." }
            },
        ),
        SetupRefused::State => frame(
            "This registration was not started here",
            &html! {
                p {
                    "GitHub's answer is accepted once, within an hour, and only in the browser that started the \
                     registration. If you have just created an App on GitHub, delete it there before you start again."
                }
                (again)
            },
        ),
        SetupRefused::GitHub(_) | SetupRefused::Unusable(_) => frame(
            "GitHub did not hand over the App",
            &html! {
                p { "The request failed: " (error) "." }
                p { "GitHub hands over an App once, within an hour. If it is in your list of Apps, delete it there before you start again." }
                (again)
            },
        ),
    }
}
