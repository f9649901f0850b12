//! A runtime inside of the process, for the tests of plugins: it speaks what containerd and CRI-O speak, without them.
//!
//! ```
//! use landfall_stub::messages::{Container, PodSandbox};
//! use landfall_stub::testing::TestRuntime;
//! use landfall_stub::{Adjustment, Stub};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = TestRuntime::new();
//! let stub = Stub::builder("logger", 10)
//!     .on_create_container(async |_cx, _pod, _container| Ok(Adjustment::new().env("SEEN", "1")))
//!     .dialer(runtime.dialer())
//!     .build()?;
//!
//! stub.start().await?;
//! let plugin = runtime.next_plugin().await?;
//! let answer = plugin.create_container(PodSandbox::default(), Container::default()).await?;
//! assert_eq!(answer.adjust.expect("an adjustment").env[0].key, "SEEN");
//! assert!(stub.stop().await?.is_clean());
//! # Ok(()) }
//! ```

mod fault;
mod plugin;
mod runtime;
mod script;

pub use self::fault::{Direction, Fault, FaultKind};
pub use self::plugin::{RequestError, TestPlugin};
pub use self::runtime::TestRuntime;
pub use self::script::{ConfigureWhen, Registration, Script};
