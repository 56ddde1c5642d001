//! The command-line program: hands over to the library's `cli`; no logic here.

use std::process::ExitCode;

fn main() -> ExitCode {
    deploy_tool::cli::main()
}
