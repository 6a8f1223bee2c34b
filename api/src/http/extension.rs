//! The guard, the hygiene of errors and the completion of answers as one async-graphql extension, so that they hold for every transport.
//!
//! Invariant: there is one extension, not several. async-graphql boxes a future per field and extension.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use async_graphql::extensions::{
    Extension, ExtensionContext, ExtensionFactory, NextExecute, NextParseQuery, NextPrepareRequest,
    NextRequest, NextValidation,
};
use async_graphql::parser::types::ExecutableDocument;
use async_graphql::{
    Name, Request, Response, ServerError, ServerResult, ValidationResult, Value, Variables, value,
};

use super::budget::{Meter, Rate};
use super::complete::Asked;
use super::errors::{Code, coded, conceal, error};
use super::guard::{Admitted, Library, Limits, Shape, admit};
use super::request::RequestId;
use crate::context::Session;

/// Guards a schema: `Schema::build(…).extension(Surface::new(limits))`, and no `limit_…` of the builder,
/// since its refusals have no code.
#[derive(Clone, Copy, Debug)]
pub struct Surface {
    limits: Limits,
}

impl Surface {
    /// An extension that enforces and announces `limits`.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits }
    }
}

impl ExtensionFactory for Surface {
    fn create(&self) -> Arc<dyn Extension> {
        Arc::new(Guarded {
            limits: self.limits,
            cost: OnceLock::new(),
            rate: OnceLock::new(),
            asked: OnceLock::new(),
            shape: OnceLock::new(),
            statements: OnceLock::new(),
        })
    }
}

struct Guarded {
    limits: Limits,
    cost: OnceLock<Value>,
    rate: OnceLock<Rate>,
    asked: OnceLock<Asked>,
    shape: OnceLock<Option<Shape>>,
    statements: OnceLock<usize>,
}

impl Guarded {
    fn check_cost(&self, cost: ValidationResult) -> ServerResult<()> {
        let refuse = |what: &str, used: usize, limit: usize| {
            let advice = "Ask for fewer records or less depth at once.";
            error(
                Code::TooComplex,
                format!("The query's {what} is {used}, at most {limit} is allowed. {advice}"),
            )
        };
        if cost.complexity > self.limits.complexity {
            return Err(refuse("complexity", cost.complexity, self.limits.complexity));
        }
        if cost.depth > self.limits.depth {
            return Err(refuse("depth", cost.depth, self.limits.depth));
        }
        Ok(())
    }

    fn announce(&self, cost: ValidationResult, tokens: usize) -> Value {
        value!({
            "complexity": { "used": cost.complexity, "limit": self.limits.complexity },
            "depth": { "used": cost.depth, "limit": self.limits.depth },
            "tokens": { "used": tokens, "limit": self.limits.tokens },
            "bodyBytes": { "limit": self.limits.body_bytes },
        })
    }
}

#[async_trait::async_trait]
impl Extension for Guarded {
    async fn request(&self, ctx: &ExtensionContext<'_>, next: NextRequest<'_>) -> Response {
        let mut response = next.run(ctx).await;
        if let Some(mut cost) = self.cost.get().cloned() {
            if let (Value::Object(cost), Some(rate)) = (&mut cost, self.rate.get()) {
                cost.insert(Name::new("requested"), rate.cost.into());
                cost.insert(Name::new("limit"), rate.limit.into());
                cost.insert(Name::new("remaining"), rate.remaining.into());
                cost.insert(Name::new("resetAt"), rate.reset_at().into());
            }
            if let (Value::Object(cost), Some(statements)) = (&mut cost, self.statements.get()) {
                cost.insert(Name::new("statements"), (*statements).into());
            }
            response.extensions.insert("cost".to_owned(), cost);
        }
        response
    }

    async fn prepare_request(
        &self,
        ctx: &ExtensionContext<'_>,
        mut request: Request,
        next: NextPrepareRequest<'_>,
    ) -> ServerResult<Request> {
        // Whoever has a library has admitted it before.
        admit(&mut request, &self.limits, &Library::default())?;
        next.run(ctx, request).await
    }

    async fn parse_query(
        &self,
        ctx: &ExtensionContext<'_>,
        query: &str,
        variables: &Variables,
        next: NextParseQuery<'_>,
    ) -> ServerResult<ExecutableDocument> {
        // The document is parsed already, so only async-graphql's own limits can refuse it here.
        let parsed = next.run(ctx, query, variables).await;
        let document = parsed.map_err(|refused| coded(refused, Code::TooComplex))?;
        if let Some(admitted) = ctx.data_opt::<Admitted>() {
            self.asked.get_or_init(|| Asked::new(&admitted.document, variables));
            self.shape.get_or_init(|| admitted.document.shape(variables));
        }
        Ok(document)
    }

    async fn validation(
        &self,
        ctx: &ExtensionContext<'_>,
        next: NextValidation<'_>,
    ) -> Result<ValidationResult, Vec<ServerError>> {
        let document = ctx.data_opt::<Admitted>().map(|admitted| &admitted.document);
        let known = document.zip(self.shape.get().and_then(Option::as_ref));
        let cost = if let Some(cost) = known.and_then(|(document, shape)| document.valid(shape)) {
            cost
        } else {
            let cost = next.run(ctx).await.map_err(|errors| {
                let with_code = |found| coded(found, Code::ValidationFailed);
                errors.into_iter().map(with_code).collect::<Vec<_>>()
            })?;
            if let Some((document, shape)) = known {
                document.remember(shape.clone(), cost);
            }
            cost
        };
        let tokens = document.map_or(0, |document| document.tokens);
        self.cost.get_or_init(|| self.announce(cost, tokens));
        self.check_cost(cost)?;
        if let Some(meter) = ctx.data_opt::<Arc<Meter>>() {
            let charged = meter.charge(cost.complexity);
            if let Some(rate) = meter.rate() {
                self.rate.get_or_init(|| rate);
            }
            charged?;
        }
        Ok(cost)
    }

    async fn execute(
        &self,
        ctx: &ExtensionContext<'_>,
        operation_name: Option<&str>,
        next: NextExecute<'_>,
    ) -> Response {
        let mut response = next.run(ctx, operation_name).await;
        if let Some(session) = ctx.data_opt::<Session>() {
            self.statements.get_or_init(|| session.statements.load(Ordering::Relaxed));
        }
        if let Some(asked) = self.asked.get() {
            let data = std::mem::take(&mut response.data);
            response.data = asked.complete(&ctx.schema_env.registry, operation_name, data);
        }
        if !response.errors.is_empty() {
            let unknown = RequestId::unknown();
            let request_id = ctx.data_opt::<RequestId>().unwrap_or(&unknown);
            let found = std::mem::take(&mut response.errors);
            response.errors = found.into_iter().map(|found| conceal(found, request_id)).collect();
        }
        response
    }
}

#[cfg(test)]
mod tests;
