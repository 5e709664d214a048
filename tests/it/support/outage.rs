//! A PostgreSQL server that can go away and come back: everything is passed on to the real one until it is cut.

use reqwest::Url;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub(crate) struct Wire {
    /// The database as it is reached over the wire.
    pub url: String,
    port: u16,
    server: String,
    passing: Option<JoinHandle<()>>,
}

impl Wire {
    /// A wire to a database, which is cut at first.
    pub(crate) fn to(database: &str, port: u16) -> Self {
        let mut url = Url::parse(database).unwrap();
        let server = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap_or(5432));
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(port)).unwrap();
        Self { url: url.to_string(), port, server, passing: None }
    }

    /// Passes everything on from now on.
    pub(crate) async fn mend(&mut self) {
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
        let server = self.server.clone();
        self.passing = Some(tokio::spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((mut client, _)) = listener.accept().await {
                let server = server.clone();
                open.spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    tokio::io::copy_bidirectional(&mut client, &mut server).await
                });
            }
        }));
    }

    /// Ends every connection and refuses new ones.
    pub(crate) async fn cut(&mut self) {
        let passing = self.passing.take().unwrap();
        passing.abort();
        let _aborted = passing.await;
    }
}
