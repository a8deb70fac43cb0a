//! The endpoint, and the clients it is for.

use std::net::SocketAddr;

/// Where and for whom to serve.
#[derive(Debug, Clone)]
pub struct ListenOptions {
    /// The address, whose port may be 0 for any that is free.
    pub address: SocketAddr,
    /// The bearer token that clients must send.
    pub token: String,
    /// Names under which clients may reach this server, beside those of this machine for itself.
    pub hosts: Vec<String>,
    /// Web origins whose pages may be clients, as in `https://app.example`, beside those of this machine.
    pub origins: Vec<String>,
}

/// The path of the one endpoint.
pub const ENDPOINT_PATH: &str = "/mcp";
