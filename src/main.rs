//! The `owp` binary. It only calls the library.

fn main() -> std::process::ExitCode {
    owp::cli::main()
}
