//! The `owp` binary. Everything lives in the library; this file only hands over the process.

fn main() -> std::process::ExitCode {
    owp::cli::main()
}
