//! The rmcp request handler of one connection. Passes each request on; knows nothing about tasks.

use std::panic::AssertUnwindSafe;

use connector_api::BackendName;
use futures_util::FutureExt;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestMethod, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
        CancelledNotificationParam, CompleteRequestParams, CompleteResult, ConstString, CustomRequest, CustomResult,
        ErrorCode, GetPromptRequestParams, GetPromptResponse, GetTaskParams, GetTaskResult, Implementation, JsonObject,
        ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
        ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, SubscribeRequestParams,
        SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
    },
    service::{NotificationContext, RequestContext, SubscriptionContext},
};

use super::{
    ServerState,
    answer::CallAnswer,
    caller::Caller,
    calls::{AdditionalTools, ToolInvocation},
    cancellation::Cancellations,
    channel::{self, Channel},
    completion, extra, handles,
    icon::icon,
    prompts, resources,
    resources::watch::Watcher,
    status_polls::StatusPolls,
    tools::{self, defaults_of, tools},
    transport_kind::{TransportKind, is_stateless},
};
use crate::{
    broker::Broker,
    config::{Config, tool_of},
    present::{
        self, Refused,
        tools::{Defaults, instructions},
    },
    redact::Redactor,
};

/// One connection with one client.
#[derive(Debug)]
pub(super) struct Server {
    state: ServerState,
    transport: TransportKind,
    tools: Vec<Tool>,
    additional_tools: AdditionalTools,
    cancellations: Cancellations,
    status_polls: StatusPolls,
    channel: Channel,
    watcher: Watcher,
    redactor: Redactor,
}

impl Server {
    pub(super) fn new(state: ServerState, transport: TransportKind) -> Self {
        let defaults = |backend: Option<&BackendName>| match &state {
            ServerState::Ready(broker) => defaults_of(broker.config(), backend),
            ServerState::Misconfigured { .. } => Defaults::DOCUMENTED,
        };
        let additional_tools = match &state {
            ServerState::Ready(broker) => additional_tools(broker.config()),
            ServerState::Misconfigured { .. } => AdditionalTools::default(),
        };
        let tools = all_tools(&additional_tools, defaults);
        let redactor = match &state {
            ServerState::Ready(broker) => broker.redactor().clone(),
            ServerState::Misconfigured { .. } => Redactor::of(std::env::vars_os()),
        };
        Self {
            state,
            transport,
            tools,
            additional_tools,
            cancellations: Cancellations::default(),
            status_polls: StatusPolls::default(),
            channel: Channel::default(),
            watcher: Watcher::default(),
            redactor,
        }
    }

    /// The broker; or the problems of the configuration as a protocol error, for requests other than tool calls.
    fn broker(&self) -> Result<&Broker, ErrorData> {
        match &self.state {
            ServerState::Ready(broker) => Ok(broker),
            ServerState::Misconfigured { problems, .. } => {
                let problems: Vec<_> = self.redacted(problems).iter().map(Refused::plain).collect();
                Err(ErrorData::internal_error(problems.join("\n"), None))
            }
        }
    }

    /// The broker for requests that view or cancel tasks. They work even if the configuration is invalid.
    fn viewer(&self) -> Result<&Broker, ErrorData> {
        match &self.state {
            ServerState::Misconfigured { viewer: Some(viewer), .. } => Ok(viewer),
            ServerState::Ready(_) | ServerState::Misconfigured { viewer: None, .. } => self.broker(),
        }
    }

    fn redacted(&self, problems: &[Refused]) -> Vec<Refused> {
        problems.iter().map(|problem| problem.clone().redacted(&self.redactor)).collect()
    }

    fn has_channel(&self) -> bool {
        let is_configured = self.broker().is_ok_and(|broker| broker.config().serving.channel);
        is_configured && self.transport == TransportKind::Stdio
    }

    async fn answer(&self, call: ToolInvocation, context: RequestContext<RoleServer>) -> CallAnswer {
        let (broker, problems) = match &self.state {
            ServerState::Ready(broker) => (Some(broker), &[][..]),
            ServerState::Misconfigured { problems, viewer } => {
                (viewer.as_ref().filter(|_| call.only_views_or_cancels()), &problems[..])
            }
        };
        let problems = self.redacted(problems);
        let answer = match broker {
            Some(broker) => {
                let cancellation = self.cancellations.listen(context.id.clone());
                let (status_polls, channel) = (self.status_polls.clone(), self.channel.clone());
                let caller = Caller { context, transport: self.transport, cancellation, status_polls, channel };
                let invalid = problems.iter().map(present::notices::invalid_configuration).collect();
                call.execute(broker, caller).await.with_notices(broker.notices()).with_notices(invalid)
            }
            None => CallAnswer::refused(&problems),
        };
        answer.with_redacted_notices(&self.redactor)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let name = Implementation::new("codex-connector", env!("CARGO_PKG_VERSION"))
            .with_title("Codex Connector")
            .with_icons(vec![icon()]);
        let mut capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_tasks()
            .enable_prompts()
            .enable_completions()
            .enable_resources()
            .enable_resources_list_changed()
            .enable_resources_subscribe()
            .build();
        if self.has_channel() {
            let channel = JsonObject::from_iter([(channel::CAPABILITY.to_owned(), serde_json::json!({}))]);
            capabilities.experimental = serde_json::from_value(channel.into()).ok();
        }
        ServerConfig::new(capabilities)
            .with_server_info(name)
            .with_instructions(instructions(&extra::names(&self.additional_tools.extra)))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.tools.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let Some(call) =
            ToolInvocation::parse(&request.name, request.arguments.unwrap_or_default(), &self.additional_tools)
        else {
            // If the configuration is invalid, the tools that it enables are unknown: report the configuration instead.
            return Err(self
                .broker()
                .err()
                .unwrap_or_else(|| ErrorData::invalid_params(extra::not_found(&request.name, &self.tools), None)));
        };
        let answer = answered(self.answer(call, context)).await;
        match &answer.task_handle {
            Some((id, message)) => Ok(CallToolResponse::Task(handles::handle(id, message))),
            None => Ok(CallToolResult::from(answer).into()),
        }
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        handles::get(self.viewer()?, &request.task_id).await
    }

