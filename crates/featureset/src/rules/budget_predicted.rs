//! `budget-predicted`: the measured sizes predict that a target exceeds its budget.

use super::context::Subject;
use crate::cost::estimate::target_sizes;
use crate::policy::format_size;
use diagnostics::{Code, Diagnostic, Label, NextStep};

pub(super) fn check(subject: &Subject<'_>) -> Vec<Diagnostic> {
    let Some(registry) = subject.registry() else { return Vec::new() };
    let sizes = target_sizes(subject.policy, registry);
    sizes
        .into_iter()
        .filter_map(|(name, predicted)| {
            let budget = subject.policy.targets.get(&name)?.budget?;
            if predicted.bytes <= budget {
                return None;
            }
            let sizes = (format_size(predicted.bytes), format_size(budget));
            let message = format!("`{name}` is predicted to have {}, over its budget of {}", sizes.0, sizes.1);
            let next = NextStep::default()
                .command("list --by cost")
                .text(" shows what is large; omit something, or raise the budget.");
            let place = Label::new(subject.places.value(&["targets", &name, "budget"]), "the budget");
            let why = format!("The size is {}.", predicted.basis);
            Some(Diagnostic::new(Code::BudgetPredicted, message, next).at(place).because(why))
        })
        .collect()
}
