//! The user at the other end of a connection on this machine.

use std::{
    fs,
    net::{IpAddr, SocketAddr},
};

/// The ID of the user whose process has the other end of a connection from `peer` to `local`, both on this machine.
/// `None` if the system does not say.
pub fn user_of_peer(local: SocketAddr, peer: SocketAddr) -> Option<u32> {
    let table = if peer.is_ipv4() { "/proc/net/tcp" } else { "/proc/net/tcp6" };
    user_in(&fs::read_to_string(table).ok()?, local, peer)
}

/// The same, in a table of sockets: after a heading, each line has a number, the two addresses of a socket, its state,
/// three columns that do not matter here, and the user's ID.
fn user_in(table: &str, local: SocketAddr, peer: SocketAddr) -> Option<u32> {
    let (own, other) = (address(peer), address(local));
    let found = table.lines().skip(1).find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().take(8).collect();
        (columns.get(1) == Some(&&*own) && columns.get(2) == Some(&&*other)).then(|| columns.get(7).copied())
    });
    found??.parse().ok()
}

/// An address as the table writes it: 32-bit words as this machine stores them, in hex, and the port.
fn address(address: SocketAddr) -> String {
    let octets = match address.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let word = |four: &[u8]| four.try_into().map_or(0, u32::from_ne_bytes);
    let words: String = octets.chunks(4).map(|four| format!("{:08X}", word(four))).collect();
    format!("{words}:{:04X}", address.port())
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_user_is_found_in_the_table_of_the_kernel() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // A machine without IPv6 cannot listen on the second one.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let local = listener.local_addr().expect("it is bound");
            let client = TcpStream::connect(local).expect("it listens");
            let peer = client.local_addr().expect("it is connected");
            let user = user_of_peer(local, peer);
            assert!(!cfg!(target_os = "linux") || user == Some(rustix::process::geteuid().as_raw()), "{user:?}");
        }
    }

    #[cfg(target_endian = "little")]
    #[test]
    fn another_user_is_told_apart_and_a_damaged_table_says_nothing() {
        let [local, peer] = ["127.0.0.1:8080", "127.0.0.1:40000"].map(|end| end.parse().expect("a valid address"));
        let table = "  sl  local_address rem_address st\n\
            0: 0100007F:1F90 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0 0 1\n\
            1: 0100007F:9C40 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001 0 2\n";
        assert_eq!(user_in(table, local, peer), Some(1001));
        assert_eq!(user_in(table, peer, local), Some(0));
        for damaged in ["", "x\n1:", "x\n1: 0100007F:9C40 0100007F:1F90 01\n"] {
            assert_eq!(user_in(damaged, local, peer), None, "{damaged}");
        }
    }
}
