//! The tables of routes and actions are those of the API's document.

use std::collections::BTreeSet;

use audit::FUNCTION;

#[test]
fn routes_and_actions_are_those_of_the_api_document() {
    let routes: BTreeSet<_> = FUNCTION.route_keys().map(str::to_owned).collect();
    assert_eq!(routes, local_testing::documented_routes("audit"));
    let actions: BTreeSet<_> = FUNCTION.actions.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(actions, local_testing::documented_actions("audit"));
}
