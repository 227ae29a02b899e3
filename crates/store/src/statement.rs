//! Statements: one `.sql` file each, named for what they return or change.

/// A statement with its name, which log lines, error messages and the local cloud's faults use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
}

/// The statement in `sql/<name>.sql`, followed by the named parts of `sql/parts/`. Its text begins with its name, so that a
/// server's own log and `pg_stat_statements` name it too.
macro_rules! sql {
    ($name:literal $(, $part:literal)*) => {
        $crate::statement::Statement {
            name: $name,
            text: concat!(
                "-- ", $name, "\n",
                include_str!(concat!("../sql/", $name, ".sql"))
                $(, include_str!(concat!("../sql/parts/", $part, ".sql")))*
            ),
        }
    };
}
pub(crate) use sql;
