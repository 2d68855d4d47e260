//! The state of the editor, and the state after a key. Pure: no terminal, no file.

use std::collections::{BTreeMap, BTreeSet};

use featureset::group::Group;
use featureset::name::FeatureName;
use featureset::policy::{Decision, NotEditable, Policy, Verdict, parse_size};
use featureset::selection::Selection;
use featureset::unsaved::{NewDecision, UnsavedPolicy};

use super::input::{Key, TextInput};
use super::judgement::{HazardState, Judgement, Rank, Row, Sources, TargetSize, effective};

/// The number of features that the page keys move over.
const PAGE: usize = 10;

/// The state of the editor.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    sources: Sources,
    /// The policy with the changes; `None` if the text is not a policy.
    edited: Option<UnsavedPolicy>,
    judgement: Judgement,
    rows: BTreeMap<FeatureName, Row>,
    /// The displayed target; `None` for the common decisions.
    target: Option<String>,
    filter: Filter,
    selected: Option<FeatureName>,
    mode: Mode,
    status: Option<Status>,
}

/// The conditions that a listed feature meets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// Only decisions that an unaccepted hazard is about.
    pub(crate) hazard: bool,
    /// Only features without a decision.
    pub(crate) undecided: bool,
    /// Only decisions that differ from the revision to compare with, or from the file if there is none.
    pub(crate) changed: bool,
    /// Only features with a finding.
    pub(crate) finding: bool,
    /// Only features that are larger, in bytes.
    pub(crate) larger: Option<u64>,
    /// Only features with this text in the name or the reason.
    pub(crate) text: String,
}

/// The meaning of the keys.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Mode {
    /// Moves in the list.
    Browse,
    /// Displays what a decision forces, and waits for a confirmation.
    Confirm(Inversion),
    /// Edits a reason: of a decision that is not applied yet, or of one that is.
    Reason(TextInput, Option<Inversion>),
    /// Edits the text to search for. The second is the filter's text before.
    Search(TextInput, String),
    /// Waits for a filter.
    Filter,
    /// Edits the size of the filter.
    Larger(TextInput),
    /// Displays all details of the feature, from this line.
    Details(usize),
    /// Displays the findings, from this one.
    Findings(usize),
    /// Displays the keys, from this line.
    Help(usize),
    /// Asks what happens to unsaved changes.
    Leave,
}

/// A decision that is not applied yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inversion {
    /// The feature.
    pub(crate) name: FeatureName,
    /// The new decision.
    pub(crate) verdict: Verdict,
    /// The features whose decisions must follow.
    pub(crate) forced: BTreeSet<FeatureName>,
    /// The sizes of the targets after it.
    pub(crate) sizes: Vec<TargetSize>,
    /// The hazards that it brings.
    pub(crate) gained: Vec<HazardState>,
    /// The hazards that it clears.
    pub(crate) cleared: Vec<HazardState>,
}

/// A message below the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Status {
    /// The text.
    pub(crate) text: String,
    /// Whether something could not be done.
    pub(crate) is_problem: bool,
}

/// An effect that a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Writes the file.
    Save,
    /// Writes the file and ends if that worked.
    SaveAndLeave,
    /// Ends.
    Leave,
}

impl Model {
    /// Returns the editor of a policy's text.
    pub(crate) fn new(text: &str, sources: Sources) -> Self {
        let mut model = Self {
            edited: UnsavedPolicy::new(text),
            judgement: Judgement::new(text, &sources),
            rows: BTreeMap::new(),
            target: None,
            filter: Filter::default(),
            selected: None,
            mode: Mode::Browse,
            status: None,
            sources,
        };
        model.refresh();
        let findings = model.judgement.findings.len();
        if model.edited.is_none() {
            model.mode = Mode::Findings(0);
        } else if findings > 0 {
            let noun = if findings == 1 { "finding" } else { "findings" };
            model.say(format!("{findings} {noun}: `!` lists them"));
        }
        model
    }

