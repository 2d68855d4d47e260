//! Environment variables of this repository's tests: `ci` sets them, and `tests/it` reads them.

/// The variable that makes a skipped test a failure.
pub const REQUIRE_ALL: &str = "FEATURESET_REQUIRE_ALL";

/// The variable that enables the tests that take long.
pub const FULL: &str = "FEATURESET_FULL";
