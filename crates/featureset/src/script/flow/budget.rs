//! The budget of a text: steps, and copies of the variables. Neither is a measure of time.

use super::super::value::Value;
use super::{Flow, Variables};

impl Flow<'_> {
    /// Takes steps from what is left; whether there were enough.
    pub(super) fn works(&mut self, amount: usize) -> bool {
        self.budget = self.budget.saturating_sub(amount + 1);
        if self.budget == 0 {
            self.stop("it takes more steps than are followed");
        }
        self.budget > 0
    }

    /// Notes why the text is not followed to its end; the first reason is kept.
    pub(super) fn stop(&mut self, why: &'static str) {
        self.stopped.get_or_insert(why);
    }

    /// Takes the size of the variables from what may be copied; whether there was enough.
    pub(super) fn may_copy(&mut self) -> bool {
        let size =
            |(name, values): (&String, &Vec<Value>)| name.len() + 64 + values.iter().map(Value::size).sum::<usize>();
        let size: usize = self.variables.iter().map(size).sum();
        self.copies = self.copies.saturating_sub(size);
        if self.copies == 0 {
            self.budget = 0;
        }
        self.works(self.variables.len() * 4)
    }

    /// The variables as they are; none where there were too many copies.
    pub(super) fn copied(&mut self) -> Variables {
        if self.may_copy() { self.variables.clone() } else { Variables::new() }
    }
}
