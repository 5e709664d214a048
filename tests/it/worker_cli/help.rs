//! What every command says of itself.

use crate::support::program::{self, owp};

fn help(args: &[&str]) -> String {
    let output = owp(args).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What every command can be told, at the end of its help.
const OF_EVERY_COMMAND: &str = "
Options of every command:
      --server <URL>  Where the pool is, such as https://pool.example.org
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
    Takes tasks from a pool, reports how they go, gives them back: for contributors

    Usage: owp worker [OPTIONS] <COMMAND>

    Commands:
      register  Registers a worker with a pool and keeps its token here
      run       Asks for work until Ctrl-C, and shows what the worker holds
      simulate  Works through tasks without doing anything: for trying out a pool
      list      Asks for work once, and lists what the worker holds
      tasks     Lists the tasks of the pool
      show      Shows a task: its description, issue, deadline, branch and commands
      why       Explains why you cannot have a task now
      report    Reports how a task goes
      ack       Accepts an offer
      nack      Declines an offer or a task; it is not offered again for a while
      release   Gives a task back
      claim     Asks for one task
      whoami    Shows the worker as the pool sees it
      set       Changes what the worker says of itself
      link      Ties the worker to a GitHub account: says which comment proves it
      pause     Stops new tasks from coming; what is held stays
      resume    Lets new tasks come again
      token     Replaces the worker's token
      leave     Leaves the pool: gives back what is held, and forgets the worker here
      confirm   Links another of your machines, by the code it shows: run it where the worker is linked already
      help      Print this message or the help of the given subcommand(s)

    Options:
          --no-color  Prints no colours; NO_COLOR does the same
      -h, --help      Print help

    Options of every command:
          --server <URL>  Where the pool is, such as https://pool.example.org
          --json          Prints the answer as JSON

    Which pool: --server, else OWP_SERVER, else the one registered with last, else the one on this machine.
    As whom:    OWP_WORKER_TOKEN or the file OWP_WORKER_TOKEN_FILE, else the worker kept here for that pool.
                Such a token goes to --server, OWP_SERVER or the pool on this machine, never to one kept here.
    Exit codes: 0 done, 1 failed or refused, 2 asked wrongly, 4 no access.
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
          --name <NAME>         What the worker calls itself, for everybody to read; this machine's name when it is a simple one
          --skills <SKILLS>     What it can do, such as rust,sql
          --github <LOGIN>      The GitHub account of the person behind it, who then proves it by a comment
          --capacity <POINTS>   Points it can hold at once [default: 5]
          --concurrent <TASKS>  Tasks it can hold at once [default: 1]
          --again               Registers a new worker in the place of the one that is kept for this pool
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
    Changes what the worker says of itself

    Usage: owp worker set [OPTIONS] <--name <NAME>|--skills <SKILLS>|--add-skill <SKILL>|--remove-skill <SKILL>|--capacity <POINTS>|--concurrent <TASKS>>

    Options:
          --name <NAME>           What it calls itself, for everybody to read
          --skills <SKILLS>       All it can do, such as rust,sql, in the place of what it said before; '' for nothing
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
    Ties the worker to a GitHub account: says which comment proves it

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
fn asking_for_work() {
    insta::assert_snapshot!(of("run"), @r#"
    Asks for work until Ctrl-C, and shows what the worker holds

    Usage: owp worker run [OPTIONS]

    Options:
          --release-on-exit  Gives back what it holds at the end, without asking
          --keep-on-exit     Keeps what it holds at the end, without asking; this is so anyway where nobody can be asked
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp worker run
    "#);
    insta::assert_snapshot!(of("simulate"), @r#"
    Works through tasks without doing anything: for trying out a pool

    Usage: owp worker simulate [OPTIONS]

    Options:
          --register         Registers a worker for this once, which leaves the pool at the end
          --once             Ends when there is nothing more to be had right now
          --merge            Says merged, too, as a maintainer would
          --name <NAME>      What the worker calls itself [default: "simulated worker"]
          --skills <SKILLS>  What it can do, such as rust,sql
          --work-for <SPAN>  How long it pretends to work on a task, such as 1s or 2min [default: 1s]
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp worker simulate --register --once --merge
    "#);
    insta::assert_snapshot!(of("list"), @r#"
    Asks for work once, and lists what the worker holds

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
    Reports how a task goes

    Usage: owp worker report [OPTIONS] <TASK> <STATE>

    Arguments:
      <TASK>
              The task: its id (t_…), owner/name#12, or the address of its issue

      <STATE>
              How it goes

              Possible values:
              - in_progress: Work has begun, or goes on
              - blocked:     Something stands in the way
              - pr_opened:   A pull request answers it
              - merged:      It is done

    Options:
      -m, --message <MESSAGE>
              More of it, in words; what stands in the way of a blocked one

          --pr-url <URL>
              Where the pull request is

          --commit <SHA>
              The commit that holds the work

          --no-color
              Prints no colours; NO_COLOR does the same

      -h, --help
              Print help (see a summary with '-h')

    Options of every command:
          --server <URL>
              Where the pool is, such as https://pool.example.org

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
          --reason <REASON>  Why, for whoever takes it next
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
          --reason <REASON>  Why, for whoever takes it next
          --no-color         Prints no colours; NO_COLOR does the same
      -h, --help             Print help

    Example:
      owp worker release acme/rocket#12
    "#);
    insta::assert_snapshot!(of("claim"), @r#"
    Asks for one task

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
      <SHELL>  The shell that will read it [possible values: bash, elvish, fish, powershell, zsh]

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
