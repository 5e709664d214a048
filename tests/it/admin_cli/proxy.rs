//! A pool that goes away in the middle: everything is passed on until so many bulks have gone by, and from then on bulks
//! suffer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Fault applied to bulk calls after a number of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fate {
    /// Nothing is answered, ever.
    Hang,
    /// The pool gets it, and its answer is lost.
    LoseTheAnswer,
    /// The connection breaks before the pool gets it.
    Break,
}

pub(crate) struct Proxy {
    pub url: String,
    /// Bulks that arrived here.
    pub bulks: Arc<AtomicUsize>,
}

impl Proxy {
    pub(crate) fn before(pool: &str, good: usize, fate: Fate) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let bulks = Arc::new(AtomicUsize::new(0));
        let (pool, counted) = (pool.trim_start_matches("http://").to_owned(), bulks.clone());
        // It ends with the test's process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (pool, counted) = (pool.clone(), counted.clone());
                std::thread::spawn(move || serve(client, &pool, &counted, good, fate));
            }
        });
        Self { url, bulks }
    }
}

/// One call per connection.
fn serve(mut client: TcpStream, pool: &str, bulks: &AtomicUsize, good: usize, fate: Fate) {
    let Some(call) = read_call(&mut client) else { return };
    let is_bulk = call.starts_with(b"POST /v1/admin/tasks/bulk");
    let suffers = is_bulk && bulks.fetch_add(1, Ordering::SeqCst) >= good;
    if suffers && fate == Fate::Break {
        return;
    }
    if suffers && fate == Fate::Hang {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
    let mut upstream = TcpStream::connect(pool).unwrap();
    upstream.write_all(&call).unwrap();
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer).unwrap();
    if !suffers {
        client.write_all(&answer).unwrap();
    }
}

/// A whole call, which asks to close the connection after it.
fn read_call(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut call = Vec::new();
    let mut buffer = [0; 64 * 1024];
    loop {
        let some = client.read(&mut buffer).ok().filter(|n| *n > 0)?;
        call.extend_from_slice(&buffer[..some]);
        let Some(head) = call.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(&call[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if call.len() >= head + 4 + length.unwrap_or(0) {
            let end = call.windows(2).position(|two| two == b"\r\n")?;
            call.splice(end..end, *b"\r\nconnection: close");
            return Some(call);
        }
    }
}
