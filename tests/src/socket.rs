//! A client of the WebSocket, as plain as the one of HTTP.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use crate::graphql::PATIENCE;

/// A socket that has said who it is.
pub struct Socket(WebSocketStream<TcpStream>);

impl Socket {
    /// Connects to the API at `address` with `token`.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn open(address: &str, token: &str) -> Self {
        let url = format!("ws://{address}/graphql/ws");
        let mut request = url.into_client_request().expect("an address");
        let protocol = HeaderValue::from_static("graphql-transport-ws");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let stream = TcpStream::connect(address).await.expect("a connection");
        let opened = tokio_tungstenite::client_async(request, stream).await;
        let mut socket = Self(opened.expect("a socket").0);
        let payload = json!({ "authorization": format!("Bearer {token}") });
        socket.say(&json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.hear().await, Ok(json!({ "type": "connection_ack" })));
        socket
    }

    /// Begins an operation.
    pub async fn ask(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.say(&json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// The next message, or the code that the socket was closed with.
    ///
    /// # Errors
    /// That code; 0 for none.
    ///
    /// # Panics
    /// When nothing comes.
    pub async fn hear(&mut self) -> Result<Value, u16> {
        tokio::time::timeout(PATIENCE, self.next()).await.expect("a message in time")
    }

    /// The data of the next event.
    ///
    /// # Panics
    /// When something else comes.
    pub async fn event(&mut self) -> Value {
        let message = self.hear().await.expect("an event");
        assert_eq!(message["type"], "next", "{message}");
        assert_eq!(message["payload"].get("errors"), None, "{message}");
        message["payload"]["data"].clone()
    }

    /// What comes within a moment in which nothing should.
    pub async fn silence(&mut self) -> Option<Result<Value, u16>> {
        tokio::time::timeout(Duration::from_secs(1), self.next()).await.ok()
    }

    async fn say(&mut self, message: &Value) {
        // A socket that the server has closed is found out by hearing.
        let _ = self.0.send(Message::text(message.to_string())).await;
    }

    async fn next(&mut self) -> Result<Value, u16> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => {
                    let message: Value = serde_json::from_str(&text).unwrap_or_default();
                    if message["type"] == "ping" {
                        self.say(&json!({ "type": "pong" })).await;
                    } else {
                        return Ok(message);
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(0, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(0),
            }
        }
    }
}
