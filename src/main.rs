//! The command-line program: hands over to the library.

fn main() {}
