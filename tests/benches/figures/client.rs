//! A GraphQL client that keeps its connection, as a frontend's server does. Invariant: an answer
//! with errors is a failure, never a count.

use std::time::Duration;

use futures::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tests::graphql::Reply;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::figure::Failure;
use crate::house::{CONNECTIONS, Server};
use crate::pace::{Pace, together};

/// One connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    authorization: String,
}

impl Client {
    async fn connect(server: &Server) -> Result<Self, Failure> {
        let stream = TcpStream::connect(&server.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; how it ended, the next request tells.
        tokio::spawn(connection);
        let authorization = format!("Bearer {}", server.token);
        Ok(Self { sender, address: server.address.clone(), authorization })
    }

    /// The data of an answer.
    pub async fn ask(&mut self, query: &str, variables: &Value) -> Result<Value, Failure> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let request = Request::post("/graphql")
            .header(header::HOST, &self.address)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, &self.authorization)
            .body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        let reply: Reply = serde_json::from_slice(&bytes)?;
        match reply.errors.first() {
            Some(error) => Err(error.to_string().into()),
            None => Ok(reply.data),
        }
    }
}

/// Lets as many clients as there are connections ask for `turn`, or until `variables` gives no
/// more. `check` sees every answer.
pub async fn ask_for(
    turn: Duration,
    server: &Server,
    query: &'static str,
    variables: impl Fn() -> Option<Value> + Clone + Send + 'static,
    check: fn(&Value) -> Result<(), Failure>,
) -> Result<Pace, Failure> {
    let clients = try_join_all((0..CONNECTIONS).map(|_| Client::connect(server))).await?;
    let until = Instant::now() + turn;
    together(clients.into_iter().map(|mut client| {
        let variables = variables.clone();
        async move {
            let mut done = 0;
            while Instant::now() < until
                && let Some(variables) = variables()
            {
                check(&client.ask(query, &variables).await?)?;
                done += 1;
            }
            Ok(done)
        }
    }))
    .await
}
