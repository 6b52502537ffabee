//! The `logwright` program: everything is in the library.

fn main() -> std::process::ExitCode {
    logwright::cli::main()
}
