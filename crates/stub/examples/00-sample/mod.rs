//! What the samples have in common: the flags of Go's samples, how they serve, and how they rehearse without a runtime.

use std::error::Error;

use clap::Args;
use landfall_stub::testing::{TestPlugin, TestRuntime};
use landfall_stub::{Reconnect, Stub, StubBuilder};
use tokio_util::sync::CancellationToken;

pub(crate) type Done = Result<(), Box<dyn Error>>;

/// What every sample takes.
#[derive(Debug, Default, Args)]
pub(crate) struct Identity {
    /// Plugin index to register to NRI
    #[arg(long)]
    pub(crate) idx: Option<u8>,
    /// Plugin name to register to NRI
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Path of the NRI socket file
    #[arg(long)]
    pub(crate) socket_path: Option<String>,
}

impl Identity {
    /// Begins a stub: flags come first, then what a runtime says that launches the plugin.
    pub(crate) fn builder(&self, name: &str) -> StubBuilder {
        let name = self.name.as_deref().unwrap_or(name);
        let builder = Stub::builder(name, self.idx.unwrap_or(10)).reconnect(Reconnect::default());
        let builder = if std::env::var_os("NRI_PLUGIN_SOCKET").is_some() { builder.launched() } else { builder };
        match &self.socket_path {
            Some(path) => builder.socket_path(path),
            None => builder,
        }
    }
}

/// Whether the sample is to show what it does, since nobody says what runtime it is for.
pub(crate) fn is_rehearsal() -> bool {
    std::env::args_os().len() == 1 && std::env::var_os("NRI_PLUGIN_SOCKET").is_none()
}

/// Serves until Ctrl-C. A runtime that is not there, or is lost, is tried again; one that launched the plugin is not.
pub(crate) async fn serve(stub: &Stub) -> Done {
    let interrupted = tokio::signal::ctrl_c();
    let never = CancellationToken::new();
    tokio::select! {
        ended = stub.run(&never) => Ok(ended?),
        _ = interrupted => {
            println!("{}", stub.stop().await?);
            Ok(())
        }
    }
}

/// Starts a plugin on a runtime inside of the process.
pub(crate) async fn rehearse(
    builder: StubBuilder,
    runtime: &TestRuntime,
) -> Result<(Stub, TestPlugin), Box<dyn Error>> {
    let stub = builder.dialer(runtime.dialer()).build()?;
    stub.start().await?;
    let plugin = runtime.next_plugin().await?;
    println!("registered {}-{} for {}", plugin.index(), plugin.name(), plugin.events());
    Ok((stub, plugin))
}
