//! A plain balancer: each connection goes to the next replica that takes it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) struct Balancer {
    pub(super) address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Balancer {
    pub(super) async fn start(replicas: Vec<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let replicas: Arc<[String]> = replicas.into();
        let next = Arc::new(AtomicUsize::new(0));
        let serving = tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (replicas, next) = (Arc::clone(&replicas), Arc::clone(&next));
                tokio::spawn(async move {
                    let first = next.fetch_add(1, Ordering::Relaxed);
                    for at in 0..replicas.len() {
                        if let Ok(mut replica) = TcpStream::connect(&replicas[(first + at) % replicas.len()]).await {
                            let _broken = copy_bidirectional(&mut client, &mut replica).await;
                            return;
                        }
                    }
                });
            }
        });
        Self { address, serving }
    }
}
