//! What `--help` says of every command.

use crate::admin_cli::stage::{clean, told};

fn help(name: &str) -> String {
    told(&clean(&["admin", name, "--help"]).output().unwrap())
}

#[test]
fn the_commands() {
    insta::assert_snapshot!(crate::support::program::help("admin"), @r#"
    A pool's operator at the terminal: repositories, tasks, imports, events, revoking

    Usage: owp admin [OPTIONS] <COMMAND>

    Commands:
      init-repo             Makes a repository in the pool, or sets how much may be open there at once
      remove-repo           Removes a repository made by hand, and closes the tasks that wait there
      add-task              Adds a task
      import-tasks          Adds the tasks of a YAML file, each once however often the file is imported
      import-github-issues  Adds the open issues of a GitHub repository as tasks, each once
      state                 Shows every repository: what is open, what waits, and what keeps work from being handed out
      tasks                 Lists tasks, those of private repositories too
      workers               Lists the workers that have access, and what each holds
      events                Shows what happened, one line per event
      why                   Says where a task stands, who would get it, and which rules keep others from it
      revoke                Takes a lease back, or a worker's access and all it holds
      close                 Withdraws a task of a repository made by hand
      reopen                Puts a closed or merged task of a repository made by hand back among those that wait
      trust                 Sets how far a repository trusts somebody
      pause                 Stops handing out work in a repository
      resume                Hands out work in a repository again
      policy                Shows or sets the rules of a repository
      audit                 Exports or verifies the audit log
      comments              Lists comments GitHub did not take, or tries them again
      help                  Print this message or the help of the given subcommand(s)

    Options:
          --server <URL>  Where the pool is, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help
    "#);
}

#[test]
fn of_repositories() {
    insta::assert_snapshot!(help("init-repo"), @r#"
    Makes a repository in the pool, or sets how much may be open there at once

    Usage: owp admin init-repo [OPTIONS] <REPO>

    Arguments:
      <REPO>  The repository, usually OWNER/NAME

    Options:
          --max-open-prs <N>  How many pull requests and leases may be open there at once; 0 hands out nothing [default: 3]
          --no-area-locks     Lets several people work in one area at once
          --server <URL>      Where the pool is, such as https://pool.example.org
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
          --for <TIME>     For how long, such as 30m, 2h or 1d12h; until `resume` when left out
          --reason <TEXT>  Why, for whoever asks for work there
          --server <URL>   Where the pool is, such as https://pool.example.org
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
          --server <URL>  Where the pool is, such as https://pool.example.org
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
    Sets how far a repository trusts somebody

    Usage: owp admin trust [OPTIONS] <REPO> <LOGIN> <LEVEL>

    Arguments:
      <REPO>   The repository, as OWNER/NAME
      <LOGIN>  Whom, by GitHub login, or by numeric id as in id:583231
      <LEVEL>  0 to 3; -1 bans

    Options:
          --server <URL>  Where the pool is, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin trust acme/rocket octocat 2
    exit 0
    "#);
    insta::assert_snapshot!(help("revoke"), @r#"
    Takes a lease back, or a worker's access and all it holds

    Usage: owp admin revoke [OPTIONS] <LEASE_OR_WORKER>

    Arguments:
      <LEASE_OR_WORKER>  A lease (l_…) or a worker (w_…)

    Options:
          --reason <TEXT>  Why, for the audit log and, on GitHub, for whoever loses it
          --server <URL>   Where the pool is, such as https://pool.example.org
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
    Withdraws a task of a repository made by hand

    Usage: owp admin close [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --reason <TEXT>  Why, for the audit log
          --server <URL>   Where the pool is, such as https://pool.example.org
          --json           Prints the answer as JSON
          --no-color       Prints no colours; NO_COLOR does the same
      -h, --help           Print help

    Example:
      owp admin close t_06bg3qk4c5v2j0 --reason "done elsewhere"
    exit 0
    "#);
    insta::assert_snapshot!(help("reopen"), @r#"
    Puts a closed or merged task of a repository made by hand back among those that wait

    Usage: owp admin reopen [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --server <URL>  Where the pool is, such as https://pool.example.org
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
      <REPO>   The repository, made by `init-repo`
      <TITLE>  What the task is called

    Options:
          --description <TEXT>  What it says
          --estimate <POINTS>   How much work it is, in points from 1 to 100 [default: 1]
          --priority <N>        0 to 1000; larger goes first [default: 10]
          --skills <SKILLS>     What a worker must be able to do, separated by commas
          --area <AREA>         The part of the code it touches; an area has one holder at a time
          --tier <N>            How risky it is, 0 to 3 [default: 0]
          --external-id <ID>    Its id elsewhere; a task that has it already is not added again
          --server <URL>        Where the pool is, such as https://pool.example.org
          --json                Prints the answer as JSON
          --no-color            Prints no colours; NO_COLOR does the same
      -h, --help                Print help

    Example:
      owp admin add-task acme/rocket "Parse dates" --skills rust --estimate 3
    exit 0
    "#);
    insta::assert_snapshot!(help("import-tasks"), @r#"
    Adds the tasks of a YAML file, each once however often the file is imported

    Usage: owp admin import-tasks [OPTIONS] <FILE>

    Arguments:
      <FILE>  The file; - for standard input

    Options:
          --repo <REPO>   The repository, in the place of the file's own
          --dry-run       Says what would be added, and adds nothing
          --server <URL>  Where the pool is, such as https://pool.example.org
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
          description: |           # this and what follows may be left out
            As people write them.
          estimate_points: 3       # 1 to 100; 1
          priority: 50             # 0 to 1000, larger first; 10
          required_skills: [rust]
          area: parser
          tier: 0                  # 0 to 3; 0
          x_ticket: ABC-7          # names that begin with x_ are yours and are passed on

    The whole file is checked before anything is sent. What is in the pool already stays as it is there.
    exit 0
    "#);
    insta::assert_snapshot!(help("import-github-issues"), @r#"
    Adds the open issues of a GitHub repository as tasks, each once

    Usage: owp admin import-github-issues [OPTIONS] <OWNER/NAME>

    Arguments:
      <OWNER/NAME>  The repository on GitHub

    Options:
          --into <REPO>      The repository in the pool; the same name when left out
          --label <LABEL>    The label of issues that are wanted [default: pool:ready]
          --all              Takes every open issue, whatever its labels
          --publish-private  Also takes the issues of a private repository, which everybody who reaches the pool can read there
          --dry-run          Says what would be added, and adds nothing
          --server <URL>     Where the pool is, such as https://pool.example.org
          --json             Prints the answer as JSON
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp admin import-github-issues acme/rocket --label "help wanted" --dry-run

    Labels mean what they mean where the GitHub App is installed: estimate:3, priority:high, skills:rust, area:parser, tier:1. GITHUB_TOKEN is read from the environment when it is set; public issues can be read without. An issue that was imported before stays as it is in the pool.
    exit 0
    "#);
}

#[test]
fn of_looking() {
    insta::assert_snapshot!(help("state"), @r#"
    Shows every repository: what is open, what waits, and what keeps work from being handed out

    Usage: owp admin state [OPTIONS]

    Options:
          --server <URL>  Where the pool is, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin state
    exit 0
    "#);
    insta::assert_snapshot!(help("events"), @r#"
    Shows what happened, one line per event

    Usage: owp admin events [OPTIONS]

    Options:
          --repo <REPO>   Only those of this repository
          --kind <KIND>   Only those of this kind, such as lease.granted, or of a family, such as 'lease.*'
          --task <TASK>   Only those about this task (t_…)
          --follow        Goes on with what happens from now on, until Ctrl-C; with --json one event per line
          --limit <N>     How many of the latest events are shown [default: 50]
          --server <URL>  Where the pool is, such as https://pool.example.org
          --json          Prints the answer as JSON
          --no-color      Prints no colours; NO_COLOR does the same
      -h, --help          Print help

    Example:
      owp admin events --repo acme/rocket --kind 'lease.*' --follow
    exit 0
    "#);
    insta::assert_snapshot!(help("why"), @r#"
    Says where a task stands, who would get it, and which rules keep others from it

    Usage: owp admin why [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --worker <WORKER>  What every rule says of this worker (w_…)
          --server <URL>     Where the pool is, such as https://pool.example.org
          --json             Prints the answer as JSON
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp admin why acme/rocket#12
    exit 0
    "#);
}
