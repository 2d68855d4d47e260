//! What is printed: products to stdout, everything else to stderr, with colours only where they are taken.
//!
//! A reader that went away ends the command quietly; a product that can't be written, on a full disk say, ends it
//! with exit status 2. What can't be told on stderr is not told.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints a line of the product.
#[macro_export]
macro_rules! outln {
    ($($argument:tt)*) => { $crate::output::product(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Prints a line of status.
#[macro_export]
macro_rules! errln {
    ($($argument:tt)*) => { $crate::output::status(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Writes to stdout.
pub fn product(text: Arguments<'_>) {
    let mut stdout = anstream::stdout().lock();
    if let Err(error) = stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        if error.kind() != ErrorKind::BrokenPipe {
            status(format_args!(
                "error[output]: can't write to stdout\n  = why: {error}\n  = next: Free some space and run it again.\n"
            ));
        }
        let status = if error.kind() == ErrorKind::BrokenPipe { 0 } else { 2 };
        std::process::exit(status);
    }
}

/// Writes to stderr.
pub fn status(text: Arguments<'_>) {
    let _ = anstream::stderr().lock().write_fmt(text);
}
