//! `DynamoDB`: dynoxide in this process, reached by functions only through the endpoint.

mod attributes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use dynoxide::Database;
use dynoxide::actions::create_table::CreateTableRequest;
use dynoxide::actions::query::QueryRequest;
use dynoxide::actions::scan::ScanRequest;
use dynoxide::actions::update_time_to_live::UpdateTimeToLiveRequest;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::service::{
    Answer, ArnScope, AwsService, ErrorBody, Operation, Permission, Protocol, body_json, target_operation,
};
use local_template::plan::Table;

/// Errors of the engine itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The engine refused.
    #[error("DynamoDB: {0}")]
    Engine(#[from] dynoxide::DynoxideError),
    /// A table's `CreateTable` body, or an item, is not what the engine reads or writes.
    #[error("DynamoDB's JSON of table {table}")]
    Json { table: String, source: serde_json::Error },
    /// No port on loopback.
    #[error("no port for DynamoDB")]
    Listen(#[source] std::io::Error),
    /// There is no such table.
    #[error("there is no table {0}")]
    NoTable(String),
}

/// The engine did not answer.
#[derive(Debug, thiserror::Error)]
enum ForwardError {
    #[error("the request cannot be forwarded")]
    Request(#[from] http::Error),
    #[error("no answer")]
    Client(#[from] hyper_util::client::legacy::Error),
    #[error("the response was incomplete")]
    Body(#[from] hyper::Error),
}

/// The engine with its tables. Cheap to clone; it ends with the last clone.
#[derive(Clone)]
pub struct DynamoDb {
    database: Database,
    address: SocketAddr,
    client: Client<HttpConnector, Full<Bytes>>,
    _server: Arc<Server>,
}

struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Time to live goes by the cloud's clock.
struct EngineClock(Clock);

impl dynoxide::storage_backend::Clock for EngineClock {
    fn now_unix_secs(&self) -> u64 {
        (self.0.now_ms() / 1000).unsigned_abs()
    }

    fn now_unix_secs_f64(&self) -> f64 {
        std::time::Duration::from_millis(self.0.now_ms().unsigned_abs()).as_secs_f64()
    }
}

impl DynamoDb {
    /// Makes the tables, empty, and serves them on a port of loopback that only the endpoint knows.
    pub async fn start(clock: &Clock, tables: &[Table]) -> Result<Self, Error> {
        let database = Database::memory_with_clock(Arc::new(EngineClock(clock.clone())))?;
        for table in tables {
            let unreadable = |source| Error::Json { table: table.name.clone(), source };
            let create =
                serde_json::from_value::<CreateTableRequest>(table.create.clone()).map_err(unreadable)?;
            database.create_table(create)?;
            if let Some(attribute) = &table.ttl_attribute {
                let ttl = json!({
                    "TableName": table.name,
                    "TimeToLiveSpecification": { "AttributeName": attribute, "Enabled": true },
                });
                let ttl = serde_json::from_value::<UpdateTimeToLiveRequest>(ttl).map_err(unreadable)?;
                database.update_time_to_live(ttl)?;
            }
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Error::Listen)?;
        let address = listener.local_addr().map_err(Error::Listen)?;
        let server = tokio::spawn(dynoxide::server::serve_on(listener, database.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { database, address, client, _server: Arc::new(Server(server)) })
    }

    /// The items under a partition key (a string), in the order of their sort keys, as JSON with attribute types
    /// (`{"pk": {"S": ...}}`).
    pub fn items(&self, table: &str, partition_key: &str) -> Result<Vec<Value>, Error> {
        let metadata =
            self.database.get_table_metadata(table)?.ok_or_else(|| Error::NoTable(table.to_owned()))?;
        let unreadable = |source| Error::Json { table: table.to_owned(), source };
        let schema: Value = serde_json::from_str(&metadata.key_schema).map_err(unreadable)?;
        let mut keys = schema.as_array().into_iter().flatten();
        let key = keys.find(|key| key["KeyType"] == "HASH").map(|key| key["AttributeName"].clone());
        let mut start = Value::Null;
        let mut items = Vec::new();
        loop {
            let mut query = json!({
                "TableName": table,
                "ConsistentRead": true,
                "KeyConditionExpression": "#key = :key",
                "ExpressionAttributeNames": { "#key": key },
                "ExpressionAttributeValues": { ":key": { "S": partition_key } },
            });
            if !start.is_null() {
                query["ExclusiveStartKey"] = start;
            }
            let query = serde_json::from_value::<QueryRequest>(query).map_err(unreadable)?;
            let page = serde_json::to_value(self.database.query(query)?).map_err(unreadable)?;
            start = take_page(page, &mut items);
            if start.is_null() {
                return Ok(items);
            }
        }
    }

    /// All items of a table, in no order, in the same form.
    pub fn all_items(&self, table: &str) -> Result<Vec<Value>, Error> {
        let unreadable = |source| Error::Json { table: table.to_owned(), source };
        let mut start = Value::Null;
        let mut items = Vec::new();
        loop {
            let mut scan = json!({ "TableName": table, "ConsistentRead": true });
            if !start.is_null() {
                scan["ExclusiveStartKey"] = start;
            }
            let scan = serde_json::from_value::<ScanRequest>(scan).map_err(unreadable)?;
            let page = serde_json::to_value(self.database.scan(scan)?).map_err(unreadable)?;
            start = take_page(page, &mut items);
            if start.is_null() {
                return Ok(items);
            }
        }
    }

    /// Removes what has expired on the cloud's clock; answers how many items that were.
    pub fn expire(&self) -> Result<usize, Error> {
        Ok(self.database.sweep_ttl()?)
    }

    /// Hands a call that was checked to the engine.
    async fn forward(&self, request: &Parts, body: Bytes) -> Result<Answer, ForwardError> {
        let uri = Uri::builder()
            .scheme(Scheme::HTTP)
            .authority(Authority::try_from(self.address.to_string()).map_err(http::Error::from)?)
            .path_and_query(request.uri.path_and_query().map_or("/", |path| path.as_str()))
            .build()?;
        let mut forwarded = Request::builder().method(&request.method).uri(uri).body(Full::new(body))?;
        forwarded.headers_mut().clone_from(&request.headers);
        let (mut head, body) = self.client.request(forwarded).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        head.headers.remove(http::header::TRANSFER_ENCODING);
        Ok(Answer::from_parts(head, body))
    }
}

const PROTOCOL: Protocol = Protocol {
    content_type: "application/x-amz-json-1.0",
    refusal_status: StatusCode::BAD_REQUEST,
    throttled_status: StatusCode::BAD_REQUEST,
    failure_code: "InternalServerError",
    error_body: |code, message, _| {
        ErrorBody::Json(json!({ "__type": format!("{}#{code}", namespace(code)), "message": message }))
    },
    names_error_in_header: false,
};

/// Errors common to all AWS services have another namespace than `DynamoDB`'s own.
fn namespace(code: &str) -> &'static str {
    match code {
        "InternalServerError" => "com.amazonaws.dynamodb.v20120810",
        "ThrottlingException" => "com.amazon.coral.availability",
        _ => "com.amazon.coral.service",
    }
}

#[async_trait]
impl AwsService for DynamoDb {
    fn scope(&self) -> &'static str {
        "dynamodb"
    }

    fn protocol(&self) -> &'static Protocol {
        &PROTOCOL
    }

    fn operation(&self, arns: ArnScope<'_>, request: &Parts, body: &[u8]) -> Option<Operation> {
        let name = target_operation(request, "DynamoDB_20120810.")?;
        let permissions = permissions(&name, arns, &body_json(body));
        Some(Operation { name, permissions })
    }

    async fn answer(&self, _region: &str, request: &Parts, body: Bytes) -> Answer {
        self.forward(request, body).await.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "the DynamoDB engine did not answer");
            PROTOCOL.failed()
        })
    }
}

