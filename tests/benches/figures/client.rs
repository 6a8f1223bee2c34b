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

/// Where requests go.
pub struct Target {
    /// Host and port.
    pub address: String,
    /// Who asks; nobody in particular when absent.
    pub token: Option<String>,
    /// Where on the server.
    pub path: &'static str,
}

impl Target {
    /// Rapport's API.
    pub fn graphql(server: &Server) -> Self {
        let (address, token) = (server.address.clone(), Some(server.token.clone()));
        Self { address, token, path: "/graphql" }
    }
}

/// One connection.
pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    authorization: Option<String>,
    path: &'static str,
}

impl Client {
    /// Connects.
    pub async fn connect(target: &Target) -> Result<Self, Failure> {
        let stream = TcpStream::connect(&target.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; how it ended, the next request tells.
        tokio::spawn(connection);
        let authorization = target.token.as_ref().map(|token| format!("Bearer {token}"));
        Ok(Self { sender, address: target.address.clone(), authorization, path: target.path })
    }

    /// The data of an answer.
    pub async fn ask(&mut self, query: &str, variables: &Value) -> Result<Value, Failure> {
        let body = json!({ "query": query, "variables": variables }).to_string();
        let reply: Reply = serde_json::from_slice(&self.post(body).await?)?;
        match reply.errors.first() {
            Some(error) => Err(error.to_string().into()),
            None => Ok(reply.data),
        }
    }

    /// The answer as it comes.
    pub async fn post(&mut self, body: String) -> Result<Bytes, Failure> {
        let mut request = Request::post(self.path)
            .header(header::HOST, &self.address)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        self.sender.ready().await?;
        let response =
            self.sender.send_request(request.body(Full::new(Bytes::from(body)))?).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        match status.is_success() {
            true => Ok(bytes),
            false => Err(format!("{status}: {}", String::from_utf8_lossy(&bytes)).into()),
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
    let target = Target::graphql(server);
    let clients = try_join_all((0..CONNECTIONS).map(|_| Client::connect(&target))).await?;
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

/// Lets as many clients as there are connections post what `body` gives for `turn`. `check` sees every
/// answer as it comes.
pub async fn post_for(
    turn: Duration,
    target: &Target,
    body: impl Fn() -> String + Clone + Send + 'static,
    check: fn(&[u8]) -> Result<(), Failure>,
) -> Result<Pace, Failure> {
    let clients = try_join_all((0..CONNECTIONS).map(|_| Client::connect(target))).await?;
    let until = Instant::now() + turn;
    together(clients.into_iter().map(|mut client| {
        let body = body.clone();
        async move {
            let mut done = 0;
            while Instant::now() < until {
                check(&client.post(body()).await?)?;
                done += 1;
            }
            Ok(done)
        }
    }))
    .await
}
