//! Ports for servers that are stopped and started again.
//!
//! Invariant: a port lies below the range from which the kernel takes the ports of outgoing
//! connections (32768 and up on Linux). Otherwise a client could be given the port of a server that
//! is down for a moment, or even connect to itself.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 10_000;
const COUNT: u16 = 22_000;

static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A loopback port that nobody listens on and that this process has not handed out lately.
///
/// # Errors
/// When every port in the range is in use.
pub fn free_port() -> io::Result<u16> {
    let process = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    for _ in 0..COUNT {
        let step = TAKEN.fetch_add(1, Ordering::Relaxed);
        // Processes start far from each other: neighbours in the process table are 97 ports apart.
        let offset = (u32::from(process) * 97 + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(offset).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no free port between 10000 and 32000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_differ_and_are_never_those_of_outgoing_connections() {
        let (one, two) = (free_port().unwrap(), free_port().unwrap());
        assert_ne!(one, two);
        assert!(one < 32_768 && two < 32_768);
    }
}
