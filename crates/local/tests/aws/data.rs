//! `DynamoDB` and Secrets Manager behind the control API.

use std::collections::HashMap;

use aws_sdk_dynamodb::error::ProvideErrorMetadata;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use serde_json::json;

use crate::fixture::{Fixture, TABLE};

fn entry(seq: u32) -> HashMap<String, AttributeValue> {
    HashMap::from([
        ("pk".to_owned(), AttributeValue::S("APPT#1".to_owned())),
        ("sk".to_owned(), AttributeValue::S(format!("{seq:012}"))),
    ])
}

#[tokio::test]
async fn an_item_put_once_exists_once() {
    let fixture = Fixture::start().await;
    let client = fixture.dynamodb();
    let put = |seq| {
        let condition = "attribute_not_exists(pk)";
        client.put_item().table_name(TABLE).set_item(Some(entry(seq))).condition_expression(condition).send()
    };
    put(2).await.expect("the second entry");
    put(1).await.expect("the first entry");
    let error = put(1).await.expect_err("it is there");
    assert_eq!(error.code(), Some("ConditionalCheckFailedException"));
    let items = fixture.dynamodb.items(TABLE, "APPT#1").expect("the table is there");
    let keys: Vec<_> = items.iter().map(|item| item["sk"]["S"].clone()).collect();
    assert_eq!(keys, [json!("000000000001"), json!("000000000002")], "in order");
    assert_eq!(fixture.dynamodb.all_items(TABLE).expect("the table is there").len(), 2);
    assert!(fixture.dynamodb.items(TABLE, "APPT#2").expect("the table is there").is_empty());
    assert!(fixture.dynamodb.items("no-table", "x").is_err());
    let arn = format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{TABLE}");
    assert_eq!(fixture.last_asked(), ("dynamodb:PutItem".to_owned(), Some(arn)));
    let statuses: Vec<_> = fixture.calls.since(0).iter().map(|call| call.status).collect();
    assert_eq!(statuses, [200, 200, 400]);
}

#[tokio::test]
async fn an_index_is_a_resource_of_its_own() {
    let fixture = Fixture::start().await;
    let query = fixture.dynamodb().query().table_name(TABLE).index_name("by-meeting");
    let query = query.key_condition_expression("meetingId = :m");
    let query = query.expression_attribute_values(":m", AttributeValue::S("m1".to_owned()));
    assert_eq!(query.send().await.expect("an answer").count(), 0);
    let arn = format!("arn:aws:dynamodb:eu-central-1:111122223333:table/{TABLE}/index/by-meeting");
    assert_eq!(fixture.last_asked(), ("dynamodb:Query".to_owned(), Some(arn)));
}

#[tokio::test]
async fn an_entry_expires_on_the_clouds_clock() {
    let fixture = Fixture::start().await;
    let mut item = entry(1);
    let expires = fixture.clock.now_ms() / 1000 + 3600;
    item.insert("expiresAt".to_owned(), AttributeValue::N(expires.to_string()));
    fixture.dynamodb().put_item().table_name(TABLE).set_item(Some(item)).send().await.expect("it is put");
    assert_eq!(fixture.dynamodb.expire().expect("a sweep"), 0, "not yet");
    fixture.clock.advance(2 * 3600);
    assert_eq!(fixture.dynamodb.expire().expect("a sweep"), 1);
    assert!(fixture.dynamodb.items(TABLE, "APPT#1").expect("the table is there").is_empty());
}

#[tokio::test]
async fn a_secret_is_read_by_arn_and_by_name_in_its_newest_version() {
    let fixture = Fixture::start().await;
    let arn = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:medzen/database-AbCdEf";
    fixture.secrets.set(arn, "{\"port\":1}");
    let client = fixture.secrets();
    let first = client.get_secret_value().secret_id(arn).send().await.expect("it is there");
    assert_eq!((first.arn(), first.name()), (Some(arn), Some("medzen/database")));
    assert_eq!(first.secret_string(), Some("{\"port\":1}"));
    assert!(first.created_date().is_some(), "{first:?}");
    assert_eq!(fixture.last_asked(), ("secretsmanager:GetSecretValue".to_owned(), Some(arn.to_owned())));
    fixture.secrets.set(arn, "{\"port\":2}");
    let second = client.get_secret_value().secret_id("medzen/database").send().await.expect("it is there");
    assert_eq!(second.secret_string(), Some("{\"port\":2}"));
    assert_ne!(first.version_id(), second.version_id());
    assert_eq!(
        fixture.last_asked().1.as_deref(),
        Some(arn),
        "the role is asked about the ARN, also for a name"
    );
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_not_found() {
    let fixture = Fixture::start().await;
    let error =
        fixture.secrets().get_secret_value().secret_id("nothing").send().await.expect_err("there is none");
    assert!(
        error.as_service_error().is_some_and(GetSecretValueError::is_resource_not_found_exception),
        "{error:?}"
    );
    let error = fixture.secrets().list_secrets().send().await.expect_err("only GetSecretValue is there");
    assert_eq!(error.code(), Some("UnknownOperationException"));
}
