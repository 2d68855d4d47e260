//! What of the table stays.

use std::borrow::Cow;

use super::file::u32_at;
use super::table::{
    ARGUMENT_LIVENESS, ARGUMENTS, Function, INLINE_INDEX, INLINE_TREE, INLINED, LIVE_ARGUMENTS, NONE, Table,
};
use super::{Names, Refused};

/// Beginnings of names that the runtime compares with: `isExportedRuntime`, `isAsyncSafePoint`, `printCgoTraceback`, `panicCheck`,
/// `cgoSigtramp`, the profiler and `getStackMap` (reflect) in Go's `src/runtime`. A test reads them from the source of the Go at hand.
pub(super) const READ_BY_RUNTIME: [&[u8]; 4] = [b"runtime.", b"internal/runtime/", b"reflect.", b"runtime/"];

/// Names that tracebacks, the runtime's start and the stack walk through reflect look at whole (`argMapInternal`).
const READ_WHOLE: [&[u8]; 4] = [b"main.main", b"main.init", b"reflect.makeFuncStub", b"reflect.methodValueCall"];

/// Beginnings of names that stay whole: what a traceback without names still shows, and what reflect looks for to say which method
/// was called wrongly (`valueMethodName`). Of the others that the runtime reads it compares no more than the package.
const SHOWN: [&[u8]; 2] = [b"runtime.", b"reflect.Value."];

/// A table's functions with what goes taken out, and the names that stay.
pub(super) struct Kept {
    pub(super) functions: Vec<Function>,
    names: Names,
}

/// What wrappers are called where names go: one name for all. `panicwrap` takes the name of the wrapper that called it apart, and
/// ends the program where that has no method's form.
const WRAPPER: &[u8] = b"?.(*?).?";

impl Kept {
    /// What a function is called, by its name before and its number among the special ones; empty where the name goes.
    pub(super) fn name<'n>(&self, name: &'n [u8], id: u8) -> Cow<'n, [u8]> {
        let shown = || SHOWN.iter().any(|beginning| name.starts_with(beginning)) || READ_WHOLE.contains(&name);
        if self.names == Names::All || name.is_empty() || shown() {
            return as_printed(name);
        }
        if is_read_by_runtime(name) {
            let package = name.iter().position(|byte| *byte == b'.').map_or(name.len(), |dot| dot + 1);
            return name.get(..package).unwrap_or(name).into();
        }
        if id == 0 { Cow::default() } else { WRAPPER.into() }
    }
}

/// A name without its type arguments, `F[...]`, as the runtime shows it wherever it shows one; only profiles name them.
///
/// Source: `funcNameForPrint` in Go's `src/runtime/traceback.go`, which leaves what is shortened already.
fn as_printed(name: &[u8]) -> Cow<'_, [u8]> {
    let (open, close) = (name.iter().position(|byte| *byte == b'['), name.iter().rposition(|byte| *byte == b']'));
    match open.zip(close).filter(|(open, close)| open < close) {
        Some((open, close)) => [&name[..open], b"[...]", &name[close + 1..]].concat().into(),
        None => name.into(),
    }
}

fn is_read_by_runtime(name: &[u8]) -> bool {
    READ_BY_RUNTIME.iter().any(|beginning| name.starts_with(beginning))
}

/// Takes out what only tracebacks and profiles show.
pub(super) fn keep(table: &Table<'_>, names: Names) -> Result<Kept, Refused> {
    let functions = table.functions.iter().map(|function| slimmed(table, function)).collect::<Result<_, _>>()?;
    Ok(Kept { functions, names })
}

fn slimmed(table: &Table<'_>, function: &Function) -> Result<Function, Refused> {
    let mut slim = function.clone();
    // Without tables the runtime says "?" and line 0 (`funcline1`); a unit of -1 is one that has no files.
    (slim.files, slim.lines, slim.unit, slim.first_line) = (0, 0, NONE, 0);
    let mut drop_pcs = |number: usize| {
        if let Some(offset) = slim.pc_tables.get_mut(number) {
            *offset = 0;
        }
    };
    drop_pcs(ARGUMENT_LIVENESS);
    let tree_goes = !needs_tree(table, function)?;
    if tree_goes {
        drop_pcs(INLINE_INDEX);
    }
    for number in [ARGUMENTS, LIVE_ARGUMENTS].into_iter().chain(tree_goes.then_some(INLINE_TREE)) {
        if let Some(offset) = slim.data.get_mut(number) {
            *offset = NONE;
        }
    }
    let tables = slim.pc_tables.iter().rposition(|offset| *offset != 0).map_or(0, |last| last + 1);
    let data = slim.data.iter().rposition(|offset| *offset != NONE).map_or(0, |last| last + 1);
    slim.pc_tables.truncate(tables);
    slim.data.truncate(data);
    Ok(slim)
}

/// Whether the runtime looks at a function's tree of inlined calls for more than its text.
///
/// `gorecover` counts frames through wrappers, inlined or not: the tree of a wrapper decides whether a panic is recovered. What
/// is inlined of the runtime decides whether a goroutine may be stopped there (`isAsyncSafePoint`).
fn needs_tree(table: &Table<'_>, function: &Function) -> Result<bool, Refused> {
    let count = table.inlined(function)?;
    if count == 0 {
        return Ok(false);
    }
    if function.id != 0 {
        return Ok(true);
    }
    let tree = function.data.get(INLINE_TREE).copied().unwrap_or(NONE) as usize;
    for call in 0..count {
        let at = tree.saturating_add(call * INLINED);
        let id = table.data.get(at).copied().ok_or(Refused::Damaged("a tree of inlined calls is outside"))?;
        if id != 0 || is_read_by_runtime(table.name(u32_at(table.data, at + 4)?)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_of_a_name() {
        let told = |names| {
            let kept = Kept { functions: Vec::new(), names };
            let of = |name: &str, id| String::from_utf8(kept.name(name.as_bytes(), id).into_owned()).unwrap();
            [
                of("main.main", 0),
                of("main.serve", 0),
                of("main.(*T).Get", 22),
                of("main.(*T[go.shape.[]uint8]).Get.func1", 0),
                of("runtime.goexit", 9),
                of("reflect.Value.Call", 0),
                of("reflect.methodValueCall", 0),
                of("reflect.rtypeOff", 0),
                of("internal/runtime/maps.(*Map).Get", 0),
                of("", 0),
            ]
            .join(" ")
        };
        let all = "main.main main.serve main.(*T).Get main.(*T[...]).Get.func1 runtime.goexit reflect.Value.Call \
                   reflect.methodValueCall reflect.rtypeOff internal/runtime/maps.(*Map).Get ";
        let few = "main.main  ?.(*?).?  runtime.goexit reflect.Value.Call reflect.methodValueCall reflect. \
                   internal/runtime/maps. ";
        assert_eq!((told(Names::All).as_str(), told(Names::Runtime).as_str()), (all, few));
    }
}