    async fn update_task(&self, request: UpdateTaskParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        handles::update(self.viewer()?, &request.task_id).await
    }

    async fn cancel_task(&self, request: CancelTaskParams, _: RequestContext<RoleServer>) -> Result<(), ErrorData> {
        handles::cancel(self.viewer()?, &request.task_id).await
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let cursor = request.and_then(|request| request.cursor);
        let listed = resources::list(self.viewer()?, cursor.as_deref()).await?;
        if !is_stateless(&context) {
            self.watcher.watch_list(self.broker()?, &context.peer).await;
        }
        Ok(listed)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        Ok(resources::templates())
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        Ok(resources::read(self.viewer()?, &request.uri).await?.into())
    }

    #[allow(deprecated, reason = "clients of versions up to 2025-11-25 need it")]
    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.watcher.subscribe(&request.uri, self.broker()?, &context.peer).await
    }

    #[allow(deprecated, reason = "clients of versions up to 2025-11-25 need it")]
    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.watcher.unsubscribe(&request.uri);
        Ok(())
    }

    /// Accepts only the resources that exist and can be watched.
    fn accepted_subscription_filter(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        Some(self.broker().map_or_else(|_| SubscriptionFilter::new(), |broker| self.watcher.accept(requested, broker)))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        self.watcher.listen(&context, self.broker()?).await;
        Ok(())
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        Ok(ListPromptsResult::with_all_items(prompts::list()))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        Ok(prompts::get(self.broker()?, &request.name, request.arguments).await?.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        completion::complete(self.broker()?, &request).await
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        // rmcp also calls this for a known method whose parameters cannot be parsed.
        if request.method == CallToolRequestMethod::VALUE {
            return Err(ErrorData::invalid_params(present::protocol::INVALID_TOOL_CALL, None));
        }
        Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None))
    }

    async fn on_cancelled(&self, notification: CancelledNotificationParam, _: NotificationContext<RoleServer>) {
        if let Some(id) = &notification.request_id {
            self.cancellations.cancel(id, notification.reason.as_deref());
        }
    }
}

/// The configured tools in addition to the four standard ones.
fn additional_tools(config: &Config) -> AdditionalTools {
    let others = config.backends.keys().filter(|name| **name != config.default_backend);
    let named = others.map(|name| (tool_of(name), name.clone()));
    // `codex_agent` always belongs to the default backend, whichever that is.
    let named = named.filter(|(tool, _)| config.serving.tool_per_backend && tool != "codex_agent");
    AdditionalTools { extra: config.serving.extra_tools.clone(), backends: named.collect() }
}

fn all_tools(additional_tools: &AdditionalTools, defaults: impl Fn(Option<&BackendName>) -> Defaults) -> Vec<Tool> {
    let of_backend =
        |(tool, backend): (&String, &BackendName)| tools::of_backend(tool.clone(), backend, defaults(Some(backend)));
    let common = defaults(None);
    let of_backends = additional_tools.backends.iter().map(of_backend);
    tools(common).into_iter().chain(of_backends).chain(extra::tools(&additional_tools.extra, common)).collect()
}

/// The answer, even after a panic: rmcp does not answer the client if a handler panics.
async fn answered(answering: impl Future<Output = CallAnswer>) -> CallAnswer {
    AssertUnwindSafe(answering)
        .catch_unwind()
        .await
        .unwrap_or_else(|_| CallAnswer::refused(&[present::refusals::internal_error()]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::answer::CallOutcome;

    #[tokio::test]
    async fn a_panic_is_answered() {
        let answer = answered(async { panic!("a bug") }).await;
        assert_eq!(answer.outcome, CallOutcome::Refused);
        assert!(answer.text.contains("\nnext: "), "{}", answer.text);
    }

    #[tokio::test]
    async fn an_answer_is_passed_on_unchanged() {
        let answer = answered(async { CallAnswer::served("text".into()) }).await;
        assert_eq!(answer, CallAnswer::served("text".into()));
    }
}
