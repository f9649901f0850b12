//! The relay as a whole: in this process on a stack of the test, and as a program.

mod program;
mod relay;
