//! The objects that the distribution may read, and the responses to viewers for all others.

use local_template::plan::{OriginKind, Plan, Principals};
use local_testing::TestResult;

use crate::edge::Edge;

fn policy<'a>(plan: &'a mut Plan, sid: &str) -> &'a mut local_template::plan::ResourceStatement {
    let statements = plan.buckets.iter_mut().flat_map(|it| &mut it.policy);
    statements.into_iter().find(|it| it.statement.sid == sid).expect("the template has this statement")
}

#[tokio::test]
async fn a_missing_file_is_404_and_what_is_there_is_served() -> TestResult {
    let edge = Edge::start().await?;
    assert_eq!(edge.get("/assets/a-1.js", &[]).await?.status, 200);
    let missing = edge.get("/assets/old.js", &[]).await?;
    assert_eq!((missing.status, missing.headers["x-cache"].as_str()), (404, "Error from cloudfront"));
    assert_eq!(missing.headers["x-content-type-options"], "nosniff", "an error has the page's headers too");
    Ok(())
}

#[tokio::test]
async fn a_caller_without_list_permission_gets_403_for_a_missing_object() -> TestResult {
    let edge = Edge::with(|plan| {
        policy(plan, "MissingIsNotFound").statement.actions = vec!["s3:GetBucketLocation".to_owned()];
    })
    .await?;
    assert_eq!(edge.get("/assets/a-1.js", &[]).await?.status, 200);
    assert_eq!(edge.get("/assets/old.js", &[]).await?.status, 403);
    Ok(())
}

#[tokio::test]
async fn the_bucket_opens_to_this_distribution_alone() -> TestResult {
    type Change = fn(&mut Plan);
    let changes: [(&str, Change); 5] = [
        ("no policy", |plan| plan.buckets.iter_mut().for_each(|it| it.policy.clear())),
        ("another distribution", |plan| {
            let condition = &mut policy(plan, "ReadByDistribution").statement.conditions[0];
            condition.2 = vec!["arn:aws:cloudfront::000000000000:distribution/EOTHER".to_owned()];
        }),
        ("another service", |plan| {
            policy(plan, "ReadByDistribution").principals =
                Principals::Services(vec!["logs.amazonaws.com".to_owned()]);
        }),
        ("denied", |plan| {
            let mut denied = policy(plan, "ReadByDistribution").clone();
            denied.statement.allow = false;
            plan.buckets.iter_mut().for_each(|it| it.policy.push(denied.clone()));
        }),
        ("not signed", |plan| {
            for origin in plan.distributions.iter_mut().flat_map(|it| &mut it.origins) {
                if let OriginKind::Bucket { signed, .. } = &mut origin.kind {
                    *signed = false;
                }
            }
        }),
    ];
    for (name, change) in changes {
        let edge = Edge::with(change).await?;
        assert_eq!(edge.get("/assets/a-1.js", &[]).await?.status, 403, "{name}");
        assert_eq!(edge.get("/call/abc", &[]).await?.status, 403, "{name}");
    }
    Ok(())
}
