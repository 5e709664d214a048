//! The initial content of `owp sandbox`: an organization, two repositories, users of every role, a few issues.

use super::{
    error::ApiError,
    handle::{Sandbox, UserRef},
    world::model::Role,
};

/// A user of the scene, with the same role in both repositories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededUser {
    /// The user.
    pub user: UserRef,
    /// `admin`, `write`, `triage`; `none` for contributors and strangers.
    pub role: &'static str,
}

/// The created content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeededWorld {
    /// All users with tokens.
    pub users: Vec<SeededUser>,
    /// Id of the app's installation on both repositories.
    pub installation: u64,
}

const REPOS: [&str; 2] = ["acme/rocket", "acme/docs"];

const PEOPLE: [(&str, Option<Role>); 7] = [
    ("mona", Some(Role::Admin)),
    ("wes", Some(Role::Write)),
    ("tri", Some(Role::Triage)),
    ("ada", None),
    ("bo", None),
    ("cy", None),
    ("stranger", None),
];

const ISSUES: [(&str, &str, &str); 5] = [
    ("acme/rocket", "Fuel gauge sticks at 3%", "It should go on to 0 and then warn.\n\nSteps: burn, look, wonder."),
    ("acme/rocket", "Countdown skips the number four", "10, 9, 8, 7, 6, 5, 3. Somebody will be surprised."),
    ("acme/rocket", "Log the landing angle", "We have the sensor; nobody writes it down."),
    ("acme/docs", "Explain how to refuel", "The page stops after opening the hatch."),
    ("acme/docs", "Typos in the safety chapter", "\"Extinguish\" is spelled three ways."),
];

/// A program with the fault of an issue, and its test. Only a sandbox that serves git has them.
const FILES: [(&str, &str); 3] = [
    ("README.md", "# rocket\n\n`sh countdown.sh` counts down, `sh test.sh` tests it.\n"),
    (
        "countdown.sh",
        "#!/bin/sh\n# Counts down to the launch.\nfor number in 10 9 8 7 6 5 3 2 1 0; do\n    echo \"$number\"\ndone\n",
    ),
    (
        "test.sh",
        "#!/bin/sh\n# Fails unless the countdown has every number.\n\
        counted=$(sh countdown.sh | tr '\\n' ' ')\n\
        [ \"$counted\" = \"10 9 8 7 6 5 4 3 2 1 0 \" ] && exit 0\n\
        echo \"wrong countdown: $counted\" >&2\nexit 1\n",
    ),
];

/// Builds the scene in a new sandbox. No labels are set, so that a user can start by setting one.
///
/// # Errors
/// Fails when the sandbox is not new.
pub fn seed(sandbox: &Sandbox) -> Result<SeededWorld, ApiError> {
    for repo in REPOS {
        sandbox.add_repo(repo)?;
    }
    if sandbox.serves_git() {
        for (path, text) in FILES {
            sandbox.set_file(REPOS[0], path, text)?;
        }
    }
    let mut users = Vec::new();
    for (login, role) in PEOPLE {
        let user = sandbox.add_user(login);
        if let Some(role) = role {
            for repo in REPOS {
                sandbox.add_collaborator(repo, login, role)?;
            }
        }
        users.push(SeededUser { user, role: role.map_or("none", Role::name) });
    }
    for (repo, title, body) in ISSUES {
        sandbox.as_user("mona").open_issue(repo, title, body, &[])?;
    }
    let installation = sandbox.install(&REPOS)?;
    Ok(SeededWorld { users, installation })
}
