//! What is new in one footprint against another.

use std::collections::HashSet;

use super::{DescriptorSeen, Footprint, ProcessSeen, SocketSeen, ThreadSeen};
use crate::leak_check::{Kind, Leak};

impl Footprint {
    /// What is held here and was not held `before`, by identity: a number that was used again for something else is
    /// new, and what was there before is not, however much of it has gone.
    ///
    /// A new socket is one item, whatever number of descriptors refers to it; a further descriptor of a socket that was
    /// there before is an item too.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<Leak> {
        let mut new = Vec::new();
        new.extend(unknown(&self.threads, &before.threads, |thread| (thread.id, thread.start)).map(Leak::from));
        new.extend(unknown(&self.descriptors, &before.descriptors, DescriptorSeen::identity).map(Leak::from));
        new.extend(unknown(&self.sockets, &before.sockets, |socket| socket.inode).map(Leak::from));
        for socket in &before.sockets {
            let further = self.sockets.iter().filter(|now| now.inode == socket.inode).flat_map(|now| &now.numbers);
            let further = further.filter(|number| !socket.numbers.contains(number));
            new.extend(further.map(|number| {
                let target = format!("socket:[{}]", socket.inode);
                Leak::from(&DescriptorSeen { number: *number, target })
            }));
        }
        new.extend(unknown(&self.children, &before.children, |child| (child.id, child.start)).map(Leak::from));
        new
    }
}

fn unknown<'a, T, K: Eq + std::hash::Hash>(
    now: &'a [T],
    before: &'a [T],
    identity: impl Fn(&'a T) -> K + 'a,
) -> impl Iterator<Item = &'a T> {
    let known: HashSet<K> = before.iter().map(&identity).collect();
    now.iter().filter(move |item| !known.contains(&identity(item)))
}

impl DescriptorSeen {
    fn identity(&self) -> (u32, &str) {
        (self.number, &self.target)
    }
}

impl From<&ThreadSeen> for Leak {
    fn from(thread: &ThreadSeen) -> Self {
        let detail = format!("thread {}, {}", thread.id, state(thread.state));
        Self::new(Kind::Thread, &*thread.name).aged(thread.age).with_detail(detail)
    }
}

impl From<&DescriptorSeen> for Leak {
    fn from(descriptor: &DescriptorSeen) -> Self {
        Self::new(Kind::Descriptor, &*descriptor.target).with_detail(format!("descriptor {}", descriptor.number))
    }
}

impl From<&SocketSeen> for Leak {
    fn from(socket: &SocketSeen) -> Self {
        let SocketSeen { inode, numbers, family, state, local, peer } = socket;
        let name = match (local.is_empty(), peer.is_empty()) {
            (true, _) => (*family).to_owned(),
            (false, true) => format!("{family} {local}"),
            (false, false) => format!("{family} {local} to {peer}"),
        };
        let numbers: Vec<_> = numbers.iter().map(u32::to_string).collect();
        let state = if state.is_empty() { String::new() } else { format!("{state}, ") };
        Self::new(Kind::Socket, name).with_detail(format!("{state}descriptor {}, inode {inode}", numbers.join(" and ")))
    }
}

impl From<&ProcessSeen> for Leak {
    fn from(child: &ProcessSeen) -> Self {
        let state = if child.is_zombie() { "has ended, nobody has waited for it" } else { state(child.state) };
        Self::new(Kind::ChildProcess, &*child.name)
            .aged(child.age)
            .with_detail(format!("process {}, {state}", child.id))
    }
}

fn state(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' | 'I' => "sleeping",
        'D' => "in the kernel, waiting",
        'T' | 't' => "stopped",
        'Z' => "ended",
        _ => "in an unknown state",
    }
}
