//! Batches of records: written by the codec, read here.
//!
//! The codec's reader is not for what comes from a peer: it reserves room for as many records as a batch claims, and takes
//! a batch that the broker cut off at the end of an answer, as it may, for an error.

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, NO_PARTITION_LEADER_EPOCH, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType,
};

use crate::message::{Fetched, Message};

/// Offset and length of a batch, which its length does not count.
const HEAD: usize = 12;
/// The rest in front of the records, which its length counts.
const HEADER: usize = 49;
/// From where on the checksum counts: behind epoch, version and itself.
const CHECKED: usize = 9;
const VERSION: i8 = 2;
const COMPRESSION: i16 = 0b111;
const CONTROL: i16 = 0b10_0000;

/// By whom a batch is, and which number its first record has, so that the broker knows it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) producer: i64,
    pub(crate) epoch: i16,
    pub(crate) sequence: i32,
}

/// A batch cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BatchError {
    /// Its checksum is not that of its bytes.
    #[error("its checksum is {said:08x}, and that of its bytes {found:08x}")]
    Checksum {
        /// What it says.
        said: u32,
        /// What it is.
        found: u32,
    },
    /// It is compressed, which is not read here.
    #[error("it is compressed by {codec}, which this client does not read")]
    Compressed {
        /// By what.
        codec: &'static str,
    },
    /// It is of another version.
    #[error("it is of version {version}, and only version 2 is read")]
    Version {
        /// Which.
        version: i8,
    },
    /// It does not hold what it says.
    #[error("it is malformed: {what}")]
    Malformed {
        /// How.
        what: &'static str,
    },
}

/// What an answer holds, from an offset on.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Batches {
    pub(crate) records: Vec<Fetched>,
    /// The offset after all that was read, records or not.
    pub(crate) next: i64,
    /// The batch at which reading ended, if it cannot be read.
    pub(crate) corrupt: Option<(i64, BatchError)>,
}

/// Writes the messages as one batch.
pub(crate) fn encode(messages: &[&Message], origin: Origin) -> Result<Bytes, String> {
    let records = (0_i32..).zip(messages).map(|(number, message)| Record {
        transactional: false,
        control: false,
        partition_leader_epoch: NO_PARTITION_LEADER_EPOCH,
        producer_id: origin.producer,
        producer_epoch: origin.epoch,
        timestamp_type: TimestampType::Creation,
        offset: i64::from(number),
        sequence: origin.sequence.wrapping_add(number),
        timestamp: message.timestamp_ms,
        key: message.key.clone(),
        value: Some(message.value.clone()),
        headers: Default::default(),
        delete_horizon: false,
    });
    let records: Vec<_> = records.collect();
    let options = RecordEncodeOptions { version: VERSION, compression: Compression::None };
    let mut bytes = BytesMut::new();
    RecordBatchEncoder::encode(&mut bytes, &records, &options).map_err(|error| error.to_string())?;
    Ok(bytes.freeze())
}

/// Reads all whole batches from an offset on; what was cut off at the end comes again.
pub(crate) fn decode(mut bytes: Bytes, from: i64) -> Batches {
    let mut batches = Batches { next: from, ..Batches::default() };
    let is_nothing = bytes.is_empty();
    while bytes.len() >= HEAD {
        let (first, length) = (bytes.get_i64(), bytes.get_i32());
        let Ok(length) = usize::try_from(length) else {
            batches.corrupt = Some((first, BatchError::Malformed { what: "its length is negative" }));
            break;
        };
        if bytes.len() < length {
            break;
        }
        let before = batches.records.len();
        if let Err(error) = read(bytes.split_to(length), first, &mut batches) {
            batches.records.truncate(before);
            batches.corrupt = Some((first, error));
            break;
        }
    }
    // A broker gives one batch whole, however large: asking again would give the same.
    if !is_nothing && batches.next == from && batches.corrupt.is_none() {
        batches.corrupt = Some((from, BatchError::Malformed { what: "nothing whole came from that offset on" }));
    }
    batches
}

