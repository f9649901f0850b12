//! Reading messages. What a peer sends is bounded before it is kept.

use std::io::{self, BufRead, Read};

/// The longest head that is read.
const HEAD_BYTES_MAX: u64 = 65_536;
/// The longest body that is read.
const BODY_BYTES_MAX: u64 = 1_048_576;

/// The first line and the headers of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The request line or the status line.
    pub start: String,
    headers: Vec<(String, String)>,
}

impl Head {
    /// The value of a header; names are compared without regard to case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the connection ends with this message.
    pub fn is_last(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Reads a head; `None` if the stream ends before one begins.
///
/// # Errors
///
/// What the stream says, and [`io::ErrorKind::InvalidData`] for what is not a head, or too long.
pub fn read_head(stream: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut stream = stream.take(HEAD_BYTES_MAX);
    let Some(start) = read_line(&mut stream)? else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = read_line(&mut stream)?.ok_or_else(|| invalid("the head does not end"))?;
        if line.is_empty() {
            return Ok(Some(Head { start, headers }));
        }
        let (name, value) = line.split_once(':').ok_or_else(|| invalid("a header has no colon"))?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// Reads the body that follows a head.
///
/// # Errors
///
/// What the stream says, and [`io::ErrorKind::InvalidData`] for a body without a length, or with a huge one.
pub fn read_body(stream: &mut impl Read, head: &Head) -> io::Result<Vec<u8>> {
    if head.header("transfer-encoding").is_some() {
        return Err(invalid("the body has no length"));
    }
    let length = head.header("content-length").unwrap_or("0");
    let length: u64 = length.parse().map_err(|_| invalid("the length of the body is not a number"))?;
    if length > BODY_BYTES_MAX {
        return Err(invalid("the body is too long"));
    }
    let mut body = Vec::new();
    stream.take(length).read_to_end(&mut body)?;
    if u64::try_from(body.len()).ok() != Some(length) {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(body)
}

fn read_line(stream: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(invalid("a line does not end"));
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    String::from_utf8(line).map(Some).map_err(|_| invalid("a line is not text"))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_refused(message: &str) {
        let mut stream = message.as_bytes();
        let read = read_head(&mut stream).and_then(|head| read_body(&mut stream, &head.expect("there is a head")));
        assert!(read.is_err(), "{message:?}");
    }

    #[test]
    fn a_message_is_read_up_to_its_end() {
        let mut stream = &b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nokHTTP/1.1"[..];
        let head = read_head(&mut stream).expect("a head").expect("a head");
        assert_eq!(head.start, "HTTP/1.1 202 Accepted");
        assert_eq!(head.header("content-length"), Some("2"));
        assert!(head.is_last());
        assert_eq!(read_body(&mut stream, &head).expect("a body"), b"ok");
        assert_eq!(stream, b"HTTP/1.1");
    }

    #[test]
    fn the_end_between_messages_is_none() {
        assert_eq!(read_head(&mut &b""[..]).expect("an end"), None);
    }

    #[test]
    fn what_is_not_whole_or_not_bounded_is_refused() {
        check_refused("GET / HTTP/1.1\r\n");
        check_refused("GET / HTTP/1.1");
        check_refused("GET / HTTP/1.1\r\nno colon\r\n\r\n");
        check_refused("GET / HTTP/1.1\r\ncontent-length: 5\r\n\r\nabc");
        check_refused("GET / HTTP/1.1\r\ncontent-length: -5\r\n\r\nabc");
        check_refused("GET / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\nabc");
        check_refused("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
        check_refused(&format!("GET / HTTP/1.1\r\nlong: {}\r\n\r\n", "x".repeat(70_000)));
    }
}
