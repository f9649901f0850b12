//! What is tested with real programs: the command line.

mod command_line;
