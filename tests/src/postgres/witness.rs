//! A session that counts the others: blocking, and with nothing of what is judged in it. It is there before they go, for
//! a program that is only started then would come too late to see what is left.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::cluster::USER;

/// How long the server may take for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The server sends nothing longer to who only counts.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Version 3.0 of the protocol.
const PROTOCOL: u32 = 3 << 16;

/// A session on the server.
#[derive(Debug)]
pub struct Witness(TcpStream);

impl Witness {
    /// Begins one.
    ///
    /// # Errors
    ///
    /// What the system or the server says.
    pub fn on(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, ANSWER_MAX)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        let mut witness = Self(stream);
        let settings = format!("user\0{USER}\0database\0postgres\0application_name\0witness\0\0");
        witness.send(None, &[&PROTOCOL.to_be_bytes(), settings.as_bytes()].concat())?;
        witness.rows()?;
        Ok(witness)
    }

    /// How many sessions of clients there are beside its own.
    ///
    /// # Errors
    ///
    /// What the system or the server says.
    pub fn others(&mut self) -> io::Result<u64> {
        let query = "select count(*) from pg_stat_activity \
                     where backend_type = 'client backend' and pid <> pg_backend_pid()";
        let counted = self.query(query)?;
        counted.first().and_then(|count| count.parse().ok()).ok_or_else(|| invalid("no count"))
    }

    /// Runs a query, and gives the first column of its rows.
    ///
    /// # Errors
    ///
    /// What the system or the server says.
    pub fn query(&mut self, query: &str) -> io::Result<Vec<String>> {
        self.send(Some(b'Q'), format!("{query}\0").as_bytes())?;
        self.rows()
    }

    fn send(&mut self, kind: Option<u8>, body: &[u8]) -> io::Result<()> {
        let length = u32::try_from(body.len() + 4).map_err(|_| invalid("too long"))?;
        let message: Vec<u8> = kind.into_iter().chain(length.to_be_bytes()).chain(body.iter().copied()).collect();
        self.0.write_all(&message)
    }

    /// Reads until the server is ready for the next query.
    fn rows(&mut self) -> io::Result<Vec<String>> {
        let mut rows = Vec::new();
        let mut failure = None;
        loop {
            let mut head = [0; 5];
            self.0.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let mut body = vec![0; length.checked_sub(4).filter(|it| *it < MESSAGE_BYTES_MAX).ok_or_else(odd)?];
            self.0.read_exact(&mut body)?;
            match head[0] {
                b'D' => rows.push(first_column(&body).ok_or_else(odd)?),
                b'E' => {
                    let said = String::from_utf8_lossy(&body).replace('\0', " ");
                    let is_last = said.contains("FATAL");
                    failure = Some(io::Error::other(said));
                    if is_last {
                        break;
                    }
                }
                b'Z' => break,
                // Nobody wants to know the rest.
                _ => {}
            }
        }
        failure.map_or(Ok(rows), Err)
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        // The server notices also if it cannot be said.
        _ = self.send(Some(b'X'), &[]);
    }
}

/// Of a row: the number of columns, then each with its length.
fn first_column(row: &[u8]) -> Option<String> {
    let length = u32::from_be_bytes(row.get(2..6)?.try_into().ok()?) as usize;
    Some(String::from_utf8_lossy(row.get(6..6 + length)?).into_owned())
}

fn odd() -> io::Error {
    invalid("an odd message")
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the server sent {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_to_its_first_column_and_not_beyond_its_end() {
        assert_eq!(first_column(&[0, 1, 0, 0, 0, 2, b'4', b'2']).as_deref(), Some("42"));
        assert_eq!(first_column(&[0, 1, 0, 0, 0, 9, b'4', b'2']), None);
        assert_eq!(first_column(&[0]), None);
    }
}
