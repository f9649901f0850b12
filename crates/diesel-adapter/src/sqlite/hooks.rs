//! What SQLite asks while it works: the one place with unsafe code.
//!
//! Diesel hides the handle of a connection. SQLite shows it to a function that is called for each one opened in the
//! process, on the thread that opens it; there three questions are installed on it: whether to begin a statement, whether
//! to go on with it, now and then, and whether to wait for a lock. They are answered by what the asking thread has in a
//! thread-local, so no pointer to a connection is followed later, none leaves its thread, and none is given to SQLite that
//! could outlive what it points to. When a statement has ended SQLite tells, and it is noted whether a transaction is open.

use std::cell::{Cell, RefCell};
use std::ffi::{c_char, c_int, c_uint, c_void};
use std::ptr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libsqlite3_sys as ffi;

use crate::brake::Brake;

/// After how many steps of its machine SQLite asks whether to go on: a few microseconds.
const STEPS: c_int = 1_000;

/// How long each wait for a lock is before it is tried again: those of SQLite's own handler. The last goes on.
const WAITS_MS: [u64; 12] = [1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100];

/// What SQLite is answered with on one thread.
struct Thread {
    brake: Arc<Brake>,
    busy_timeout: Duration,
    busy_since: Cell<Instant>,
    /// The first connection that the thread has opened, which is the pool's: to compare with, never to be followed.
    connection: Cell<*const ffi::sqlite3>,
    /// Whether its last statement has left a transaction open.
    in_transaction: Cell<bool>,
}

thread_local! {
    /// None on threads that are not this crate's: SQLite goes on there, and waits for no lock on our behalf.
    static THREAD: RefCell<Option<Thread>> = const { RefCell::new(None) };
}

/// Has connections that this thread opens from now on ask this crate.
pub(super) fn attach(brake: &Arc<Brake>, busy_timeout: Duration) {
    let thread = Thread {
        brake: Arc::clone(brake),
        busy_timeout,
        busy_since: Cell::new(Instant::now()),
        connection: Cell::new(ptr::null()),
        in_transaction: Cell::new(false),
    };
    THREAD.with(|place| place.replace(Some(thread)));
    register();
}

/// Whether a connection that this thread has opened asks.
pub(super) fn are_installed() -> bool {
    on_thread(|thread| !thread.connection.get().is_null()).unwrap_or(false)
}

/// Whether this thread's connection has a transaction open, whoever began it.
pub(super) fn is_in_transaction() -> bool {
    on_thread(|thread| thread.in_transaction.get()).unwrap_or(false)
}

/// None on a thread that is not this crate's, and where a thread ends.
fn on_thread<T>(ask: impl FnOnce(&Thread) -> T) -> Option<T> {
    THREAD.try_with(|place| place.try_borrow().ok()?.as_ref().map(ask)).ok()?
}

/// Registers `install`; a second time changes nothing.
#[expect(unsafe_code, reason = "SQLite is called through its C interface")]
fn register() {
    // SAFETY: `install` has the signature that SQLite calls it with, whatever its declared type in C, and lives as long as
    // the process. SQLite guards its list with a lock. If it fails, nothing is installed, and that is noticed.
    let _code = unsafe { ffi::sqlite3_auto_extension(Some(install)) };
}

/// Called by SQLite for each connection that is opened in the process.
///
/// # Safety
///
/// `database` is a connection that is open and used by no other thread.
#[expect(unsafe_code, reason = "SQLite calls it with a pointer of its own")]
unsafe extern "C" fn install(
    database: *mut ffi::sqlite3,
    _message: *mut *mut c_char,
    _api: *const ffi::sqlite3_api_routines,
) -> c_int {
    let installed = on_thread(|thread| {
        // SAFETY: the caller, SQLite's `sqlite3_open_v2`, passes the connection it is opening on this thread. The functions
        // have the signatures that SQLite calls them with, live as long as the process, do not unwind, and are given a null
        // pointer that they do not read.
        let codes = unsafe {
            ffi::sqlite3_progress_handler(database, STEPS, Some(is_to_stop), ptr::null_mut());
            let waits = ffi::sqlite3_busy_handler(database, Some(waits_on), ptr::null_mut());
            let events = ffi::SQLITE_TRACE_STMT | ffi::SQLITE_TRACE_PROFILE;
            [waits, ffi::sqlite3_trace_v2(database, events, Some(hear), ptr::null_mut())]
        };
        if codes == [ffi::SQLITE_OK; 2] && thread.connection.get().is_null() {
            thread.connection.set(database);
        }
        ffi::SQLITE_OK
    });
    installed.unwrap_or(ffi::SQLITE_OK)
}

/// Called by SQLite when a statement begins and when it has ended.
///
/// One that begins though nobody wants it is interrupted at its first step: what asks now and then sees no statement of fewer
/// steps than that.
///
/// # Safety
///
/// `statement` is one that this thread runs.
#[expect(unsafe_code, reason = "SQLite calls it with a pointer of its own")]
unsafe extern "C" fn hear(event: c_uint, _: *mut c_void, statement: *mut c_void, _: *mut c_void) -> c_int {
    // SAFETY: for the two events that were asked for SQLite passes the statement that it is running or has just run, whose
    // connection is therefore open, and has its lock, which it takes again.
    let connection = unsafe { ffi::sqlite3_db_handle(statement.cast()) };
    let _elsewhere = on_thread(|thread| {
        if event == ffi::SQLITE_TRACE_STMT && thread.brake.is_pulled() {
            // SAFETY: the connection is open, see above; this sets a flag of it and nothing else.
            unsafe { ffi::sqlite3_interrupt(connection) };
        }
        if event == ffi::SQLITE_TRACE_PROFILE && ptr::eq(connection, thread.connection.get()) {
            // SAFETY: the connection is open, see above; this reads a flag of it and nothing else.
            thread.in_transaction.set(unsafe { ffi::sqlite3_get_autocommit(connection) } == 0);
        }
    });
    0
}

/// Whether SQLite is to stop: anything but zero interrupts what it does.
extern "C" fn is_to_stop(_: *mut c_void) -> c_int {
    on_thread(|thread| thread.brake.is_pulled()).unwrap_or(false).into()
}

/// Whether to try once more for a lock, after `times` tries in a row: waits before it says so.
extern "C" fn waits_on(_: *mut c_void, times: c_int) -> c_int {
    let waited = on_thread(|thread| {
        if times == 0 {
            thread.busy_since.set(Instant::now());
        }
        let left = thread.busy_timeout.saturating_sub(thread.busy_since.get().elapsed());
        let wait = usize::try_from(times).ok().and_then(|times| WAITS_MS.get(times)).unwrap_or(&WAITS_MS[11]);
        !left.is_zero() && !thread.brake.wait(Duration::from_millis(*wait).min(left))
    });
    waited.unwrap_or(false).into()
}
