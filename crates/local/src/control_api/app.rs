//! The app around the call page, played: a page that shows it in a frame, hands it a token when it asks, and lists what
//! it says.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

use crate::parts::Parts;

const ROLES: [&str; 4] = ["provider", "patient", "stranger", "auditor"];

/// `GET /_local/app/{role}`; `?appointment=` and `?sub=` lead to another call, and to another person in it.
pub(super) async fn page(State(parts): State<Arc<Parts>>, Path(role): Path<String>) -> Response {
    if !ROLES.contains(&role.as_str()) {
        return (StatusCode::NOT_FOUND, "provider, patient, stranger or auditor\n").into_response();
    }
    Html(include_str!("app.html").replace("{{page}}", &parts.page_url).replace("{{role}}", &role))
        .into_response()
}

/// `GET /_local/app.js`.
pub(super) async fn script() -> Response {
    ([(header::CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("app.js")).into_response()
}