fn read(mut batch: Bytes, first: i64, batches: &mut Batches) -> Result<(), BatchError> {
    const SHORT: BatchError = BatchError::Malformed { what: "its header is cut off" };
    let version = *batch.get(4).ok_or(SHORT)? as i8;
    if version != VERSION {
        return Err(BatchError::Version { version });
    }
    if batch.len() < HEADER {
        return Err(SHORT);
    }
    let found = crc32c::crc32c(&batch[CHECKED..]);
    batch.advance(5);
    let said = batch.get_u32();
    if said != found {
        return Err(BatchError::Checksum { said, found });
    }
    let attributes = batch.get_i16();
    let next = add(first, i64::from(batch.get_i32()) + 1)?;
    let timestamp = batch.get_i64();
    // Last time, producer, epoch, sequence: of no interest to a reader of what is committed.
    batch.advance(8 + 8 + 2 + 4);
    let count = batch.get_i32();
    if attributes & CONTROL == 0 {
        let codec = match attributes & COMPRESSION {
            0 => None,
            1 => Some("gzip"),
            2 => Some("snappy"),
            3 => Some("lz4"),
            4 => Some("zstd"),
            _ => Some("an unknown codec"),
        };
        if let Some(codec) = codec {
            return Err(BatchError::Compressed { codec });
        }
        let mut least = first;
        for _ in 0..count {
            let record = record(&mut batch, first, timestamp)?;
            if !(least..next).contains(&record.offset) {
                return Err(BatchError::Malformed { what: "a record's offset is not in its place" });
            }
            least = record.offset + 1;
            // A broker gives whole batches, also those that begin before what was asked for.
            if record.offset >= batches.next {
                batches.records.push(record);
            }
        }
    }
    batches.next = batches.next.max(next);
    Ok(())
}

fn record(batch: &mut Bytes, first: i64, timestamp: i64) -> Result<Fetched, BatchError> {
    const SHORT: BatchError = BatchError::Malformed { what: "a record is cut off" };
    let length = usize::try_from(varint(batch)?).map_err(|_| SHORT)?;
    if batch.len() < length {
        return Err(SHORT);
    }
    let mut record = batch.split_to(length);
    if record.is_empty() {
        return Err(SHORT);
    }
    record.advance(1);
    let timestamp_ms = add(timestamp, varint(&mut record)?)?;
    let offset = add(first, varint(&mut record)?)?;
    let key = nullable(&mut record)?;
    let value = nullable(&mut record)?;
    // Headers are not shown, and lie at the end.
    Ok(Fetched { offset, timestamp_ms, key, value })
}

fn nullable(record: &mut Bytes) -> Result<Option<Bytes>, BatchError> {
    let length = varint(record)?;
    if length == -1 {
        return Ok(None);
    }
    let length = usize::try_from(length).ok().filter(|length| *length <= record.len());
    let length = length.ok_or(BatchError::Malformed { what: "a key or a value is cut off" })?;
    Ok(Some(record.split_to(length)))
}

fn add(base: i64, delta: i64) -> Result<i64, BatchError> {
    base.checked_add(delta).ok_or(BatchError::Malformed { what: "an offset or a time is out of range" })
}

