//! Examples at the end of each command's help.

use clap::Command;

/// The end of the program's help: first steps and further reading.
#[cfg(feature = "sandbox")]
const MORE: &str = "\
Begin with `owp demo`, which needs no account and no network. `owp COMMAND --help` shows examples.
Documentation: README.md and the folder docs/ of the source; every pool shows its API at /docs.";
#[cfg(not(feature = "sandbox"))]
const MORE: &str = "\
`owp COMMAND --help` shows examples.
Documentation: README.md and the folder docs/ of the source; every pool shows its API at /docs.";

/// The examples, by command name.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("serve", &["owp serve", "owp serve --listen 127.0.0.1:8080 --database postgres://owp@localhost/owp"]),
    ("sandbox", &["owp sandbox --webhook-url http://127.0.0.1:8787/github/webhooks"]),
    ("demo", &["owp demo", "owp demo --exit-after-merged 3"]),
    #[cfg(feature = "simulation")]
    ("simulate", &["owp simulate --seeds 1000", "owp simulate --plant list"]),
    ("policy check", &["owp policy check", "owp policy check policy.yml --json"]),
    ("policy simulate", &["owp policy simulate acme/rocket --policy policy.yml"]),
    ("policy schema", &["owp policy schema"]),
    ("admin init-repo", &["owp admin init-repo acme/rocket --max-open-prs 3"]),
    ("admin remove-repo", &["owp admin remove-repo acme/rocket"]),
    ("admin add-task", &["owp admin add-task acme/rocket \"Parse dates\" --skills rust --estimate 3"]),
    ("admin import-tasks", &["owp admin import-tasks tasks.yaml --dry-run"]),
    ("admin import-github-issues", &["owp admin import-github-issues acme/rocket --label \"help wanted\" --dry-run"]),
    ("admin state", &["owp admin state"]),
    ("admin tasks", &["owp admin tasks --repo acme/rocket", "owp admin tasks --state blocked --json"]),
    ("admin workers", &["owp admin workers"]),
    ("admin events", &["owp admin events --repo acme/rocket --kind 'lease.*' --follow"]),
    ("admin why", &["owp admin why acme/rocket#12"]),
    ("admin revoke", &["owp admin revoke l_06bg3qk4c5v2j0 --reason \"no sign of work\""]),
    ("admin close", &["owp admin close t_06bg3qk4c5v2j0 --reason \"done elsewhere\""]),
    ("admin reopen", &["owp admin reopen t_06bg3qk4c5v2j0"]),
    ("admin trust", &["owp admin trust acme/rocket octocat 2"]),
    ("admin pause", &["owp admin pause acme/rocket --for 2h --reason \"release day\""]),
    ("admin resume", &["owp admin resume acme/rocket"]),
    ("admin policy show", &["owp admin policy show acme/rocket"]),
    (
        "admin policy set",
        &["owp admin policy set acme/rocket policy.yml", "owp admin policy set acme/rocket --defaults"],
    ),
    ("admin audit export", &["owp admin audit export --repo acme/rocket rocket.ndjson"]),
    ("admin audit verify", &["owp admin audit verify --repo acme/rocket"]),
    ("admin comments", &["owp admin comments"]),
    ("admin comments retry", &["owp admin comments retry acme/rocket 12 notes", "owp admin comments retry --all"]),
    ("doctor", &["owp doctor", "owp doctor --json"]),
    ("conformance", &["owp conformance --server http://127.0.0.1:8787 --html report.html"]),
    ("healthcheck", &["owp healthcheck --server https://pool.example.org"]),
    ("worker register", &["owp worker register --server https://pool.example.org --github ada --skills rust,sql"]),
    ("worker run", &["owp worker run", "owp worker run --agent claude --max-tasks 3 --until 17:00"]),
    ("worker do", &["owp worker do next --agent claude", "owp worker do acme/rocket#12 --agent codex --allow edits"]),
    ("worker revise", &["owp worker revise acme/rocket#12"]),
    ("worker agents", &["owp worker agents", "owp worker agents claude"]),
    ("worker clean", &["owp worker clean --dry-run", "owp worker clean"]),
    ("worker simulate", &["owp worker simulate --register --once --merge"]),
    ("worker list", &["owp worker list", "owp worker list --explain"]),
    ("worker tasks", &["owp worker tasks --repo acme/rocket --skill rust"]),
    ("worker show", &["owp worker show acme/rocket#12"]),
    ("worker why", &["owp worker why acme/rocket#12"]),
    (
        "worker report",
        &[
            "owp worker report t_06bg3qk4c5v2j0 pr_opened --pr-url https://github.com/acme/rocket/pull/23",
            "owp worker report t_06bg3qk4c5v2j0 blocked --message \"needs a decision\"",
        ],
    ),
    ("worker ack", &["owp worker ack l_06bg3qk4c5v2j0"]),
    ("worker nack", &["owp worker nack l_06bg3qk4c5v2j0 --reason \"not my field\""]),
    ("worker release", &["owp worker release acme/rocket#12"]),
    ("worker claim", &["owp worker claim acme/rocket#12"]),
    ("worker whoami", &["owp worker whoami"]),
    ("worker set", &["owp worker set --add-skill docs --concurrent 2"]),
    ("worker link", &["owp worker link ada"]),
    ("worker pause", &["owp worker pause"]),
    ("worker resume", &["owp worker resume"]),
    ("worker token rotate", &["owp worker token rotate"]),
    ("worker leave", &["owp worker leave"]),
    ("worker confirm", &["owp worker confirm M5IJPSOQXGUG"]),
    ("mcp", &["owp mcp", "owp mcp --server https://pool.example.org"]),
    (
        "completions",
        &[
            "mkdir -p ~/.local/share/bash-completion/completions",
            "owp completions bash > ~/.local/share/bash-completion/completions/owp",
        ],
    ),
    ("man", &["owp man ~/.local/share/man/man1"]),
];