    // Values for the view.

    /// Returns the inputs.
    pub(crate) fn sources(&self) -> &Sources {
        &self.sources
    }

    /// Returns the policy with the changes.
    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.edited.as_ref().map(UnsavedPolicy::policy)
    }

    /// Returns the policy with the decisions that are not saved.
    pub(crate) fn edited(&self) -> Option<&UnsavedPolicy> {
        self.edited.as_ref()
    }

    /// Returns the consequences of the decisions.
    pub(crate) fn judgement(&self) -> &Judgement {
        &self.judgement
    }

    /// Returns the row of a feature.
    pub(crate) fn row(&self, name: &FeatureName) -> Option<&Row> {
        self.rows.get(name)
    }

    /// Returns the displayed target.
    pub(crate) fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// Returns the filter.
    pub(crate) fn filter(&self) -> &Filter {
        &self.filter
    }

    /// Returns the feature of the cursor.
    pub(crate) fn selected(&self) -> Option<&FeatureName> {
        self.selected.as_ref()
    }

    /// Returns the meaning of the keys.
    pub(crate) fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Returns the message.
    pub(crate) fn status(&self) -> Option<&Status> {
        self.status.as_ref()
    }

    /// Returns the number of decisions that are not saved.
    pub(crate) fn unsaved(&self) -> usize {
        self.edited.as_ref().map_or(0, |edited| edited.changes().len())
    }

    /// Returns the sizes of the targets: with the decision that waits for its confirmation or its reason.
    pub(crate) fn sizes(&self) -> &[TargetSize] {
        match &self.mode {
            Mode::Confirm(inversion) | Mode::Reason(_, Some(inversion)) => &inversion.sizes,
            _ => &self.judgement.targets,
        }
    }

    /// Returns the decision on a feature, as the displayed target has it.
    pub(crate) fn decision(&self, name: &FeatureName) -> Option<&Decision> {
        effective(self.policy()?, self.target()).decision(name)
    }

    /// Returns whether the decision of the displayed section differs from the file.
    pub(crate) fn is_unsaved(&self, name: &FeatureName) -> bool {
        let Some(edited) = &self.edited else { return false };
        [None, self.target()].into_iter().any(|target| edited.is_changed(target, name))
    }

    /// Returns the groups with the features that pass the filter; groups without any are left out.
    pub(crate) fn visible(&self) -> Vec<Group> {
        let filtered = self.judgement.groups.iter().map(|group| Group {
            features: group.features.iter().filter(|name| self.passes(name)).cloned().collect(),
            ..group.clone()
        });
        filtered.filter(|group| !group.features.is_empty()).collect()
    }

    /// Returns the features that pass the filter, in the order of the list.
    pub(crate) fn visible_features(&self) -> Vec<FeatureName> {
        self.visible().into_iter().flat_map(|group| group.features).collect()
    }

    fn passes(&self, name: &FeatureName) -> bool {
        let Some(row) = self.rows.get(name) else { return false };
        let Filter { hazard, undecided, changed, finding, larger, text } = &self.filter;
        let is_dangerous = row.hazards.is_some_and(|(rank, _)| rank != Rank::Accepted);
        let has_changed = if self.sources.base.is_some() { row.is_changed_since_base } else { self.is_unsaved(name) };
        let is_large = |least: u64| row.size.is_some_and(|size| size.unsigned_abs() > least);
        let has_finding = || self.judgement.findings.iter().any(|one| one.features.contains(name));
        let matches = || {
            let text = text.to_lowercase();
            let reason = self.decision(name).map(|decision| decision.reason.to_lowercase());
            name.as_str().contains(&text) || reason.is_some_and(|reason| reason.contains(&text))
        };
        (!hazard || is_dangerous)
            && (!undecided || row.verdict.is_none())
            && (!changed || has_changed)
            && (!finding || has_finding())
            && larger.is_none_or(is_large)
            && (text.is_empty() || matches())
    }

    // Keys

    /// Changes the state after a key. Returns an effect that the key asks for.
    pub(crate) fn press(&mut self, key: &Key) -> Option<Request> {
        self.status = None;
        // The mode is put back by the keys that do not end it.
        match std::mem::replace(&mut self.mode, Mode::Browse) {
            Mode::Browse => return self.browse(key),
            Mode::Confirm(inversion) => self.confirm(inversion, key),
            Mode::Reason(input, inversion) => self.reason(input, inversion, key),
            Mode::Search(input, before) => self.search(input, before, key),
            Mode::Filter => self.choose_filter(key),
            Mode::Larger(input) => self.larger(input, key),
            Mode::Details(line) => self.mode = scrolled(line, key).map_or(Mode::Browse, Mode::Details),
            Mode::Help(line) => self.mode = scrolled(line, key).map_or(Mode::Browse, Mode::Help),
            Mode::Findings(line) => {
                let last = self.judgement.findings.len().saturating_sub(1);
                // A text that is not a policy has nothing else to display.
                let closed = if self.edited.is_some() { Mode::Browse } else { Mode::Findings(line) };
                self.mode = scrolled(line, key).map_or(closed, |line| Mode::Findings(line.min(last)));
                if self.edited.is_none() && matches!(key, Key::Char('q') | Key::Ctrl('c')) {
                    return Some(Request::Leave);
                }
            }
            Mode::Leave => return self.leave(key),
        }
        None
    }

    fn browse(&mut self, key: &Key) -> Option<Request> {
        match key {
            Key::Up | Key::Char('k') => self.step(-1),
            Key::Down | Key::Char('j') => self.step(1),
            Key::PageUp => self.step(-(PAGE as isize)),
            Key::PageDown => self.step(PAGE as isize),
            Key::Home | Key::Char('g') => self.step(isize::MIN),
            Key::End | Key::Char('G') => self.step(isize::MAX),
            Key::Enter => self.mode = Mode::Details(0),
            Key::Char(' ') => self.propose(None),
            Key::Char('y') => self.propose(Some(Verdict::Keep)),
            Key::Char('n') => self.propose(Some(Verdict::Omit)),
            Key::Char('r') => self.edit_reason(),
            Key::Char('u') | Key::Ctrl('z') => self.undo(),
            Key::Char('t') => self.switch_target(),
            Key::Char('/') => self.mode = Mode::Search(TextInput::new(&self.filter.text), self.filter.text.clone()),
            Key::Char('f') => self.mode = Mode::Filter,
            Key::Char('!') => self.mode = Mode::Findings(0),
            Key::Char('?') => self.mode = Mode::Help(0),
            Key::Esc => {
                self.filter = Filter::default();
                self.refresh();
            }
            Key::Char('s') | Key::Ctrl('s') => return self.save(),
            Key::Char('q') | Key::Ctrl('c') => {
                if self.unsaved() == 0 {
                    return Some(Request::Leave);
                }
                self.mode = Mode::Leave;
            }
            _ => {}
        }
        None
    }

    fn save(&mut self) -> Option<Request> {
        if self.unsaved() > 0 {
            return Some(Request::Save);
        }
        self.say("nothing to save".to_owned());
        None
    }

    fn leave(&mut self, key: &Key) -> Option<Request> {
        match key {
            Key::Char('s') => Some(Request::SaveAndLeave),
            Key::Char('d') => Some(Request::Leave),
            Key::Esc | Key::Char('n') => None,
            _ => {
                self.mode = Mode::Leave;
                None
            }
        }
    }

    fn confirm(&mut self, inversion: Inversion, key: &Key) {
        match key {
            Key::Enter | Key::Char('y') => match self.filed_reason(&inversion.name, inversion.verdict) {
                Some(reason) => self.apply(&inversion, &reason),
                None => self.mode = Mode::Reason(TextInput::default(), Some(inversion)),
            },
            Key::Esc | Key::Char('n' | 'q') | Key::Ctrl('c') => {}
            _ => self.mode = Mode::Confirm(inversion),
        }
    }

    fn reason(&mut self, mut input: TextInput, inversion: Option<Inversion>, key: &Key) {
        match key {
            Key::Esc | Key::Ctrl('c') => self.say("nothing was changed".to_owned()),
            Key::Enter if input.text().trim().is_empty() => {
                self.mode = Mode::Reason(input, inversion);
                self.fail("a decision needs a reason: what it changes on this device; Esc cancels".to_owned());
            }
            Key::Enter => match inversion {
                Some(inversion) => self.apply(&inversion, &input.text()),
                None => self.replace_reason(&input.text()),
            },
            key => {
                input.press(key);
                self.mode = Mode::Reason(input, inversion);
            }
        }
    }

    fn search(&mut self, mut input: TextInput, before: String, key: &Key) {
        match key {
            Key::Enter => {}
            Key::Esc | Key::Ctrl('c') => self.filter.text = before,
            Key::Up => self.step_in(-1, Mode::Search(input, before)),
            Key::Down => self.step_in(1, Mode::Search(input, before)),
            key => {
                input.press(key);
                self.filter.text = input.text().trim().to_owned();
                self.mode = Mode::Search(input, before);
                self.refresh();
                return self.select_best();
            }
        }
        self.refresh();
    }

    /// Moves the cursor to the feature whose name fits the search best: equal, else the first that begins with it or contains
    /// it, else the first.
    fn select_best(&mut self) {
        let visible = self.visible_features();
        let text = self.filter.text.to_lowercase();
        let distance = |name: &&FeatureName| match name.as_str().find(&text) {
            Some(at) => (at > 0, name.as_str().len()),
            None => (true, usize::MAX),
        };
        self.selected = visible.iter().min_by_key(distance).cloned();
    }

    fn choose_filter(&mut self, key: &Key) {
        match key {
            Key::Char('h') => self.filter.hazard ^= true,
            Key::Char('u') => self.filter.undecided ^= true,
            Key::Char('c') => self.filter.changed ^= true,
            Key::Char('!') => self.filter.finding ^= true,
            Key::Char('l' | '>') => self.mode = Mode::Larger(TextInput::default()),
            Key::Char('a') => self.filter = Filter::default(),
            _ => {}
        }
        self.refresh();
    }

    fn larger(&mut self, mut input: TextInput, key: &Key) {
        let text = input.text();
        match key {
            Key::Esc | Key::Ctrl('c') => {}
            Key::Enter if text.trim().is_empty() => self.filter.larger = None,
            Key::Enter => match parse_size(&text) {
                Some(size) => self.filter.larger = Some(size),
                None => {
                    self.mode = Mode::Larger(input);
                    self.fail("write it as 50kB or 1.2MB".to_owned());
                }
            },
            key => {
                input.press(key);
                self.mode = Mode::Larger(input);
            }
        }
        self.refresh();
    }

    // Actions

    /// Moves the cursor over visible features.
    fn step(&mut self, by: isize) {
        let visible = self.visible_features();
        let at = visible.iter().position(|name| Some(name) == self.selected.as_ref()).unwrap_or_default();
        let last = visible.len().saturating_sub(1);
        self.selected = visible.into_iter().nth(at.saturating_add_signed(by).min(last));
    }

    fn step_in(&mut self, by: isize, mode: Mode) {
        self.step(by);
        self.mode = mode;
    }

    fn switch_target(&mut self) {
        let names: Vec<String> = self.judgement.targets.iter().map(|target| target.name.clone()).collect();
        let next = self
            .target
            .as_ref()
            .map_or(0, |target| names.iter().position(|name| name == target).map_or(names.len(), |at| at + 1));
        self.target = names.into_iter().nth(next);
        self.refresh();
    }

    /// Proposes a decision on the feature of the cursor: the opposite one if none is given.
    fn propose(&mut self, verdict: Option<Verdict>) {
        let (Some(policy), Some(name)) = (self.policy(), self.selected.clone()) else { return self.fail_unreadable() };
        let registry = self.sources.registry(policy).filter(|registry| registry.features.contains_key(&name));
        let Some(registry) = registry else {
            return self.fail(format!("the pinned release has no feature `{name}`; delete its entry by hand"));
        };
        let effective_policy = effective(policy, self.target());
        let is_kept = effective_policy.keeps(&name);
        let verdict = verdict.unwrap_or(if is_kept { Verdict::Omit } else { Verdict::Keep });
        let old = effective_policy.decision(&name).map(|decision| decision.verdict);
        if old == Some(verdict) {
            return self.say(format!("`{name}` is {} already", verdict.participle()));
        }
        let forced = if is_kept == (verdict == Verdict::Keep) {
            BTreeSet::new()
        } else {
            Selection::new(effective_policy, registry).forced_by_inverting(&name)
        };
        self.mode = Mode::Confirm(self.preview(policy, name, verdict, forced));
    }

    /// Returns a decision with what follows from it.
    fn preview(
        &self,
        policy: &Policy,
        name: FeatureName,
        verdict: Verdict,
        forced: BTreeSet<FeatureName>,
    ) -> Inversion {
        let mut after = policy.clone();
        for moved in forced.iter().chain([&name]) {
            let decision = Decision { verdict, reason: String::new(), refs: Vec::new() };
            match self.target.as_ref().and_then(|target| after.targets.get_mut(target)) {
                Some(target) => target.features.insert(moved.clone(), decision),
                None => after.features.insert(moved.clone(), decision),
            };
        }
        let after = Judgement::of_policy(&after, &self.sources);
        let without = |these: &[HazardState], those: &[HazardState]| {
            let is_new = |one: &&HazardState| those.iter().all(|other| other.id != one.id || other.rank > one.rank);
            these.iter().filter(is_new).cloned().collect::<Vec<_>>()
        };
        let gained = without(&after.hazards, &self.judgement.hazards);
        let cleared = without(&self.judgement.hazards, &after.hazards);
        Inversion { name, verdict, forced, sizes: after.targets, gained, cleared }
    }

    /// Returns the reason of the file for a decision, if the file decides the same.
    fn filed_reason(&self, name: &FeatureName, verdict: Verdict) -> Option<String> {
        let filed = self.edited.as_ref()?.filed(self.target(), name)?;
        (filed.verdict == verdict && !filed.reason.is_empty()).then(|| filed.reason.clone())
    }

    /// Applies a decision and those that it forces, as one step.
    fn apply(&mut self, inversion: &Inversion, reason: &str) {
        let Inversion { name, verdict, forced, .. } = inversion;
        let follows = match verdict {
            Verdict::Keep => format!("Needed by {name}."),
            Verdict::Omit => format!("Needs {name}, which is omitted."),
        };
        let decision =
            |name: &FeatureName, reason: String| NewDecision { name: name.clone(), verdict: *verdict, reason };
        let moved = forced
            .iter()
            .map(|other| decision(other, self.filed_reason(other, *verdict).unwrap_or_else(|| follows.clone())));
        let decisions: Vec<NewDecision> = moved.chain([decision(name, reason.trim().to_owned())]).collect();
        let names: Vec<&str> = decisions.iter().rev().map(|decision| decision.name.as_str()).collect();
        let done = format!("{}: {}", verdict.participle(), names.join(", "));
        self.change(&decisions, self.target.clone().as_deref(), done);
    }

    fn edit_reason(&mut self) {
        let Some(name) = self.selected.clone() else { return self.fail_unreadable() };
        match self.decision(&name) {
            Some(decision) => self.mode = Mode::Reason(TextInput::new(&decision.reason), None),
            None => self.fail(format!("`{name}` is not decided: `y` keeps it, `n` omits it")),
        }
    }

    /// Writes another reason into the entry that decides.
    fn replace_reason(&mut self, reason: &str) {
        let (Some(policy), Some(name)) = (self.policy(), self.selected.clone()) else { return };
        let Some(decision) = self.decision(&name) else { return };
        let target = self.target.clone().filter(|_| effective(policy, self.target()).overrides(&name));
        let decision = NewDecision { verdict: decision.verdict, reason: reason.trim().to_owned(), name };
        let done = format!("new reason of {}", decision.name);
        self.change(&[decision], target.as_deref(), done);
    }

    fn change(&mut self, decisions: &[NewDecision], target: Option<&str>, done: String) {
        let Some(edited) = &mut self.edited else { return };
        match edited.decide(target, decisions) {
            Ok(()) => self.say(done),
            Err(NotEditable(why)) => self.fail(format!("the entry can't be written: {why}; edit the file by hand")),
        }
        self.judge();
    }

    fn undo(&mut self) {
        match self.edited.as_mut().map(UnsavedPolicy::undo) {
            Some(true) => {
                self.judge();
                self.say("undone".to_owned());
            }
            _ => self.say("nothing to undo".to_owned()),
        }
    }

    // Saving

    /// Returns the text that the file must have, and the text to write.
    ///
    /// # Errors
    /// [`NotEditable`] if the changes can't be written without changing anything else.
    pub(crate) fn to_save(&self) -> Result<(&str, String), NotEditable> {
        let edited = self.edited.as_ref().ok_or_else(|| NotEditable("the policy can't be read".to_owned()))?;
        Ok((edited.saved_text(), edited.to_save()?))
    }

    /// Records that the file has this text now.
    pub(crate) fn saved(&mut self, text: String) {
        let changed = self.unsaved();
        if let Some(edited) = &mut self.edited {
            edited.saved(text);
        }
        self.judge();
        let noun = if changed == 1 { "decision" } else { "decisions" };
        self.say(format!("saved {changed} {noun}; {} findings", self.judgement.findings.len()));
    }

    /// Displays why something could not be done.
    pub(crate) fn fail(&mut self, text: String) {
        self.status = Some(Status { text, is_problem: true });
    }

    fn fail_unreadable(&mut self) {
        self.fail("the list is empty".to_owned());
    }

    fn say(&mut self, text: String) {
        self.status = Some(Status { text, is_problem: false });
    }

    fn judge(&mut self) {
        if let Some(edited) = &self.edited {
            self.judgement = Judgement::new(edited.text(), &self.sources);
        }
        self.refresh();
    }

    /// Makes the rows again, and moves the cursor to a visible feature.
    fn refresh(&mut self) {
        if let Some(policy) = self.edited.as_ref().map(UnsavedPolicy::policy) {
            self.rows = self.judgement.rows(policy, self.target.as_deref(), &self.sources);
        }
        let visible = self.visible_features();
        if !self.selected.as_ref().is_some_and(|name| visible.contains(name)) {
            // The next one in the list, so that a filtered list can be worked through from any position.
            let order: Vec<&FeatureName> = self.judgement.features().collect();
            let place = |name: &FeatureName| order.iter().position(|other| *other == name);
            let old = self.selected.as_ref().and_then(place);
            let next = visible.iter().find(|name| place(name) > old).or(visible.last());
            self.selected = next.cloned();
        }
    }
}

/// Returns the first line of a text after a key that scrolls; `None` after any key that closes it.
fn scrolled(line: usize, key: &Key) -> Option<usize> {
    match key {
        Key::Up | Key::Char('k') => Some(line.saturating_sub(1)),
        Key::Down | Key::Char('j') => Some(line.saturating_add(1)),
        Key::PageUp => Some(line.saturating_sub(PAGE)),
        Key::PageDown | Key::Char(' ') => Some(line.saturating_add(PAGE)),
        Key::Home | Key::Char('g') => Some(0),
        _ => None,
    }
}
