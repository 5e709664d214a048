//! `owp completions`: prints a script that lets a shell complete this program's words.

use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// For which shell.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell that will read it
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script; a reader that went away is no failure.
pub fn run(args: &CompletionsArgs, mut program: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "owp", &mut script);
    drop(std::io::stdout().write_all(&script));
    ExitCode::SUCCESS
}