fn varint(bytes: &mut Bytes) -> Result<i64, BatchError> {
    let mut value = 0_u64;
    for shift in (0..70).step_by(7) {
        if bytes.is_empty() {
            return Err(BatchError::Malformed { what: "a number is cut off" });
        }
        let byte = bytes.get_u8();
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            // Zigzag: the lowest bit is the sign.
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err(BatchError::Malformed { what: "a number is too long" })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin = Origin { producer: 7, epoch: 1, sequence: 100 };

    fn batch(values: &[&'static str], first: i64) -> Vec<u8> {
        let messages: Vec<_> = values.iter().map(|value| Message::new(value.as_bytes()).key("k")).collect();
        let mut bytes = encode(&messages.iter().collect::<Vec<_>>(), ORIGIN).unwrap().to_vec();
        // What a broker does when it appends a batch.
        bytes[..8].copy_from_slice(&first.to_be_bytes());
        bytes
    }

    fn values(batches: &Batches) -> Vec<(i64, String)> {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        batches.records.iter().map(|record| (record.offset, text(record.value.as_ref().unwrap()))).collect()
    }

    #[test]
    fn what_was_written_is_read_from_an_offset_on() {
        let bytes = [batch(&["a", "b"], 10), batch(&["c"], 12)].concat();
        let all = decode(bytes.clone().into(), 10);
        assert_eq!(values(&all), [(10, "a".into()), (11, "b".into()), (12, "c".into())]);
        assert_eq!((all.next, &all.corrupt), (13, &None));
        assert_eq!(all.records[0].key.as_deref(), Some(&b"k"[..]));
        assert_eq!(values(&decode(bytes.clone().into(), 11)), [(11, "b".into()), (12, "c".into())]);
        let cut = decode(bytes[..bytes.len() - 1].to_vec().into(), 10);
        assert_eq!((cut.records.len(), cut.next, cut.corrupt), (2, 12, None));
    }

    #[test]
    fn a_batch_that_cannot_be_read_ends_the_reading_there() {
        let good = batch(&["a", "b"], 10);
        let judged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bad = batch(&["c"], 12);
            change(&mut bad);
            let read = decode([good.clone(), bad].concat().into(), 10);
            assert_eq!((read.records.len(), read.next), (2, 12));
            read.corrupt.expect("it is noticed")
        };
        let resealed = |bad: &mut Vec<u8>| {
            let sum = crc32c::crc32c(&bad[HEAD + CHECKED..]);
            bad[17..21].copy_from_slice(&sum.to_be_bytes());
        };
        let last = |bad: &mut Vec<u8>| *bad.last_mut().unwrap() ^= 1;
        assert!(matches!(judged(&last), (12, BatchError::Checksum { .. })));
        assert_eq!(judged(&|bad| bad[16] = 1), (12, BatchError::Version { version: 1 }));
        let zstd = |bad: &mut Vec<u8>| {
            bad[22] = 4;
            resealed(bad);
        };
        assert_eq!(judged(&zstd), (12, BatchError::Compressed { codec: "zstd" }));
        let billions = |bad: &mut Vec<u8>| {
            bad[57..61].copy_from_slice(&i32::MAX.to_be_bytes());
            resealed(bad);
        };
        assert!(matches!(judged(&billions), (12, BatchError::Malformed { .. })));
        assert!(matches!(judged(&|bad| bad[8] = 0xff), (12, BatchError::Malformed { .. })));
        // Its one record is before it, and behind it.
        for delta in [1, 2] {
            let elsewhere = |bad: &mut Vec<u8>| {
                bad[64] = delta;
                resealed(bad);
            };
            let what = "a record's offset is not in its place";
            assert_eq!(judged(&elsewhere), (12, BatchError::Malformed { what }));
        }
    }

    #[test]
    fn what_would_be_asked_for_again_and_again_is_an_error() {
        let whole = batch(&["a", "b"], 10);
        let cut = &whole[..whole.len() - 1];
        // Cut off in its header, in its records, and one that ends before what was asked for.
        for (bytes, from) in [(&whole[..5], 10), (cut, 10), (&whole[..], 12)] {
            let read = decode(bytes.to_vec().into(), from);
            assert_eq!((read.records.len(), read.next), (0, from));
            assert!(matches!(read.corrupt, Some((at, BatchError::Malformed { .. })) if at == from), "{read:?}");
        }
        assert_eq!(decode(Bytes::new(), 10), Batches { next: 10, ..Batches::default() });
    }

    #[test]
    fn any_bytes_behind_a_right_checksum_are_records_or_an_error() {
        let mut seed = 11_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        for _ in 0..20_000 {
            let mut bytes = batch(&["abc", "def"], 3);
            for _ in 0..=next() % 4 {
                let at = 21 + usize::from(next()) % (bytes.len() - 21);
                bytes[at] = next();
            }
            let sum = crc32c::crc32c(&bytes[HEAD + CHECKED..]);
            bytes[17..21].copy_from_slice(&sum.to_be_bytes());
            drop(decode(bytes.into(), 3));
        }
    }
}
