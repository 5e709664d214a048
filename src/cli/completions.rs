//! `owp completions`: prints a shell completion script.

use clap::{Args, Command};
use clap_complete::Shell;
use std::io::Write;
use std::process::ExitCode;

/// Arguments of `owp completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// Shell to generate completions for
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script; a closed stdout is not an error.
pub fn run(args: &CompletionsArgs, mut program: Command) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "owp", &mut script);
    drop(std::io::stdout().write_all(&script));
    ExitCode::SUCCESS
}
