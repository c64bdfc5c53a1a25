//! What an `hs2-node` promises, run as its users run it.
#![allow(clippy::unwrap_used)]

/// Exit codes, and the one line that says what to do.
mod command_line;
/// Ten thousand connections that do nothing, or never come to an end.
mod crowd;
/// A byte of a result file changes: that client is told, nobody gets a wrong row.
mod damage;
/// An administrator takes a version off the list: its nodes finish with their clients and end.
mod deregister;
/// What the bodies share.
mod fixture;
/// Garbage, lengths of 2 GiB and connections that say nothing.
mod hostile;
/// `kill -9`: the list forgets the node, clients do not notice.
mod kill;
/// Twenty million rows through half a gigabyte.
mod large_result;
/// What a killed node left on disk is gone after the next start.
mod leftovers;
/// Figures for whoever asks for them.
mod measure;
/// A query that wants more memory than there is fails, and the others do not notice.
mod memory;
/// ZooKeeper goes away, or the way to it.
mod outage;
/// The README's first command.
mod quickstart;
/// `hs2-node sql` without one: files, several statements, errors, variables.
mod script;
/// `hs2-node sql` at a terminal: editing, history, Ctrl-C, the progress bar, width.
mod shell;
/// SIGTERM: off the list at once, gone when the last client is.
mod terminate;
