//! The centre: this test program once more, in the other namespace.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};

/// Where it listens.
pub const ADDRESS: &str = "ISONET_SERVICE_PEER";

#[test]
#[ignore = "runs only inside a namespace that another test has made"]
fn answers_every_page() {
    let Ok(at) = std::env::var(ADDRESS) else { return };
    let listener = TcpListener::bind(at.parse::<SocketAddr>().unwrap()).unwrap();
    for mut stream in listener.incoming().flatten() {
        std::thread::spawn(move || {
            let mut asked = [0; 2048];
            if stream.read(&mut asked).is_ok_and(|length| length > 0) {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok\n");
            }
        });
    }
}
