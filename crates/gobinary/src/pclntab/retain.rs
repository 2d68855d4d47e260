//! Selects the parts of the pclntab that are kept.

use std::borrow::Cow;

use super::decode::Pclntab;
use super::func::{
    FUNCDATA_ARG_INFO, FUNCDATA_ARG_LIVE_INFO, FUNCDATA_INL_TREE, Func, INLINED_CALL_LEN, NONE, PCDATA_ARG_LIVE_INDEX,
    PCDATA_INL_TREE_INDEX,
};
use crate::error::Refused;
use crate::func_name::func_name_for_print;

/// The function names that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// The names of all functions.
    All,
    /// The names that the runtime reads for other purposes than printing them.
    Runtime,
}

/// Prefixes that the runtime compares names with, in `isExportedRuntime`, `isAsyncSafePoint`,
/// `printCgoTraceback`, `panicCheck`, `cgoSigtramp`, the profiler and `getStackMap` (reflect). A
/// test lists the functions in Go's `src/runtime` that read names.
const READ_BY_RUNTIME: [&[u8]; 4] = [b"runtime.", b"internal/runtime/", b"reflect.", b"runtime/"];

/// Names that tracebacks, runtime startup and the stack walk through reflect (`argMapInternal`)
/// compare in full.
const COMPARED_IN_FULL: [&[u8]; 4] = [b"main.main", b"main.init", b"reflect.makeFuncStub", b"reflect.methodValueCall"];

/// Prefixes of names that are kept in full: those that a traceback shows even without other names,
/// and those that reflect searches to report which method was misused (`valueMethodName`). Of all
/// other names in [`READ_BY_RUNTIME`] only the package is compared.
const KEPT_IN_FULL: [&[u8]; 2] = [b"runtime.", b"reflect.Value."];

/// The shared name of all wrappers whose own name is removed. `panicwrap` parses the name of the
/// wrapper that called it, and terminates the program if that does not have the form of a method.
const WRAPPER: &[u8] = b"?.(*?).?";

/// The functions without the removed parts, and the choice of names.
pub(super) struct Retained {
    pub(super) funcs: Vec<Func>,
    names: Names,
}

impl Retained {
    /// Removes what only tracebacks and profiles show.
    pub(super) fn new(pclntab: &Pclntab<'_>, names: Names) -> Result<Self, Refused> {
        let funcs = pclntab.funcs.iter().map(|func| retained_func(pclntab, func)).collect::<Result<_, _>>()?;
        Ok(Self { funcs, names })
    }

    /// Returns the new name of a function, which is empty if the name is removed.
    pub(super) fn name<'n>(&self, name: &'n [u8], func_id: u8) -> Cow<'n, [u8]> {
        let is_kept = || has_prefix(name, &KEPT_IN_FULL) || COMPARED_IN_FULL.contains(&name);
        if self.names == Names::All || name.is_empty() || is_kept() {
            return func_name_for_print(name);
        }
        if has_prefix(name, &READ_BY_RUNTIME) {
            let package = name.split_inclusive(|byte| *byte == b'.').next().unwrap_or(name);
            return package.into();
        }
        if func_id == 0 { Cow::default() } else { WRAPPER.into() }
    }
}

fn has_prefix(name: &[u8], prefixes: &[&[u8]]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

fn retained_func(pclntab: &Pclntab<'_>, func: &Func) -> Result<Func, Refused> {
    let mut retained = func.clone();
    // Without these the runtime prints "?" and line 0 (`funcline1`).
    (retained.pcfile, retained.pcln, retained.cu_offset, retained.start_line) = (0, 0, NONE, 0);
    clear(&mut retained.pcdata, PCDATA_ARG_LIVE_INDEX, 0);
    clear(&mut retained.funcdata, FUNCDATA_ARG_INFO, NONE);
    clear(&mut retained.funcdata, FUNCDATA_ARG_LIVE_INFO, NONE);
    if !needs_inline_tree(pclntab, func)? {
        clear(&mut retained.pcdata, PCDATA_INL_TREE_INDEX, 0);
        clear(&mut retained.funcdata, FUNCDATA_INL_TREE, NONE);
    }
    trim_end(&mut retained.pcdata, 0);
    trim_end(&mut retained.funcdata, NONE);
    Ok(retained)
}

fn clear(offsets: &mut [u32], index: usize, none: u32) {
    if let Some(offset) = offsets.get_mut(index) {
        *offset = none;
    }
}

fn trim_end(offsets: &mut Vec<u32>, none: u32) {
    while offsets.last() == Some(&none) {
        offsets.pop();
    }
}

/// Whether the runtime needs a function's inline tree for more than printing it.
///
/// `gorecover` counts frames through wrappers, inlined or not, so the inline tree of a wrapper
/// decides whether a panic is recovered. Inlined functions of the runtime decide whether a
/// goroutine can be preempted there (`isAsyncSafePoint`).
fn needs_inline_tree(pclntab: &Pclntab<'_>, func: &Func) -> Result<bool, Refused> {
    let count = pclntab.inlined_call_count(func)?;
    if count > 0 && func.func_id != 0 {
        return Ok(true);
    }
    let tree = func.funcdata(FUNCDATA_INL_TREE) as usize;
    for index in 0..count {
        let call = pclntab.inlined_call(tree.saturating_add(index * INLINED_CALL_LEN))?;
        if call.func_id != 0 || has_prefix(pclntab.name(call.name_off)?, &READ_BY_RUNTIME) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retained_name_depends_on_names_and_func_id() {
        let wrapper = 22;
        for (name, func_id, all, runtime) in [
            ("main.main", 0, "main.main", "main.main"),
            ("main.serve", 0, "main.serve", ""),
            ("main.(*T).Get", wrapper, "main.(*T).Get", "?.(*?).?"),
            ("main.(*T[go.shape.[]uint8]).Get.func1", 0, "main.(*T[...]).Get.func1", ""),
            ("runtime.goexit", 9, "runtime.goexit", "runtime.goexit"),
            ("reflect.Value.Call", 0, "reflect.Value.Call", "reflect.Value.Call"),
            ("reflect.methodValueCall", 0, "reflect.methodValueCall", "reflect.methodValueCall"),
            ("reflect.rtypeOff", 0, "reflect.rtypeOff", "reflect."),
            ("internal/runtime/maps.(*Map).Get", 0, "internal/runtime/maps.(*Map).Get", "internal/runtime/maps."),
            ("", 0, "", ""),
        ] {
            for (names, expected) in [(Names::All, all), (Names::Runtime, runtime)] {
                let retained = Retained { funcs: Vec::new(), names };
                assert_eq!(*retained.name(name.as_bytes(), func_id), *expected.as_bytes(), "{name}, {names:?}");
            }
        }
    }
}