fn permissions(operation: &str, arns: ArnScope<'_>, body: &Value) -> Vec<Permission> {
    let permission = |operation: &str, resource: Option<String>| {
        Permission::new(format!("dynamodb:{operation}"), resource)
    };
    let table = |name: &str| {
        if name.starts_with("arn:") {
            name.to_owned()
        } else {
            format!("arn:aws:dynamodb:{}:{}:table/{name}", arns.region, arns.account)
        }
    };
    match operation {
        "BatchGetItem" | "BatchWriteItem" => {
            let tables = body["RequestItems"].as_object().into_iter().flatten();
            tables.map(|(name, _)| permission(operation, Some(table(name)))).collect()
        }
        "TransactGetItems" | "TransactWriteItems" => {
            let items = body["TransactItems"].as_array().into_iter().flatten();
            let items = items.filter_map(Value::as_object).flatten();
            items
                .map(|(kind, item)| {
                    let action = if kind == "ConditionCheck" {
                        "ConditionCheckItem".to_owned()
                    } else {
                        format!("{kind}Item")
                    };
                    permission(&action, item["TableName"].as_str().map(table))
                })
                .collect()
        }
        _ => {
            let resource =
                body["TableName"].as_str().map(table).map(|arn| match body["IndexName"].as_str() {
                    Some(index) => format!("{arn}/index/{index}"),
                    None => arn,
                });
            let of_context = |context| Permission { context, ..permission(operation, resource.clone()) };
            attributes::contexts(body).into_iter().map(of_context).collect()
        }
    }
}

/// Takes the items out of a page; what remains is where the next page starts, or null.
fn take_page(mut page: Value, items: &mut Vec<Value>) -> Value {
    if let Value::Array(some) = page["Items"].take() {
        items.extend(some);
    }
    page["LastEvaluatedKey"].take()
}