/// Adds the examples to the help of each command.
pub(super) fn with_examples(mut program: Command) -> Command {
    program = program.after_help(MORE);
    for (path, lines) in EXAMPLES {
        let names: Vec<&str> = path.split(' ').collect();
        // A build without the sandbox feature lacks `sandbox` and `demo`.
        if program.find_subcommand(names[0]).is_some() {
            program = add(program, &names, lines);
        }
    }
    program
}

fn add(command: Command, path: &[&str], lines: &[&str]) -> Command {
    match path.split_first() {
        Some((name, rest)) => command.mut_subcommand(*name, |below| add(below, rest, lines)),
        None => {
            let before = command.get_after_help().map_or_else(String::new, |text| format!("\n\n{text}"));
            let is_one = lines.iter().filter(|line| line.starts_with("owp ")).count() == 1;
            let heading = if is_one { "Example:" } else { "Examples:" };
            let text = format!("{heading}\n  {}{before}", lines.join("\n  "));
            command.after_help(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// Splits a line into words like a shell, without output redirection.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quote, mut word) = (Vec::new(), None, String::new());
        for c in line.split(" > ").next().unwrap().chars() {
            match (c, quote) {
                ('"' | '\'', None) => quote = Some(c),
                (c, Some(open)) if c == open => quote = None,
                (' ', None) => words.push(std::mem::take(&mut word)),
                (c, _) => word.push(c),
            }
        }
        words.push(word);
        words
    }

    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
            let path = format!("{path} {}", below.get_name()).trim().to_owned();
            if !below.has_subcommands() || !below.is_subcommand_required_set() && path.ends_with("comments") {
                found.push(path.clone());
            }
            leaves(below, &path, found);
        }
    }

    #[test]
    fn every_command_has_an_example_and_every_example_is_understood() {
        let program = with_examples(crate::cli::Cli::command());
        let mut found = Vec::new();
        leaves(&program, "", &mut found);
        let mut shown: Vec<String> = EXAMPLES.iter().map(|(path, _)| (*path).to_owned()).collect();
        found.sort();
        shown.sort();
        assert_eq!(found, shown);
        for (path, lines) in EXAMPLES {
            for line in lines.iter().filter(|line| !line.starts_with("mkdir -p ")) {
                assert!(line.starts_with(&format!("owp {path}")), "{line}");
                let read = program.clone().try_get_matches_from(words(line));
                assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
            }
        }
    }

    #[test]
    fn a_folder_that_an_example_writes_to_is_made_before() {
        for (path, lines) in EXAMPLES {
            for (at, line) in lines.iter().enumerate() {
                let written = line.split_once(" > ").and_then(|(_, file)| file.rsplit_once('/'));
                let is_made = |folder: &str| lines[..at].contains(&format!("mkdir -p {folder}").as_str());
                assert!(written.is_none_or(|(folder, _)| is_made(folder)), "{path}: {line}");
            }
        }
    }
}
