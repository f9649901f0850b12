//! The runtime side of NRI, NRI's own adaptation in Go, and what plugins do against it: on Go's stub, and on ours.

mod known;
mod ours;
mod peer;
mod scenarios;
mod script;
mod wishes;
mod world;

pub use self::known::Known;
pub use self::ours::{is_launched, serve};
pub use self::peer::Trouble;
pub use self::scenarios::{names, run};
pub use self::world::Side;
