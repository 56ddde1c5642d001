//! The command line: arguments, words, JSON, progress, exit status. The only room that knows the terminal, the
//! environment and the clock.

#[allow(dead_code)]
mod explain;
#[allow(dead_code)]
mod words;
