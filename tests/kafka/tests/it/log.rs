//! A partition's log, with what a broker knows of its producers.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};

const OUT_OF_ORDER: i16 = 45;
/// How many batches of a producer a broker knows again.
const KNOWN: usize = 5;

#[derive(Debug, Default)]
pub(crate) struct Log {
    /// First and last offset of each batch, and its bytes.
    pub(crate) batches: Vec<(i64, i64, Bytes)>,
    /// What is before was deleted.
    pub(crate) start: i64,
    producers: BTreeMap<i64, VecDeque<(i32, i32, i64)>>,
    /// How many batches came that were there already.
    pub(crate) known_again: usize,
}

impl Log {
    pub(crate) fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, |(_, last, _)| last + 1)
    }

    /// Writes a batch unless it is there; gives its first offset.
    pub(crate) fn append(&mut self, batch: &Bytes) -> Result<i64, i16> {
        let count = i32::from_be_bytes(batch[57..61].try_into().unwrap());
        let producer = i64::from_be_bytes(batch[43..51].try_into().unwrap());
        let first = i32::from_be_bytes(batch[53..57].try_into().unwrap());
        let offset = self.end();
        let known = self.producers.entry(producer).or_default();
        if let Some((.., offset)) = known.iter().find(|batch| (batch.0, batch.1) == (first, count)) {
            self.known_again += 1;
            return Ok(*offset);
        }
        if let Some((before, length, _)) = known.back()
            && before + length != first
        {
            return Err(OUT_OF_ORDER);
        }
        known.push_back((first, count, offset));
        if known.len() > KNOWN {
            known.pop_front();
        }
        let mut stored = BytesMut::from(&batch[..]);
        stored[..8].copy_from_slice(&offset.to_be_bytes());
        self.batches.push((offset, offset + i64::from(count) - 1, stored.freeze()));
        Ok(offset)
    }

    /// Whole batches from the one on in which an offset lies: one at least, and no more than so many bytes.
    pub(crate) fn read(&self, from: i64, bytes_max: usize) -> Bytes {
        let mut read = BytesMut::new();
        for (_, _, batch) in self.batches.iter().filter(|(_, last, _)| *last >= from) {
            if !read.is_empty() && read.len() + batch.len() > bytes_max {
                break;
            }
            read.extend_from_slice(batch);
        }
        read.freeze()
    }

    /// Forgets what it knows of producers, as after a retention that is too short.
    pub(crate) fn forget_producers(&mut self) {
        for known in self.producers.values_mut() {
            known.clear();
            known.push_back((i32::MAX - 1, 1, -1));
        }
    }

    /// Deletes all that there is.
    pub(crate) fn delete(&mut self) {
        self.start = self.end();
        self.batches.clear();
    }

    /// Spoils the last byte of the last batch.
    pub(crate) fn corrupt(&mut self) {
        let (.., batch) = self.batches.last_mut().unwrap();
        let mut bad = BytesMut::from(&batch[..]);
        *bad.last_mut().unwrap() ^= 0xff;
        *batch = bad.freeze();
    }
}
