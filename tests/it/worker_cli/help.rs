//! Help texts of the worker's commands.

use crate::support::program::{self, owp};

fn help(args: &[&str]) -> String {
    let output = owp(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Global options at the end of every help text.
const OF_EVERY_COMMAND: &str = "
Options of every command:
      --server <URL>  Address of the pool, such as https://pool.example.org
      --json          Prints the answer as JSON
";

/// A command's own part of its help.
fn of(command: &str) -> String {
    let help = help(&["worker", command, "--help"]);
    assert!(help.contains(OF_EVERY_COMMAND), "{help}");
    help.replace(OF_EVERY_COMMAND, "")
}

#[test]
fn the_commands_are_listed() {
    insta::assert_snapshot!(help(&["worker", "--help"]), @r#"
    Takes tasks from a pool, reports their progress and gives them back: for contributors

    Usage: owp worker [OPTIONS] <COMMAND>

    Commands:
      register  Registers a worker with a pool and keeps its token here
      run       Asks for work until Ctrl-C, and shows the worker's tasks
      do        Works on a task with a coding agent: from the lease to the pull request
      revise    Hands what reviewers ask for to the agent, and pushes its changes
      agents    Lists the coding agents, or asks one whether you are signed in
      clean     Removes working copies of tasks that are merged, closed or given back
      simulate  Simulates work on tasks, to try a pool out
      list      Asks for work once, and lists the worker's tasks
      tasks     Lists the tasks of the pool
      show      Shows a task: its description, issue, deadline, branch and commands
      why       Explains why you cannot have a task now
      report    Reports the progress of a task
      ack       Accepts an offer
      nack      Declines an offer or a task; it is not offered again for a while
      release   Gives a task back
      claim     Claims a task
      whoami    Shows the worker as the pool sees it
      set       Changes the worker's name, skills and limits
      link      Links the worker to a GitHub account: prints the comment to write
      pause     Pauses the worker: it gets no new tasks and keeps those it holds
      resume    Ends a pause
      token     Replaces the worker's token
      leave     Leaves the pool: releases the worker's tasks and removes its registration here
      confirm   Links the worker of another of your machines by its code; run this where a worker is linked already
      help      Print this message or the help of the given subcommand(s)

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Options of every command:
          --server <URL>  Address of the pool, such as https://pool.example.org
          --json          Prints the answer as JSON

    Pool:       --server, else OWP_SERVER, else the one registered with last, else the one on this machine.
    Worker:     OWP_WORKER_TOKEN or the file OWP_WORKER_TOKEN_FILE, else the worker stored here for that pool.
                A token of the environment goes to --server, OWP_SERVER or the pool on this machine only.
    Exit codes: 0 done, 1 failed or refused, 2 usage error, 4 no access.
    "#);
}

#[test]
fn without_a_command_the_help_is_shown() {
    let output = owp(&["worker"]).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), program::help("worker"));
}

#[test]
fn registering_and_looking_at_oneself() {
    insta::assert_snapshot!(of("register"), @r#"
    Registers a worker with a pool and keeps its token here

    Usage: owp worker register [OPTIONS]

    Options:
          --name <NAME>         Public name of the worker; by default this machine's name, if it is a simple one
          --skills <SKILLS>     Skills of the worker, such as rust,sql
          --github <LOGIN>      GitHub account of its contributor, who proves the link by a comment
          --capacity <POINTS>   Points it can hold at once [default: 5]
          --concurrent <TASKS>  Tasks it can hold at once [default: 1]
          --again               Registers a new worker instead of the one stored for this pool
          --no-color            Prints no colours; NO_COLOR does the same
      -h, --help                Print help

    Example:
      owp worker register --server https://pool.example.org --github ada --skills rust,sql
    "#);
    insta::assert_snapshot!(of("whoami"), @r#"
    Shows the worker as the pool sees it

    Usage: owp worker whoami [OPTIONS]

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Example:
      owp worker whoami
    "#);
    insta::assert_snapshot!(of("set"), @r#"
    Changes the worker's name, skills and limits

    Usage: owp worker set [OPTIONS] <--name <NAME>|--skills <SKILLS>|--add-skill <SKILL>|--remove-skill <SKILL>|--capacity <POINTS>|--concurrent <TASKS>>

    Options:
          --name <NAME>           Public name of the worker
          --skills <SKILLS>       Skills of the worker, such as rust,sql, replacing all earlier ones; '' for none
          --add-skill <SKILL>     Adds a skill; several are separated by commas
          --remove-skill <SKILL>  Removes a skill
          --capacity <POINTS>     Points it can hold at once
          --concurrent <TASKS>    Tasks it can hold at once
          --no-color              Prints no colours; NO_COLOR does the same
      -h, --help                  Print help

    Example:
      owp worker set --add-skill docs --concurrent 2
    "#);
    insta::assert_snapshot!(of("link"), @r#"
    Links the worker to a GitHub account: prints the comment to write

    Usage: owp worker link [OPTIONS] <LOGIN>

    Arguments:
      <LOGIN>  The GitHub account that will write the comment

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Example:
      owp worker link ada
    "#);
}

#[test]
fn working_with_an_agent() {
    insta::assert_snapshot!(of("do"), @r#"
    Works on a task with a coding agent: from the lease to the pull request

    Usage: owp worker do [OPTIONS] --agent <NAME> <TASK>

    Arguments:
      <TASK>  Task: an id (t_…), owner/name#12, the address of its issue, or `next` for the best one for you

    Options:
          --agent <NAME>            Agent that does the work; `owp worker agents` lists them
          --no-follow               Ends when the pull request is open, instead of following it
          --yes                     Pushes and opens the pull request without asking
          --allow <MODE>            What the agent may do without asking: nothing (ask), change files (edits), or also run commands (all) [default: ask]
          --rounds <N>              How often the agent may repair what the checks found [default: 2]
          --turn-limit <TIME>       Longest time of one turn of the agent [default: 1h]
          --check-limit <TIME>      Longest time of one command of the repository's contract [default: 30m]
          --fork-to <ORGANIZATION>  Organization to fork into, instead of your own account
          --github-timeout <TIME>   Longest wait for one response of GitHub [default: 30s]
          --poll <TIME>             Interval at which GitHub is asked what became of the pull request [default: 1m]
          --no-color                Prints no colours; NO_COLOR does the same
      -h, --help                    Print help

    Examples:
      owp worker do next --agent claude
      owp worker do acme/rocket#12 --agent codex --allow edits
    "#);
    insta::assert_snapshot!(of("revise"), @r#"
    Hands what reviewers ask for to the agent, and pushes its changes

    Usage: owp worker revise [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --agent <NAME>            Agent that does the work; by default the one that did it before
          --yes                     Pushes and opens the pull request without asking
          --allow <MODE>            What the agent may do without asking: nothing (ask), change files (edits), or also run commands (all) [default: ask]
          --rounds <N>              How often the agent may repair what the checks found [default: 2]
          --turn-limit <TIME>       Longest time of one turn of the agent [default: 1h]
          --check-limit <TIME>      Longest time of one command of the repository's contract [default: 30m]
          --fork-to <ORGANIZATION>  Organization to fork into, instead of your own account
          --github-timeout <TIME>   Longest wait for one response of GitHub [default: 30s]
          --poll <TIME>             Interval at which GitHub is asked what became of the pull request [default: 1m]
          --no-color                Prints no colours; NO_COLOR does the same
      -h, --help                    Print help

    Example:
      owp worker revise acme/rocket#12
    "#);
    insta::assert_snapshot!(of("agents"), @r#"
    Lists the coding agents, or asks one whether you are signed in

    Usage: owp worker agents [OPTIONS] [NAME]

    Arguments:
      [NAME]  Starts this agent and asks what it is, and whether its user is signed in

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Examples:
      owp worker agents
      owp worker agents claude
    "#);
    insta::assert_snapshot!(of("clean"), @r#"
    Removes working copies of tasks that are merged, closed or given back

    Usage: owp worker clean [OPTIONS]

    Options:
          --all       Also removes working copies of tasks that are not finished; unpushed work is lost
          --dry-run   Shows what would be removed
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Examples:
      owp worker clean --dry-run
      owp worker clean
    "#);
}

#[test]
fn asking_for_work() {
    insta::assert_snapshot!(of("run"), @r#"
    Asks for work until Ctrl-C, and shows the worker's tasks

    Usage: owp worker run [OPTIONS]

    Options:
          --release-on-exit  Releases the worker's tasks at the end, without asking
          --keep-on-exit     Keeps the worker's tasks at the end, without asking; the default without a terminal
          --agent <NAME>     Agent that does the work; `owp worker agents` lists them. Without it the tasks are shown, and you do them
          --max-tasks <N>    Ends after this many tasks
          --until <HH:MM>    Begins no task after this time of day, such as 17:00
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Options with an agent:
          --yes                     Pushes and opens the pull request without asking
          --allow <MODE>            What the agent may do without asking: nothing (ask), change files (edits), or also run commands (all) [default: ask]
          --rounds <N>              How often the agent may repair what the checks found [default: 2]
          --turn-limit <TIME>       Longest time of one turn of the agent [default: 1h]
          --check-limit <TIME>      Longest time of one command of the repository's contract [default: 30m]
          --fork-to <ORGANIZATION>  Organization to fork into, instead of your own account
          --github-timeout <TIME>   Longest wait for one response of GitHub [default: 30s]
          --poll <TIME>             Interval at which GitHub is asked what became of the pull request [default: 1m]

    Examples:
      owp worker run
      owp worker run --agent claude --max-tasks 3 --until 17:00
    "#);
    insta::assert_snapshot!(of("simulate"), @r#"
    Simulates work on tasks, to try a pool out

    Usage: owp worker simulate [OPTIONS]

    Options:
          --register         Registers a temporary worker, which leaves the pool at the end
          --once             Ends when no more work is available
          --merge            Also reports tasks as merged, as a maintainer would
          --name <NAME>      Name of the worker [default: "simulated worker"]
          --skills <SKILLS>  Skills of the worker, such as rust,sql
          --work-for <SPAN>  Duration of the simulated work on a task, such as 1s or 2min [default: 1s]
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp worker simulate --register --once --merge
    "#);
    insta::assert_snapshot!(of("list"), @r#"
    Asks for work once, and lists the worker's tasks

    Usage: owp worker list [OPTIONS]

    Options:
          --wait <SECS>  Waits up to this many seconds for new work, 60 at most [default: 0]
          --explain      Explains why each waiting task was not given to you
          --no-color     Prints no colours; NO_COLOR does the same
      -h, --help         Print help

    Examples:
      owp worker list
      owp worker list --explain
    "#);
}

#[test]
fn saying_how_a_task_goes() {
    insta::assert_snapshot!(help(&["worker", "report", "--help"]), @r#"
    Reports the progress of a task

    Usage: owp worker report [OPTIONS] <TASK> <STATE>

    Arguments:
      <TASK>
              The task: its id (t_…), owner/name#12, or the address of its issue

      <STATE>
              State of the task

              Possible values:
              - in_progress: Work has begun or continues
              - blocked:     Work cannot continue
              - pr_opened:   A pull request is open
              - merged:      The task is done

    Options:
      -m, --message <MESSAGE>
              Details in words; for a blocked task, the reason

          --pr-url <URL>
              Address of the pull request

          --commit <SHA>
              Commit that holds the work

          --no-color
              Prints no colours; NO_COLOR does the same

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
          --server <URL>
              Address of the pool, such as https://pool.example.org

          --json
              Prints the answer as JSON

    Examples:
      owp worker report t_06bg3qk4c5v2j0 pr_opened --pr-url https://github.com/acme/rocket/pull/23
      owp worker report t_06bg3qk4c5v2j0 blocked --message "needs a decision"
    "#);
}

#[test]
fn accepting_giving_back_and_claiming() {
    insta::assert_snapshot!(of("ack"), @r#"
    Accepts an offer

    Usage: owp worker ack [OPTIONS] <LEASE|TASK>

    Arguments:
      <LEASE|TASK>  The lease's id (l_…), or its task: an id (t_…), owner/name#12, or the address of its issue

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Example:
      owp worker ack l_06bg3qk4c5v2j0
    "#);
}

#[test]
fn giving_back_and_claiming() {
    insta::assert_snapshot!(of("nack"), @r#"
    Declines an offer or a task; it is not offered again for a while

    Usage: owp worker nack [OPTIONS] <LEASE|TASK>

    Arguments:
      <LEASE|TASK>  The lease's id (l_…), or its task: an id (t_…), owner/name#12, or the address of its issue

    Options:
          --reason <REASON>  Reason, for the next holder
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp worker nack l_06bg3qk4c5v2j0 --reason "not my field"
    "#);
    insta::assert_snapshot!(of("release"), @r#"
    Gives a task back

    Usage: owp worker release [OPTIONS] <LEASE|TASK>

    Arguments:
      <LEASE|TASK>  The lease's id (l_…), or its task: an id (t_…), owner/name#12, or the address of its issue

    Options:
          --reason <REASON>  Reason, for the next holder
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp worker release acme/rocket#12
    "#);
    insta::assert_snapshot!(of("claim"), @r#"
    Claims a task

    Usage: owp worker claim [OPTIONS] <TASK>

    Arguments:
      <TASK>  The task: its id (t_…), owner/name#12, or the address of its issue

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Example:
      owp worker claim acme/rocket#12
    "#);
}

#[test]
fn shells_are_taught_the_words() {
    insta::assert_snapshot!(help(&["completions", "--help"]), @r#"
    Generates shell completions

    Usage: owp completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  Shell to generate completions for [possible values: bash, elvish, fish, powershell, zsh]

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Example:
      mkdir -p ~/.local/share/bash-completion/completions
      owp completions bash > ~/.local/share/bash-completion/completions/owp
    "#);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = help(&["completions", shell]);
        assert!(script.contains("simulate") && script.contains("release-on-exit"), "{shell}");
    }
    let unknown = owp(&["completions", "tcl"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    // bash reads its script without a complaint.
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(script.path(), help(&["completions", "bash"])).unwrap();
    let read = std::process::Command::new("bash").arg("-n").arg(script.path()).output().unwrap();
    assert!(read.status.success() && read.stderr.is_empty(), "{read:?}");
}
