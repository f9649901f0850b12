//! The engine is tested without a runtime: in a small world whose children do as the test says.

mod audit;
mod auto_shutdown;
mod calls;
mod cases;
mod delays;
mod dynamic;
mod faults;
mod intensity;
mod limits;
mod model;
mod properties;
mod queue;
mod restart_types;
mod starts;
mod stops;
mod strategies;
mod stuck;
mod table;
mod world;
