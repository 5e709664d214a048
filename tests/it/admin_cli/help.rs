//! Help texts of the operator's commands.

use crate::admin_cli::stage::{clean, told};

fn help(name: &str) -> String {
    told(&clean(&["admin", name, "--help"]).output().unwrap())
}

#[test]
fn the_commands() {
    insta::assert_snapshot!(crate::support::program::help("admin"), @r#"
    Manages a pool as its operator: repositories, tasks, imports, events, access

    Usage: owp admin [OPTIONS] <COMMAND>

    Commands:
      init-repo             Creates a manual repository, or sets the review budget of an existing one
      remove-repo           Removes a manual repository and closes its waiting tasks
      add-task              Adds a task
      import-tasks          Adds the tasks of a YAML file; importing it again adds no task twice
      import-github-issues  Adds the open issues of a GitHub repository as tasks; importing them again adds none twice
      state                 Shows every repository: its review budget, its tasks, and why it hands out nothing
      tasks                 Lists tasks, including those of private repositories
      workers               Lists the workers with access, and the number of tasks each holds
      events                Shows the latest events, one per line
      why                   Shows a task's state, the worker that would get it, and the rules that exclude others
      revoke                Revokes a lease, or a worker's access and all its leases
      close                 Closes a task of a manual repository
      reopen                Makes a closed or merged task of a manual repository ready again
      trust                 Sets a contributor's trust in a repository
      pause                 Stops handing out work in a repository
      resume                Hands out work in a repository again
      policy                Shows or sets the rules of a repository
      audit                 Exports or verifies the audit log
      comments              Lists or retries dead letters: comments that GitHub did not accept
      help                  Print this message or the help of the given subcommand(s)

    Options:
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help
    "#);
}

#[test]
fn of_repositories() {
    insta::assert_snapshot!(help("init-repo"), @r#"
    Creates a manual repository, or sets the review budget of an existing one

    Usage: owp admin init-repo [OPTIONS] <REPO>

    Arguments:
      <REPO>  The repository, usually OWNER/NAME

    Options:
          --max-open-prs <N>  Review budget: the pull requests and leases open at once; 0 hands out nothing [default: 3]
          --no-area-locks     Turns area locks off: several contributors can work in one area at once
          --server <URL>      Address of the pool, such as https://pool.example.org
          --json              Prints the answer as JSON
          --no-color          Prints no colours; NO_COLOR does the same
      -h, --help              Print help

    Example:
      owp admin init-repo acme/rocket --max-open-prs 3
    exit 0
    "#);
    insta::assert_snapshot!(help("pause"), @r#"
    Stops handing out work in a repository

    Usage: owp admin pause [OPTIONS] <REPO>

    Arguments:
      <REPO>  The repository, as OWNER/NAME

    Options:
          --for <TIME>     Duration, such as 30m, 2h or 1d12h; without it, until `owp admin resume`
          --reason <TEXT>  Reason, shown to workers that ask for work there
          --server <URL>   Address of the pool, such as https://pool.example.org
          --json           Prints the answer as JSON
          --no-color       Prints no colours; NO_COLOR does the same
      -h, --help           Print help

    Example:
      owp admin pause acme/rocket --for 2h --reason "release day"
    exit 0
    "#);
    insta::assert_snapshot!(help("resume"), @r#"
    Hands out work in a repository again

    Usage: owp admin resume [OPTIONS] <REPO>

    Arguments:
      <REPO>  The repository, as OWNER/NAME

    Options:
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin resume acme/rocket
    exit 0
    "#);
}

#[test]
fn of_people() {
    insta::assert_snapshot!(help("trust"), @r#"
    Sets a contributor's trust in a repository

    Usage: owp admin trust [OPTIONS] <REPO> <LOGIN> <LEVEL>

    Arguments:
      <REPO>   The repository, as OWNER/NAME
      <LOGIN>  GitHub login of the contributor, or numeric id as in id:583231
      <LEVEL>  Trust, 0 to 3; -1 bans the contributor

    Options:
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin trust acme/rocket octocat 2
    exit 0
    "#);
    insta::assert_snapshot!(help("revoke"), @r#"
    Revokes a lease, or a worker's access and all its leases

    Usage: owp admin revoke [OPTIONS] <LEASE_OR_WORKER>

    Arguments:
      <LEASE_OR_WORKER>  A lease (l_…) or a worker (w_…)

    Options:
          --reason <TEXT>  Reason, for the audit log and, on GitHub, for the former holder
          --server <URL>   Address of the pool, such as https://pool.example.org
          --json           Prints the answer as JSON
          --no-color       Prints no colours; NO_COLOR does the same
      -h, --help           Print help

    Example:
      owp admin revoke l_06bg3qk4c5v2j0 --reason "no sign of work"
    exit 0
    "#);
}

#[test]
fn of_tasks_that_are_there() {
    insta::assert_snapshot!(help("close"), @r#"
    Closes a task of a manual repository

    Usage: owp admin close [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --reason <TEXT>  Reason, for the audit log
          --server <URL>   Address of the pool, such as https://pool.example.org
          --json           Prints the answer as JSON
          --no-color       Prints no colours; NO_COLOR does the same
      -h, --help           Print help

    Example:
      owp admin close t_06bg3qk4c5v2j0 --reason "done elsewhere"
    exit 0
    "#);
    insta::assert_snapshot!(help("reopen"), @r#"
    Makes a closed or merged task of a manual repository ready again

    Usage: owp admin reopen [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin reopen t_06bg3qk4c5v2j0
    exit 0
    "#);
}

#[test]
fn of_tasks() {
    insta::assert_snapshot!(help("add-task"), @r#"
    Adds a task

    Usage: owp admin add-task [OPTIONS] <REPO> <TITLE>

    Arguments:
      <REPO>   The manual repository, created by `init-repo`
      <TITLE>  Title of the task

    Options:
          --description <TEXT>  Description of the task
          --estimate <POINTS>   Estimate in points, 1 to 100 [default: 1]
          --priority <N>        Priority, 0 to 1000; larger goes first [default: 10]
          --skills <SKILLS>     Skills that a worker needs, separated by commas
          --area <AREA>         Area of the code; an area has one holder at a time
          --tier <N>            Risk, 0 to 3 [default: 0]
          --external-id <ID>    Id of the task in another system; a task with this id is not added twice
          --server <URL>        Address of the pool, such as https://pool.example.org
          --json                Prints the answer as JSON
          --no-color            Prints no colours; NO_COLOR does the same
      -h, --help                Print help

    Example:
      owp admin add-task acme/rocket "Parse dates" --skills rust --estimate 3
    exit 0
    "#);
    insta::assert_snapshot!(help("import-tasks"), @r#"
    Adds the tasks of a YAML file; importing it again adds no task twice

    Usage: owp admin import-tasks [OPTIONS] <FILE>

    Arguments:
      <FILE>  Task file; - for standard input

    Options:
          --repo <REPO>   Repository to use instead of the file's own
          --dry-run       Shows what would be added, without adding it
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin import-tasks tasks.yaml --dry-run

    A file of tasks:

      repo: acme/rocket            # made by `owp admin init-repo`
      tasks:
        - id: parse-dates          # yours, unique in the repository: makes the import repeatable
          title: Parse dates
          description: |           # this and the following keys are optional
            As people write them.
          estimate_points: 3       # 1 to 100; 1
          priority: 50             # 0 to 1000, larger first; 10
          required_skills: [rust]
          area: parser
          tier: 0                  # 0 to 3; 0
          x_ticket: ABC-7          # keys that begin with x_ are yours and are passed on

    The whole file is checked before anything is sent. Tasks that are already in the pool do not change.
    exit 0
    "#);
    insta::assert_snapshot!(help("import-github-issues"), @r#"
    Adds the open issues of a GitHub repository as tasks; importing them again adds none twice

    Usage: owp admin import-github-issues [OPTIONS] <OWNER/NAME>

    Arguments:
      <OWNER/NAME>  The repository on GitHub

    Options:
          --into <REPO>      The repository in the pool; by default the same name
          --label <LABEL>    Imports only issues with this label [default: pool:ready]
          --all              Imports every open issue, whatever its labels
          --publish-private  Also imports the issues of a private repository; everybody who can reach the pool can read them there
          --dry-run          Shows what would be added, without adding it
          --server <URL>     Address of the pool, such as https://pool.example.org
          --json             Prints the answer as JSON
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp admin import-github-issues acme/rocket --label "help wanted" --dry-run

    Labels have the same meaning as in a GitHub repository of the pool: estimate:3, priority:high, skills:rust, area:parser, tier:1. GITHUB_TOKEN is read from the environment; public issues need no token. An issue that was imported before does not change in the pool.
    exit 0
    "#);
}

#[test]
fn of_looking() {
    insta::assert_snapshot!(help("state"), @r#"
    Shows every repository: its review budget, its tasks, and why it hands out nothing

    Usage: owp admin state [OPTIONS]

    Options:
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin state
    exit 0
    "#);
    insta::assert_snapshot!(help("events"), @r#"
    Shows the latest events, one per line

    Usage: owp admin events [OPTIONS]

    Options:
          --repo <REPO>   Shows only events of this repository
          --kind <KIND>   Shows only events of this kind, such as lease.granted, or of a family, such as 'lease.*'
          --task <TASK>   Shows only events about this task (t_…)
          --follow        Follows new events until Ctrl-C; with --json, prints one event per line
          --limit <N>     Number of latest events to show [default: 50]
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin events --repo acme/rocket --kind 'lease.*' --follow
    exit 0
    "#);
    insta::assert_snapshot!(help("why"), @r#"
    Shows a task's state, the worker that would get it, and the rules that exclude others

    Usage: owp admin why [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --worker <WORKER>  Shows the result of every rule for this worker (w_…)
          --server <URL>     Address of the pool, such as https://pool.example.org
          --json             Prints the answer as JSON
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp admin why acme/rocket#12
    exit 0
    "#);
}
