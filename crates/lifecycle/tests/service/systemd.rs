//! What systemd hears.

use std::os::unix::net::UnixDatagram;
use std::process::ExitCode;

use landfall_lifecycle::{Level, PushError};

use crate::child::{Child, Program, say};
use crate::parts;

pub(crate) const PROGRAMS: &[Program] = &[("notifies", notifies)];

fn notifies() -> ExitCode {
    parts::patient().notify_systemd().run(|cx| async move {
        cx.stack().push_level(Level::of(parts::ignores_its_token("deaf")).and(parts::herald()))?;
        say("started");
        Ok::<_, PushError>(())
    })
}

#[test]
fn systemd_hears_of_the_start_the_stop_and_the_drain() {
    let path = std::env::temp_dir().join(format!("landfall-notify-{}", std::process::id()));
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut child = Child::start_with("notifies", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    let heard = || {
        let mut message = [0; 256];
        let length = socket.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    };
    child.expect("started");
    assert_eq!(heard(), "READY=1\n");
    child.signal("TERM").expect("begun");
    assert_eq!(heard(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=6000000\n");
    // The second one comes by itself, inside of the interval that the first one announced.
    let announced = std::time::Instant::now();
    assert_eq!(heard(), "EXTEND_TIMEOUT_USEC=6000000\n");
    assert!(announced.elapsed().as_secs() < 6, "{:?}", announced.elapsed());
    child.signal("INT").expect_both("grace over", "deaf dropped");
    child.end().check(0, &["clean: nothing is left (1 aborted)"]);
    std::fs::remove_file(path).unwrap();
}
