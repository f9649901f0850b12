//! What is tested with real programs: the command line, and the ban on spawning as clippy enforces it.

mod command_line;
mod spawn_ban;
