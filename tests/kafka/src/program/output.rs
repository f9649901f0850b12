//! Lines to standard output, by a thread that can be ended while nobody reads them.

use rustix::event::PollFlags;
use rustix::io::{Errno, write};
use rustix::stdio::stdout;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::input::is_ready;

/// A pipe that can be written to takes as much without waiting (POSIX: `PIPE_BUF` on Linux).
const PIECE: usize = 4_096;

/// Writes line after line until nobody gives any more; asked to end, as long as somebody reads them.
pub(super) fn write_lines(stop: &CancellationToken, lines: &mut Receiver<Vec<u8>>) -> std::io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        let mut rest = &line[..];
        while !rest.is_empty() {
            if !is_ready(stop, PollFlags::OUT)? {
                return Ok(());
            }
            match write(stdout(), &rest[..rest.len().min(PIECE)]) {
                Ok(written) => rest = &rest[written..],
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}
