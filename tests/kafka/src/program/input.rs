//! Lines from standard input, by a thread that can be ended while it waits for one.

use std::io::ErrorKind;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, read};
use rustix::stdio::{stdin, stdout};
use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;

/// The bytes of a line at most.
const LINE_BYTES_MAX: usize = 1_000_000;
/// How long the thread does not look whether it is to end.
const TICK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A line, or why there is none.
pub(super) type Line = Result<Vec<u8>, TooLong>;

/// A line is longer than one may be.
#[derive(Debug, thiserror::Error)]
#[error("it has more than {LINE_BYTES_MAX} bytes")]
pub(super) struct TooLong;

/// Gives line after line until there are no more, nobody wants any, or the thread is to end; what it has read is given
/// before. Gives the number of lines that were read, the begun one included, and that nobody wanted.
pub(super) fn lines(stop: &CancellationToken, lines: &Sender<Line>) -> std::io::Result<usize> {
    let (mut chunk, mut splitter) = (vec![0; 64 * 1024], Splitter::default());
    loop {
        if !is_ready(stop, PollFlags::IN)? {
            return Ok(splitter.rest().into_iter().count());
        }
        let bytes = match read(stdin(), &mut chunk) {
            Ok(bytes) => bytes,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut found = Vec::new();
        splitter.take(&chunk[..bytes], &mut found);
        if bytes == 0 {
            found.extend(splitter.rest());
        }
        let mut found = found.into_iter();
        while let Some(line) = found.next() {
            // Whoever takes them goes soon after its own token, so this does not wait for ever.
            if lines.blocking_send(line).is_err() {
                return Ok(1 + found.len() + splitter.rest().into_iter().count());
            }
        }
        if bytes == 0 {
            return Ok(0);
        }
    }
}

/// Waits until standard input can be read, or standard output can be written; false if the thread is to end before.
pub(super) fn is_ready(stop: &CancellationToken, flags: PollFlags) -> std::io::Result<bool> {
    let (stdin, stdout) = (stdin(), stdout());
    loop {
        let mut at = [if flags == PollFlags::IN { PollFd::new(&stdin, flags) } else { PollFd::new(&stdout, flags) }];
        match poll(&mut at, Some(&TICK)) {
            Ok(0) if stop.is_cancelled() => return Ok(false),
            Ok(0) => {}
            Ok(_) => return Ok(flags != PollFlags::IN || !stop.is_cancelled()),
            Err(error) if std::io::Error::from(error).kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Cuts bytes into lines.
#[derive(Debug, Default)]
struct Splitter {
    line: Vec<u8>,
    /// The line is too long, and was told so: the rest of it is left out.
    is_skipping: bool,
}

impl Splitter {
    fn take(&mut self, bytes: &[u8], found: &mut Vec<Line>) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_whole) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            if !self.is_skipping && self.line.len() + text.len() > LINE_BYTES_MAX {
                found.push(Err(TooLong));
                self.line.clear();
                self.is_skipping = true;
            }
            if !self.is_skipping {
                self.line.extend_from_slice(text);
            }
            if is_whole && !std::mem::take(&mut self.is_skipping) {
                found.push(Ok(std::mem::take(&mut self.line)));
            }
        }
    }

    /// A last line that has no end.
    fn rest(&mut self) -> Option<Line> {
        (!self.line.is_empty()).then(|| Ok(std::mem::take(&mut self.line)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_and_those_that_are_too_long_are_told_once() {
        let (mut splitter, mut found) = (Splitter::default(), Vec::new());
        for bytes in [&b"a\nb"[..], b"c\n\n", &[b'x'; LINE_BYTES_MAX], b"y", b"z\nd\n", b"end"] {
            splitter.take(bytes, &mut found);
        }
        found.extend(splitter.rest());
        let shown: Vec<_> = found.iter().map(|line| line.as_deref().map_err(|_| ())).collect();
        assert_eq!(shown, [Ok(&b"a"[..]), Ok(b"bc"), Ok(b""), Err(()), Ok(b"d"), Ok(b"end")]);
    }
}
