//! Memory, in programs whose allocator counts it.

use std::alloc::System;

use stats_alloc::StatsAlloc;

/// The bytes that are allocated at this moment.
pub fn live_bytes(allocator: &StatsAlloc<System>) -> usize {
    let stats = allocator.stats();
    stats.bytes_allocated.saturating_sub(stats.bytes_deallocated)
}
