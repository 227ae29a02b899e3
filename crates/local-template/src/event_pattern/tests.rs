//! The pattern language as a table: pattern, an event that it picks, one that it does not.

use serde_json::{Value, json};

use super::Pattern;

fn pattern(pattern: &Value) -> Pattern {
    Pattern::new(pattern).expect("it is a pattern")
}

#[test]
fn each_operator_picks_and_leaves() {
    let rows = [
        // Fields are all needed, values are alternatives.
        (
            json!({"source": ["aws.ec2"], "detail": {"state": ["terminated"]}}),
            json!({"source": "aws.ec2", "detail": {"state": "terminated", "more": 1}}),
            json!({"source": "aws.ec2", "detail": {"state": "running"}}),
        ),
        (
            json!({"source": ["aws.ec2", "aws.fargate"]}),
            json!({"source": "aws.fargate"}),
            json!({"source": "aws.s3"}),
        ),
        // Null, the empty text, numbers and truth values are themselves and nothing like it.
        (json!({"x": [""]}), json!({"x": ""}), json!({"x": null})),
        (json!({"x": [null]}), json!({"x": null}), json!({})),
        (json!({"x": [100]}), json!({"x": 100}), json!({"x": "100"})),
        (json!({"x": [true]}), json!({"x": true}), json!({"x": "true"})),
        // A list in the event is met by one element.
        (
            json!({"resources": ["arn:b"]}),
            json!({"resources": ["arn:a", "arn:b"]}),
            json!({"resources": ["arn:a"]}),
        ),
        (json!({"x": ["a"]}), json!({"x": "a"}), json!({"x": []})),
        // Of a list of objects, one is met as a whole.
        (
            json!({"x": {"a": [1], "b": [2]}}),
            json!({"x": [{"a": 1, "b": 2}]}),
            json!({"x": [{"a": 1}, {"b": 2}]}),
        ),
        (
            json!({"time": [{"prefix": "2017-10-02"}]}),
            json!({"time": "2017-10-02T18:43:48Z"}),
            json!({"time": "2017-10-03"}),
        ),
        (
            json!({"x": [{"prefix": {"equals-ignore-case": "EventB"}}]}),
            json!({"x": "eventBridge"}),
            json!({"x": "bridge"}),
        ),
        (json!({"x": [{"suffix": ".png"}]}), json!({"x": "a.png"}), json!({"x": "a.PNG"})),
        (
            json!({"x": [{"suffix": {"equals-ignore-case": ".png"}}]}),
            json!({"x": "a.PNG"}),
            json!({"x": "a.gif"}),
        ),
        (json!({"x": [{"equals-ignore-case": "Alice"}]}), json!({"x": "aLICE"}), json!({"x": "alices"})),
        (json!({"x": [{"wildcard": "dir/*.png"}]}), json!({"x": "dir/a/b.png"}), json!({"x": "other/a.png"})),
        (json!({"x": [{"wildcard": "*/lib/*"}]}), json!({"x": "/usr/lib/x"}), json!({"x": "/usr/libx"})),
        (json!({"x": [{"wildcard": "a\\*b\\\\*"}]}), json!({"x": "a*b\\c"}), json!({"x": "axb\\c"})),
        (json!({"x": [{"wildcard": "a*a"}]}), json!({"x": "aa"}), json!({"x": "a"})),
        (
            json!({"x": [{"anything-but": "initializing"}]}),
            json!({"x": "running"}),
            json!({"x": "initializing"}),
        ),
        (json!({"x": [{"anything-but": "a"}]}), json!({"x": 1}), json!({})),
        (json!({"x": [{"anything-but": ["a", "b"]}]}), json!({"x": "c"}), json!({"x": "b"})),
        (json!({"x": [{"anything-but": [100, 200]}]}), json!({"x": 300}), json!({"x": 200})),
        (
            json!({"x": [{"anything-but": {"prefix": "us-"}}]}),
            json!({"x": "eu-west-1"}),
            json!({"x": "us-east-1"}),
        ),
        (
            json!({"x": [{"anything-but": {"suffix": [".png", ".gif"]}}]}),
            json!({"x": "a.txt"}),
            json!({"x": "a.gif"}),
        ),
        (
            json!({"x": [{"anything-but": {"equals-ignore-case": "on"}}]}),
            json!({"x": "off"}),
            json!({"x": "ON"}),
        ),
        (
            json!({"x": [{"anything-but": {"wildcard": "*/lib/*"}}]}),
            json!({"x": "/bin/a"}),
            json!({"x": "/lib/a"}),
        ),
        (json!({"x": [{"numeric": ["=", 100]}]}), json!({"x": 100.0}), json!({"x": "100"})),
        (json!({"x": [{"numeric": [">", 0, "<=", 5]}]}), json!({"x": 5}), json!({"x": 0})),
        (json!({"x": [{"numeric": ["<", 10]}]}), json!({"x": -1}), json!({"x": 10})),
        (json!({"x": [{"numeric": [">=", 10]}]}), json!({"x": 10}), json!({"x": 9.99})),
        (json!({"d": {"x": [{"exists": true}]}}), json!({"d": {"x": null}}), json!({"d": {}})),
        (json!({"d": {"x": [{"exists": false}]}}), json!({"d": {}}), json!({"d": {"x": "a"}})),
        (json!({"d": {"x": [{"exists": false}]}}), json!({}), json!({"d": {"x": ["a"]}})),
        // Only leaves exist.
        (json!({"x": [{"exists": false}]}), json!({"x": {"y": 1}}), json!({"x": 1})),
        (json!({"x": [{"exists": false}, "a"]}), json!({"x": "a"}), json!({"x": "b"})),
        (
            json!({"$or": [{"place": ["New York"]}, {"day": ["Monday"]}]}),
            json!({"day": "Monday"}),
            json!({"day": "Friday"}),
        ),
        (
            json!({"a": [1], "$or": [{"b": [1]}, {"c": [{"numeric": ["<", 9]}]}]}),
            json!({"a": 1, "c": 3}),
            json!({"c": 3}),
        ),
        (
            json!({"d": {"$or": [{"x": [{"prefix": "a"}]}, {"y": [1]}]}}),
            json!({"d": {"x": "ab"}}),
            json!({"x": "ab"}),
        ),
    ];
    for (row, picked, left) in rows {
        let it = pattern(&row);
        assert!(it.matches(&picked), "{row} does not pick {picked}");
        assert!(!it.matches(&left), "{row} picks {left}");
    }
}

