//! Open descriptors, by `/proc/PID/fd`.

use std::fs;
use std::io;
use std::path::Path;

use super::{DescriptorSeen, SocketDescriptors};

/// The descriptors that are no sockets, and those that are, by the socket's inode.
pub(super) fn of(process: &Path) -> io::Result<(Vec<DescriptorSeen>, SocketDescriptors)> {
    let folder = process.join("fd");
    let numbers = numbers(&folder)?;
    let (mut descriptors, mut sockets) = (Vec::new(), SocketDescriptors::new());
    for number in numbers {
        let Ok(target) = fs::read_link(folder.join(number.to_string())) else { continue };
        let target = target.to_string_lossy().into_owned();
        match socket_inode(&target) {
            Some(inode) => sockets.entry(inode).or_default().push(number),
            None => descriptors.push(DescriptorSeen { number, target }),
        }
    }
    Ok((descriptors, sockets))
}

/// The numbers in the folder. The one that the folder was read through is among them, but it is closed when this
/// returns: it has no target any more, and so leaves by what it is and not by what it looks like.
fn numbers(folder: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

fn socket_inode(target: &str) -> Option<u64> {
    target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}
