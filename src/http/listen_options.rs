//! The endpoint, and the clients that may use it.

use std::net::SocketAddr;

/// The address to listen on, and the clients to admit.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// The address. Port 0 picks a free port.
    pub address: SocketAddr,
    /// The bearer token that clients must send.
    pub token: String,
    /// Host names under which clients may reach this server, in addition to the local ones.
    pub hosts: Vec<String>,
    /// Web origins whose pages may call this server, such as `https://app.example`, in addition to the local ones.
    pub origins: Vec<String>,
}

/// The path of the only endpoint.
pub const ENDPOINT_PATH: &str = "/mcp";
