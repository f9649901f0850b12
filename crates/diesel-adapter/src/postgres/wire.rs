//! The bytes of one connection, encrypted or not.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::ends::Ends;

/// What bytes go over.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A stream that ends its own side as soon as the connection is cut, and is still there when the protocol is done with:
/// so the server's end can be waited for. An encrypted one ends with the server's word, which it gives when the session
/// is gone.
pub(super) struct Wire {
    stream: Box<dyn Duplex>,
    ends: Arc<Ends>,
    is_shut: bool,
}

impl Wire {
    pub(super) fn new(stream: Box<dyn Duplex>, ends: Arc<Ends>) -> Self {
        Self { stream, ends, is_shut: false }
    }

    /// Says that nothing more will come, and reads until the server has ended too. By then its session is gone.
    pub(super) async fn goodbye(mut self) {
        // What fails here has ended already.
        if self.stream.shutdown().await.is_ok() {
            let mut rest = [0; 1_024];
            while self.stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.is_shut && self.ends.is_cut() {
            // What the server still sends is read, whether this fails or not.
            self.is_shut = Pin::new(&mut self.stream).poll_shutdown(cx).is_ready();
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.ends.read(read.is_pending());
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.ends.is_cut() {
            // Not even beside the end of an encrypted stream, which may have to wait.
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
