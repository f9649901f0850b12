//! What the kernel's tables say of a process's sockets, by `/proc/PID/net`.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::{SocketDescriptors, SocketSeen};

/// How a row of a table is read.
type Row = fn(&str, &'static str) -> Option<SocketSeen>;

/// The tables, each of the network namespace that the process is in: whose a row is, only its inode tells.
const TABLES: &[(&str, &str, Row)] = &[
    ("net/tcp", "tcp", inet),
    ("net/tcp6", "tcp6", inet),
    ("net/udp", "udp", inet),
    ("net/udp6", "udp6", inet),
    ("net/unix", "unix", unix),
];

/// Names the sockets that descriptors were found for. One that no table has is of another family, or is neither bound
/// nor connected.
pub(super) fn named(process: &Path, mut held: SocketDescriptors) -> Vec<SocketSeen> {
    let mut sockets = Vec::with_capacity(held.len());
    for (path, family, row) in TABLES {
        if held.is_empty() {
            break;
        }
        // A table that is not there has no rows: IPv6 may be off, and a zombie has no network.
        let Ok(table) = fs::read(process.join(path)) else { continue };
        for line in String::from_utf8_lossy(&table).lines().skip(1) {
            let Some(socket) = row(line, family) else { continue };
            if let Some(numbers) = held.remove(&socket.inode) {
                sockets.push(SocketSeen { numbers, ..socket });
            }
        }
    }
    sockets.extend(held.into_iter().map(|(inode, numbers)| SocketSeen { numbers, ..blank(inode, "socket") }));
    sockets.sort_by_key(|socket| socket.numbers.first().copied());
    sockets
}

fn blank(inode: u64, family: &'static str) -> SocketSeen {
    SocketSeen { inode, numbers: Vec::new(), family, state: "", local: String::new(), peer: String::new() }
}

/// `sl local_address rem_address st … inode …`
fn inet(line: &str, family: &'static str) -> Option<SocketSeen> {
    let mut fields = line.split_ascii_whitespace();
    let (local, peer, state) = (fields.nth(1)?, fields.next()?, fields.next()?);
    let socket = blank(fields.nth(5)?.parse().ok()?, family);
    let peer = address(peer)?;
    let is_connected = peer.port() != 0;
    // The kernel has datagram sockets in the states of TCP's table, where they mean nothing but connected or not.
    let state = if family.starts_with("tcp") { state_name(state) } else { "" };
    let peer = if is_connected { peer.to_string() } else { String::new() };
    Some(SocketSeen { state, local: address(local)?.to_string(), peer, ..socket })
}

/// `Num RefCount Protocol Flags Type St Inode Path`
fn unix(line: &str, family: &'static str) -> Option<SocketSeen> {
    /// The flag of a socket that accepts connections.
    const ACCEPTS: u32 = 1 << 16;
    let mut fields = line.split_ascii_whitespace();
    let flags = u32::from_str_radix(fields.nth(3)?, 16).ok()?;
    let (state, inode) = (fields.nth(1)?, fields.next()?);
    let socket = blank(inode.parse().ok()?, family);
    // A path may hold spaces, so it is the rest of the line.
    let path = line.split_once(&format!(" {inode} ")).map(|(_, path)| path.to_owned());
    let state = match state {
        _ if flags & ACCEPTS != 0 => "LISTEN",
        "03" => "ESTABLISHED",
        _ => "",
    };
    Some(SocketSeen { state, local: path.unwrap_or_default(), ..socket })
}

/// `0100007F:1F90`: each group of four bytes as a number of the machine's own byte order, then the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(group(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&group(index * 8)?);
            }
            Ipv6Addr::from(bytes).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn state_name(code: &str) -> &'static str {
    match code {
        "01" => "ESTABLISHED",
        "02" => "SYN_SENT",
        "03" => "SYN_RECV",
        "04" => "FIN_WAIT1",
        "05" => "FIN_WAIT2",
        "06" => "TIME_WAIT",
        "07" => "CLOSE",
        "08" => "CLOSE_WAIT",
        "09" => "LAST_ACK",
        "0A" => "LISTEN",
        "0B" => "CLOSING",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_tcp_and_udp() {
        let line = "   2: 0100007F:D35C 0100007F:C05F 08 00000000:00000001 00:00000000 00000000     0        0 3144785 3 \
                    000000004b5329b5 20 0 1 10 -1";
        let socket = inet(line, "tcp").unwrap();
        assert_eq!((socket.inode, socket.state), (3_144_785, "CLOSE_WAIT"));
        if cfg!(target_endian = "little") {
            assert_eq!((&*socket.local, &*socket.peer), ("127.0.0.1:54108", "127.0.0.1:49247"));
        }
        let line =
            "14931: 0100007F:DE37 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 3144788 2 0 0";
        let socket = inet(line, "udp").unwrap();
        assert_eq!((socket.inode, socket.state, &*socket.peer), (3_144_788, "", ""));
    }

    #[test]
    fn addresses_of_both_families() {
        if cfg!(target_endian = "little") {
            assert_eq!(address("00000000000000000000000001000000:1F90").unwrap().to_string(), "[::1]:8080");
            assert_eq!(address("0100007F:0050").unwrap().to_string(), "127.0.0.1:80");
        }
        for text in ["", "0100007F", "0100007F:zz", "01:0050", "é00007F:0050"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn rows_of_unix_sockets() {
        let line = "000000009ccb9ac5: 00000002 00000000 00010000 0001 01 3144787 /run/a b.sock";
        let socket = unix(line, "unix").unwrap();
        assert_eq!((socket.inode, socket.state, &*socket.local), (3_144_787, "LISTEN", "/run/a b.sock"));
        let line = "00000000f73bc75b: 00000003 00000000 00000000 0001 03  1362";
        let socket = unix(line, "unix").unwrap();
        assert_eq!((socket.inode, socket.state, &*socket.local), (1_362, "ESTABLISHED", ""));
    }
}
