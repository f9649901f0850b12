//! A client with one connection.

use std::io::{self, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use super::{read_body, read_head};

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
    /// Whether the connection ends with it.
    pub is_last: bool,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A connection, used for one request after another. After an error it is to be dropped.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects. The time bounds each step: the connect, each read, each write.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect(address: SocketAddr, step_timeout: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, step_timeout)?;
        stream.set_read_timeout(Some(step_timeout))?;
        stream.set_write_timeout(Some(step_timeout))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Asks without a body.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that can be read.
    pub fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: relay\r\n\r\n").as_bytes())
    }

    /// Sends a body of JSON.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that can be read. The request may have been done all the same.
    pub fn post(&mut self, path: &str, body: &[u8]) -> io::Result<Answer> {
        let length = body.len();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: relay\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Sends these bytes, whatever they are, and reads an answer.
    ///
    /// # Errors
    ///
    /// When there is no answer, or none that can be read.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<Answer> {
        // Whoever refuses a long body answers before it was read, and may close: the answer is what counts.
        let written = self.stream.get_mut().write_all(bytes);
        match self.read_answer() {
            Ok(answer) => Ok(answer),
            Err(error) => Err(written.err().unwrap_or(error)),
        }
    }

    fn read_answer(&mut self) -> io::Result<Answer> {
        let head = read_head(&mut self.stream)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let status = head.start.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "there is no status"))?;
        let body = read_body(&mut self.stream, &head)?;
        Ok(Answer { status, body, is_last: head.is_last() })
    }
}
