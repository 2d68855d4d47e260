//! The real Go program that two targets work on.

use std::sync::LazyLock;

/// The program as Go linked it that the variable `FUZZ_PROGRAM` names; `None` if it names none.
pub(crate) static PROGRAM: LazyLock<Option<Vec<u8>>> =
    LazyLock::new(|| std::env::var_os("FUZZ_PROGRAM").and_then(|path| std::fs::read(path).ok()));
