//! The `owp-conformance` binary: the suite without the rest of OWP Pool. It only calls the library.

fn main() -> std::process::ExitCode {
    owp_conformance::cli::main()
}
