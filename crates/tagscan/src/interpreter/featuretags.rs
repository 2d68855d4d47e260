//! Calls of upstream's `featuretags`, with their arguments as Go's `flag` package takes them.

use std::collections::BTreeSet;

use spanned_yaml::Span;

use super::{Interpreter, Mark, State, Status};
use crate::model::{Featuretags, Unknown, Word};
use crate::value::Value;

impl Interpreter<'_> {
    /// A call of upstream's `featuretags`.
    pub(crate) fn featuretags(
        &mut self,
        arguments: &[Value],
        version: Option<String>,
        span: Span,
        mut state: State,
    ) -> State {
        let release = version.and_then(|version| super::release::version(&version)).map(|(version, _)| version);
        let mut call = Featuretags { span, release, ..Featuretags::default() };
        let mut unknown: Vec<Unknown> = Vec::new();
        let lists = self.arguments(&mut call, arguments, &mut unknown);
        let marks: BTreeSet<u32> = arguments.iter().flat_map(|word| word.marks.iter().copied()).collect();
        let mut value = self.printed(&call, unknown, lists);
        value.marks.extend(marks);
        if !lists {
            let mark = self.mark(Mark::Call(call.clone()));
            value.marks.insert(mark);
            self.note_call(call, &value);
        }
        value.push_made("\n", span.start);
        let value = self.risky(value, span, &mut state);
        state.status = Status::Success;
        state.output.push(&value);
        state
    }

    /// Reads the arguments of a call. Returns whether it only lists the features.
    fn arguments(&self, call: &mut Featuretags, arguments: &[Value], unknown: &mut Vec<Unknown>) -> bool {
        let mut given: BTreeSet<String> = BTreeSet::new();
        let mut rest = arguments.iter();
        while let Some(word) = rest.next() {
            let text = word.text();
            let flag = text.strip_prefix("--").or_else(|| text.strip_prefix('-')).filter(|flag| !flag.is_empty());
            if word.has_hole() && flag.is_none_or(|flag| !flag.contains('=')) {
                call.has_unknown = true;
                unknown.extend(self.reason(word).cloned());
                continue;
            }
            let Some(flag) = flag else {
                let ignored = std::iter::once(word).chain(rest.by_ref());
                call.ignored.extend(ignored.map(|word| Word::new(word.text(), word.span(0..word.len()))));
                break;
            };
            let (name, value) = match flag.split_once('=') {
                Some((name, value)) => (name, Some(word.part(text.len() - value.len()..text.len()))),
                None => (flag, None),
            };
            match name {
                "min" => call.min = value.is_none_or(|value| value.text() != "false"),
                "list" => return true,
                "add" | "remove" => {
                    let value = value.or_else(|| rest.next().cloned()).unwrap_or_default();
                    let names = if name == "add" { &mut call.add } else { &mut call.remove };
                    if !given.insert(name.to_owned()) {
                        call.ignored.append(names);
                    }
                    for range in value.ranges(|c| c == ',').into_iter().filter(|range| !range.is_empty()) {
                        let part = value.part(range.clone());
                        if part.has_hole() {
                            call.has_unknown = true;
                            unknown.extend(self.reason(&part).cloned());
                        } else {
                            names.push(Word::new(part.text(), value.span(range)));
                        }
                    }
                }
                _ => {
                    call.refused = Some(Word::new(text, word.span(0..word.len())));
                    break;
                }
            }
        }
        false
    }

    /// The tags that a call prints.
    fn printed(&mut self, call: &Featuretags, unknown: Vec<Unknown>, lists: bool) -> Value {
        if lists {
            return self.unknown("the list of all features", call.span);
        }
        let tags = if call.refused.is_some() { None } else { self.upstream.featuretags(call) };
        let Some(tags) = tags.filter(|_| !call.has_unknown || call.refused.is_none()) else {
            let hole = self.unknown("`featuretags` fails", call.span);
            self.failed.extend(hole.holes());
            return hole;
        };
        if call.has_unknown {
            let first = unknown.into_iter().next();
            let (reason, span) = first.map_or((String::new(), call.span), |unknown| (unknown.reason, unknown.span));
            return self.hole(Unknown { reason, span, is_allowlist: call.min }, None);
        }
        let mut value = Value::default();
        for (index, tag) in tags.iter().enumerate() {
            self.pay(tag.len());
            if index > 0 {
                value.push_made(",", call.span.start);
            }
            let removed = call.remove.iter().find(|word| tag.strip_prefix("ts_omit_") == Some(&word.text));
            match removed {
                // Where the name is written says more than where the call is.
                Some(word) => value.push_made(tag, word.span.start),
                None => value.push_made(tag, call.span.start),
            }
        }
        value
    }
}
