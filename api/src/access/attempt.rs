//! Attempts to get in, which are counted, by whom and from where.

use std::net::{IpAddr, Ipv4Addr};

use async_graphql::Context;
use entity::access::AccessError;
use entity::access::session::Device;
use entity::access::throttle::{self, Attempt, Bucket};
use futures::FutureExt;

use crate::context::{Ask, Session};
use crate::error::{Fault, UserError, refused};
use crate::http::request::Peer;

/// What the request comes from.
pub fn device(ctx: &Context<'_>) -> Device {
    let user_agent = ctx.data_opt::<Session>().and_then(|session| session.user_agent.clone());
    let address = ctx.data_opt::<Peer>().map(|peer| peer.0.to_canonical().to_string());
    Device { user_agent, address }
}

/// The buckets that an attempt for `account` counts in.
pub fn buckets(ctx: &Context<'_>, attempt: Attempt, account: &str) -> Vec<Bucket> {
    let unknown = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let address = ctx.data_opt::<Peer>().map_or(unknown, |peer| peer.0);
    vec![Bucket::account(attempt, account), Bucket::address(attempt, address)]
}

/// Counts an attempt. `Some` is why it may not be made, with the header `Retry-After` set.
///
/// # Errors
/// The database.
pub async fn count(ctx: &Context<'_>, buckets: &[Bucket]) -> Result<Option<Vec<UserError>>, Fault> {
    let (now, buckets) = (ctx.now(), buckets.to_vec());
    let wait = ctx.shared().db.write(move |txn| {
        let buckets = buckets.clone();
        async move { throttle::take(txn, &buckets, now).await }.boxed()
    });
    let wait = match wait.await {
        Ok(None) => return Ok(None),
        Ok(Some(wait)) => wait,
        Err(error) => return refused(error).map(Some),
    };
    let seconds = wait.num_seconds() + 1;
    ctx.insert_http_header("retry-after", seconds.to_string());
    refused(AccessError::TooManyAttempts { seconds }.into()).map(Some)
}
