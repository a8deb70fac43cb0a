//! Answers from a server.

use serde_json::Value;

/// An answer to `tools/call`.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolAnswer {
    /// The text blocks of the result, joined with line breaks.
    pub text: String,
    /// The structured part of the result, if it has one.
    pub structured: Option<Value>,
    /// Whether the tool reports a failure.
    pub is_error: bool,
    /// The messages of the progress notifications, in order.
    pub progress: Vec<String>,
    /// The error, if one came instead of a result.
    pub error: Option<McpError>,
}

/// A JSON-RPC error.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("JSON-RPC error {code}: {message}")]
pub struct McpError {
    /// The code, such as -32602.
    pub code: i64,
    /// The message.
    pub message: String,
    /// Additional data, if the server sent any.
    pub data: Option<Value>,
}

impl ToolAnswer {
    pub(super) fn new(answer: Result<Value, McpError>, progress: Vec<String>) -> ToolAnswer {
        let (result, error) = match answer {
            Ok(result) => (result, None),
            Err(error) => (Value::Null, Some(error)),
        };
        let blocks = result["content"].as_array().map_or(&[][..], Vec::as_slice);
        ToolAnswer {
            text: blocks.iter().filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n"),
            structured: result.get("structuredContent").cloned(),
            is_error: result["isError"] == true,
            progress,
            error,
        }
    }
}

/// The result or the error of `message`, which answers a request.
pub(super) fn outcome(message: &Value) -> Result<Value, McpError> {
    match message.get("error") {
        None => Ok(message["result"].clone()),
        Some(error) => Err(McpError {
            code: error["code"].as_i64().unwrap_or_default(),
            message: error["message"].as_str().unwrap_or_default().to_owned(),
            data: error.get("data").cloned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_is_read_with_all_its_text() {
        let message = json!({"id": 1, "result": {"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"type": "text", "text": "b"}], "isError": true}});
        let answer = ToolAnswer::new(outcome(&message), vec!["half".into()]);
        assert_eq!((answer.text.as_str(), answer.is_error, answer.error), ("a\nb", true, None));
        assert_eq!(answer.progress, ["half"]);
    }

    #[test]
    fn an_error_is_kept_with_its_data() {
        let message = json!({"id": 1, "error": {"code": -32602, "message": "no", "data": {"why": "x"}}});
        let error = ToolAnswer::new(outcome(&message), Vec::new()).error.expect("it is an error");
        assert_eq!(error.to_string(), "JSON-RPC error -32602: no");
        assert_eq!(error.data, Some(json!({"why": "x"})));
    }
}
