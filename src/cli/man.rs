//! `owp man`: manual pages, generated from the help texts.

use super::failure::{Failure, finish, print_error};
use super::untrusted::visible_line;
use clap::{Args, Command};
use clap_mangen::Man;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Arguments of `owp man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Folder for the pages of all commands, such as ~/.local/share/man/man1; without it, the page of `owp` is printed
    folder: Option<PathBuf>,
}

/// Prints one page, or writes all of them.
pub fn run(args: &ManArgs, program: Command) -> ExitCode {
    let done = match &args.folder {
        None => print(program),
        Some(folder) => write(program, folder),
    };
    finish("owp man", done, false)
}

fn print(program: Command) -> Result<(), Failure> {
    let mut page = Vec::new();
    Man::new(program)
        .render(&mut page)
        .map_err(|error| Failure::failed(format!("The pages could not be generated: {error}.")))?;
    // A closed stdout is not an error.
    drop(std::io::stdout().write_all(&page));
    Ok(())
}

fn write(program: Command, folder: &Path) -> Result<(), Failure> {
    let shown = visible_line(&folder.display().to_string());
    std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(program, folder)).map_err(|error| {
        Failure::failed(format!("The pages cannot be written to {shown}: {error}."))
            .next("Name a folder that you can write to.")
    })?;
    print_error(&format!("owp man: the pages are in {shown}"));
    Ok(())
}