#[test]
fn an_invalid_pattern_is_rejected_with_its_position() {
    let rows = [
        (json!([]), "the pattern: must be an object"),
        (json!({}), "the pattern: must not be empty"),
        (json!({"x": {}}), "x: must not be empty"),
        (json!({"x": []}), "x: must not be empty"),
        (json!({"x": "a"}), "x: must be an object or an array"),
        (json!({"d": {"x": [["a"]]}}), "d.x: must not be an array of arrays"),
        (json!({"x": [{"prefix": "a", "suffix": "b"}]}), "x: must have one operator"),
        (json!({"x": [{"cidr": "10.0.0.0/24"}]}), "x: has an operator that is not known"),
        (json!({"x": [{"prefix": 1}]}), "x: the operator takes a text"),
        (json!({"x": [{"wildcard": "a**"}]}), "x: has two stars side by side"),
        (json!({"x": [{"wildcard": "a\\b"}]}), "x: has a backslash before neither star nor backslash"),
        (json!({"x": [{"exists": "true"}]}), "x: exists takes true or false"),
        (json!({"x": [{"anything-but": []}]}), "x: must not be empty"),
        (json!({"x": [{"anything-but": null}]}), "x: anything-but takes texts, numbers or one operator"),
        (json!({"$or": [{"a": [1]}]}), "$or: must have two or more"),
    ];
    for (row, expected) in rows {
        let message = Pattern::new(&row).expect_err(expected).to_string();
        assert_eq!(message, expected, "{row}");
    }
    for numeric in [json!([]), json!(["<"]), json!(["!", 1]), json!(["<", "1"]), json!(["<", 6e9])] {
        let row = json!({"x": [{"numeric": numeric}]});
        assert!(Pattern::new(&row).is_err(), "{row}");
    }
}
